"""Labels: what may be learned from, and their normal scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from cg_ir.errors import CgError
from cg_ir.graph import Graph


class LabelError(CgError, ValueError):
    """Labels from which nothing can be learned."""


def normal_scores(y: ArrayLike) -> NDArray[np.float64]:
    """Standard normal quantiles of the ranks (van der Waerden scores); ties share the mean of their ranks.

    Ranks are all that transfers between families whose accuracies lie on different scales.
    """
    values = np.asarray(y, dtype=np.float64)
    from scipy.stats import rankdata

    result: NDArray[np.float64] = ndtri((rankdata(values) - 0.5) / len(values)) if len(values) else values
    return result


def check_graphs(graphs: Iterable[Any]) -> list[Graph]:
    """The networks as a list.

    Raises:
        CgError: one is no graph.
    """
    if isinstance(graphs, (str, bytes, Graph)) or not isinstance(graphs, Iterable):
        raise CgError(f"networks should be a list of graphs, not {_described(graphs)}")
    listed = list(graphs)
    for position, graph in enumerate(listed):
        if not isinstance(graph, Graph):
            raise CgError(
                f"network {position} should be a graph, not {_described(graph)}; space.graph(arch), from_module and from_onnx make one"
            )
    return listed


def _described(value: Any) -> str:
    return f"the text {value!r:.60}" if isinstance(value, (str, bytes)) else f"a {type(value).__name__}"


def check_labels(y: Any, count: int) -> NDArray[np.float64]:
    """The labels as floats.

    Args:
        y: one number for each network, higher is better; a column (n, 1) will do.
        count: number of networks.

    Raises:
        LabelError: text, complex numbers, the wrong number of labels, none at all, NaN or infinity.
    """
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise LabelError(f"labels should be one number for each network, not an array of shape {values.shape}")
    if values.dtype.kind == "c":
        raise LabelError("labels should be real numbers, not complex ones")
    if values.dtype.kind not in "fiub":
        for position, value in enumerate(values):
            try:
                float(value)
            except (TypeError, ValueError):
                raise LabelError(f"label {position} should be a number, not {value!r:.60}") from None
            if isinstance(value, (str, bytes)):
                raise LabelError(f"label {position} is the text {value!r:.60}; convert labels to numbers first")
    values = values.astype(np.float64)
    if len(values) != count:
        raise LabelError(f"there are {len(values)} labels for {count} networks; there should be one for each")
    if count == 0:
        raise LabelError("there is no label; predict works without fit, from the prior alone")
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise LabelError(
            f"{len(bad)} of {count} labels are not finite (the first is label {bad[0]}: {values[bad[0]]}); leave those networks out"
        )
    return values


def merge_duplicates(hashes: Sequence[str], y: NDArray[np.float64]) -> tuple[list[int], NDArray[np.float64]]:
    """Networks that occur more than once count once, with the mean of their labels.

    Returns:
        Index of the first occurrence of each distinct network, in order, and its label.
    """
    first: dict[str, int] = {}
    groups: dict[str, list[float]] = {}
    for index, key in enumerate(hashes):
        first.setdefault(key, index)
        groups.setdefault(key, []).append(float(y[index]))
    return list(first.values()), np.array([np.mean(groups[key]) for key in first])
