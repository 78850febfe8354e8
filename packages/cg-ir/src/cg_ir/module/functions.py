"""Operators without weights, as PyTorch functions.

A maker takes a node's signature and whether further outputs are read by ``Select``; it returns a function of the inputs and of the
output shape that is wanted (that of the signature, the batch axis multiplied).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from cg_ir.errors import GraphError
from cg_ir.module.padding import is_symmetric, pad_zeros, torch_pads
from cg_ir.signature import Signature

__all__ = ["FUNCTIONS", "SCALAR_OPERANDS", "Function", "dtype_of"]

Shape = tuple[int, ...]
Function = Callable[[Sequence[Any], Shape], Any]
_Maker = Callable[[Signature, bool], Function]

#: Operators that take a plain number in place of a tensor.
SCALAR_OPERANDS = frozenset(
    [
        *(
            "Add",
            "Mul",
            "Sub",
            "Div",
            "Pow",
            "Mod",
            "Equal",
            "Greater",
            "GreaterOrEqual",
            "Less",
            "LessOrEqual",
            "Where",
        ),
        *("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift"),
    ]
)
#: Stands for minus infinity, which JSON cannot write, where a MaxPool is padded by hand.
_LOWEST = torch.finfo(torch.float32).min


def dtype_of(name: str) -> torch.dtype:
    """PyTorch's element type of this name."""
    found = getattr(torch, {"double": "float64", "float": "float32", "long": "int64"}.get(name, name), None)
    if not isinstance(found, torch.dtype):
        raise GraphError(f"PyTorch has no element type {name!r:.40}")
    return found


def _unary(function: Callable[[Tensor], Tensor]) -> _Maker:
    return lambda sig, several: lambda xs, shape: function(xs[0])


def _binary(function: Callable[[Any, Any], Any]) -> _Maker:
    return lambda sig, several: lambda xs, shape: function(xs[0], xs[1])


def _fold(function: Callable[[Any, Any], Any]) -> _Maker:
    return lambda sig, several: lambda xs, shape: reduce(function, xs)


def _with(make: Callable[[dict[str, Any]], Callable[[Tensor], Any]]) -> _Maker:
    """A function of one input that depends on the attributes alone."""

    def maker(sig: Signature, several: bool) -> Function:
        function = make(sig.attrs)
        return lambda xs, shape: function(xs[0])

    return maker


# --- products ---------------------------------------------------------------------------------------------------------


def _einsum(sig: Signature, several: bool) -> Function:
    equation = sig.attrs["equation"]
    return lambda xs, shape: torch.einsum(equation, *xs)


def _attention(sig: Signature, several: bool) -> Function:
    causal, scale = sig.attrs["is_causal"], sig.attrs["scale"]
    if causal and len(sig.input_shapes) > 3:
        raise GraphError("PyTorch runs attention with a mask or a causal one, not with both")

    def run(xs: Sequence[Any], shape: Shape) -> Tensor:
        query, key, value = xs[:3]
        mask = xs[3] if len(xs) > 3 else None
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, scale=scale)

    return run


# --- normalisation ----------------------------------------------------------------------------------------------------


def _lrn(sig: Signature, several: bool) -> Function:
    a = sig.attrs
    size, alpha, beta, k = a["size"], a["alpha"], a["beta"], a["k"]
    if len(sig.shape) == 2:
        return lambda xs, shape: F.local_response_norm(xs[0].unsqueeze(2), size, alpha, beta, k).squeeze(2)
    return lambda xs, shape: F.local_response_norm(xs[0], size, alpha, beta, k)


# --- pooling ----------------------------------------------------------------------------------------------------------


def _flat(function: Callable[[Tensor], Any], sig: Signature, dims: int) -> Function:
    """Pooling of PyTorch takes one or two axes before the spatial ones; more are joined."""
    rank = len(sig.shape)
    if rank <= dims + 2:
        return lambda xs, shape: function(xs[0])

    def run(xs: Sequence[Any], shape: Shape) -> Any:
        result = function(xs[0].flatten(0, rank - dims - 1))
        if isinstance(result, tuple):
            return tuple(part.reshape(shape) for part in result)
        return result.reshape(shape)

    return run


def _fits(a: dict[str, Any]) -> bool:
    """Whether PyTorch's pooling takes the pads: symmetric and at most half the window."""
    dims = len(a["kernel_shape"])
    return is_symmetric(a["pads"]) and all(2 * p <= k for p, k in zip(a["pads"][:dims], a["kernel_shape"], strict=True))


