"""Rank neural networks from few labels or none: predictors with uncertainty and a prior from other families.

Names are imported when first used; nothing but `FineTunedPredictor`, `KGNNPredictor` and the zero-cost proxies needs torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cg_ir.lazy import lazy_names

if TYPE_CHECKING:
    from cg_predict.comparison import probability_better
    from cg_predict.explain import Explanation
    from cg_predict.familiarity import Familiarity, UnfamiliarWarning
    from cg_predict.gp import AveragedGaussianProcess, Structure
    from cg_predict.latency import LatencyPredictor, LatencyScorer
    from cg_predict.predictor import Predictor
    from cg_predict.prior import Prior, load_prior
    from cg_predict.ranking import Ranked, Ranking, rank
    from cg_predict.targets import LabelError, normal_scores

__version__ = "0.1.0"

_WHERE = {
    "Predictor": "predictor",
    "Familiarity": "familiarity",
    "UnfamiliarWarning": "familiarity",
    "rank": "ranking",
    "Ranking": "ranking",
    "Ranked": "ranking",
    "probability_better": "comparison",
    "Explanation": "explain",
    "LatencyPredictor": "latency",
    "LatencyScorer": "latency",
    "Prior": "prior",
    "load_prior": "prior",
    "AveragedGaussianProcess": "gp",
    "Structure": "gp",
    "LabelError": "targets",
    "normal_scores": "targets",
}

__all__ = [  # noqa: RUF022 - grouped by concept
    "__version__",
    # ranking
    "Predictor",
    "Familiarity",
    "UnfamiliarWarning",
    "rank",
    "Ranking",
    "Ranked",
    # explanations
    "Explanation",
    "probability_better",
    # latency
    "LatencyPredictor",
    "LatencyScorer",
    # its parts
    "Prior",
    "load_prior",
    "AveragedGaussianProcess",
    "Structure",
    "LabelError",
    "normal_scores",
]

__getattr__, __dir__ = lazy_names(__name__, _WHERE)
