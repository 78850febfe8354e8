"""Expressions of operators: what stands right of the equals sign in ``forward``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cg_ir.errors import GraphError
from cg_ir.graph import Node
from cg_ir.source_code.layers import even

__all__ = ["expression"]

#: Takes the node, the texts of its inputs and the text of the wanted shape; the shape's batch axis is -1 where the batch may vary.
_Write = Callable[[Node, Sequence[str], str], str]

_CALLS = {
    "Relu": "F.relu",
    "Sigmoid": "torch.sigmoid",
    "Tanh": "torch.tanh",
    "Silu": "F.silu",
    "Mish": "F.mish",
    "HardSwish": "F.hardswish",
    "HardSigmoid": "F.hardsigmoid",
    "Softsign": "F.softsign",
    "Selu": "F.selu",
    "LogSigmoid": "F.logsigmoid",
    "Abs": "torch.abs",
    "Neg": "torch.neg",
    "Exp": "torch.exp",
    "Log": "torch.log",
    "Sqrt": "torch.sqrt",
    "Reciprocal": "torch.reciprocal",
    "Erf": "torch.erf",
    "Sin": "torch.sin",
    "Cos": "torch.cos",
    "Tan": "torch.tan",
    "Asin": "torch.asin",
    "Acos": "torch.acos",
    "Atan": "torch.atan",
    "Sinh": "torch.sinh",
    "Cosh": "torch.cosh",
    "Asinh": "torch.asinh",
    "Acosh": "torch.acosh",
    "Atanh": "torch.atanh",
    "Atan2": "torch.atan2",
    "BitwiseNot": "torch.bitwise_not",
    "BitwiseAnd": "torch.bitwise_and",
    "BitwiseOr": "torch.bitwise_or",
    "BitwiseXor": "torch.bitwise_xor",
    "Floor": "torch.floor",
    "Ceil": "torch.ceil",
    "Round": "torch.round",
    "Sign": "torch.sign",
    "IsNaN": "torch.isnan",
    "Not": "torch.logical_not",
    "And": "torch.logical_and",
    "Or": "torch.logical_or",
    "Xor": "torch.logical_xor",
    "MatMul": "torch.matmul",
}
_SIGNS = {
    "Add": "+",
    "Sub": "-",
    "Mul": "*",
    "Pow": "**",
    "Equal": "==",
    "Greater": ">",
    "GreaterOrEqual": ">=",
    "Less": "<",
    "LessOrEqual": "<=",
}
_LOWEST = "torch.finfo(torch.float32).min"


def expression(node: Node, xs: Sequence[str], shape: str, several: bool) -> str:
    """The text that computes a node without weights.

    Args:
        node: the node.
        xs: what its inputs are called.
        shape: the wanted shape, as arguments of ``reshape``.
        several: whether further outputs are read; the value is then a tuple.

    Raises:
        GraphError: PyTorch cannot say it.
    """
    if node.op in _CALLS:
        return f"{_CALLS[node.op]}({', '.join(xs)})"
    if node.op in _SIGNS:
        return f" {_SIGNS[node.op]} ".join(xs)
    if several:
        write = _SEVERAL.get(node.op)
        if write is None:
            raise GraphError("PyTorch gives no further outputs of this use")
        return write(node, xs, shape)
    write = _WRITERS.get(node.op)
    if write is None:
        raise GraphError("is outside the vocabulary and cannot be written as PyTorch")
    return write(node, xs, shape)


def _args(values: Sequence[Any]) -> str:
    """A number where all are equal, else a tuple."""
    return str(values[0]) if len(set(values)) == 1 else _tuple(values)


def _tuple(values: Sequence[Any]) -> str:
    return "(" + ", ".join(map(str, values)) + ("," if len(values) == 1 else "") + ")"


def _torch_pads(pads: Sequence[int]) -> str:
    half = len(pads) // 2
    pairs = list(zip(pads[:half], pads[half:], strict=True))
    while pairs and pairs[0] == (0, 0):
        pairs.pop(0)
    return _tuple([p for pair in reversed(pairs) for p in pair])


def _padded(x: str, pads: Sequence[int], value: str = "") -> str:
    """Padding with a constant; negative pads crop."""
    return f"F.pad({x}, {_torch_pads(pads)}{f', value={value}' if value else ''})" if any(pads) else x


def _with(text: str, *keys: str) -> _Write:
    """A call with the input as ``{x}`` and attributes by name."""
    return lambda node, xs, shape: text.format(x=xs[0], **{key: repr(node.attrs[key]) for key in keys})


def _conv(node: Node, xs: Sequence[str], shape: str) -> str:
    """A convolution with computed weights and no bias."""
    a, dims = node.attrs, len(node.attrs["kernel_shape"])
    if a["bias"]:
        raise GraphError("a convolution with computed weights and a learned bias cannot be written as PyTorch")
    x, options = xs[0], ""
    for name, key in (("stride", "strides"), ("dilation", "dilations")):
        if any(v != 1 for v in a[key]):
            options += f", {name}={_args(a[key])}"
    if even(a["pads"]):
        if any(a["pads"]):
            options += f", padding={_args(a['pads'][:dims])}"
    elif node.op == "Conv":
        x = _padded(x, a["pads"])
    else:
        raise GraphError("PyTorch pads transposed convolutions evenly")
    if any(a.get("output_padding", ())):
        options += f", output_padding={_args(a['output_padding'])}"
    if a["group"] > 1:
        options += f", groups={a['group']}"
    name = "conv" if node.op == "Conv" else "conv_transpose"
    return f"F.{name}{dims}d({x}, {xs[1]}{options})"


def _attention(node: Node, xs: Sequence[str], shape: str) -> str:
    a = node.attrs
    mask = f", attn_mask={xs[3]}" if len(xs) > 3 else ""
    causal = ", is_causal=True" if a["is_causal"] else ""
    scale = f", scale={a['scale']!r}" if a["scale"] is not None else ""
    return f"F.scaled_dot_product_attention({', '.join(xs[:3])}{mask}{causal}{scale})"


def _clip(node: Node, xs: Sequence[str], shape: str) -> str:
    low, high = node.attrs["min"], node.attrs["max"]
    if (low, high) == (0.0, 6.0):
        return f"F.relu6({xs[0]})"
    return xs[0] if low is None and high is None else f"torch.clamp({xs[0]}, {low!r}, {high!r})"


def _pool(node: Node, xs: Sequence[str], shape: str, several: bool = False) -> str:
    a = node.attrs
    dims = len(a["kernel_shape"])
    rank = len(node.shape)
    x = xs[0] if rank <= dims + 2 else f"{xs[0]}.flatten(0, {rank - dims - 1})"
    fits = even(a["pads"]) and all(2 * p <= k for p, k in zip(a["pads"][:dims], a["kernel_shape"], strict=True))
    options = ""
    if any(s != 1 for s in a["strides"]) or a["kernel_shape"] != (1,) * dims:
        options += f", stride={_args(a['strides'])}"
    if fits and any(a["pads"]):
        options += f", padding={_args(a['pads'][:dims])}"
    if any(d != 1 for d in a.get("dilations", ())):
        options += f", dilation={_args(a['dilations'])}"
    if a["ceil_mode"]:
        options += ", ceil_mode=True"
    if node.op == "MaxPool":
        x = x if fits else _padded(x, a["pads"], _LOWEST)
        name = "max_pool"
        options += ", return_indices=True" if several else ""
        if several and (rank > dims + 2 or not fits):
            raise GraphError("PyTorch gives no positions of this MaxPool")
    else:
        name = "avg_pool"
        if fits and any(a["pads"]) and not a["count_include_pad"]:
            options += ", count_include_pad=False"
    kernel = _args(a["kernel_shape"])
    if not fits and node.op == "AveragePool":
        result = f"F.{name}{dims}d({_padded(x, a['pads'])}, {kernel}{options})"
        if not a["count_include_pad"]:
            result += f" / F.{name}{dims}d({_padded(f'torch.ones_like({x})', a['pads'])}, {kernel}{options})"
    else:
        result = f"F.{name}{dims}d({x}, {kernel}{options})"
    return result if rank <= dims + 2 else f"({result}).reshape({shape})"


def _lp_pool(node: Node, xs: Sequence[str], shape: str) -> str:
    a, dims = node.attrs, len(node.attrs["kernel_shape"])
    x = f"{xs[0]}.abs()" if a["p"] % 2 else xs[0]
    numbers = ", ".join((f"{float(a['p'])}", _args(a["kernel_shape"]), _args(a["strides"]), str(a["ceil_mode"])))
    return f"F.lp_pool{dims}d({_padded(x, a['pads'])}, {numbers})"


def _adaptive(node: Node, xs: Sequence[str], shape: str, several: bool = False) -> str:
    size = node.attrs["output_size"]
    name = "avg" if node.op == "AdaptiveAveragePool" else "max"
    rank, dims = len(node.shape), len(size)
    if rank > dims + 2:
        raise GraphError("PyTorch pools with one or two axes before the spatial ones")
    return f"F.adaptive_{name}_pool{dims}d({xs[0]}, {_args(size)}{', return_indices=True' if several else ''})"


def _global(node: Node, xs: Sequence[str], shape: str) -> str:
    axes = _tuple(range(2, len(node.shape)))
    return f"{xs[0]}.{'mean' if node.op == 'GlobalAveragePool' else 'amax'}({axes}, keepdim=True)"


def _extreme(node: Node, xs: Sequence[str], shape: str) -> str:
    text = xs[0]
    for x in xs[1:]:
        text = f"torch.{'maximum' if node.op == 'Max' else 'minimum'}({text}, {x})"
    return text


_REDUCTIONS = {
    "ReduceMean": "mean",
    "ReduceSum": "sum",
    "ReduceMax": "amax",
    "ReduceMin": "amin",
    "ReduceLogSumExp": "logsumexp",
}


def _reduce(node: Node, xs: Sequence[str], shape: str) -> str:
    axes = node.attrs["axes"] or tuple(range(len(node.signature.input_shapes[0])))
    keep = ", keepdim=True" if node.attrs["keepdims"] else ""
    if node.op in _REDUCTIONS:
        return f"{xs[0]}.{_REDUCTIONS[node.op]}({_tuple(axes)}{keep})"
    if node.op == "ReduceVariance":
        return f"{xs[0]}.var({_tuple(axes)}, correction={node.attrs['correction']}{keep})"
    if node.op == "ReduceProd":
        return xs[0] + "".join(f".prod({axis}{keep})" for axis in sorted(axes, reverse=True))
    return f"torch.linalg.vector_norm({xs[0]}, {node.op[-1]}, {_tuple(axes)}{keep})"


def _cuts(node: Node) -> tuple[str, list[int]]:
    """The index that takes a slice, and the axes that are turned round."""
    a = node.attrs
    parts, flips = [], []
    for axis, (start, end, step) in enumerate(zip(a["starts"], a["ends"], a["steps"], strict=True)):
        places = range(start, end, step)
        if step < 0 and len(places) > 1:
            places = places[::-1]
            flips.append(axis)
        size = node.signature.input_shapes[0][axis]
        whole = len(places) == size
        last = places[-1] + 1
        step_text = f":{places.step}" if abs(places.step) != 1 and len(places) > 1 else ""
        parts.append(":" if whole else f"{places[0] or ''}:{'' if last == size else last}{step_text}")
    while len(parts) > 1 and parts[-1] == ":":
        parts.pop()
    return ", ".join(parts), flips


def _slice(node: Node, xs: Sequence[str], shape: str) -> str:
    index, flips = _cuts(node)
    text = xs[0] if index == ":" else f"{xs[0]}[{index}]"
    return f"torch.flip({text}, {_tuple(flips)})" if flips else text


def _scattered(node: Node, xs: Sequence[str], shape: str) -> str:
    """Slices one inside the other, from the first axis on."""
    _, flips = _cuts(node)
    a = node.attrs
    part = f"torch.flip({xs[1]}, {_tuple(flips)})" if flips else xs[1]
    cuts = []
    for axis, (start, end, step) in enumerate(zip(a["starts"], a["ends"], a["steps"], strict=True)):
        places = range(start, end, step)
        places = places[::-1] if step < 0 else places
        if len(places) != node.shape[axis]:
            cuts.append((axis, places))
    inner = xs[0]
    texts = []
    for axis, places in cuts:
        texts.append((inner, axis, places))
        inner = f"{inner}[{':, ' * axis}{places[0]}:{places[-1] + 1}:{abs(places.step)}]"
    for text, axis, places in reversed(texts):
        part = f"torch.slice_scatter({text}, {part}, {axis}, {places[0]}, {places[-1] + 1}, {abs(places.step)})"
    return part


def _pad(node: Node, xs: Sequence[str], shape: str) -> str:
    a = node.attrs
    mode = {"constant": "", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}[a["mode"]]
    if not mode:
        return _padded(xs[0], a["pads"], repr(a["value"]) if a["value"] else "")
    half = len(a["pads"]) // 2
    pairs = list(zip(a["pads"][:half], a["pads"][half:], strict=True))
    spatial = min(half - 2, 3)  # PyTorch pads all spatial axes so
    while len(pairs) > max(spatial, 1) and pairs[0] == (0, 0):
        pairs.pop(0)
    pads = _tuple([p for pair in reversed(pairs) for p in pair])
    lead = max(0, len(pairs) + 2 - half)
    x = xs[0] if not lead else f"{xs[0]}[{', '.join(['None'] * lead)}]"
    return f"F.pad({x}, {pads}, mode={mode!r})" + ("" if not lead else f".reshape({shape})")


def _resize(node: Node, xs: Sequence[str], shape: str) -> str:
    a, dims = node.attrs, len(node.shape) - 2
    modes = {"linear": {1: "linear", 2: "bilinear", 3: "trilinear"}.get(dims), "cubic": {2: "bicubic"}.get(dims)}
    mode = modes.get(a["mode"], a["mode"])
    if mode is None or node.signature.input_shapes[0][:2] != node.shape[:2]:
        raise GraphError(f"PyTorch has no {a['mode']} interpolation to {list(node.shape)}")
    options = ", align_corners=True" if a["align_corners"] else ", align_corners=False" if a["mode"] in modes else ""
    options += ", antialias=True" if a["antialias"] else ""
    return f"F.interpolate({xs[0]}, size={_tuple(node.shape[2:])}, mode={mode!r}{options})"


def _div(node: Node, xs: Sequence[str], shape: str) -> str:
    return (
        f"{xs[0]} / {xs[1]}"
        if node.attrs["rounding"] == "none"
        else f"torch.div({xs[0]}, {xs[1]}, rounding_mode='trunc')"
    )


def _mod(node: Node, xs: Sequence[str], shape: str) -> str:
    return f"torch.fmod({xs[0]}, {xs[1]})" if node.attrs["fmod"] else f"{xs[0]} % {xs[1]}"


def _is_inf(node: Node, xs: Sequence[str], shape: str) -> str:
    kinds = {(True, True): "isinf", (True, False): "isneginf", (False, True): "isposinf"}
    kind = kinds.get((node.attrs["detect_negative"], node.attrs["detect_positive"]))
    return f"torch.{kind}({xs[0]})" if kind else f"torch.zeros_like({xs[0]}, dtype=torch.bool)"


_REDUCES = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _scatter_elements(node: Node, xs: Sequence[str], shape: str) -> str:
    a = node.attrs
    index = f"{xs[1]}.long()"
    if a["reduction"] == "none":
        return f"torch.scatter({xs[0]}, {a['axis']}, {index}, {xs[2]})"
    return f"torch.scatter_reduce({xs[0]}, {a['axis']}, {index}, {xs[2]}, {_REDUCES[a['reduction']]!r})"


def _topk(node: Node, xs: Sequence[str], shape: str) -> str:
    a = node.attrs
    return f"torch.topk({xs[0]}, {a['k']}, {a['axis']}{'' if a['largest'] else ', largest=False'})"


def _indexed(node: Node, xs: Sequence[str], shape: str) -> str:
    return f"{xs[0]}[{', '.join(f'{i}.long()' for i in xs[1:])}]"


def _index_put(node: Node, xs: Sequence[str], shape: str) -> str:
    if node.attrs["reduction"] not in ("none", "add"):
        raise GraphError(f"PyTorch has no index_put by {node.attrs['reduction']}")
    added = ", accumulate=True" if node.attrs["reduction"] == "add" else ""
    return f"{xs[0]}.index_put(({', '.join(f'{i}.long()' for i in xs[1:-1])},), {xs[-1]}{added})"


def _gather(node: Node, xs: Sequence[str], shape: str) -> str:
    return f"{xs[0]}[{':, ' * node.attrs['axis']}{xs[1]}.long()]"


def _depth_to_space(node: Node, xs: Sequence[str], shape: str) -> str:
    b = node.attrs["blocksize"]
    if node.attrs["mode"] == "CRD":
        return f"F.pixel_shuffle({xs[0]}, {b})"
    _, c, h, w = node.shape
    batch = shape.split(",")[0]
    inner = f"{xs[0]}.reshape({batch}, {b}, {b}, {c}, {h // b}, {w // b})"
    return f"{inner}.permute(0, 3, 4, 1, 5, 2).reshape({shape})"


def _space_to_depth(node: Node, xs: Sequence[str], shape: str) -> str:
    b = node.attrs["blocksize"]
    if node.attrs["mode"] == "CRD":
        return f"F.pixel_unshuffle({xs[0]}, {b})"
    _, c, h, w = node.signature.input_shapes[0]
    batch = shape.split(",")[0]
    inner = f"{xs[0]}.reshape({batch}, {c}, {h // b}, {b}, {w // b}, {b})"
    return f"{inner}.permute(0, 3, 5, 1, 2, 4).reshape({shape})"


def _windows(node: Node, fold: bool, x: str) -> str:
    a = node.attrs
    size = f"{_tuple(node.shape[2:])}, " if fold else ""
    if not even(a["pads"]):
        if fold:
            raise GraphError("PyTorch folds with even pads only")
        x, pads = _padded(x, a["pads"]), (0, 0)
    else:
        pads = a["pads"][:2]
    numbers = ", ".join(map(_args, (a["kernel_shape"], a["dilations"], pads, a["strides"])))
    return f"F.{'fold' if fold else 'unfold'}({x}, {size}{numbers})"


def _grid(node: Node, xs: Sequence[str], shape: str) -> str:
    a = node.attrs
    mode = {"linear": "bilinear", "nearest": "nearest", "cubic": "bicubic"}[a["mode"]]
    return f"F.grid_sample({xs[0]}, {xs[1]}, mode={mode!r}, padding_mode={a['padding_mode']!r}, align_corners={a['align_corners']})"


def _lrn(node: Node, xs: Sequence[str], shape: str) -> str:
    a = node.attrs
    numbers = f"{a['size']}, {a['alpha']!r}, {a['beta']!r}, {a['k']!r}"
    if len(node.shape) == 2:
        return f"F.local_response_norm({xs[0]}[:, :, None], {numbers})[:, :, 0]"
    return f"F.local_response_norm({xs[0]}, {numbers})"


def _reshape(node: Node, xs: Sequence[str], shape: str) -> str:
    if node.op == "Flatten" and len(node.shape) == 2 and node.shape[0] == node.signature.input_shapes[0][0]:
        return f"{xs[0]}.flatten(1)"
    return f"{xs[0]}.reshape({shape})"


def _transpose(node: Node, xs: Sequence[str], shape: str) -> str:
    perm = node.attrs["perm"]
    moved = [i for i, p in enumerate(perm) if i != p]
    if len(moved) == 2:
        return f"{xs[0]}.transpose({moved[0]}, {moved[1]})"
    return f"{xs[0]}.permute({', '.join(map(str, perm))})"


_WRITERS: dict[str, _Write] = {
    "Conv": _conv,
    "ConvTranspose": _conv,
    "Einsum": lambda node, xs, shape: f"torch.einsum({node.attrs['equation']!r}, {', '.join(xs)})",
    "Attention": _attention,
    "LRN": _lrn,
    "LpNormalization": lambda node, xs, shape: (
        f"F.normalize({xs[0]}, p={node.attrs['p']}, dim={node.attrs['axis']}, eps={node.attrs['epsilon']!r})"
    ),
    "LeakyRelu": _with("F.leaky_relu({x}, {alpha})", "alpha"),
    "Elu": _with("F.elu({x}, {alpha})", "alpha"),
    "Celu": _with("F.celu({x}, {alpha})", "alpha"),
    "Gelu": lambda node, xs, shape: (
        f"F.gelu({xs[0]})" if node.attrs["approximate"] == "none" else f"F.gelu({xs[0]}, approximate='tanh')"
    ),
    "Softplus": _with("F.softplus({x}, {beta})", "beta"),
    "Clip": _clip,
    "Softmax": _with("F.softmax({x}, dim={axis})", "axis"),
    "LogSoftmax": _with("F.log_softmax({x}, dim={axis})", "axis"),
    **dict.fromkeys(("MaxPool", "AveragePool"), _pool),
    "LpPool": _lp_pool,
    **dict.fromkeys(("AdaptiveAveragePool", "AdaptiveMaxPool"), _adaptive),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _global),
    **dict.fromkeys(("Max", "Min"), _extreme),
    "Where": lambda node, xs, shape: f"torch.where({xs[0]}.bool(), {xs[1]}, {xs[2]})",
    "Cast": lambda node, xs, shape: f"{xs[0]}.to(torch.{node.attrs['to']})",
    "CumSum": _with("torch.cumsum({x}, {axis})", "axis"),
    "Trilu": lambda node, xs, shape: f"torch.{'triu' if node.attrs['upper'] else 'tril'}({xs[0]}, {node.attrs['k']})",
    **dict.fromkeys([*_REDUCTIONS, "ReduceVariance", "ReduceProd", "ReduceL1", "ReduceL2"], _reduce),
    "ArgMax": _with("torch.argmax({x}, {axis}, {keepdims})", "axis", "keepdims"),
    "ArgMin": _with("torch.argmin({x}, {axis}, {keepdims})", "axis", "keepdims"),
    "TopK": lambda node, xs, shape: f"{_topk(node, xs, shape)}[0]",
    "Concat": lambda node, xs, shape: (
        f"torch.cat(({', '.join(xs)}{',' if len(xs) == 1 else ''}), dim={node.attrs['axis']})"
    ),
    "Split": lambda node, xs, shape: f"{xs[0]}.narrow({node.attrs['axis']}, 0, {node.attrs['split'][0]})",
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _reshape),
    "Transpose": _transpose,
    "Slice": _slice,
    "SliceScatter": _scattered,
    "Expand": lambda node, xs, shape: f"{xs[0]}.expand({shape})",
    "Tile": lambda node, xs, shape: f"{xs[0]}.repeat({', '.join(map(str, node.attrs['repeats']))})",
    "Roll": lambda node, xs, shape: (
        f"torch.roll({xs[0]}, {_tuple(node.attrs['shifts'])}, {_tuple(node.attrs['axes'])})"
    ),
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Pad": _pad,
    "Resize": _resize,
    "Gather": _gather,
    "GatherElements": lambda node, xs, shape: f"torch.gather({xs[0]}, {node.attrs['axis']}, {xs[1]}.long())",
    "GatherND": _indexed,
    "ScatterND": _index_put,
    "ScatterElements": _scatter_elements,
    "Div": _div,
    "Mod": _mod,
    "IsInf": _is_inf,
    "BitShift": lambda node, xs, shape: f"torch.bitwise_{node.attrs['direction']}_shift({xs[0]}, {xs[1]})",
    "GridSample": _grid,
    "Im2Col": lambda node, xs, shape: _windows(node, False, xs[0]),
    "Col2Im": lambda node, xs, shape: _windows(node, True, xs[0]),
    "OneHot": lambda node, xs, shape: f"F.one_hot({xs[0]}.long(), {node.shape[-1]})",
}
_SEVERAL: dict[str, _Write] = {
    "Split": lambda node, xs, shape: f"{xs[0]}.split({list(node.attrs['split'])}, dim={node.attrs['axis']})",
    "TopK": _topk,
    "MaxPool": lambda node, xs, shape: _pool(node, xs, shape, True),
    "AdaptiveMaxPool": lambda node, xs, shape: _adaptive(node, xs, shape, True),
}
