"""Fourier transforms: one axis after the other, the last named first."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from cg_frontends.lowering.lowering import COMPLEX_LOWERINGS, Lowering, lowers
from cg_frontends.lowering.tape import Value
from cg_frontends.pytorch.lowerings.arguments import axis_of
from cg_frontends.pytorch.lowerings.complex_numbers import column, scaled

Outputs = Sequence[Any]


def _transformed(low: Lowering, node: int, dims: Sequence[int], rank: int, inverse: bool) -> int:
    for dim in reversed(dims):
        node = low.add("DFT", node, shape=(*low.shape(node)[:-1], 2), axis=axis_of(dim, rank), inverse=inverse)
    return node


def _factor(length: int, normalization: int, inverse: bool) -> float:
    """What is left of torch's normalisation (0: none, 1: by the root of the length, 2: by it) where the operator divides an inverse."""
    return float(length) ** (int(inverse) - normalization / 2)


@lowers("_fft_c2c", among=COMPLEX_LOWERINGS)
def c2c(low: Lowering, out: Outputs, x: Value, dims: Sequence[int], normalization: int, forward: bool) -> int:
    made = x.call
    if forward and made is not None and made.name in ("aten::to", "aten::_to_copy") and not made.args[0].complex:
        node = column(low, made.args[0])  # real numbers that were only declared complex, which an inverse does not take
    else:
        node = low.node(x)
    node = _transformed(low, node, dims, len(x.shape), not forward)
    return scaled(low, node, _factor(prod(x.shape[d] for d in dims), normalization, not forward))


@lowers("_fft_r2c", among=COMPLEX_LOWERINGS)
def r2c(low: Lowering, out: Outputs, x: Value, dims: Sequence[int], normalization: int, onesided: bool) -> int:
    rank, last = len(x.shape), axis_of(dims[-1], len(x.shape))
    shape = list(x.shape)
    shape[last] = shape[last] // 2 + 1 if onesided else shape[last]
    node = low.add("DFT", column(low, x), shape=(*shape, 2), axis=last, onesided=bool(onesided))
    node = _transformed(low, node, dims[:-1], rank, False)
    return scaled(low, node, _factor(prod(x.shape[d] for d in dims), normalization, False))


@lowers("_fft_c2r", among=COMPLEX_LOWERINGS)
def c2r(low: Lowering, out: Outputs, x: Value, dims: Sequence[int], normalization: int, length: int) -> int:
    shape, rank = out[0].shape, len(x.shape)
    node = _transformed(low, low.node(x), dims[:-1], rank, True)
    node = low.add("DFT", node, shape=(*shape, 1), axis=axis_of(dims[-1], rank), inverse=True, onesided=True)
    return scaled(low, low.reshape(node, shape), _factor(prod(shape[d] for d in dims), normalization, True))
