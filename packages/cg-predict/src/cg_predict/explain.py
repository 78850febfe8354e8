"""Why a network gets its score, and what would raise it.

The score is shared out among regions by Shapley values (Shapley 1953): the contribution of a region is how much the score falls when an identity
takes its place, or the region with half its inner width, averaged over the orders in which regions can be taken out. Every value is the score of a
real network, so contributions and what is left without any of the regions add up to the score, exactly. Up to eight regions all subsets are scored;
beyond, orders are drawn, each with its reverse.

Regions that stand in for each other have small contributions each, and matter together: so the few whose joint absence lowers the score most are told, too.
A network that ignores its input cannot be better than chance, whatever a scorer makes of its operators: it counts as worse than all others at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.bypass import Bypass, bypass, bypasses
from cg_ir.errors import CgError
from cg_ir.graph import Graph
from cg_predict.around import Narrower

Floats = NDArray[np.float64]
_EXACT = 8
#: Orders that are drawn, half of them the reverse of the others.
_ORDERS = 24
#: Regions that are told together, and regions up to which every such set is tried.
_TOGETHER, _TRIED = 3, 12


@dataclass(frozen=True)
class Explanation:
    """A score, shared out.

    Attributes:
        score: of the network.
        rest: score of what is left without any of the regions.
        regions: dotted paths.
        contributions: of each region, (n,); with ``rest`` they add up to ``score``.
        errors: standard errors of the contributions, (n,); zero where all orders were taken.
        together: at most three regions, and at most half of them, whose joint absence lowers the score most; chosen one after the other where there are
            more than twelve regions.
        fall: by how much it does.
    """

    score: float
    rest: float
    regions: tuple[str, ...]
    contributions: Floats
    errors: Floats
    together: tuple[str, ...]
    fall: float


def explain(scorer: Any, graph: Graph, *, pool: Sequence[Graph] | None = None, seed: int = 0) -> Explanation:
    """Share a network's score out among the regions that can be left out of it.

    Args:
        scorer: a :class:`cg_predict.Predictor` or any other scorer.
        graph: the network.
        pool: the networks among which one ranks, for scorers that take one.
        seed: of the orders.

    Raises:
        CgError: no region can be left out.
    """
    parts = bypasses(graph)
    if not parts:
        raise CgError(
            "no region of the network can be left out without changing shapes, so there is nothing to share its score among; "
            "regions are modules, stages or cells with three operators or more"
        )
    return explain_parts(
        scorer, [p.region for p in parts], lambda gone: bypass(graph, [parts[i] for i in gone]), pool=pool, seed=seed
    )


def explain_narrower(scorer: Any, graph: Graph, *, pool: Sequence[Graph] | None = None, seed: int = 0) -> Explanation:
    """Share out what the inner widths of regions add to the score: a region is not left out, but gets half of the width that is its own.

    ``rest`` is the score with all of them narrower, and ``together`` names the regions that matter most when narrower together.

    Args:
        scorer, graph, pool, seed: as for `explain`.

    Raises:
        CgError: no region has a width of its own, or the package that brings the space ``graph`` is not installed.
    """
    networks = Narrower(graph)
    return explain_parts(scorer, networks.regions, networks.without, pool=pool, seed=seed)


def explain_parts(
    scorer: Any,
    names: Sequence[str],
    without: Callable[[Sequence[int]], Graph],
    *,
    pool: Sequence[Graph] | None = None,
    seed: int = 0,
) -> Explanation:
    """Share a network's score out among parts of one's own choice: edges of a cell, options of a space.

    Args:
        scorer: as for `explain`.
        names: of the parts.
        without: the network without the parts of these numbers, in ascending order; without any it is the network itself.
        pool: the networks among which one ranks, for scorers that take one.
        seed: of the orders.

    Raises:
        CgError: there are no parts.
    """
    if not names:
        raise CgError("there should be one part or more to share a score among")
    options: dict[str, Any] = {} if pool is None else {"pool": pool}
    lowest: list[float] = []

    def values(left_out: Sequence[Sequence[int]]) -> Floats:
        graphs = [without(gone) for gone in left_out]
        found = np.asarray(scorer.predict(graphs, **options), dtype=float)
        blind = np.array([not _sees_its_input(graph) for graph in graphs])
        lowest.extend(found[~blind].tolist())
        if blind.any() and lowest:
            found[blind] = min(lowest) - (float(np.std(lowest)) or 1.0)
        return found

    known = _Values(values, len(names))
    contributions, errors = known.shapley(seed)
    whole, nothing = known.of([0, (1 << len(names)) - 1]).tolist()
    together, left = known.lowest()
    told = tuple(names[i] for i in together)
    return Explanation(whole, nothing, tuple(names), contributions, errors, told, whole - left)


def shapley(values: Callable[[Sequence[Sequence[int]]], Floats], n: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Shapley values and their standard errors, (n,) each, of anything that has a value without some of its parts.

    Args:
        values: of all that it is asked for at once: the numbers of the parts that are left out, in ascending order.
        n: how many parts there are.
        seed: of the orders, beyond eight parts.
    """
    return _Values(values, n).shapley(seed)


