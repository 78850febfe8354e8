"""ONNX operators for those of the graph format: one function each, or one for a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto

from cg_ir.graph import Node
from cg_ir.onnx_export.emitter import DOMAIN, Emitter, value_info
from cg_ir.onnx_export.recurrent import recurrent

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["emit"]

#: Adds the ONNX nodes of a node; returns the names of its outputs, or None where ONNX cannot say it.
_Emit = Callable[[Emitter, Node], "str | list[str] | None"]

_ARITHMETIC = frozenset({"Add", "Mul", "Sub", "Div", "Pow", "Mod", "Max", "Min", "Equal", "MatMul", "Einsum", "Atan2"})
_COMPARISONS = frozenset(
    ["Equal", "And", "Or", "Xor", "Not", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsNaN", "IsInf"]
)


def emit(e: Emitter, node: Node) -> None:
    """Add a node of the graph to the model."""
    made = _OPERATORS[node.op](e, node) if node.op in _OPERATORS else None
    if made is None:
        attrs = {key: value for key, value in node.signature.items if value is not None and value != ()}
        name = str(attrs.pop("name")) or node.op if node.op == "Custom" else node.op
        outputs = 1 + max((n.attrs["index"] for n in _readers(node)), default=0)
        made = e.op(name, *e.sources(node), outputs=outputs, domain=DOMAIN, **attrs)
    e.values[node.index] = [made] if isinstance(made, str) else list(made)
    e.types[node.index] = _type(e, node)


def _readers(node: Node) -> list[Node]:
    return [n for n in node.graph.nodes if n.op == "Select" and n.inputs[0] == node.index]


def _type(e: Emitter, node: Node) -> str:
    if node.op in ("Input", "Constant"):
        return str(node.attrs["dtype"])
    if node.op == "Cast":
        return str(node.attrs["to"])
    if node.op in _COMPARISONS:
        return "bool"
    if node.op in ("ArgMax", "ArgMin", "OneHot"):
        return "int64"
    if node.op == "Select":
        source = node.graph.nodes[node.inputs[0]]
        return "int64" if source.op in ("MaxPool", "AdaptiveMaxPool", "TopK") else e.types[source.index]
    if not node.inputs or node.op == "Embedding":
        return "float32"
    own = [e.types[i] for i in node.inputs]
    if node.op == "Where":
        return _common(own[1:])
    return _common(own) if node.op in _ARITHMETIC else own[0]


def _common(types: Sequence[str]) -> str:
    floats = [t for t in types if t.startswith(("float", "bfloat"))]
    return max(floats) if floats else types[0]


def _operands(e: Emitter, node: Node, skip: int = 0) -> list[str]:
    """The inputs as one element type."""
    dtype = _common([e.types[i] for i in node.inputs[skip:]])
    return [
        name if e.types[i] == dtype else e.cast(name, dtype)
        for i, name in list(zip(node.inputs, e.sources(node), strict=True))[skip:]
    ]


# --- sources and sinks ------------------------------------------------------------------------------------------------


def _input(e: Emitter, node: Node) -> str:
    name = f"input_{node.attrs['index']}"
    e.inputs.append((node.attrs["index"], value_info(name, node.attrs["dtype"], node.shape)))
    return name


def _output(e: Emitter, node: Node) -> str:
    name = f"output_{node.attrs['index']}"
    e.outputs.append((node.attrs["index"], value_info(name, e.dtype(node), node.shape)))
    source = e.source(node)
    e.op("Identity", source)
    e.nodes[-1].output[0] = name
    return name


def _parameter(e: Emitter, node: Node) -> str | None:
    return e.weight(node, "value")


def _constant(e: Emitter, node: Node) -> str:
    value, dtype = node.attrs["value"], node.attrs["dtype"]
    kind = dtype if dtype in ("float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool") else "float32"
    held = e.weights.get(node.index, {}).get("value")
    if held is not None:  # elements that the graph does not record, from the module
        return e.tensor(held.astype(kind))
    if not value:
        return e.tensor(np.full(node.shape, kind[:3] not in ("int", "uin"), dtype=kind))
    if len(value) == 1:
        return e.tensor(np.full(node.shape, value[0], dtype=kind))
    return e.tensor(np.array(value).astype(kind).reshape(node.shape))


def _select(e: Emitter, node: Node) -> str:
    return e.values[node.inputs[0]][node.attrs["index"]]


# --- products ---------------------------------------------------------------------------------------------------------


def _conv(e: Emitter, node: Node) -> str:
    a = node.attrs
    inputs = [*e.sources(node)]
    if len(inputs) == 1:
        inputs.append(e.weight(node, "weight") or "")
    if a["bias"]:
        inputs.append(e.weight(node, "bias") or "")
    further = {"output_padding": a["output_padding"]} if node.op == "ConvTranspose" else {}
    keys = ("kernel_shape", "strides", "pads", "dilations", "group")
    return str(e.op(node.op, *inputs, **{key: a[key] for key in keys}, **further))


def _gemm(e: Emitter, node: Node) -> str:
    weight, bias = e.weight(node, "weight") or "", e.weight(node, "bias")
    if len(node.shape) == 2:
        return str(e.op("Gemm", e.source(node), weight, *([bias] if bias else []), transB=1))
    turned = e.tensor(e.weights[node.index]["weight"].T, "turned", node)
    result = e.op("MatMul", e.source(node), turned)
    return str(e.op("Add", result, bias) if bias else result)


def _expert_gemm(e: Emitter, node: Node) -> str:
    """The matrices are gathered by row."""
    x, ids = e.sources(node)
    matrices = e.op("Gather", e.weight(node, "weight") or "", e.cast(ids, "int64"), axis=0)
    column = e.op("Unsqueeze", x, e.ints([len(node.shape)]))
    return str(e.op("Squeeze", e.op("MatMul", matrices, column), e.ints([len(node.shape)])))


def _einsum(e: Emitter, node: Node) -> str:
    return str(e.op("Einsum", *_operands(e, node), equation=node.attrs["equation"]))


def _attention(e: Emitter, node: Node) -> str:
    query, key, value = e.sources(node)[:3]
    shapes = node.signature.input_shapes
    scale = node.attrs["scale"]
    scale = shapes[0][-1] ** -0.5 if scale is None else scale
    rank = len(shapes[1])
    turned = e.op("Transpose", key, perm=[*range(rank - 2), rank - 1, rank - 2])
    scores = e.op("MatMul", e.op("Mul", query, e.number(scale)), turned)
    if node.attrs["is_causal"]:
        length, other = shapes[0][-2], shapes[1][-2]
        mask = np.where(np.tri(length, other, dtype=bool), 0.0, -np.inf).astype(np.float32)
        scores = e.op("Add", scores, e.tensor(mask))
    if len(shapes) > 3:
        mask_name = e.source(node, 3)
        if e.dtype(node, 3) == "bool":
            mask_name = e.op("Where", mask_name, e.number(0.0), e.number(-np.inf))
        scores = e.op("Add", scores, mask_name)
    return str(e.op("MatMul", e.op("Softmax", scores, axis=-1), value))


def _embedding(e: Emitter, node: Node) -> str:
    index = e.source(node)
    if e.dtype(node) not in ("int64", "int32"):
        index = e.cast(index, "int64")
    return str(e.op("Gather", e.weight(node, "weight") or "", index, axis=0))


# --- normalisation ----------------------------------------------------------------------------------------------------


def _affine(e: Emitter, node: Node, shape: Sequence[int]) -> tuple[str, str]:
    scale, bias = e.weight(node, "weight", "scale"), e.weight(node, "bias")
    return scale or e.tensor(np.ones(shape, dtype=np.float32)), bias or e.tensor(np.zeros(shape, dtype=np.float32))


def _batch_norm(e: Emitter, node: Node) -> str:
    scale, bias = _affine(e, node, node.shape[1:2])
    mean, variance = e.weight(node, "running_mean"), e.weight(node, "running_var")
    return str(
        e.op(
            "BatchNormalization", e.source(node), scale, bias, mean or "", variance or "", epsilon=node.attrs["epsilon"]
        )
    )


def _instance_norm(e: Emitter, node: Node) -> str:
    return str(
        e.op("InstanceNormalization", e.source(node), *_affine(e, node, node.shape[1:2]), epsilon=node.attrs["epsilon"])
    )


def _group_norm(e: Emitter, node: Node) -> str:
    groups, shape = node.attrs["num_groups"], node.shape
    flat = e.reshape(e.source(node), (shape[0], groups, -1))
    ones, zeros = np.ones(groups, dtype=np.float32), np.zeros(groups, dtype=np.float32)
    normal = e.op("InstanceNormalization", flat, e.tensor(ones), e.tensor(zeros), epsilon=node.attrs["epsilon"])
    result = e.reshape(normal, shape)
    if not node.attrs["affine"]:
        return result
    wide = (1, shape[1], *(1,) * (len(shape) - 2))
    scale, bias = (e.reshape(w, wide) for w in _affine(e, node, shape[1:2]))
    return str(e.op("Add", e.op("Mul", result, scale), bias))


def _layer_norm(e: Emitter, node: Node) -> str:
    a = node.attrs
    shape = node.shape[a["axis"] :]
    return str(
        e.op("LayerNormalization", e.source(node), *_affine(e, node, shape), axis=a["axis"], epsilon=a["epsilon"])
    )


def _rms_norm(e: Emitter, node: Node) -> str:
    a, x = node.attrs, e.source(node)
    axes = e.ints(range(a["axis"], len(node.shape)))
    mean = e.op("ReduceMean", e.op("Mul", x, x), axes, keepdims=1)
    result = e.op("Div", x, e.op("Sqrt", e.op("Add", mean, e.number(a["epsilon"]))))
    scale = e.weight(node, "weight", "scale")
    return str(e.op("Mul", result, scale) if scale else result)


def _lrn(e: Emitter, node: Node) -> str | None:
    a, shape = node.attrs, node.shape
    if a["size"] % 2 == 0 or len(shape) > 4:
        return None
    x = e.source(node) if len(shape) == 4 else e.reshape(e.source(node), (*shape, *(1,) * (4 - len(shape))))
    result = e.op("LRN", x, size=a["size"], alpha=a["alpha"], beta=a["beta"], bias=a["k"])
    return str(result) if len(shape) == 4 else e.reshape(result, shape)


def _lp_norm(e: Emitter, node: Node) -> str:
    a, x = node.attrs, e.source(node)
    axes = e.ints([a["axis"]])
    if a["p"] in (1, 2):
        norm = e.op(f"ReduceL{a['p']}", x, axes, keepdims=1)
    else:
        total = e.op("ReduceSum", e.op("Pow", e.op("Abs", x), e.number(a["p"])), axes, keepdims=1)
        norm = e.op("Pow", total, e.number(1.0 / a["p"]))
    return str(e.op("Div", x, e.op("Max", norm, e.number(a["epsilon"]))))


# --- activations ------------------------------------------------------------------------------------------------------


def _same(*keys: str) -> _Emit:
    """One ONNX operator of the same name, with these attributes."""
    return lambda e, node: str(e.op(node.op, *e.sources(node), **{key: _plain(node.attrs[key]) for key in keys}))


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def _silu(e: Emitter, node: Node) -> str:
    return str(e.op("Mul", e.source(node), e.op("Sigmoid", e.source(node))))


def _log_sigmoid(e: Emitter, node: Node) -> str:
    return str(e.op("Neg", e.op("Softplus", e.op("Neg", e.source(node)))))


def _softplus(e: Emitter, node: Node) -> str:
    beta, x = node.attrs["beta"], e.source(node)
    if beta == 1.0:
        return str(e.op("Softplus", x))
    return str(e.op("Div", e.op("Softplus", e.op("Mul", x, e.number(beta))), e.number(beta)))


def _hard_sigmoid(e: Emitter, node: Node) -> str:
    return str(e.op("HardSigmoid", e.source(node), alpha=1.0 / 6.0, beta=0.5))


def _prelu(e: Emitter, node: Node) -> str:
    slopes = e.weights[node.index]["weight"].reshape(-1, *(1,) * (len(node.shape) - 2))
    return str(
        e.op("PRelu", e.source(node), e.tensor(slopes if slopes.size > 1 else slopes.reshape(1), "slopes", node))
    )


def _clip(e: Emitter, node: Node) -> str:
    dtype = e.dtype(node)
    bounds = ["" if b is None else e.number(b, dtype) for b in (node.attrs["min"], node.attrs["max"])]
    return str(e.op("Clip", e.source(node), *bounds))


# --- pooling ----------------------------------------------------------------------------------------------------------


def _pool(e: Emitter, node: Node) -> str | list[str]:
    a = node.attrs
    dims = len(a["kernel_shape"])
    inner, shape = node.signature.input_shapes[0], node.shape
    lead = inner[: len(inner) - dims]
    x = e.source(node) if len(lead) == 2 else e.reshape(e.source(node), (1, prod(lead), *inner[len(lead) :]))
    several = node.op == "MaxPool" and bool(_readers(node))
    keys = {key: _plain(a[key]) for key in a}
    made = e.op(node.op, x, outputs=2 if several else 1, **keys)
    if not several:
        return str(made) if len(lead) == 2 else e.reshape(made, shape)
    # ONNX counts positions through the whole tensor, the format through each image
    where = e.op("Mod", made[1], e.ints([prod(inner[len(lead) :])]))
    return [name if len(lead) == 2 else e.reshape(name, shape) for name in (made[0], str(where))]


def _adaptive(e: Emitter, node: Node) -> str | None:
    size = node.attrs["output_size"]
    inner, dims = node.signature.input_shapes[0], len(size)
    spatial = inner[len(inner) - dims :]
    if all(s % o == 0 for s, o in zip(spatial, size, strict=True)) and len(inner) == dims + 2 and not _readers(node):
        kernel = [s // o for s, o in zip(spatial, size, strict=True)]
        kind = "AveragePool" if node.op == "AdaptiveAveragePool" else "MaxPool"
        return str(e.op(kind, e.source(node), kernel_shape=kernel, strides=kernel))
    if node.op != "AdaptiveAveragePool":
        return None
    return _averages(e, e.source(node), len(inner), spatial, size)


def _averages(e: Emitter, x: str, rank: int, spatial: Sequence[int], size: Sequence[int]) -> str:
    """Means over windows."""
    matrices = []
    for before, after in zip(spatial, size, strict=True):
        matrix = np.zeros((after, before), dtype=np.float32)
        for row in range(after):
            begin, end = row * before // after, -(-(row + 1) * before // after)
            matrix[row, begin:end] = 1.0 / (end - begin)
        matrices.append(matrix)
    return _along_axes(e, x, rank, matrices)


def _along_axes(e: Emitter, x: str, rank: int, matrices: Sequence[NDArray[np.float32]]) -> str:
    """The last axes multiplied by a matrix each."""
    letters = "abcdefgh"[:rank]
    for i, matrix in enumerate(matrices):
        axis = rank - len(matrices) + i
        result = letters[:axis] + "z" + letters[axis + 1 :]
        x = e.op("Einsum", x, e.tensor(matrix), equation=f"{letters},z{letters[axis]}->{result}")
    return x


def _filter(before: int, after: int, cubic: bool) -> NDArray[np.float32]:
    """Weights of an antialiasing resize: a triangle, or Keys' cubic with a = -1/2, as wide as the step of the output."""
    scale = max(before / after, 1.0)
    centres = (np.arange(after) + 0.5) * before / after
    x = np.abs((np.arange(before)[None, :] + 0.5 - centres[:, None]) / scale)
    if cubic:
        near = 1.5 * x**3 - 2.5 * x**2 + 1.0
        far = -0.5 * x**3 + 2.5 * x**2 - 4.0 * x + 2.0
        weights = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    else:
        weights = np.maximum(1.0 - x, 0.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


# --- elementwise ------------------------------------------------------------------------------------------------------


def _chain(e: Emitter, node: Node) -> str:
    first, *rest = _operands(e, node)
    for other in rest:
        first = e.op(node.op, first, other)
    return first


def _logical(e: Emitter, node: Node) -> str:
    return str(
        e.op(
            node.op,
            *(
                n if e.types[i] == "bool" else e.cast(n, "bool")
                for i, n in zip(node.inputs, e.sources(node), strict=True)
            ),
        )
    )


def _div(e: Emitter, node: Node) -> str:
    a, b = _operands(e, node)
    result = str(e.op("Div", a, b))
    whole = _common([e.types[i] for i in node.inputs])[:3] in ("int", "uin")
    if node.attrs["rounding"] == "none" or whole:
        return result
    return str(e.op("Mul", e.op("Sign", result), e.op("Floor", e.op("Abs", result))))


def _atan2(e: Emitter, node: Node) -> str:
    """The angle of the slope, turned by half a circle left of the vertical."""
    y, x = _operands(e, node)
    angle = e.op("Atan", e.op("Div", y, x))
    half = e.number(np.pi)
    turned = e.op("Where", e.op("GreaterOrEqual", y, e.number(0.0)), e.op("Add", angle, half), e.op("Sub", angle, half))
    result = e.op("Where", e.op("Less", x, e.number(0.0)), turned, angle)
    nowhere = e.op("And", e.op("Equal", x, e.number(0.0)), e.op("Equal", y, e.number(0.0)))
    return str(e.op("Where", nowhere, e.number(0.0), result))


def _bit_shift(e: Emitter, node: Node) -> str:
    """ONNX shifts unsigned integers only; the bits below a sign are turned before and after."""
    a, b = _operands(e, node)
    dtype = _common([e.types[i] for i in node.inputs])
    direction = node.attrs["direction"].upper()

    def shifted(value: str) -> str:
        unsigned = [e.op("Cast", v, to=TensorProto.UINT64) for v in (value, b)]
        return e.cast(e.op("BitShift", *unsigned, direction=direction), dtype)

    if direction == "LEFT" or dtype.startswith("uint"):
        return shifted(a)
    turned = e.op("BitwiseNot", shifted(e.op("BitwiseNot", a)))
    return str(e.op("Where", e.op("Less", a, e.number(0, dtype)), turned, shifted(a)))


def _is_inf(e: Emitter, node: Node) -> str:
    signs: dict[str, Any] = {key: int(node.attrs[key]) for key in ("detect_negative", "detect_positive")}
    return str(e.op("IsInf", e.source(node), **signs))


def _mod(e: Emitter, node: Node) -> str:
    a, b = _operands(e, node)
    if node.attrs["fmod"]:
        return str(e.op("Mod", a, b, fmod=1))
    return str(e.op("Sub", a, e.op("Mul", e.op("Floor", e.op("Div", a, b)), b)))


def _where(e: Emitter, node: Node) -> str:
    condition = e.source(node) if e.dtype(node) == "bool" else e.cast(e.source(node), "bool")
    return str(e.op("Where", condition, *_operands(e, node, skip=1)))


def _cast(e: Emitter, node: Node) -> str:
    return e.cast(e.source(node), node.attrs["to"])


def _cumsum(e: Emitter, node: Node) -> str:
    return str(e.op("CumSum", e.source(node), e.tensor(np.array(node.attrs["axis"], dtype=np.int64))))


def _trilu(e: Emitter, node: Node) -> str:
    k = e.tensor(np.array(node.attrs["k"], dtype=np.int64))
    return str(e.op("Trilu", e.source(node), k, upper=int(node.attrs["upper"])))


# --- reductions -------------------------------------------------------------------------------------------------------


def _reduce(e: Emitter, node: Node) -> str:
    a = node.attrs
    axes = a["axes"] or range(len(node.signature.input_shapes[0]))
    return str(e.op(node.op, e.source(node), e.ints(axes), keepdims=int(a["keepdims"])))


def _variance(e: Emitter, node: Node) -> str:
    a, x = node.attrs, e.source(node)
    inner = node.signature.input_shapes[0]
    over = a["axes"] or tuple(range(len(inner)))
    axes = e.ints(over)
    centred = e.op("Sub", x, e.op("ReduceMean", x, axes, keepdims=1))
    total = e.op("ReduceSum", e.op("Mul", centred, centred), axes, keepdims=int(a["keepdims"]))
    return str(e.op("Div", total, e.number(max(prod(inner[i] for i in over) - a["correction"], 0))))


def _top_k(e: Emitter, node: Node) -> list[str]:
    a = node.attrs
    least: dict[str, Any] = {} if a["largest"] else {"largest": 0}
    return list(e.op("TopK", e.source(node), e.ints([a["k"]]), axis=a["axis"], outputs=2, **least))


# --- joining and moving -----------------------------------------------------------------------------------------------


def _split(e: Emitter, node: Node) -> list[str]:
    parts = node.attrs["split"]
    return list(e.op("Split", e.source(node), e.ints(parts), axis=node.attrs["axis"], outputs=len(parts)))


def _reshape(e: Emitter, node: Node) -> str:
    return e.reshape(e.source(node), node.shape)


def _slice(e: Emitter, node: Node) -> str:
    a = node.attrs
    ends = [-(2**62) if end < 0 else end for end in a["ends"]]
    return str(
        e.op("Slice", e.source(node), e.ints(a["starts"]), e.ints(ends), e.ints(range(len(ends))), e.ints(a["steps"]))
    )


def _slice_scatter(e: Emitter, node: Node) -> str:
    a = node.attrs
    places = np.meshgrid(*(range(*b) for b in zip(a["starts"], a["ends"], a["steps"], strict=True)), indexing="ij")
    return str(e.op("ScatterND", e.source(node), e.tensor(np.stack(places, -1).astype(np.int64)), e.source(node, 1)))


def _roll(e: Emitter, node: Node) -> str:
    x = e.source(node)
    for shift, axis in zip(node.attrs["shifts"], node.attrs["axes"], strict=True):
        size = node.shape[axis]
        first = size - shift % size
        if first < size:
            head = e.op("Slice", x, e.ints([0]), e.ints([first]), e.ints([axis]))
            tail = e.op("Slice", x, e.ints([first]), e.ints([size]), e.ints([axis]))
            x = e.op("Concat", tail, head, axis=axis)
    return x


def _space_to_depth(e: Emitter, node: Node) -> str:
    b = node.attrs["blocksize"]
    if node.attrs["mode"] == "DCR":
        return str(e.op("SpaceToDepth", e.source(node), blocksize=b))
    n, c, h, w = node.signature.input_shapes[0]
    x = e.reshape(e.source(node), (n, c, h // b, b, w // b, b))
    return e.reshape(e.op("Transpose", x, perm=[0, 1, 3, 5, 2, 4]), node.shape)


def _pad(e: Emitter, node: Node) -> str:
    a = node.attrs
    value = [e.number(a["value"], e.dtype(node))] if a["mode"] == "constant" else []
    return str(e.op("Pad", e.source(node), e.ints(a["pads"]), *value, mode=a["mode"]))


def _resize(e: Emitter, node: Node) -> str | None:
    a, before = node.attrs, node.signature.input_shapes[0]
    mode = a["mode"]
    if mode == "area":
        return _averages(e, e.source(node), len(before), before[2:], node.shape[2:])
    if a["antialias"] and mode in ("linear", "cubic") and not a["align_corners"] and before[:2] == node.shape[:2]:
        filters = [_filter(x, y, mode == "cubic") for x, y in zip(before[2:], node.shape[2:], strict=True)]
        return _along_axes(e, e.source(node), len(before), filters)
    if a["antialias"]:
        return None
    attrs: dict[str, Any] = {"mode": "nearest" if mode.startswith("nearest") else mode}
    if mode == "nearest":
        attrs |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    elif mode == "nearest-exact":
        attrs |= {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}
    else:
        attrs["coordinate_transformation_mode"] = "align_corners" if a["align_corners"] else "half_pixel"
        attrs["cubic_coeff_a"] = -0.75
    return str(e.op("Resize", e.source(node), "", "", e.ints(node.shape), **attrs))


def _gather(e: Emitter, node: Node) -> str:
    return str(e.op(node.op, e.source(node), e.cast(e.source(node, 1), "int64"), axis=node.attrs["axis"]))


def _indices(e: Emitter, node: Node, end: int) -> tuple[str, tuple[int, ...]]:
    """Index tensors broadcast and joined along a last axis."""
    shapes = node.signature.input_shapes[1:end]
    shape = np.broadcast_shapes(*shapes)
    parts = []
    for position in range(1, end):
        index = e.cast(e.source(node, position), "int64")
        parts.append(e.reshape(e.op("Expand", index, e.ints(shape)), (*shape, 1)))
    return e.op("Concat", *parts, axis=len(shape)), shape


def _gather_nd(e: Emitter, node: Node) -> str:
    return str(e.op("GatherND", e.source(node), _indices(e, node, len(node.inputs))[0]))


def _scatter_nd(e: Emitter, node: Node) -> str:
    end = len(node.inputs) - 1
    index, shape = _indices(e, node, end)
    places = (*shape, *node.shape[end - 1 :])
    updates = e.op("Expand", e.source(node, end), e.ints(places))
    return str(e.op("ScatterND", e.source(node), index, updates, **_reduction(node)))


def _reduction(node: Node) -> dict[str, Any]:
    return {} if node.attrs["reduction"] == "none" else {"reduction": node.attrs["reduction"]}


def _scatter_elements(e: Emitter, node: Node) -> str:
    index = e.cast(e.source(node, 1), "int64")
    updates, before, wanted = e.source(node, 2), node.signature.input_shapes[2], node.signature.input_shapes[1]
    if before != wanted:
        axes = range(len(wanted))
        updates = e.op("Slice", updates, e.ints([0] * len(wanted)), e.ints(wanted), e.ints(axes))
    return str(e.op("ScatterElements", e.source(node), index, updates, axis=node.attrs["axis"], **_reduction(node)))


def _im2col(e: Emitter, node: Node) -> str:
    a = node.attrs
    n, c, *spatial = node.signature.input_shapes[0]
    dims = len(spatial)
    x = e.source(node)
    if any(a["pads"]):
        x = e.op("Pad", x, e.ints([0, 0, *a["pads"][:dims], 0, 0, *a["pads"][dims:]]))
        spatial = [s + a["pads"][i] + a["pads"][dims + i] for i, s in enumerate(spatial)]
    steps = []
    for i, size in enumerate(spatial):
        reach = a["dilations"][i] * (a["kernel_shape"][i] - 1)
        starts = np.arange(0, size - reach, a["strides"][i])
        steps.append((np.arange(a["kernel_shape"][i]) * a["dilations"][i])[:, None] + starts[None, :])
    flat = np.zeros((1, 1), dtype=np.int64)
    for size, step in zip(spatial, steps, strict=True):
        flat = (flat[:, None, :, None] * size + step[None, :, None, :]).reshape(
            flat.shape[0] * step.shape[0], flat.shape[1] * step.shape[1]
        )
    windows = e.op("Gather", e.reshape(x, (n, c, prod(spatial))), e.tensor(flat), axis=2)
    return e.reshape(windows, node.shape)


def _col2im(e: Emitter, node: Node) -> str:
    a = node.attrs
    keys = {key: a[key] for key in ("dilations", "pads", "strides")}
    return str(e.op("Col2Im", e.source(node), e.ints(node.shape[2:]), e.ints(a["kernel_shape"]), **keys))


def _one_hot(e: Emitter, node: Node) -> str:
    values = e.tensor(np.array([0, 1], dtype=np.int64))
    return str(e.op("OneHot", e.cast(e.source(node), "int64"), e.ints([node.shape[-1]]), values, axis=-1))


def _expand(e: Emitter, node: Node) -> str:
    return str(e.op("Expand", e.source(node), e.ints(node.shape)))


def _tile(e: Emitter, node: Node) -> str:
    return str(e.op("Tile", e.source(node), e.ints(node.attrs["repeats"])))


def _each(names: Sequence[str], function: _Emit) -> dict[str, _Emit]:
    return dict.fromkeys(names, function)


_OPERATORS: dict[str, _Emit] = {
    "Input": _input,
    "Output": _output,
    "Parameter": _parameter,
    "Constant": _constant,
    "Select": _select,
    **_each(("Conv", "ConvTranspose"), _conv),
    "Gemm": _gemm,
    "Einsum": _einsum,
    "Attention": _attention,
    **_each(("LSTM", "GRU", "RNN"), recurrent),
    "ExpertGemm": _expert_gemm,
    "Embedding": _embedding,
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "GroupNormalization": _group_norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
    "LRN": _lrn,
    "LpNormalization": _lp_norm,
    **_each(("Relu", "Sigmoid", "Tanh", "Mish", "HardSwish", "Softsign", "Selu"), _same()),
    **_each(("LeakyRelu", "Elu", "Celu"), _same("alpha")),
    "Gelu": _same("approximate"),
    "Silu": _silu,
    "LogSigmoid": _log_sigmoid,
    "Softplus": _softplus,
    "HardSigmoid": _hard_sigmoid,
    "PRelu": _prelu,
    "Clip": _clip,
    **_each(("Softmax", "LogSoftmax"), _same("axis")),
    **_each(("MaxPool", "AveragePool", "LpPool"), _pool),
    **_each(("GlobalAveragePool", "GlobalMaxPool"), _same()),
    **_each(("AdaptiveAveragePool", "AdaptiveMaxPool"), _adaptive),
    **_each(("Add", "Mul", "Sub", "Pow", "Max", "Min", "MatMul", "Equal"), _chain),
    **_each(("BitwiseAnd", "BitwiseOr", "BitwiseXor"), _chain),
    "Div": _div,
    "Atan2": _atan2,
    "BitShift": _bit_shift,
    "IsInf": _is_inf,
    **_each(("Greater", "GreaterOrEqual", "Less", "LessOrEqual"), _chain),
    **_each(("And", "Or", "Xor", "Not"), _logical),
    "Mod": _mod,
    "Where": _where,
    **_each(("Abs", "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Erf", "Sin", "Cos"), _same()),
    **_each(("Floor", "Ceil", "Round", "Sign", "IsNaN", "BitwiseNot"), _same()),
    **_each(("Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"), _same()),
    "Cast": _cast,
    "CumSum": _cumsum,
    "Trilu": _trilu,
    **_each(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"), _reduce),
    **_each(("ReduceL1", "ReduceL2", "ReduceLogSumExp"), _reduce),
    "ReduceVariance": _variance,
    **_each(("ArgMax", "ArgMin"), _same("axis", "keepdims")),
    "TopK": _top_k,
    "Concat": _same("axis"),
    "Split": _split,
    **_each(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _reshape),
    "Transpose": _same("perm"),
    "Slice": _slice,
    "SliceScatter": _slice_scatter,
    "Expand": _expand,
    "Tile": _tile,
    "Roll": _roll,
    "DepthToSpace": _same("blocksize", "mode"),
    "SpaceToDepth": _space_to_depth,
    "Pad": _pad,
    "Resize": _resize,
    **_each(("Gather", "GatherElements"), _gather),
    "GatherND": _gather_nd,
    "ScatterND": _scatter_nd,
    "ScatterElements": _scatter_elements,
    "GridSample": _same("mode", "padding_mode", "align_corners"),
    "Im2Col": _im2col,
    "Col2Im": _col2im,
    "OneHot": _one_hot,
}
