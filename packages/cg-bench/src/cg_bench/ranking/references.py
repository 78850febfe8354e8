"""The paper's recipe and the plain k-GNN; they train for a minute, so they run with fewer draws and labels.

The target's labels train a Gaussian process on their readout, which is far quicker than training all weights (docs/results/embedding/recipe.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_bench.ranking.methods import Outcome, random_labels
from cg_ir.graph import Graph
from cg_predict.tables import SPACES, read_family, relatives_of

__all__ = ["Reference"]

#: Steps of the contrastive stage, on the unlabelled graphs of the source families.
CONTRASTIVE_STEPS = 100


@dataclass
class Reference:
    """A predictor of `cg_predict.finetuned`, trained on labels of all families but the target's.

    Args:
        name: ``fine-tuned`` or ``k-GNN``.
        exclude: families that it does not learn from, nor from their relatives.
        data: folder with the label tables.
        counts: see `cg_bench.ranking.methods.Method`.
        draws: at most so many.
        labels: networks of each source family.
        scored: unlabelled networks that are scored, a sample where there are more.
    """

    name: str
    exclude: tuple[str, ...]
    data: Path
    counts: tuple[int, ...] | None = (0, 50, 100)
    draws: int = 3
    labels: int = 200
    scored: int = 500
    _made: list[Any] = field(default_factory=list)

    def _predictor(self) -> Any:
        if not self._made:
            from cg_embed import ContrastiveEncoder
            from cg_predict.finetuned import FineTunedPredictor, KGNNPredictor

            sources = {}
            for family in SPACES:
                if family.name not in relatives_of(self.exclude):
                    part = read_family(family, self.data).sample(self.labels, np.random.default_rng(0))
                    sources[family.name] = (part.graphs(), part.labels)
            if self.name == "k-GNN":
                made: Any = KGNNPredictor(tuning="process")
            else:
                unlabelled = {name: graphs for name, (graphs, _) in sources.items()}
                encoder = ContrastiveEncoder.pretrain(unlabelled, steps=CONTRASTIVE_STEPS, batch=32)
                made = FineTunedPredictor(encoder, tuning="process")
            self._made.append(made.pretrain(sources))
        return self._made[0]

    def run(self, graphs: Sequence[Graph], labels: NDArray[np.floating[Any]], count: int, draw: int) -> Outcome:
        """See `cg_bench.ranking.methods.Method`."""
        predictor = self._predictor()
        chosen = random_labels(len(graphs), count, draw)
        rest = np.setdiff1d(np.random.default_rng(7).permutation(len(graphs))[: self.scored + count], chosen)[
            : self.scored
        ]
        score = np.full(len(graphs), np.nan)
        scored = [graphs[i] for i in rest]
        if count:
            predictor.fit([graphs[i] for i in chosen], labels[chosen], pool=scored)
        score[rest] = predictor.predict(scored, pool=scored)
        return Outcome(chosen, score)
