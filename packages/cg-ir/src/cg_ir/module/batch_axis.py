"""Where the batch lies in every value of a graph, so that a graph of batch size 1 runs with any.

A graph's inputs carry the batch in their leading axis; operators keep it there, move it (a transpose) or fold it with other axes
(a reshape: it is then the outer factor of one axis). The rules below follow it. Where an operator works along the very axis that
holds the batch, no single PyTorch call has the meaning that each example is computed by itself; such a node runs example by example.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from cg_ir.signature import Signature

__all__ = ["Plan", "plan", "selected_axis"]

_Rule = Callable[[Signature, "tuple[int | None, ...]"], "Plan"]


@dataclass(frozen=True)
class Plan:
    """How a node meets a batch.

    Attributes:
        axis: the output's axis that the batch multiplies; None where the value does not depend on the inputs.
        apart: run example by example and join along axis 0.
        repeat: for each input, the axis along which it is repeated for every example, or None.
    """

    axis: int | None
    apart: bool = False
    repeat: tuple[int | None, ...] = ()


_APART = Plan(0, apart=True)


def plan(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    """The plan of a node whose inputs hold the batch at ``axes`` (None: they do not depend on it)."""
    if all(axis is None for axis in axes):
        return Plan(None)
    return _RULES[sig.op](sig, axes)


def selected_axis(source: Signature, axis: int | None) -> int | None:
    """Where a further output of an operator (what ``Select`` reads) holds the batch that its input holds at ``axis``."""
    if axis is None or source.op not in ("LSTM", "GRU", "RNN"):
        return axis
    return 1 if len(source.shape) == 3 else axis


def _keeps(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    return Plan(axes[0])


def _leading(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    return Plan(0) if all(axis in (0, None) for axis in axes) and axes[0] == 0 else _APART


def _unless(touched: Callable[[dict[str, Any], int], Sequence[int]]) -> _Rule:
    """The batch stays where it is unless the operator works along that axis."""

    def rule(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
        axis = axes[0]
        return _APART if axis in touched(sig.attrs, len(sig.input_shapes[0])) else Plan(axis)

    return rule


def _broadcast(sig: Signature, axes: tuple[int | None, ...], shape: tuple[int, ...] | None = None) -> Plan:
    """Axes aligned at the end; operands without the batch that fill its axis are repeated."""
    shape = sig.shape if shape is None else shape
    rank = len(shape)
    places = {axis + rank - len(s) for axis, s in zip(axes, sig.input_shapes, strict=True) if axis is not None}
    if len(places) != 1:
        return _APART
    place = places.pop()
    if place >= rank:  # one number an example has no axis
        return _APART
    repeat: list[int | None] = []
    for axis, size in zip(axes, sig.input_shapes, strict=True):
        own = place - (rank - len(size))
        if axis is not None:
            if axis >= len(size) or size[axis] != shape[place]:  # one number for all has no axis
                return _APART
            repeat.append(None)
        elif own >= 0 and size[own] > 1:
            repeat.append(own)
        else:
            repeat.append(None)
    return Plan(place, repeat=tuple(repeat))


def _matmul(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    a, b = sig.input_shapes
    if axes[1] is None and len(b) <= 2 and axes[0] is not None and axes[0] < len(a) - 1:
        return Plan(axes[0])
    if len(a) < 3 or len(b) < 3:
        return _APART
    heads_only = all(x is None or x < len(s) - 2 for x, s in zip(axes, (a, b), strict=True))
    return _broadcast(sig, axes, sig.shape) if heads_only else _APART


def _attention(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    shapes = sig.input_shapes
    rank = len(sig.shape)
    if None in axes[:3] or len({*axes[:3]}) > 1 or {len(s) for s in shapes[:3]} != {rank}:
        return _APART
    place = axes[0]
    assert place is not None
    if place >= rank - 2 or len({s[place] for s in shapes[:3]}) > 1:
        return _APART
    if len(axes) == 3:
        return Plan(place)
    own = place - (rank - len(shapes[3]))
    if axes[3] is not None:
        return Plan(place) if axes[3] == own and shapes[3][own] == shapes[0][place] else _APART
    return Plan(place, repeat=(None, None, None, own if own >= 0 and shapes[3][own] > 1 else None))


def _einsum(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    left, _, right = sig.attrs["equation"].replace(" ", "").partition("->")
    terms = left.split(",")
    letters = {term[axis] for term, axis in zip(terms, axes, strict=True) if axis is not None}
    if len(letters) != 1:
        return _APART
    letter = letters.pop()
    if letter not in right or any(letter in term for term, axis in zip(terms, axes, strict=True) if axis is None):
        return _APART
    sizes = {s[axis] for s, axis in zip(sig.input_shapes, axes, strict=True) if axis is not None}
    return Plan(right.index(letter)) if len(sizes) == 1 and all(t.count(letter) <= 1 for t in terms) else _APART


def _recurrent(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    if len(sig.shape) != 3 or axes[0] != (0 if sig.attrs["batch_first"] else 1):
        return _APART
    if any(axis not in (None, 1) for axis in axes[1:]):
        return _APART
    return Plan(axes[0], repeat=(None, *(1 if axis is None else None for axis in axes[1:])))


def _reduce(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    attrs, axis = sig.attrs, axes[0]
    assert axis is not None
    over = attrs["axes"] if "axes" in attrs else (attrs["axis"],)
    if axis in (over or range(len(sig.input_shapes[0]))):
        return _APART
    return Plan(axis if attrs["keepdims"] else axis - sum(a < axis for a in set(over)))


def _concat(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    places = {axis for axis in axes if axis is not None}
    if len(places) != 1 or sig.attrs["axis"] in places:
        return _APART
    place = places.pop()
    return Plan(place, repeat=tuple(place if axis is None else None for axis in axes))


def _reshape(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    """The outer factor of an axis stays an outer factor where the elements before it fill whole axes of the result."""
    axis = axes[0]
    assert axis is not None
    before = prod(sig.input_shapes[0][:axis])
    filled = 1
    for place in range(len(sig.shape)):
        if filled == before:
            return Plan(place)
        filled *= sig.shape[place]
    return _APART


def _transpose(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    assert axes[0] is not None
    return Plan(sig.attrs["perm"].index(axes[0]))


def _slice(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    axis = axes[0]
    assert axis is not None
    a = sig.attrs
    whole = sig.shape[axis] == sig.input_shapes[0][axis] and a["steps"][axis] > 0
    return Plan(axis) if whole else _APART


def _slice_scatter(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    places = {axis for axis in axes if axis is not None}
    if len(places) != 1:
        return _APART
    place = places.pop()
    if sig.input_shapes[1][place] != sig.shape[place] or sig.attrs["steps"][place] < 0:
        return _APART
    return Plan(place, repeat=tuple(place if axis is None else None for axis in axes))


def _convolution(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    return Plan(0) if axes[0] == 0 and axes[1:] in ((), (None,)) else _APART


def _expand(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    return _broadcast(sig, axes)


def _gather(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    data, index = axes
    axis, count = sig.attrs["axis"], len(sig.input_shapes[1])
    if data is None:
        assert index is not None
        return Plan(axis + index)
    if index is not None or data == axis:
        return _APART
    return Plan(data if data < axis else data - 1 + count)


def _rows(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    axis = axes[0]
    return Plan(axis) if axis is not None and axis == axes[1] and axis < len(sig.shape) - 1 else _APART


def _elements(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    data = axes[0]
    if data is None or any(axis != data for axis in axes) or data == sig.attrs["axis"]:
        return _APART
    return Plan(data) if len({shape[data] for shape in sig.input_shapes}) == 1 else _APART


def _spatial(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    dims = len(sig.attrs.get("kernel_shape", sig.attrs.get("output_size", ())))
    axis = axes[0]
    return Plan(axis) if axis is not None and axis < len(sig.shape) - dims else _APART


def _apart(sig: Signature, axes: tuple[int | None, ...]) -> Plan:
    return _APART


def _along(attrs: dict[str, Any], rank: int) -> Sequence[int]:
    return (attrs["axis"],)


def _padded(attrs: dict[str, Any], rank: int) -> Sequence[int]:
    return [axis for axis in range(rank) if attrs["pads"][axis] or attrs["pads"][rank + axis]]


def _each(names: str, rule: _Rule) -> dict[str, _Rule]:
    return dict.fromkeys(names.split(), rule)


_RULES: dict[str, _Rule] = {
    **_each(
        "Output Relu Sigmoid Tanh Silu Mish HardSwish HardSigmoid Softsign Selu LogSigmoid LeakyRelu Elu Celu Gelu Softplus Clip Abs "
        "Neg Exp Log Sqrt Reciprocal Erf Sin Cos Floor Ceil Round Sign Not IsNaN Cast Embedding OneHot "
        "Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh IsInf BitwiseNot",
        _keeps,
    ),
    **_each(
        "Add Mul Sub Div Pow Mod Max Min Equal And Or Xor Greater GreaterOrEqual Less LessOrEqual Where "
        "Atan2 BitwiseAnd BitwiseOr BitwiseXor BitShift",
        _broadcast,
    ),
    **_each(
        "BatchNormalization InstanceNormalization GroupNormalization LRN PRelu GlobalAveragePool GlobalMaxPool "
        "DepthToSpace SpaceToDepth Resize GridSample Im2Col Col2Im",
        _leading,
    ),
    **_each("MaxPool AveragePool LpPool AdaptiveAveragePool AdaptiveMaxPool", _spatial),
    **_each("Softmax LogSoftmax LpNormalization CumSum Split TopK", _unless(_along)),
    **_each("LayerNormalization RMSNormalization", _unless(lambda a, rank: range(a["axis"], rank))),
    "Gemm": _unless(lambda a, rank: (rank - 1,)),
    "ExpertGemm": _rows,
    "Trilu": _unless(lambda a, rank: (rank - 2, rank - 1)),
    "Roll": _unless(lambda a, rank: a["axes"]),
    "Tile": _unless(lambda a, rank: [i for i in range(rank) if a["repeats"][i] > 1]),
    "Pad": _unless(_padded),
    **_each("Conv ConvTranspose", _convolution),
    "MatMul": _matmul,
    "Einsum": _einsum,
    "Attention": _attention,
    **_each("LSTM GRU RNN", _recurrent),
    **_each(
        "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSumExp ReduceVariance ArgMax ArgMin",
        _reduce,
    ),
    "Concat": _concat,
    **_each("Reshape Flatten Squeeze Unsqueeze", _reshape),
    "Transpose": _transpose,
    "Slice": _slice,
    "SliceScatter": _slice_scatter,
    "Expand": _expand,
    "Gather": _gather,
    **_each("GatherElements ScatterElements", _elements),
    **_each("GatherND ScatterND", _apart),
}
