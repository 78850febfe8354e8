"""What running a network asks of a machine: work, traffic and launches, by kind of operator.

A roofline (Williams, Waterman and Patterson, "Roofline", CACM 2009) bounds the time of an operator from below by its multiply-accumulates over what the
machine computes in a second and by the elements that it moves over what its memory moves in a second, whichever takes longer. The columns here are
the sums, over a network, of what stands in such bounds, so that time is nearly a sum of columns with non-negative coefficients of one machine:
multiply-accumulates, elements of weights, elements read and written, launches, and ``max(MACs / r, elements)`` for several balances r, all by kind.

What depends on no input, such as weights that are standardised before a convolution uses them, does not grow with the batch (``standing``). A recurrent layer
launches, and reads its weights, once a step.

A pointwise operator that is the only reader of its input runs in the same pass as what made the input, as compilers fuse it and batch normalisation folds:
*fused* columns count what is moved then, the others what is moved when every operator runs by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir import batch as make_batch
from cg_ir.batching import Batch, ranges
from cg_ir.graph import Graph
from cg_ir.operators import OPERATORS, operator_code

Floats = NDArray[np.float64]

KINDS = (
    "conv1",  # convolution with a 1x1 kernel
    "convk",  # with a larger one
    "grouped",  # with several channels a group
    "depthwise",  # with one
    "gemm",  # affine map of the last axis
    "product",  # of two data tensors
    "attention",
    "recurrent",
    "batchnorm",
    "norm",  # normalisations that reduce: by layer, group, instance
    "pointwise",  # activations, arithmetic
    "softmax",
    "pool",
    "reduce",
    "move",  # concatenation, padding, resampling, gathering
    "permute",  # transpositions and slices, which are copied at the latest when they are read
    "view",  # reshapes
    "source",
)
_KIND = {name: i for i, name in enumerate(KINDS)}
#: Kinds with multiply-accumulates.
WORKING = KINDS[:8]
#: Kinds that move anything: all but views and sources.
_MOVING = len(KINDS) - 2
#: Machine balances, multiply-accumulates an element moved, at which an operator turns from memory-bound to compute-bound.
BALANCES = (4.0, 16.0, 64.0, 256.0)
#: Kinds that run in the pass of what made their input.
_FUSED = ("batchnorm", "pointwise")
#: Channels that matrix units process at a time.
_TILE = 32
_OF_KIND = {
    "source": "source", "sink": "view", "matmul": "product", "attention": "attention", "recurrent": "recurrent", "embedding": "move", "norm": "norm",
    "activation": "pointwise", "pool": "pool", "elementwise": "pointwise", "reduce": "reduce", "join": "move", "layout": "view", "pad": "move",
    "resize": "move", "gather": "move", "custom": "move",
}  # fmt: skip
_PERMUTES = {"Transpose", "Slice", "Roll", "Tile", "DepthToSpace", "SpaceToDepth"}

COLUMNS: tuple[str, ...] = (
    *(f"macs/{kind}" for kind in WORKING),
    *(f"tiled/{kind}" for kind in WORKING),
    *(f"weights/{kind}" for kind in WORKING),
    *(f"bound{balance:.0f}/{kind}" for kind in WORKING for balance in BALANCES),
    *(f"moved/{kind}" for kind in KINDS[:_MOVING]),
    *(f"fused/{kind}" for kind in KINDS[:_MOVING]),
    *(f"launches/{kind}" for kind in KINDS[:_MOVING]),
    "standing",
    "standing_launches",
    "fused_launches",
    "levels",
    "once",
)


def _row(signature: Any) -> tuple[float, ...]:
    """Kind, multiply-accumulates, the same with channels rounded up to whole tiles, weights read, elements read, elements written, launches."""
    operator, attrs, shape = OPERATORS[signature.op], signature.attrs, signature.shape
    kind = _OF_KIND.get(operator.kind, "")
    macs = tiled = float(signature.macs)
    if operator.kind == "conv":
        groups, inside = int(attrs["group"]), signature.input_shapes[0][1]
        kind = "convk" if prod(attrs["kernel_shape"]) > 1 else "conv1"
        if groups > 1:
            kind = "depthwise" if groups == inside else "grouped"
        tiled *= _rounding(inside // groups) * _rounding(shape[1] // groups)
    elif signature.op == "Gemm":
        kind = "gemm"
        tiled *= _rounding(signature.input_shapes[0][-1]) * _rounding(shape[-1])
    elif signature.op == "BatchNormalization":
        kind = "batchnorm"
    elif signature.op in ("Softmax", "LogSoftmax", "CumSum"):
        kind = "softmax"
    elif signature.op in _PERMUTES:
        kind = "permute"
    read = float(sum(prod(s) for s in signature.input_shapes))
    if signature.op in ("Slice", "Gather", "Select", "Embedding"):
        read = float(prod(shape))  # they touch what they take
    weights, launches = float(signature.params), 1.0
    if kind == "recurrent":
        steps = shape[1 if attrs["batch_first"] else 0]
        weights *= steps
        launches = float(steps * attrs["num_layers"] * (1 + attrs["bidirectional"]))
    return _KIND[kind], macs, tiled, weights, read, float(prod(shape)), launches


def _rounding(channels: int) -> float:
    """By how much channels grow when they are rounded up to whole tiles."""
    return -(-channels // _TILE) * _TILE / max(1, channels)


def roofline(graphs: Sequence[Graph], batch: int = 1) -> Floats:
    """Work, traffic and launches of one forward pass, float64 (len(graphs), len(COLUMNS)), in MACs, elements and counts.

    Args:
        graphs: the networks; a row depends on its network alone.
        batch: examples that run together; activations and work grow with it, weights and launches do not.
    """
    if not len(graphs):
        return np.zeros((0, len(COLUMNS)))
    joined = make_batch(graphs)
    rows = joined.signatures.column(_row, np.float64)[joined.codes]
    kind = rows[:, 0].astype(np.int64)
    paths, grows = _walk(joined, np.where(kind < _MOVING, rows[:, 6], 0.0))
    macs, tiled, read, written = (rows[:, k] * np.where(grows, float(batch), 1.0) for k in (1, 2, 4, 5))
    weights, launches = rows[:, 3], rows[:, 6]
    graph, n = joined.graph_index, len(graphs)
    sources, readers = _fused_edges(joined, kind)
    spared = np.bincount(np.concatenate([readers, sources]), np.tile(written[sources], 2), len(kind))
    into = np.isin(np.arange(len(kind)), readers)

    def total(values: Floats) -> Floats:
        """Sums by graph and kind, (n, kinds)."""
        flat = np.bincount(graph * len(KINDS) + kind, weights=values, minlength=n * len(KINDS))
        return np.asarray(flat.reshape(n, len(KINDS)), dtype=np.float64)

    def summed(values: Floats, where: NDArray[np.bool_]) -> Floats:
        return np.asarray(np.bincount(graph[where], weights=values[where], minlength=n)[:, None], dtype=np.float64)

    worked, moving = len(WORKING), kind < _MOVING
    alone = weights + read + written
    bounds = [total(np.maximum(macs / balance, alone))[:, :worked] for balance in BALANCES]
    levels = np.zeros(n)
    np.maximum.at(levels, graph, paths)
    columns = [
        total(macs)[:, :worked],
        total(tiled)[:, :worked],
        total(weights)[:, :worked],
        np.stack(bounds, axis=2).reshape(n, -1),
        total(read + written)[:, :_MOVING],
        total(np.maximum(read + written - spared, 0.0))[:, :_MOVING],
        total(launches)[:, :_MOVING],
        summed(read + written, ~grows & moving),
        summed(launches, ~grows & moving),
        summed(launches, ~into & moving),
        levels[:, None],
        np.ones((n, 1)),
    ]
    return np.concatenate(columns, axis=1)


#: Columns whose sums ideal machines need time for.
IDEAL = ("macs/", "fused/", "weights/", "launches/")


def ideal(columns: Floats) -> Floats:
    """Logarithms of what machines need that do nothing but compute, move, read weights, or launch, (n, 4), in units of their own.

    Args:
        columns: of `roofline`, (n, d).
    """
    return np.log(np.maximum(sums(columns, IDEAL), 1.0))


def sums(columns: Floats, prefixes: Sequence[str]) -> Floats:
    """Sums of the columns whose names begin alike, (n, len(prefixes))."""
    chosen = ([i for i, name in enumerate(COLUMNS) if name.startswith(prefix)] for prefix in prefixes)
    return np.stack([columns[:, places].sum(axis=1) for places in chosen], axis=1)


def _fused_edges(joined: Batch, kind: NDArray[np.int64]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Sources and readers of the edges over which nothing is moved, because the reader runs in the pass of the source.

    These are the first edge into every pointwise operator whose source has no other reader and is no source or view.
    """
    nodes = len(kind)
    reader = np.repeat(np.arange(nodes), np.diff(joined.indptr))
    readers = np.bincount(joined.indices, minlength=nodes)
    pointwise = np.isin(kind, [_KIND[k] for k in _FUSED])
    candidate = pointwise[reader] & (readers[joined.indices] == 1) & (kind[joined.indices] < _KIND["permute"])
    places = np.flatnonzero(candidate)
    found, first = np.unique(reader[places], return_index=True)
    return joined.indices[places[first]], found


def _walk(joined: Batch, launches: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Of each node: launches on the longest path to it, which no parallelism shortens, and whether an input leads to it, (nodes,) each."""
    levels = np.zeros(len(launches))
    grows = joined.signatures.op_codes[joined.codes] == operator_code("Input")
    starts, ends = joined.indptr[:-1], joined.indptr[1:]
    for nodes in joined.levels[1:]:
        sources = joined.indices[ranges(starts[nodes], ends[nodes])]
        first = np.cumsum(ends[nodes] - starts[nodes]) - (ends[nodes] - starts[nodes])
        levels[nodes] = np.maximum.reduceat(levels[sources], first) + launches[nodes]
        grows[nodes] = np.logical_or.reduceat(grows[sources], first)
    return levels, grows