def _max_pool(sig: Signature, several: bool) -> Function:
    a = sig.attrs
    dims = len(a["kernel_shape"])
    function: Callable[..., Any] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[dims]
    pads = a["pads"]
    inside = _fits(a)
    if several and not inside:
        raise GraphError("PyTorch gives no positions of a MaxPool with uneven pads")

    def pool(x: Tensor) -> Any:
        if not inside:
            x = pad_zeros(x, pads, _LOWEST)
        return function(
            x,
            a["kernel_shape"],
            a["strides"],
            pads[:dims] if inside else 0,
            a["dilations"],
            ceil_mode=a["ceil_mode"],
            return_indices=several,
        )

    return _flat(pool, sig, dims)


def _average_pool(sig: Signature, several: bool) -> Function:
    a = sig.attrs
    dims = len(a["kernel_shape"])
    function = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[dims]
    kernel, strides, pads, ceil = a["kernel_shape"], a["strides"], a["pads"], a["ceil_mode"]
    whole = a["count_include_pad"]

    def pool(x: Tensor) -> Tensor:
        if _fits(a):
            return function(x, kernel, strides, pads[:dims], ceil, whole)
        result = function(pad_zeros(x, pads), kernel, strides, 0, ceil, True)
        if whole:
            return result
        share = function(pad_zeros(torch.ones_like(x), pads), kernel, strides, 0, ceil, True)
        return result / share

    return _flat(pool, sig, dims)


def _lp_pool(sig: Signature, several: bool) -> Function:
    a = sig.attrs
    dims = len(a["kernel_shape"])
    function = {1: F.lp_pool1d, 2: F.lp_pool2d, 3: F.lp_pool3d}[dims]
    one = dims == 1
    kernel = a["kernel_shape"][0] if one else a["kernel_shape"]
    strides = a["strides"][0] if one else a["strides"]

    def pool(x: Tensor) -> Tensor:
        if a["p"] % 2:
            x = x.abs()
        return function(pad_zeros(x, a["pads"]), float(a["p"]), kernel, strides, a["ceil_mode"])

    return _flat(pool, sig, dims)


_ADAPTIVE = {
    "AdaptiveAveragePool": {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d},
    "AdaptiveMaxPool": {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d},
}


def _adaptive_pool(sig: Signature, several: bool) -> Function:
    size = sig.attrs["output_size"]
    if not 1 <= len(size) <= 3:
        raise GraphError(f"PyTorch has no adaptive pooling over {len(size)} axes")
    function = _ADAPTIVE[sig.op][len(size)]
    further = {"return_indices": True} if several else {}
    return _flat(lambda x: function(x, size, **further), sig, len(size))


def _global_pool(sig: Signature, several: bool) -> Function:
    dims = len(sig.shape) - 2
    if dims <= 3:
        name = "AdaptiveAveragePool" if sig.op == "GlobalAveragePool" else "AdaptiveMaxPool"
        function = _ADAPTIVE[name][dims]
        return lambda xs, shape: function(xs[0], (1,) * dims)
    axes = tuple(range(2, len(sig.shape)))
    if sig.op == "GlobalAveragePool":
        return lambda xs, shape: xs[0].mean(axes, keepdim=True)
    return lambda xs, shape: xs[0].amax(axes, keepdim=True)


# --- reductions -------------------------------------------------------------------------------------------------------


