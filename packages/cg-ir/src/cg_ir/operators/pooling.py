"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from cg_ir.errors import GraphError
from cg_ir.operators import batch
from cg_ir.operators.attribute import DILATIONS, KERNEL, PADS, STRIDES, Attribute
from cg_ir.operators.operator import Emitter, Node, Operator
from cg_ir.operators.resampling import averages
from cg_ir.operators.shapes import Attrs, PartialShape, Shape, positions, windows
from cg_ir.operators.torch_text import Call, axis_count, is_even, listed, padded, tuple_text


def pool_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Pooling over windows; leading axes are kept."""
    dims = len(attrs["kernel_shape"])
    if len(ins[0]) < dims + 1:
        raise GraphError(f"an input of shape {list(ins[0])} has no {dims} spatial axes")
    return (*ins[0][:-dims], *windows(ins[0], attrs))


def global_pool_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Pooling over all spatial axes to size 1."""
    if len(ins[0]) < 3:
        raise GraphError(f"an input of shape {list(ins[0])} has no spatial axes")
    return (*ins[0][:2], *(1,) * (len(ins[0]) - 2))


def adaptive_pool_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Adaptive pooling to ``output_size``."""
    size = attrs["output_size"]
    if len(ins[0]) < len(size) + 1:
        raise GraphError(f"an input of shape {list(ins[0])} has no {len(size)} spatial axes")
    return (*ins[0][: len(ins[0]) - len(size)], *size)


def _size(values: Sequence[int]) -> str:
    return str(listed(values, "")[0])


def _flat(call: Call, dims: int) -> tuple[str, str]:
    """The input as PyTorch pools it, with one or two axes before the spatial ones, and the frame that turns a result back."""
    rank = len(call.shape)
    if rank <= dims + 2:
        return call.x, "{}"
    frame = f"tuple(part.reshape({call.wanted}) for part in {{}})" if call.several else f"({{}}).reshape({call.wanted})"
    return f"{call.x}.flatten(0, {rank - dims - 1})", frame


def pool_torch(call: Call) -> str:
    """PyTorch takes pads that are even and at most half the window; others are padded beforehand."""
    a, dims = call.attrs, len(call.attrs["kernel_shape"])
    x, frame = _flat(call, dims)
    fits = is_even(a["pads"]) and all(2 * p <= k for p, k in zip(a["pads"][:dims], a["kernel_shape"], strict=True))
    options = _size(a["kernel_shape"])
    if any(s != 1 for s in a["strides"]) or a["kernel_shape"] != (1,) * dims:
        options += f", stride={_size(a['strides'])}"
    if fits and any(a["pads"]):
        options += f", padding={_size(a['pads'][:dims])}"
    if any(d != 1 for d in a.get("dilations", ())):
        options += f", dilation={_size(a['dilations'])}"
    options += ", ceil_mode=True" if a["ceil_mode"] else ""
    if call.op == "MaxPool":
        if call.several and not fits:
            raise GraphError("PyTorch gives no positions of a MaxPool with uneven pads")
        options += ", return_indices=True" if call.several else ""
        x = x if fits else padded(x, a["pads"], "torch.finfo(torch.float32).min")
        return frame.format(f"F.max_pool{dims}d({x}, {options})")
    if fits:
        options += ", count_include_pad=False" if any(a["pads"]) and not a["count_include_pad"] else ""
        return frame.format(f"F.avg_pool{dims}d({x}, {options})")
    text = f"F.avg_pool{dims}d({padded(x, a['pads'])}, {options})"
    if not a["count_include_pad"]:
        text += f" / F.avg_pool{dims}d({padded(f'torch.ones_like({x})', a['pads'])}, {options})"
    return frame.format(text)


def lp_pool_torch(call: Call) -> str:
    a, dims = call.attrs, len(call.attrs["kernel_shape"])
    x, frame = _flat(call, dims)
    x = padded(f"{x}.abs()" if a["p"] % 2 else x, a["pads"])
    return frame.format(f"F.lp_pool{dims}d({x}, {float(a['p'])}, {_size(a['kernel_shape'])}, {_size(a['strides'])}, {a['ceil_mode']})")  # fmt: skip


def adaptive_torch(call: Call) -> str:
    size = call.attrs["output_size"]
    dims = axis_count(len(size), (1, 2, 3), call.op)
    x, frame = _flat(call, dims)
    name = "avg" if call.op == "AdaptiveAveragePool" else "max"
    return frame.format(f"F.adaptive_{name}_pool{dims}d({x}, {_size(size)}{', return_indices=True' if call.several else ''})")  # fmt: skip


def global_torch(call: Call) -> str:
    average, dims = call.op == "GlobalAveragePool", len(call.shape) - 2
    if dims <= 3:
        return f"F.adaptive_{'avg' if average else 'max'}_pool{dims}d({call.x}, 1)"
    return f"{call.x}.{'mean' if average else 'amax'}({tuple_text(range(2, dims + 2))}, keepdim=True)"


def pool_onnx(e: Emitter, node: Node) -> str | list[str]:
    a = node.attrs
    dims = len(a["kernel_shape"])
    inner, shape = node.signature.input_shapes[0], node.shape
    lead = inner[: len(inner) - dims]
    x = e.source(node) if len(lead) == 2 else e.reshape(e.source(node), (1, prod(lead), *inner[len(lead) :]))
    several = node.op == "MaxPool" and bool(e.readers(node))
    if not several:
        made = e.op(node.op, x, **a)
        return made if len(lead) == 2 else e.reshape(made, shape)
    greatest, place = e.ops(node.op, x, outputs=2, **a)
    # ONNX counts positions through the whole tensor, the format through each image
    where = e.op("Mod", place, e.ints([prod(inner[len(lead) :])]))
    return [name if len(lead) == 2 else e.reshape(name, shape) for name in (greatest, where)]


def adaptive_onnx(e: Emitter, node: Node) -> str | None:
    size = node.attrs["output_size"]
    inner, dims = node.signature.input_shapes[0], len(size)
    spatial = inner[len(inner) - dims :]
    if all(s % o == 0 for s, o in zip(spatial, size, strict=True)) and len(inner) == dims + 2 and not e.readers(node):
        kernel = [s // o for s, o in zip(spatial, size, strict=True)]
        kind = "AveragePool" if node.op == "AdaptiveAveragePool" else "MaxPool"
        return e.op(kind, e.source(node), kernel_shape=kernel, strides=kernel)
    if node.op != "AdaptiveAveragePool":
        return None
    return averages(e, e.source(node), len(inner), spatial, size)


_POOL = {
    "kernel_shape": KERNEL,
    "strides": STRIDES,
    "pads": PADS,
    "ceil_mode": Attribute("bool", False, doc="round the output size up"),
}
_SIZE = {"output_size": Attribute("ints", minimum=1, doc="spatial size of the output")}
POOLING = [
    Operator(
        "MaxPool", "pool", (1, 1), pool_shape, "Greatest element of each window; output 1 is its position.", further=positions,
        attributes={**_POOL, "dilations": DILATIONS}, batch=batch.spatial, torch=pool_torch, to_onnx=pool_onnx,
    ),
    Operator(
        "AveragePool", "pool", (1, 1), pool_shape, "Mean of each window.",
        attributes={**_POOL, "count_include_pad": Attribute("bool", doc="whether padding counts as elements; always stated")},
        batch=batch.spatial, torch=pool_torch, to_onnx=pool_onnx,
    ),
    Operator(
        "LpPool", "pool", (1, 1), pool_shape, "p-norm of each window.",
        attributes={**_POOL, "p": Attribute("int", 2, minimum=1, doc="the norm")}, batch=batch.spatial, torch=lp_pool_torch, to_onnx=pool_onnx,
    ),
    Operator("GlobalAveragePool", "pool", (1, 1), global_pool_shape, "Mean over all spatial axes, to size 1.", batch=batch.leading, torch=global_torch),
    Operator("GlobalMaxPool", "pool", (1, 1), global_pool_shape, "Greatest element over all spatial axes, to size 1.", batch=batch.leading, torch=global_torch),
    Operator(
        "AdaptiveAveragePool", "pool", (1, 1), adaptive_pool_shape, "Mean over windows chosen for the output size.", onnx=False,
        attributes=_SIZE, batch=batch.spatial, torch=adaptive_torch, to_onnx=adaptive_onnx,
    ),
    Operator(
        "AdaptiveMaxPool", "pool", (1, 1), adaptive_pool_shape, "Greatest element of windows chosen for the output size.", onnx=False,
        further=positions, attributes=_SIZE, batch=batch.spatial, torch=adaptive_torch, to_onnx=adaptive_onnx,
    ),
]  # fmt: skip
