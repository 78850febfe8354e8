"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from cg_ir.errors import GraphError
from cg_ir.operators.attribute import BIAS, DILATIONS, KERNEL, PADS, STRIDES, Attribute
from cg_ir.operators.batch import APART, Axes, Plan, Use
from cg_ir.operators.operator import Emitter, Node, Operator
from cg_ir.operators.shapes import Attrs, PartialShape, Shape, need_rank, windows
from cg_ir.operators.torch_text import Call, Number, Template, flag, is_even, listed, optional, padded


def conv_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Convolution: spatial sizes follow from kernel, strides, pads and dilations; channels are stated."""
    dims = len(attrs["kernel_shape"])
    need_rank(ins[0], dims + 2, "the input")
    group = attrs["group"]
    if ins[0][1] % group:
        raise GraphError(f"{ins[0][1]} input channels do not divide into group {group}")
    if out is not None and len(out) == dims + 2 and out[1] % group:
        raise GraphError(f"{out[1]} output channels do not divide into group {group}")
    channels = None
    if len(ins) > 1:
        channels = _computed_weights(ins[1], (None, ins[0][1] // group, *_kernel(attrs)))[0]
    return (ins[0][0], channels, *windows(ins[0], attrs))


def _kernel(attrs: Attrs) -> Shape:
    """Window size of each spatial axis."""
    return tuple(attrs["kernel_shape"])


def _computed_weights(given: Shape, wanted: PartialShape) -> Shape:
    if len(given) != len(wanted) or any(w is not None and g != w for g, w in zip(given, wanted, strict=True)):
        sizes = ["any" if w is None else w for w in wanted]
        raise GraphError(f"weights should have shape {sizes}, not {list(given)}")
    return given


def conv_transpose_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Transposed convolution, with ``output_padding``."""
    kernel, dims = attrs["kernel_shape"], len(attrs["kernel_shape"])
    need_rank(ins[0], dims + 2, "the input")
    group = attrs["group"]
    if ins[0][1] % group or (out is not None and len(out) == dims + 2 and out[1] % group):
        raise GraphError(f"channels do not divide into group {group}")
    pads, further = attrs["pads"], attrs["output_padding"]
    reach = [dilation * (size - 1) for dilation, size in zip(attrs["dilations"], kernel, strict=True)]
    sizes = [
        (ins[0][2 + i] - 1) * attrs["strides"][i] - pads[i] - pads[dims + i] + reach[i] + further[i] + 1
        for i in range(dims)
    ]
    if min(sizes) < 1:
        raise GraphError("the output of the transposed convolution is empty")
    channels = None
    if len(ins) > 1:
        channels = _computed_weights(ins[1], (ins[0][1], None, *_kernel(attrs)))[1] * group
    return (ins[0][0], channels, *sizes)


