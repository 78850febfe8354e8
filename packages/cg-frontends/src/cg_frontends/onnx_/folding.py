"""Constant folding: what follows from constants and shapes alone is computed, by numpy and within bounds.

Exporters spell shapes as arithmetic (Shape, Gather, Concat, ...). A file may come from anybody, so the operators are those that such
arithmetic needs, each a few lines of numpy here, and no result is larger than a limit, which is checked before anything is allocated.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
#: One an input, ``None`` for absent optional ones. That a required one is there is not told to the type checker: without it the operator is not computed.
Arrays = Sequence[Any]
_Fold = Callable[[Any, Arrays], "Array | list[Array] | None"]

#: Elements; larger constants keep their shape alone.
_LIMIT = 2**22
#: Elements that one file may have computed.
_TOTAL = 2**26


class _TooLarge(Exception):
    """A result would be larger than the limit."""


def _fit(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape, if a result may have it."""
    sizes = tuple(int(s) for s in shape)
    if len(sizes) > 32 or any(s < 0 for s in sizes) or prod(sizes) > _LIMIT:
        raise _TooLarge
    return sizes


class Folder:
    """Computes operators on known arrays, until one file has had its share."""

    def __init__(self) -> None:
        self._left = _TOTAL

    def fold(self, op: str, attrs: Any, arrays: Arrays, outputs: int) -> list[Array] | None:
        """The outputs of an operator whose inputs are known, or ``None`` where it is not computed.

        Args:
            attrs: attributes with their defaults.
            arrays: one an input.
            outputs: how many outputs the node names.
        """
        function = _FOLDS.get(op)
        if function is None or self._left <= 0:
            return None
        try:
            if sum(0 if a is None else a.size for a in arrays) > _LIMIT:
                return None
            with np.errstate(all="ignore"):
                found = _split(attrs, arrays, outputs) if op == "Split" else function(attrs, arrays)
        except (_TooLarge, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, MemoryError):
            return None
        if found is None:
            return None
        results = [np.asarray(a) for a in (found if isinstance(found, list) else [found])]
        self._left -= sum(a.size for a in results)
        return results


def _together(x: Arrays) -> list[Array]:
    """The arrays that are there, if what they broadcast to is not too large."""
    arrays = [v for v in x if v is not None]
    _fit(np.broadcast_shapes(*(v.shape for v in arrays)))
    return arrays


def _elementwise(function: Callable[..., Any]) -> _Fold:
    return lambda a, x: np.asarray(function(*_together(x)))