def operator_falls(
    scorer: Any, graph: Graph, *, pool: Sequence[Graph] | None = None, most: int = 120
) -> dict[int, float]:
    """How much the score falls when an identity takes the place of one operator, by node.

    Of operators whose input and output have one shape, sources and sinks aside; the most costly ones where there are more than ``most``.
    """
    nodes = graph.nodes
    able = [
        n.index for n in nodes
        if len(n.inputs) == 1 and n.op not in ("Output", "Select") and nodes[n.inputs[0]].shape == n.shape
        and nodes[n.inputs[0]].op not in ("Parameter", "Constant")
    ]  # fmt: skip
    able = sorted(sorted(able, key=lambda i: (-nodes[i].macs, -nodes[i].params, i))[:most])
    without = [bypass(graph, [Bypass("", frozenset([i]), nodes[i].inputs[0], i)]) for i in able]
    options: dict[str, Any] = {} if pool is None else {"pool": pool}
    scores = np.asarray(scorer.predict([graph, *without], **options), dtype=float)
    return dict(zip(able, (scores[0] - scores[1:]).tolist(), strict=True))


def _sees_its_input(graph: Graph) -> bool:
    """Whether any path from an input to an output passes no product with 0."""
    sees = [node.op == "Input" for node in graph.nodes]
    zero = [node.op == "Constant" and not any(node.attrs["value"]) for node in graph.nodes]
    for node in graph.nodes:
        if node.op != "Mul" or not any(zero[i] for i in node.inputs):
            sees[node.index] |= any(sees[i] for i in node.inputs)
    return any(sees[node.index] for node in graph.nodes if node.op == "Output")


class _Values:
    """Values without some of the parts, many at once, each once.

    Args:
        values: see `shapley`.
        parts: how many there are.
    """

    def __init__(self, values: Callable[[Sequence[Sequence[int]]], Floats], parts: int) -> None:
        self._values, self.parts = values, parts
        self._known: dict[int, float] = {}

    def of(self, masks: Sequence[int]) -> Floats:
        """Values by masks of parts left out, (n,)."""
        fresh = [mask for mask in dict.fromkeys(masks) if mask not in self._known]
        if fresh:
            found = self._values([self.members(mask) for mask in fresh])
            self._known.update(zip(fresh, np.asarray(found, dtype=float).tolist(), strict=True))
        return np.array([self._known[mask] for mask in masks])

    def members(self, mask: int) -> list[int]:
        """The parts of a mask."""
        return [i for i in range(self.parts) if mask >> i & 1]

    def shapley(self, seed: int) -> tuple[Floats, Floats]:
        """See `shapley`."""
        n = self.parts
        if n <= _EXACT:
            return self._falls(np.array(list(permutations(range(n))))).mean(axis=0), np.zeros(n)
        rng = np.random.default_rng(seed)
        drawn = np.array([rng.permutation(n) for _ in range(_ORDERS // 2)])
        falls = np.mean(np.split(self._falls(np.concatenate([drawn, drawn[:, ::-1]])), 2), axis=0)
        return falls.mean(axis=0), falls.std(axis=0, ddof=1) / np.sqrt(len(falls))

    def _falls(self, orders: NDArray[np.integer]) -> Floats:
        """How much the value falls with each part, where parts are left out in these orders, (orders, n)."""
        bits = np.array([1 << i for i in range(self.parts)], dtype=np.int64 if self.parts < 63 else object)
        taken = np.cumsum(bits[orders], axis=1)
        masks, place = np.unique(np.insert(taken, 0, 0, axis=1), return_inverse=True)
        values = self.of(masks.tolist())[place.reshape(len(orders), -1)]
        falls = np.zeros(orders.shape)
        np.put_along_axis(falls, orders, values[:, :-1] - values[:, 1:], axis=1)
        return falls

    def lowest(self) -> tuple[list[int], float]:
        """The few parts whose joint absence leaves the lowest value, and that value."""
        n = self.parts
        count = min(_TOGETHER, max(1, n // 2))
        if n <= _TRIED:
            masks = [sum(1 << i for i in chosen) for chosen in combinations(range(n), count)]
            mask = masks[int(self.of(masks).argmin())]
        else:
            mask = 0
            for _ in range(count):
                masks = [mask | 1 << i for i in range(n) if not mask >> i & 1]
                mask = masks[int(self.of(masks).argmin())]
        return self.members(mask), float(self.of([mask])[0])
