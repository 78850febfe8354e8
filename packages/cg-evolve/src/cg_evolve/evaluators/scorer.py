"""A scorer's score as the value of an architecture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cg_evolve.errors import SearchError
from cg_ir import get_scorer, registry

if TYPE_CHECKING:
    from cg_ir.graph import Graph

__all__ = ["ScorerEvaluator", "load_scorer"]


def load_scorer(directory: Path) -> Any:
    """A scorer that was saved to a folder; ``config.json`` in it names which scorer it is.

    Raises:
        SearchError: there is no such model.
    """
    config = directory / "config.json"
    try:
        name = json.loads(config.read_text(encoding="utf-8")).get("scorer", "predictor")
    except (OSError, ValueError, AttributeError):
        raise SearchError(f"{directory}: is no saved scorer (no readable config.json)") from None
    make = registry().get("scorer", str(name)).make
    load = getattr(make, "load", None) or getattr(make(), "load", None)
    if load is None:
        raise SearchError(f"{directory}: the scorer '{name}' cannot be loaded")
    return load(str(directory))


class ScorerEvaluator:
    """Evaluates by what a scorer predicts, as metric ``score``.

    Args:
        target: registered name, or the folder of a model that ``cg fit`` saved.
    """

    name = "scorer"

    def __init__(self, target: str, **options: str) -> None:
        path = Path(target)
        self._scorer = load_scorer(path) if path.is_dir() else get_scorer(target, **options)

    def evaluate(self, arch: str, graph: Graph, seed: int) -> dict[str, float]:
        """The score."""
        return {"score": float(self._scorer.predict([graph])[0])}