def _product(x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


_REDUCTIONS: dict[str, Callable[[Tensor, tuple[int, ...], bool], Tensor]] = {
    "ReduceMean": lambda x, axes, keep: x.mean(axes, keepdim=keep),
    "ReduceSum": lambda x, axes, keep: x.sum(axes, keepdim=keep),
    "ReduceMax": lambda x, axes, keep: torch.amax(x, axes, keepdim=keep),
    "ReduceMin": lambda x, axes, keep: torch.amin(x, axes, keepdim=keep),
    "ReduceProd": _product,
    "ReduceL1": lambda x, axes, keep: torch.linalg.vector_norm(x, 1, axes, keepdim=keep),
    "ReduceL2": lambda x, axes, keep: torch.linalg.vector_norm(x, 2, axes, keepdim=keep),
    "ReduceLogSumExp": lambda x, axes, keep: torch.logsumexp(x, axes, keepdim=keep),
}


def _axes(sig: Signature) -> tuple[int, ...]:
    return sig.attrs["axes"] or tuple(range(len(sig.input_shapes[0])))


def _reduce(sig: Signature, several: bool) -> Function:
    axes, keep, function = _axes(sig), sig.attrs["keepdims"], _REDUCTIONS[sig.op]
    if not axes:  # a scalar
        return lambda xs, shape: function(xs[0].reshape(1), (0,), False)
    return lambda xs, shape: function(xs[0], axes, keep)


def _variance(sig: Signature, several: bool) -> Function:
    axes, a = _axes(sig), sig.attrs
    return lambda xs, shape: torch.var(xs[0], axes, correction=a["correction"], keepdim=a["keepdims"])


# --- joining and moving elements --------------------------------------------------------------------------------------


def _concat(sig: Signature, several: bool) -> Function:
    axis = sig.attrs["axis"]
    return lambda xs, shape: torch.cat(list(xs), axis)


def _split(sig: Signature, several: bool) -> Function:
    axis, parts = sig.attrs["axis"], list(sig.attrs["split"])
    return lambda xs, shape: torch.split(xs[0], parts, axis)


#: An axis, the range that is cut out of it, and whether it is read backwards.
_Cut = tuple[int, slice, bool]


def _cuts(sig: Signature) -> list[_Cut]:
    """The axes that a slice does not take whole."""
    a = sig.attrs
    cuts: list[_Cut] = []
    for axis, (start, end, step) in enumerate(zip(a["starts"], a["ends"], a["steps"], strict=True)):
        places = range(start, end, step)
        backwards = step < 0 and len(places) > 1
        if backwards:
            places = places[::-1]
        if len(places) != sig.input_shapes[0][axis] or backwards:
            cuts.append((axis, slice(places[0], places[-1] + 1, abs(places.step)), backwards))
    return cuts


def _slice(sig: Signature, several: bool) -> Function:
    cuts = _cuts(sig)
    flips = [axis for axis, _, backwards in cuts if backwards]

    def run(xs: Sequence[Any], shape: Shape) -> Tensor:
        x: Tensor = xs[0]
        for axis, cut, _ in cuts:
            x = x[(slice(None),) * axis + (cut,)]
        return torch.flip(x, flips) if flips else x

    return run


def _slice_scatter(sig: Signature, several: bool) -> Function:
    cuts = _cuts(sig)
    flips = [axis for axis, _, backwards in cuts if backwards]

    def put(x: Tensor, part: Tensor, left: Sequence[_Cut]) -> Tensor:
        if not left:
            return part
        (axis, cut, _), *rest = left
        inner = put(x[(slice(None),) * axis + (cut,)], part, rest) if rest else part
        return torch.slice_scatter(x, inner, axis, cut.start, cut.stop, cut.step)

    return lambda xs, shape: put(xs[0], torch.flip(xs[1], flips) if flips else xs[1], cuts)


def _depth_to_space(sig: Signature, several: bool) -> Function:
    b = sig.attrs["blocksize"]
    if sig.attrs["mode"] == "CRD":
        return lambda xs, shape: F.pixel_shuffle(xs[0], b)
    _, c, h, w = sig.shape

    def run(xs: Sequence[Any], shape: Shape) -> Tensor:
        x = xs[0].reshape(shape[0], b, b, c, h // b, w // b)
        return x.permute(0, 3, 4, 1, 5, 2).reshape(shape)

    return run


def _space_to_depth(sig: Signature, several: bool) -> Function:
    b = sig.attrs["blocksize"]
    if sig.attrs["mode"] == "CRD":
        return lambda xs, shape: F.pixel_unshuffle(xs[0], b)
    _, c, h, w = sig.input_shapes[0]

    def run(xs: Sequence[Any], shape: Shape) -> Tensor:
        x = xs[0].reshape(shape[0], c, h // b, b, w // b, b)
        return x.permute(0, 3, 5, 1, 2, 4).reshape(shape)

    return run


def _pad(sig: Signature, several: bool) -> Function:
    a = sig.attrs
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}[a["mode"]]
    pads = torch_pads(a["pads"])
    if mode == "constant":
        return lambda xs, shape: F.pad(xs[0], pads, value=a["value"])
    rank = len(sig.shape)
    axes = max(len(pads) // 2, min(rank - 2, 3))  # PyTorch pads all spatial axes so, and wants two before them
    pads = [*pads, *[0] * (2 * axes - len(pads))]
    lead = max(0, axes + 2 - rank)
    if min(pads, default=0) < 0:
        raise GraphError(f"PyTorch cannot crop with mode {a['mode']}")

    def run(xs: Sequence[Any], shape: Shape) -> Tensor:
        x = xs[0].reshape((1,) * lead + tuple(xs[0].shape))
        return F.pad(x, pads, mode=mode).reshape(shape)

    return run


def _resize(sig: Signature, several: bool) -> Function:
    a = sig.attrs
    dims = len(sig.shape) - 2
    names = {
        "nearest": "nearest",
        "nearest-exact": "nearest-exact",
        "area": "area",
        "linear": {1: "linear", 2: "bilinear", 3: "trilinear"}.get(dims),
        "cubic": {2: "bicubic"}.get(dims),
    }
    mode = names[a["mode"]]
    if mode is None or not 1 <= dims <= 3:
        raise GraphError(f"PyTorch has no {a['mode']} interpolation over {dims} axes")
    if sig.input_shapes[0][:2] != sig.shape[:2]:
        raise GraphError("PyTorch resizes spatial axes only, not batch and channels")
    corners = a["align_corners"] if a["mode"] in ("linear", "cubic") else None
    size = sig.shape[2:]
    return lambda xs, shape: F.interpolate(xs[0], size=size, mode=mode, align_corners=corners, antialias=a["antialias"])


def _gather(sig: Signature, several: bool) -> Function:
    axis = sig.attrs["axis"]
    before, index = sig.input_shapes
    if len(index) == 1:
        return lambda xs, shape: torch.index_select(xs[0], axis, xs[1].long())
    head, tail = (slice(None),) * axis, len(before) - axis
    assert tail
    return lambda xs, shape: xs[0][(*head, xs[1].long())]


def _gather_nd(sig: Signature, several: bool) -> Function:
    return lambda xs, shape: xs[0][tuple(_index(i) for i in xs[1:])]


#: What torch calls the ways in which a new element meets an old one.
_REDUCES = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _scatter_nd(sig: Signature, several: bool) -> Function:
    reduction = sig.attrs["reduction"]
    if reduction in ("none", "add"):
        added = reduction == "add"
        return lambda xs, shape: xs[0].index_put(tuple(_index(i) for i in xs[1:-1]), xs[-1], accumulate=added)
    sizes, count = sig.shape, len(sig.input_shapes) - 2

    def run(xs: Sequence[Any], shape: Shape) -> Tensor:
        """Places as numbers of rows: those axes in one."""
        index = torch.broadcast_tensors(*(_index(i) for i in xs[1:-1]))
        rows = torch.zeros_like(index[0])
        for place, size in zip(index, sizes[:count], strict=True):
            rows = rows * size + place.remainder(size)
        flat = xs[0].reshape(-1, *sizes[count:])
        updates = xs[-1].expand(*index[0].shape, *sizes[count:]).reshape(-1, *sizes[count:])
        return flat.index_reduce(0, rows.reshape(-1), updates, _REDUCES[reduction]).reshape(sizes)

    return run


def _scatter_elements(sig: Signature, several: bool) -> Function:
    axis, reduction = sig.attrs["axis"], sig.attrs["reduction"]

    def run(xs: Sequence[Any], shape: Shape) -> Tensor:
        data, index, updates = xs[0], xs[1].long(), xs[2]
        if reduction == "none":
            return data.scatter(axis, index, updates)
        return data.scatter_reduce(axis, index, updates, _REDUCES[reduction])

    return run


def _divide(sig: Signature, several: bool) -> Function:
    if sig.attrs["rounding"] == "none":
        return lambda xs, shape: operator.truediv(xs[0], xs[1])
    return lambda xs, shape: torch.div(xs[0], xs[1], rounding_mode="trunc")


def _remainder(sig: Signature, several: bool) -> Function:
    if not sig.attrs["fmod"]:
        return lambda xs, shape: operator.mod(xs[0], xs[1])
    return lambda xs, shape: torch.fmod(_tensor(xs[0], xs[1]), xs[1])


def _tensor(number: Any, like: Any) -> Tensor:
    """A plain number as a tensor, for functions that take none in this place."""
    return number if isinstance(number, Tensor) else torch.as_tensor(number, device=like.device)


def _is_infinite(sig: Signature, several: bool) -> Function:
    negative, positive = sig.attrs["detect_negative"], sig.attrs["detect_positive"]
    if negative and positive:
        return lambda xs, shape: torch.isinf(xs[0])
    if negative or positive:
        return lambda xs, shape: (torch.isneginf if negative else torch.isposinf)(xs[0])
    return lambda xs, shape: torch.zeros_like(xs[0], dtype=torch.bool)


def _index(x: Tensor) -> Tensor:
    return x if x.dtype in (torch.int64, torch.bool) else x.long()


def _grid_sample(sig: Signature, several: bool) -> Function:
    a = sig.attrs
    mode = {"linear": "bilinear", "nearest": "nearest", "cubic": "bicubic"}[a["mode"]]
    return lambda xs, shape: F.grid_sample(
        xs[0], xs[1], mode=mode, padding_mode=a["padding_mode"], align_corners=a["align_corners"]
    )


def _im2col(sig: Signature, several: bool) -> Function:
    a = sig.attrs
    if len(a["kernel_shape"]) != 2:
        raise GraphError("PyTorch unfolds two spatial axes only")
    symmetric = is_symmetric(a["pads"])
    inner = a["pads"][:2] if symmetric else 0
    outer = (0,) * 4 if symmetric else a["pads"]
    return lambda xs, shape: F.unfold(pad_zeros(xs[0], outer), a["kernel_shape"], a["dilations"], inner, a["strides"])


def _col2im(sig: Signature, several: bool) -> Function:
    a = sig.attrs
    if len(a["kernel_shape"]) != 2 or not is_symmetric(a["pads"]):
        raise GraphError("PyTorch folds two spatial axes with even pads only")
    size = sig.shape[2:]
    return lambda xs, shape: F.fold(xs[0], size, a["kernel_shape"], a["dilations"], a["pads"][:2], a["strides"])


def _one_hot(sig: Signature, several: bool) -> Function:
    depth = sig.shape[-1]
    return lambda xs, shape: F.one_hot(xs[0].long(), depth)


def _top_k(sig: Signature, several: bool) -> Function:
    a = sig.attrs
    axis, count, largest = a["axis"], a["k"], a["largest"]

    def top(xs: Sequence[torch.Tensor], shape: Sequence[int]) -> Any:
        """Of equal elements the earlier comes first, which torch.topk leaves open."""
        ordered = torch.sort(xs[0], stable=True, dim=axis, descending=largest)
        return tuple(part if part.shape[axis] == count else part.narrow(axis, 0, count) for part in ordered)

    return top


def _clip(sig: Signature, several: bool) -> Function:
    low, high = sig.attrs["min"], sig.attrs["max"]
    if low is None and high is None:
        return lambda xs, shape: xs[0]
    return lambda xs, shape: torch.clamp(xs[0], low, high)


def _cast(sig: Signature, several: bool) -> Function:
    to = dtype_of(sig.attrs["to"])
    return lambda xs, shape: xs[0].to(to)


def _extreme(function: Callable[..., Tensor]) -> _Maker:
    return _with(lambda a: lambda x: function(x, a["axis"], keepdim=a["keepdims"]))


FUNCTIONS: dict[str, _Maker] = {
    # matrix products
    "MatMul": _binary(torch.matmul),
    "Einsum": _einsum,
    "Attention": _attention,
    # normalisation
    "LRN": _lrn,
    "LpNormalization": _with(lambda a: lambda x: F.normalize(x, float(a["p"]), a["axis"], a["epsilon"])),
    # activations
    "Relu": _unary(F.relu),
    "Sigmoid": _unary(torch.sigmoid),
    "Tanh": _unary(torch.tanh),
    "Silu": _unary(F.silu),
    "Mish": _unary(F.mish),
    "HardSwish": _unary(F.hardswish),
    "HardSigmoid": _unary(F.hardsigmoid),
    "Softsign": _unary(F.softsign),
    "Selu": _unary(F.selu),
    "LogSigmoid": _unary(F.logsigmoid),
    "LeakyRelu": _with(lambda a: lambda x: F.leaky_relu(x, a["alpha"])),
    "Elu": _with(lambda a: lambda x: F.elu(x, a["alpha"])),
    "Celu": _with(lambda a: lambda x: F.celu(x, a["alpha"])),
    "Gelu": _with(lambda a: lambda x: F.gelu(x, approximate=a["approximate"])),
    "Softplus": _with(lambda a: lambda x: F.softplus(x, a["beta"])),
    "Clip": _clip,
    "Softmax": _with(lambda a: lambda x: F.softmax(x, a["axis"])),
    "LogSoftmax": _with(lambda a: lambda x: F.log_softmax(x, a["axis"])),
    # pooling
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "LpPool": _lp_pool,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "AdaptiveAveragePool": _adaptive_pool,
    "AdaptiveMaxPool": _adaptive_pool,
    # elementwise
    "Add": _fold(operator.add),
    "Mul": _binary(operator.mul),
    "Sub": _binary(operator.sub),
    "Div": _divide,
    "Pow": _binary(operator.pow),
    "Mod": _remainder,
    "Atan2": _binary(torch.atan2),
    "BitwiseAnd": _binary(torch.bitwise_and),
    "BitwiseOr": _binary(torch.bitwise_or),
    "BitwiseXor": _binary(torch.bitwise_xor),
    "BitShift": lambda sig, several: _binary(
        torch.bitwise_left_shift if sig.attrs["direction"] == "left" else torch.bitwise_right_shift
    )(sig, several),
    "BitwiseNot": _unary(torch.bitwise_not),
    "IsInf": _is_infinite,
    "Max": _fold(torch.maximum),
    "Min": _fold(torch.minimum),
    "Equal": _binary(operator.eq),
    "And": _binary(torch.logical_and),
    "Or": _binary(torch.logical_or),
    "Xor": _binary(torch.logical_xor),
    "Greater": _binary(operator.gt),
    "GreaterOrEqual": _binary(operator.ge),
    "Less": _binary(operator.lt),
    "LessOrEqual": _binary(operator.le),
    "Where": lambda sig, several: lambda xs, shape: torch.where(xs[0].bool(), xs[1], xs[2]),
    "Abs": _unary(torch.abs),
    "Neg": _unary(torch.neg),
    "Exp": _unary(torch.exp),
    "Log": _unary(torch.log),
    "Sqrt": _unary(torch.sqrt),
    "Reciprocal": _unary(torch.reciprocal),
    "Erf": _unary(torch.erf),
    "Sin": _unary(torch.sin),
    "Cos": _unary(torch.cos),
    "Tan": _unary(torch.tan),
    "Asin": _unary(torch.asin),
    "Acos": _unary(torch.acos),
    "Atan": _unary(torch.atan),
    "Sinh": _unary(torch.sinh),
    "Cosh": _unary(torch.cosh),
    "Asinh": _unary(torch.asinh),
    "Acosh": _unary(torch.acosh),
    "Atanh": _unary(torch.atanh),
    "Floor": _unary(torch.floor),
    "Ceil": _unary(torch.ceil),
    "Round": _unary(torch.round),
    "Sign": _unary(torch.sign),
    "Not": _unary(torch.logical_not),
    "IsNaN": _unary(torch.isnan),
    "Cast": _cast,
    "CumSum": _with(lambda a: lambda x: torch.cumsum(x, a["axis"])),
    "Trilu": _with(lambda a: lambda x: (torch.triu if a["upper"] else torch.tril)(x, a["k"])),
    # reductions
    **dict.fromkeys(_REDUCTIONS, _reduce),
    "ReduceVariance": _variance,
    "ArgMax": _extreme(torch.argmax),
    "ArgMin": _extreme(torch.argmin),
    "TopK": _top_k,
    # joining and moving
    "Concat": _concat,
    "Split": _split,
    **dict.fromkeys(
        ("Reshape", "Flatten", "Squeeze", "Unsqueeze"), lambda sig, several: lambda xs, shape: xs[0].reshape(shape)
    ),
    "Transpose": _with(lambda a: lambda x: x.permute(a["perm"])),
    "Slice": _slice,
    "SliceScatter": _slice_scatter,
    "Expand": lambda sig, several: lambda xs, shape: xs[0].expand(shape),
    "Tile": _with(lambda a: lambda x: x.repeat(a["repeats"])),
    "Roll": _with(lambda a: lambda x: torch.roll(x, a["shifts"], a["axes"])),
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Pad": _pad,
    "Resize": _resize,
    "Gather": _gather,
    "GatherElements": lambda sig, several: lambda xs, shape: torch.gather(xs[0], sig.attrs["axis"], xs[1].long()),
    "GatherND": _gather_nd,
    "ScatterND": _scatter_nd,
    "ScatterElements": _scatter_elements,
    "GridSample": _grid_sample,
    "Im2Col": _im2col,
    "Col2Im": _col2im,
    "OneHot": _one_hot,
}
