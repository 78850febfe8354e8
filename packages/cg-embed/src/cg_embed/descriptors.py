"""Descriptors: a few hundred interpretable numbers for every computation graph.

Five groups, each computed for many graphs at once without torch:

========== =============================================================================================================
``plain``   counts and shares of operator classes, costs, widths, depth, extents (logarithms natural unless said otherwise)
``paths``   expectation and spread, over the paths from input to output, of operator counts, receptive field and costs, under the
            four path weightings of `cg_embed.passes`
``signal``  signal variance and gradient energy at initialisation at every operator with weights, and the trace of the neural
            tangent kernel that they imply, in logarithms
``stages``  the same counts and shares by resolution, counted from the last stage: stage 0 has the smallest spatial extent
``pairs``   shares of pairs of neighbouring operator classes, layout operators looked through
========== =============================================================================================================

A vector depends on its graph alone: neither on the order of its nodes nor on the graphs beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cg_ir import batch as make_batch

from .passes import WEIGHTINGS, Passes, run_passes
from .plan import Plan, at_once, compile_plan
from .scratch import Scratch
from .signature_features import CLASSES, PAIR_CLASSES, PATH_COUNTS, SignatureFeatures

Floats = NDArray[np.float64]
GROUPS = ("plain", "paths", "signal", "stages", "pairs")

_CLASS = {name: i for i, name in enumerate(CLASSES)}
_COUNTED = tuple(c for c in CLASSES if c != "io")
_STAGES = 4  # 0, 1, 2 and all earlier ones
_EXTENTS = 13  # powers of two that are told apart
_STAGE_CLASSES = ("conv1", "convk", "depthwise", "dense", "activation", "pool", "add", "concat")
_STAGE_PATHS = ("conv1", "convk", "depthwise", "pool")


class Descriptors:
    """Descriptors of computation graphs.

    Args:
        groups: which of GROUPS to compute, in any order; the columns come in the order of GROUPS.

    Attributes:
        names: the columns, ``group/name``.
        groups: the group of each column.

    Example:
        >>> import cg_ir
        >>> from cg_embed import Descriptors
        >>> b = cg_ir.GraphBuilder()
        >>> x = b.input((1, 3, 8, 8))
        >>> x = b.add("Conv", x, channels=4, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        >>> _ = b.output(b.add("Relu", x))
        >>> Descriptors(groups=["plain"]).encode([b.build()]).shape[0]
        1
    """

    def __init__(self, groups: Sequence[str] = GROUPS) -> None:
        unknown = sorted(set(groups) - set(GROUPS))
        if unknown or not groups:
            raise ValueError(f"unknown descriptor groups {unknown}; choose from {', '.join(GROUPS)}")
        self._selected = tuple(g for g in GROUPS if g in groups)
        self.names: tuple[str, ...] = tuple(f"{g}/{name}" for g in self._selected for name in _NAMES[g])
        self.groups: tuple[str, ...] = tuple(g for g in self._selected for _ in _NAMES[g])

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, graphs: Sequence[Any]) -> NDArray[np.float32]:
        """Descriptors of the graphs, float32 (len(graphs), len(names)), all finite."""
        out = np.zeros((len(graphs), len(self.names)), dtype=np.float32)
        scratch = Scratch()
        for part in at_once(graphs):
            totals = _Totals(graphs[part], scratch)
            values = np.concatenate([_COMPUTED[group](totals) for group in self._selected], axis=1)
            out[part] = np.clip(np.nan_to_num(values, nan=0.0, posinf=1e6, neginf=-1e6), -1e6, 1e6)
        return out


def _one_hot(index: NDArray[Any], n: int) -> Floats:
    return np.eye(n)[index.astype(np.int64)]


def _ratio(a: Floats, b: Floats) -> Floats:
    """a / b, 0 where b is 0."""
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)), where=b > 0)


class _Totals:
    """Sums over the nodes of each graph, and what runs along their paths."""

    def __init__(self, graphs: Sequence[Any], scratch: Scratch) -> None:
        self.n = len(graphs)
        self.batch = batch = make_batch(graphs)
        self.f = f = SignatureFeatures(batch.signatures)
        self.plan: Plan = compile_plan(batch, f.is_input > 0)
        self.p: Passes = run_passes(self.plan, f, scratch)
        codes, offsets = np.asarray(batch.codes), np.asarray(batch.node_offsets)
        used, local = np.unique(codes, return_inverse=True)
        self.nodes = np.diff(offsets).astype(np.float64)
        self.edges = np.asarray(batch.indptr)[offsets[1:]].astype(np.float64) - np.asarray(batch.indptr)[offsets[:-1]]
        self.incidence = csr_array((np.ones(len(codes)), local, offsets), shape=(self.n, len(used)))
        self.used = used
        w, width = f.weighted[used], f.width[used]
        conv = w * (f.kind[used] <= _CLASS["depthwise"])
        columns = {
            "weighted": w,
            "width": w * width,
            "width2": w * width**2,
            "conv": conv,
            "kernel": conv * f.kernel[used],
            "strided": f.stride[used] > 0,
            "dilation": conv * f.dilation[used],
            "groups": conv * f.groups[used],
            "fan_in": w * f.fan_in[used],
            "linear_params": f.params[used] * (f.kind[used] == _CLASS["linear"]),
            "activations": f.activation_elements[used],
            "elements": w * f.numel[used],
            "log_macs": w * np.log1p(f.macs[used]),
            "log_macs2": w * np.log1p(f.macs[used]) ** 2,
            "params": f.params[used],
            "macs": f.macs[used],
        }
        sums = self.incidence @ np.column_stack([*columns.values(), _one_hot(f.kind[used], len(CLASSES))])
        self.sum = {name: sums[:, i] for i, name in enumerate(columns)}
        self.classes = sums[:, len(columns) :]
        for i, graph in enumerate(graphs):
            if graph.weight_keys:  # shared weights count once
                self.sum["params"][i] = graph.params
        self.max_width = self._extreme(np.where(w > 0, width, -np.inf))
        self.min_width = -self._extreme(np.where(w > 0, -width, -np.inf))
        self.max_extent = self._extreme(np.where(f.is_input[used] > 0, np.log(f.extent[used]), -np.inf))

    def _extreme(self, column: Floats) -> Floats:
        """Maximum over the nodes of each graph; 0 where there is none."""
        if not self.incidence.nnz:
            return np.zeros(self.n)
        values = column[self.incidence.indices]
        best = np.maximum.reduceat(values, self.incidence.indptr[:-1])
        return np.where(np.isfinite(best), best, 0.0)


# --- plain ------------------------------------------------------------------------------------------------------------

_PLAIN = (
    "log_nodes", "log_edges", "edges_per_node", "log_depth", "weighted_depth", "shortest_weighted_depth", "log_params", "log_macs",
    "macs_per_param", "log_activations", "log_elements", "linear_params_share", "mean_width", "std_width", "min_width", "max_width",
    "mean_kernel", "strided", "mean_dilation", "mean_groups", "mean_fan_in", "mean_log_macs", "std_log_macs", "log_input_extent",
    "joins_per_weighted", "inputs_per_join", "branches_per_weighted", "consumers_per_branch", "log_segments",
)  # fmt: skip


def _plain(t: _Totals) -> Floats:
    s, w, plan = t.sum, t.sum["weighted"], t.plan
    longest = np.zeros((t.n, 3))
    np.maximum.at(longest, plan.graph[plan.sinks], t.p.longest[plan.sinks] + [0, 0, 1e9])
    join, branch = plan.indegree > 1, plan.outdegree > 1
    joins, joined, branches, branched = (
        _by_graph(plan.graph, count, t.n) for count in (join, join * plan.indegree, branch, branch * plan.outdegree)
    )
    mean_width, mean_log = _ratio(s["width"], w), _ratio(s["log_macs"], w)
    columns = [
        np.log(t.nodes), np.log1p(t.edges), t.edges / t.nodes, np.log1p(longest[:, 1]), np.log1p(longest[:, 0]),
        np.log1p(np.maximum(1e9 - longest[:, 2], 0)), np.log1p(s["params"]), np.log1p(s["macs"]),
        np.log1p(s["macs"]) - np.log1p(s["params"]), np.log1p(s["activations"]), np.log1p(s["elements"]),
        _ratio(s["linear_params"], s["params"]), mean_width, np.sqrt(np.maximum(_ratio(s["width2"], w) - mean_width**2, 0)),
        t.min_width, t.max_width, _ratio(s["kernel"], s["conv"]), np.log1p(s["strided"]), _ratio(s["dilation"], s["conv"]),
        _ratio(s["groups"], s["conv"]), _ratio(s["fan_in"], w), mean_log,
        np.sqrt(np.maximum(_ratio(s["log_macs2"], w) - mean_log**2, 0)), t.max_extent, _ratio(joins, w),
        _ratio(joined, joins), _ratio(branches, w), _ratio(branched, branches),
        np.log1p(np.bincount(plan.graph, minlength=t.n)),
    ]  # fmt: skip
    counted = t.classes[:, [_CLASS[c] for c in _COUNTED]]
    shares = counted / np.maximum(counted.sum(axis=1, keepdims=True) - counted[:, [_COUNTED.index("layout")]], 1)
    return np.concatenate([np.stack(columns, axis=1), np.log1p(counted), shares], axis=1)


# --- paths ------------------------------------------------------------------------------------------------------------

_COUNT_COLUMNS = len(PATH_COUNTS) - 2  # the last two are costs, taken relative to the whole graph
_PATH_SHARES = ("conv1", "convk", "depthwise", "activation", "pool")
_PATH_COLUMNS = (
    *(f"{statistic}_{c}" for statistic in ("mean", "spread") for c in PATH_COUNTS), *(f"share_{c}" for c in _PATH_SHARES),
    "entropy", "log_weight_per_weighted",
)  # fmt: skip
_LOG_WEIGHTS = ("uniform", "variance", "flow")


def _paths(t: _Totals) -> Floats:
    p = t.p
    total = np.ones((t.n, len(PATH_COUNTS)))
    total[:, -2], total[:, -1] = np.maximum(t.sum["macs"], 1), np.maximum(t.sum["params"], 1)
    mean = p.graph_mean / total[:, None, :]
    spread = np.sqrt(np.maximum(p.graph_variance, 0)) / total[:, None, :]
    columns = []
    for k in range(len(WEIGHTINGS)):
        weighted = mean[:, k, PATH_COUNTS.index("weighted")]
        columns += [np.log1p(mean[:, k, :_COUNT_COLUMNS]), mean[:, k, _COUNT_COLUMNS:]]
        columns += [np.log1p(spread[:, k, :_COUNT_COLUMNS]), spread[:, k, _COUNT_COLUMNS:]]
        columns += [_ratio(mean[:, k, [PATH_COUNTS.index(c)]], weighted[:, None]) for c in _PATH_SHARES]
        columns += [p.entropy[:, [k]], (p.final[:, k] / np.maximum(weighted, 1))[:, None]]
    columns.append(p.final[:, [WEIGHTINGS.index(w) for w in _LOG_WEIGHTS]])
    return np.concatenate(columns, axis=1)


# --- signal -----------------------------------------------------------------------------------------------------------

_SIGNALS = ("log_variance", "log_gradient", "log_weight_gradient", "log_gradient_per_weight")
_KERNEL = (
    "log_kernel_trace", "log_kernel_per_weight", "log_kernel_per_operator", "log_variance_gradient_params", "kernel_entropy",
)  # fmt: skip


def _signal(t: _Totals) -> Floats:
    """Over the weighted operators: log variance of the input, log energy of the gradient at the output, log energy of the
    gradient of the weights (energy x input variance x fan-in: every output element's gradient multiplies fan-in
    inputs), and that per weight.
    """
    f, inner = t.f, t.p.inner
    order = np.argsort(inner.graph, kind="stable")
    graph, code = inner.graph[order], inner.code[order]
    variance, energy = inner.variance[order], inner.energy[order]
    size = np.log(np.maximum(f.params[code], 1))
    weight = variance + energy + f.fan_in[code]
    columns = [c for values in (variance, energy, weight, weight - size) for c in _statistics(graph, values, t.n)]
    kernel = _graph_log_sum_exp(graph, weight, t.n)
    columns += [kernel, kernel - np.log1p(t.sum["params"]), kernel - np.log1p(t.sum["weighted"])]
    columns.append(_graph_log_sum_exp(graph, variance + energy + size, t.n))
    # effective number of operators that carry the kernel's trace
    share = np.exp(weight - kernel[graph])
    columns.append(_by_graph(graph, -share * np.log(np.maximum(share, 1e-300)), t.n))
    return np.stack(columns, axis=1)


def _by_graph(graph: NDArray[np.int64], values: NDArray[Any], n: int) -> Floats:
    """Sum of the values of each graph."""
    return np.bincount(graph, weights=values, minlength=n).astype(np.float64, copy=False)


def _statistics(graph: NDArray[np.int64], values: Floats, n: int) -> list[Floats]:
    """Mean, standard deviation, minimum and maximum by graph; ``graph`` is sorted; 0 for a graph without values."""
    count = np.bincount(graph, minlength=n).astype(np.float64)
    mean = _ratio(_by_graph(graph, values, n), count)
    second = _ratio(_by_graph(graph, (values - mean[graph]) ** 2, n), count)
    low, high = np.zeros(n), np.zeros(n)
    if len(graph):
        first = np.flatnonzero(np.diff(graph, prepend=-1))
        low[graph[first]] = np.minimum.reduceat(values, first)
        high[graph[first]] = np.maximum.reduceat(values, first)
    return [mean, np.sqrt(second), low, high]


def _graph_log_sum_exp(graph: NDArray[np.int64], values: Floats, n: int) -> Floats:
    """log sum exp by graph; 0 for a graph without values."""
    top = np.full(n, -np.inf)
    np.maximum.at(top, graph, values)
    total = np.bincount(graph, weights=np.exp(values - top[graph]), minlength=n)
    return np.where(total > 0, np.log(np.maximum(total, 1e-300)) + np.where(total > 0, top, 0.0), 0.0)


# --- stages -----------------------------------------------------------------------------------------------------------

_STAGE_WEIGHTINGS = ("uniform", "variance")
_STAGE_COLUMNS = (
    *(f"log_{c}" for c in _STAGE_CLASSES), "params_share", "macs_share", "mean_width",
    *(f"{weighting}_{c}" for weighting in _STAGE_WEIGHTINGS for c in _STAGE_PATHS), "kernel_share",
)  # fmt: skip


def _stages(t: _Totals) -> Floats:
    f, used, inner = t.f, t.used, t.p.inner
    extent = np.clip(np.rint(np.log2(f.extent)), 0, _EXTENTS - 1).astype(np.int64)
    kind = f.kind[used].astype(np.int64)
    dense = (kind == _CLASS["linear"]) | (kind == _CLASS["mixer"])
    act = (kind == _CLASS["activation"]) | (kind == _CLASS["gate"])
    base = [
        kind == _CLASS["conv1"], kind == _CLASS["convk"], kind == _CLASS["depthwise"], dense, act, kind == _CLASS["pool"],
        kind == _CLASS["add"], kind == _CLASS["concat"], f.params[used], f.macs[used], f.weighted[used],
        f.weighted[used] * f.width[used],
    ]  # fmt: skip
    # operators without positions (classifier, squeeze-excitation) belong to no stage
    spatial = (f.extent > 1.0).astype(np.float64)
    present, place = np.unique(extent[used], return_inverse=True)
    n_extents = len(present)
    at = np.zeros(len(extent), dtype=np.int64)
    at[used] = place
    where = _one_hot(place, n_extents) * spatial[used, None]
    table = np.stack(base, axis=1).astype(np.float64)[:, None, :] * where[:, :, None]
    sums = (t.incidence @ table.reshape(len(used), -1)).reshape(t.n, n_extents, len(base))

    on_paths = _on_paths(t, at, spatial, n_extents)
    weight = inner.variance + inner.energy + f.fan_in[inner.code]
    kernel = _graph_log_sum_exp(inner.graph, weight, t.n)
    cell = inner.graph * n_extents + at[inner.code]
    share = np.exp(weight - kernel[inner.graph]) * spatial[inner.code]
    share = _by_graph(cell, share, t.n * n_extents).reshape(t.n, n_extents)

    by_extent = np.concatenate([sums, *on_paths, share[:, :, None]], axis=2)
    occupied = sums[:, :, 10] > 0
    last = np.where(occupied.any(axis=1), present[occupied.argmax(axis=1)], 0)
    staged = np.zeros((t.n, _STAGES, by_extent.shape[2]))
    rank = present[None, :] - last[:, None]
    for stage in range(_STAGES):
        mask = (rank == stage) if stage < _STAGES - 1 else (rank >= stage)
        staged[:, stage] = (by_extent * mask[:, :, None]).sum(axis=1)
    n_classes = len(_STAGE_CLASSES)
    columns = np.concatenate(
        [
            np.log1p(staged[:, :, :n_classes]),
            _ratio(staged[:, :, [n_classes]], t.sum["params"][:, None, None]),
            _ratio(staged[:, :, [n_classes + 1]], t.sum["macs"][:, None, None]),
            _ratio(staged[:, :, [n_classes + 3]], staged[:, :, [n_classes + 2]]),
            np.log1p(staged[:, :, n_classes + 4 : -1]),
            staged[:, :, [-1]],
        ],
        axis=2,
    )
    stages = np.log1p(occupied.sum(axis=1, dtype=np.float64))
    return np.concatenate([stages[:, None], columns.reshape(t.n, -1)], axis=1)


def _on_paths(t: _Totals, at: NDArray[np.int64], spatial: Floats, n_extents: int) -> list[Floats]:
    """What paths meet at each extent, by the occupancy of segment types: for two weightings (n, extents, counts).

    ``at`` is the place of each signature's extent, ``spatial`` 1 for those with positions.
    """
    plan, chosen = t.plan, [PATH_COUNTS.index(c) for c in _STAGE_PATHS]
    types = np.zeros((len(plan.sequence), n_extents, len(chosen)))
    for _, rows, codes in plan.along():
        types[rows, at[codes]] += t.f.path_counts[codes][:, chosen] * spatial[codes, None]
    found = []
    by_graph = np.argsort(plan.graph, kind="stable")
    kinds, first = plan.type[by_graph], np.searchsorted(plan.graph[by_graph], np.arange(t.n + 1))
    for weighting in _STAGE_WEIGHTINGS:
        weight = t.p.occupancy[by_graph, WEIGHTINGS.index(weighting)]
        incidence = csr_array((weight, kinds, first), shape=(t.n, len(types)))
        found.append((incidence @ types.reshape(len(types), -1)).reshape(t.n, n_extents, len(chosen)))
    return found


# --- pairs ------------------------------------------------------------------------------------------------------------


def _pairs(t: _Totals) -> Floats:
    batch, f = t.batch, t.f
    codes = np.asarray(batch.codes)
    n_nodes, n, c = len(codes), len(batch.node_offsets) - 1, len(PAIR_CLASSES)
    indptr = np.asarray(batch.indptr, dtype=np.int64)
    source = np.asarray(batch.indices, dtype=np.int64)
    target = np.repeat(np.arange(n_nodes), np.diff(indptr))
    looked_through = f.is_layout[codes] > 0
    if looked_through.any():
        # a layout operator stands for its first input, which may be one too: pointer doubling
        stand_in = np.arange(n_nodes)
        at = np.flatnonzero(looked_through & (np.diff(indptr) > 0))
        stand_in[at] = source[indptr[at]]
        while not np.array_equal(further := stand_in[stand_in], stand_in):
            stand_in = further
        keep = ~looked_through[target]
        source, target = stand_in[source[keep]], target[keep]
    silent = (f.is_io[codes] > 0) | looked_through
    keep = ~(silent.take(source) | silent.take(target))
    source, target = source[keep], target[keep]
    pair = f.pair.astype(np.int64)[codes]
    in_graph = np.asarray(batch.graph_index, dtype=np.int64) * (c * c) + pair
    cell = in_graph.take(target) + c * pair.take(source)
    counts = np.bincount(cell, minlength=n * c * c).reshape(n, c * c).astype(np.float64)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


_COMPUTED = {"plain": _plain, "paths": _paths, "signal": _signal, "stages": _stages, "pairs": _pairs}
_NAMES: dict[str, tuple[str, ...]] = {
    "plain": (*_PLAIN, *(f"log_{c}" for c in _COUNTED), *(f"share_{c}" for c in _COUNTED)),
    "paths": (
        *(f"{weighting}/{name}" for weighting in WEIGHTINGS for name in _PATH_COLUMNS),
        *(f"{weighting}/log_weight" for weighting in _LOG_WEIGHTS),
    ),
    "signal": (*(f"{name}/{statistic}" for name in _SIGNALS for statistic in ("mean", "std", "min", "max")), *_KERNEL),
    "stages": ("log_stages", *(f"stage{stage}/{name}" for stage in range(_STAGES) for name in _STAGE_COLUMNS)),
    "pairs": tuple(f"{a}>{b}" for a in PAIR_CLASSES for b in PAIR_CLASSES),
}