def conv_tensors(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> dict[str, Shape]:
    """c_out (c_in / group) prod(kernel) weights, unless they are an input, and c_out biases."""
    weight = {} if len(ins) > 1 else {"weight": (out[1], ins[0][1] // attrs["group"], *attrs["kernel_shape"])}
    return {**weight, **({"bias": out[1:2]} if attrs["bias"] else {})}


def conv_macs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """One product for each weight that meets an output element."""
    return prod(out) * (ins[0][1] // attrs["group"]) * prod(attrs["kernel_shape"])


def conv_transpose_tensors(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> dict[str, Shape]:
    """c_in (c_out / group) prod(kernel) weights, unless they are an input, and c_out biases."""
    weight = {} if len(ins) > 1 else {"weight": (ins[0][1], out[1] // attrs["group"], *attrs["kernel_shape"])}
    return {**weight, **({"bias": out[1:2]} if attrs["bias"] else {})}


def conv_transpose_macs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """One product for each weight that meets an input element."""
    return prod(ins[0]) * (out[1] // attrs["group"]) * prod(attrs["kernel_shape"])


def convolution_batch(use: Use, axes: Axes) -> Plan:
    return Plan(0) if axes[0] == 0 and axes[1:] in ((), (None,)) else APART


def _crops(use: Use | Call) -> list[int]:
    """What PyTorch's transposed convolution cannot do itself: uneven pads, and an output padding as large as the stride.

    It then runs without both; the pads crop the result, the output padding adds to its ends.
    """
    a = use.attrs
    dims = len(a["kernel_shape"])
    pads, extra = a["pads"], a["output_padding"]
    fits = all(e < max(s, d) for e, s, d in zip(extra, a["strides"], a["dilations"], strict=True))
    if is_even(pads) and fits:
        return []
    ends = [e - p for e, p in zip(extra, pads[dims:], strict=True)]
    if any(e > 0 for e in ends):
        raise GraphError("PyTorch cannot run a transposed convolution whose output_padding exceeds its stride and pads")
    return [*(-p for p in pads[:dims]), *ends]


def _options(use: Use | Call) -> Template:
    """What a convolution is given beside channels and window."""
    a, dims = use.attrs, len(use.attrs["kernel_shape"])
    transposed = use.op == "ConvTranspose"
    result = optional("stride", a["strides"], 1)
    if is_even(a["pads"]) if not transposed else not _crops(use):
        result += optional("padding", a["pads"][:dims], 0)
        result += optional("output_padding", a["output_padding"], 0) if transposed else ()
    result += optional("dilation", a["dilations"], 1)
    return (*result, ", groups=", Number("groups", a["group"])) if a["group"] > 1 else result


def conv_layer(use: Use) -> Template:
    """A layer; with computed weights there is at most a bias to own."""
    a, dims = use.attrs, len(use.attrs["kernel_shape"])
    if len(use.input_shapes) > 1:
        return ('nn.ParameterDict({"bias": torch.zeros(', Number("channels", use.shape[1]), ")})") if a["bias"] else ()
    channels = Number("in_channels", use.input_shapes[0][1]), ", ", Number("out_channels", use.shape[1])
    kernel = listed(a["kernel_shape"], "kernel_size")
    return (f"nn.{use.op}{dims}d(", *channels, ", ", *kernel, *_options(use), *flag("bias", a["bias"], True), ")")


def conv_torch(call: Call) -> str:
    a, dims = call.attrs, len(call.attrs["kernel_shape"])
    crops = _crops(call) if call.op == "ConvTranspose" else []
    x = call.x if call.op == "ConvTranspose" or is_even(a["pads"]) else padded(call.x, a["pads"])
    if len(call.xs) > 1:
        name = "conv_transpose" if call.op == "ConvTranspose" else "conv"
        bias = f', {call.own}["bias"]' if a["bias"] else ""
        text = f"F.{name}{dims}d({x}, {call.xs[1]}{bias}{''.join(map(str, _options(call)))})"
    else:
        text = f"{call.own}({x})"
    return padded(text, crops)


def conv_onnx(e: Emitter, node: Node) -> str:
    a = node.attrs
    inputs = [*e.sources(node)]
    if len(inputs) == 1:
        inputs.append(e.weight(node, "weight") or "")
    if a["bias"]:
        inputs.append(e.weight(node, "bias") or "")
    further = {"output_padding": a["output_padding"]} if node.op == "ConvTranspose" else {}
    keys = ("kernel_shape", "strides", "pads", "dilations", "group")
    return e.op(node.op, *inputs, **{key: a[key] for key in keys}, **further)


_CONV = {
    "kernel_shape": KERNEL,
    "strides": STRIDES,
    "pads": PADS,
    "dilations": DILATIONS,
    "group": Attribute("int", 1, minimum=1, doc="number of channel groups"),
    "bias": BIAS,
}
CONVOLUTIONS = [
    Operator(
        "Conv", "conv", (1, 2), conv_shape,
        "Convolution; channels are those of the shapes. A second input holds weights that are computed, not learned.",
        tensors=conv_tensors, macs=conv_macs, attributes=_CONV,
        batch=convolution_batch, owns=conv_layer, owned="conv", torch=conv_torch, to_onnx=conv_onnx,
    ),
    Operator(
        "ConvTranspose", "conv", (1, 2), conv_transpose_shape,
        "Transposed convolution. A second input holds weights that are computed, not learned.",
        tensors=conv_transpose_tensors, macs=conv_transpose_macs,
        attributes={**_CONV, "output_padding": Attribute("ints", 0, length=1, minimum=0, doc="added to one side of the output")},
        batch=convolution_batch, owns=conv_layer, owned="upconv", torch=conv_torch, to_onnx=conv_onnx,
    ),
]  # fmt: skip