def _typed(function: Callable[..., Any]) -> _Fold:
    """Elementwise, in the type of the first input."""
    return lambda a, x: np.asarray(function(*_together(x))).astype(x[0].dtype)


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind not in "iu":
        return np.asarray(a / b)
    if not b.all():
        raise ZeroDivisionError
    return np.asarray(np.where((a < 0) == (b < 0), abs(a) // abs(b), -(abs(a) // abs(b))))


def _remainder(a: Any, x: Arrays) -> Array:
    left, right = x[:2]
    _together(x[:2])
    if left.dtype.kind in "iu" and not right.all():
        raise ZeroDivisionError
    return np.asarray(np.fmod(left, right) if a.get("fmod") else np.mod(left, right))


def _fold_chain(function: Callable[[Array, Array], Any]) -> _Fold:
    return lambda a, x: functools.reduce(lambda result, other: np.asarray(function(result, other)), _together(x))


def _cast(a: Any, x: Arrays) -> Array | None:
    import onnx

    target = onnx.helper.tensor_dtype_to_np_dtype(int(a["to"]))
    return None if x[0].dtype.kind not in "fiub" or target.kind not in "fiub" else x[0].astype(target)


def _cast_like(a: Any, x: Arrays) -> Array | None:
    return x[0].astype(x[1].dtype) if x[0].dtype.kind in "fiub" and x[1].dtype.kind in "fiub" else None


def _axes(a: Any, x: Arrays, position: int = 1) -> list[int] | None:
    if a.get("axes") is not None:
        return [int(v) for v in a["axes"]]
    given = x[position] if position < len(x) else None
    return None if given is None else [int(v) for v in given.reshape(-1)]


def _slice(a: Any, x: Arrays) -> Array | None:
    data = x[0]
    starts, ends = _axes({"axes": a.get("starts")}, x, 1), _axes({"axes": a.get("ends")}, x, 2)
    if starts is None or ends is None:
        return None
    axes = _axes(a, x, 3) or list(range(len(starts)))
    steps = _axes({}, x, 4) or [1] * len(starts)
    cuts: list[slice] = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        size = data.shape[axis]
        begin, stop, stride = slice(start, end, step).indices(size)
        cuts[axis] = slice(begin, None if stop < 0 else stop, stride)
    return data[tuple(cuts)]


def _gather(a: Any, x: Arrays) -> Array:
    data, index = x[:2]
    axis = int(a.get("axis", 0)) % data.ndim
    _fit((*data.shape[:axis], *index.shape, *data.shape[axis + 1 :]))
    return np.take(data, index.astype(np.int64), axis=axis)


def _reshape(a: Any, x: Arrays) -> Array:
    data = x[0]
    wanted = _axes({"axes": a.get("shape")}, x) or []
    if not a.get("allowzero"):
        wanted = [data.shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    return data.reshape(wanted)


def _squeeze(a: Any, x: Arrays) -> Array:
    axes = _axes(a, x)
    return np.squeeze(x[0]) if axes is None else np.squeeze(x[0], tuple(axes))


def _expand(a: Any, x: Arrays) -> Array:
    data, wanted = x[0], _axes({}, x)
    return np.broadcast_to(data, _fit(np.broadcast_shapes(data.shape, tuple(wanted or ())))).copy()


def _tile(a: Any, x: Arrays) -> Array:
    data, times = x[0], _axes({}, x) or []
    _fit([s * t for s, t in zip(data.shape, times, strict=True)])
    return np.tile(data, times)


def _range(a: Any, x: Arrays) -> Array:
    start, stop, step = (v.reshape(-1)[0] for v in x if v is not None)
    count = np.ceil((float(stop) - float(start)) / float(step))
    _fit((max(int(count), 0),))
    return np.arange(start, stop, step, dtype=start.dtype)


def _constant_of_shape(a: Any, x: Arrays) -> Array:
    from onnx import numpy_helper

    shape = _fit(x[0].reshape(-1).tolist())
    given = a.get("value")
    filler = np.zeros(1, dtype=np.float32) if given is None else numpy_helper.to_array(given).reshape(-1)
    return np.full(shape, filler[0], dtype=filler.dtype)


def _reduce(function: Callable[..., Any]) -> _Fold:
    def fold(a: Any, x: Arrays) -> Array:
        data = x[0]
        axes = _axes(a, x)
        if not axes and a.get("noop_with_empty_axes"):
            return data
        keep = bool(a.get("keepdims", 1))
        return np.asarray(function(data, axis=tuple(axes) if axes else None, keepdims=keep)).astype(data.dtype)

    return fold


def _matmul(a: Any, x: Arrays) -> Array:
    left, right = x[:2]
    rows = prod(left.shape[:-1])
    if rows * left.shape[-1] * right.shape[-1] > 2**28:
        raise _TooLarge
    _fit((*left.shape[:-1], right.shape[-1]))
    return np.matmul(left, right)


def _trilu(a: Any, x: Arrays) -> Array:
    k = int(x[1]) if len(x) > 1 and x[1] is not None else 0
    return (np.triu if a.get("upper", 1) else np.tril)(x[0], k)


def _scatter_nd(a: Any, x: Arrays) -> Array | None:
    data, index, updates = x[:3]
    if a.get("reduction", "none") != "none":
        return None
    result = data.copy()
    result[tuple(np.moveaxis(index, -1, 0))] = updates
    return result


def _gather_nd(a: Any, x: Arrays) -> Array | None:
    data, index = x[:2]
    if a.get("batch_dims"):
        return None
    _fit((*index.shape[:-1], *data.shape[index.shape[-1] :]))
    return np.asarray(data[tuple(np.moveaxis(index, -1, 0))])


def _split(a: Any, x: Arrays, outputs: int = 1) -> list[Array]:
    axis, sizes = int(a.get("axis", 0)), _axes({"axes": a.get("split")}, x)
    if sizes is None:
        count = int(a.get("num_outputs") or outputs)
        part = -(-x[0].shape[axis] // count)
        sizes = [part] * (count - 1)
    else:
        sizes = sizes[:-1]
    return list(np.split(x[0], np.cumsum(sizes), axis))


def _dequantize(a: Any, x: Arrays) -> Array | None:
    data, scale = x[:2]
    if a.get("block_size") or data.dtype.kind not in "iu":
        return None
    zero = x[2] if len(x) > 2 else None
    shape = [1] * data.ndim
    if scale.ndim == 1 and data.ndim:
        shape[int(a.get("axis", 1))] = -1
    else:
        shape = [1] * scale.ndim
    offset = 0 if zero is None else zero.astype(np.int64).reshape(shape)
    return ((data.astype(np.int64) - offset) * scale.reshape(shape)).astype(scale.dtype)


def _one_hot(a: Any, x: Arrays) -> Array | None:
    index, depth, values = x[:3]
    count, axis = int(depth.reshape(-1)[0]), int(a.get("axis", -1)) % (index.ndim + 1)
    _fit((*index.shape, count))
    places = np.moveaxis(index[..., None] % count == np.arange(count), -1, axis)
    return np.where(places, values[1], values[0])


def _cumsum(a: Any, x: Arrays) -> Array | None:
    if a.get("exclusive") or a.get("reverse"):
        return None
    return np.cumsum(x[0], int(x[1].reshape(-1)[0]), dtype=x[0].dtype)


def _flatten(a: Any, x: Arrays) -> Array:
    axis = int(a.get("axis", 1))
    axis += x[0].ndim if axis < 0 else 0
    return x[0].reshape(prod(x[0].shape[:axis]), -1)


def _position(function: Callable[..., Any]) -> _Fold:
    def fold(a: Any, x: Arrays) -> Array | None:
        if a.get("select_last_index"):
            return None
        return np.asarray(function(x[0], axis=int(a.get("axis", 0)), keepdims=bool(a.get("keepdims", 1))))

    return fold


def _clip(a: Any, x: Arrays) -> Array:
    low, high = ([*x[1:], None, None])[:2]
    low, high = a.get("min") if low is None else low, a.get("max") if high is None else high
    result = x[0] if low is None else np.maximum(x[0], low)
    return np.asarray(result if high is None else np.minimum(result, high)).astype(x[0].dtype)


_TYPED: dict[str, Callable[..., Any]] = {
        "Div": _divide, "Pow": np.power, "Neg": np.negative, "Abs": np.abs, "Floor": np.floor, "Ceil": np.ceil, "Sqrt": np.sqrt,
        "Exp": np.exp, "Log": np.log, "Sin": np.sin, "Cos": np.cos, "Sign": np.sign, "Reciprocal": np.reciprocal, "Round": np.round,
        "Tanh": np.tanh, "Sigmoid": lambda x: 1 / (1 + np.exp(-x)), "BitwiseNot": np.invert,
    }  # fmt: skip
_REDUCTIONS: dict[str, Callable[..., Any]] = {
        "ReduceSum": np.sum, "ReduceProd": np.prod, "ReduceMax": np.max, "ReduceMin": np.min, "ReduceMean": np.mean,
    }  # fmt: skip
_FOLDS: dict[str, _Fold] = {
    **{name: _fold_chain(f) for name, f in {
        "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Max": np.maximum, "Min": np.minimum, "Sum": np.add,
        "And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor, "Equal": np.equal, "Greater": np.greater,
        "GreaterOrEqual": np.greater_equal, "Less": np.less, "LessOrEqual": np.less_equal,
        "BitwiseAnd": np.bitwise_and, "BitwiseOr": np.bitwise_or, "BitwiseXor": np.bitwise_xor,
    }.items()},
    **{name: _typed(f) for name, f in _TYPED.items()},
    "Not": _elementwise(np.logical_not),
    "IsNaN": _elementwise(np.isnan),
    "Where": _elementwise(np.where),
    "Mod": _remainder,
    "Cast": _cast,
    "CastLike": _cast_like,
    "Identity": lambda a, x: x[0],
    "Concat": lambda a, x: np.concatenate([v for v in x if v is not None], axis=int(a["axis"])),
    "Slice": _slice,
    "Gather": _gather,
    "GatherND": _gather_nd,
    "Split": _split,
    "ScatterND": _scatter_nd,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": lambda a, x: np.expand_dims(x[0], tuple(_axes(a, x) or ())),
    "Transpose": lambda a, x: np.transpose(x[0], a.get("perm")),
    "Expand": _expand,
    "Tile": _tile,
    "Range": _range,
    "ConstantOfShape": _constant_of_shape,
    "MatMul": _matmul,
    "Trilu": _trilu,
    "OneHot": _one_hot,
    "CumSum": _cumsum,
    "Clip": _clip,
    "DequantizeLinear": _dequantize,
    "ArgMax": _position(np.argmax),
    "ArgMin": _position(np.argmin),
    **{name: _reduce(f) for name, f in _REDUCTIONS.items()},
}  # fmt: skip
