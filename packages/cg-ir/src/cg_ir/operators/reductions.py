"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from cg_ir.errors import GraphError
from cg_ir.operators import batch
from cg_ir.operators.attribute import AXIS, Attribute
from cg_ir.operators.batch import APART, Axes, Plan, Use
from cg_ir.operators.operator import Emitter, Node, Operator
from cg_ir.operators.shapes import Attrs, PartialShape, Shape, need_axis, positions
from cg_ir.operators.torch_text import Call, tuple_text


def reduce_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Reduction over ``axes``; none means all."""
    rank = len(ins[0])
    axes = attrs["axes"] or tuple(range(rank))
    for axis in axes:
        need_axis(axis, rank)
    if len(set(axes)) < len(axes):
        raise GraphError(f"axes {list(axes)} name one twice")
    if attrs["keepdims"]:
        return tuple(1 if i in axes else size for i, size in enumerate(ins[0]))
    return tuple(size for i, size in enumerate(ins[0]) if i not in axes)


def reduce_axis_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Reduction over one axis (ArgMax)."""
    axis = attrs["axis"]
    need_axis(axis, len(ins[0]))
    middle = (1,) if attrs["keepdims"] else ()
    return (*ins[0][:axis], *middle, *ins[0][axis + 1 :])


def top_k_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """``k`` elements along ``axis``."""
    axis, k = attrs["axis"], attrs["k"]
    need_axis(axis, len(ins[0]))
    if k > ins[0][axis]:
        raise GraphError(f"k {k} is more than the {ins[0][axis]} of axis {axis}")
    return (*ins[0][:axis], k, *ins[0][axis + 1 :])


def reduce_batch(use: Use, axes: Axes) -> Plan:
    attrs, axis = use.attrs, axes[0]
    assert axis is not None
    over = attrs["axes"] if "axes" in attrs else (attrs["axis"],)
    if axis in (over or range(len(use.input_shapes[0]))):
        return APART
    return Plan(axis if attrs["keepdims"] else axis - sum(a < axis for a in set(over)))


def _over(call: Call) -> tuple[str, tuple[int, ...], str]:
    """The input, the axes, and the option that keeps them; a single number is a vector of one."""
    rank = len(call.input_shapes[0])
    if not rank:
        return f"{call.x}.reshape(1)", (0,), ""
    return call.x, call.attrs["axes"] or tuple(range(rank)), ", keepdim=True" if call.attrs["keepdims"] else ""


def _reduction_torch(method: str) -> Any:
    """A method of tensors; ``{axes}`` and ``{keep}`` in its arguments."""

    def write(call: Call) -> str:
        x, axes, keep = _over(call)
        return method.format(x=x, axes=tuple_text(axes), keep=keep)

    return write


def product_torch(call: Call) -> str:
    x, axes, keep = _over(call)
    return x + "".join(f".prod({axis}{keep})" for axis in sorted(axes, reverse=True))


def variance_torch(call: Call) -> str:
    _, axes, keep = _over(call)
    return f"{call.x}.var({tuple_text(axes)}, correction={call.attrs['correction']}{keep})"


def top_k_torch(call: Call) -> str:
    """Of equal elements the earlier comes first, which torch.topk leaves open."""
    axis, k = call.attrs["axis"], call.attrs["k"]
    ordered = f"torch.sort({call.x}, stable=True, dim={axis}, descending={call.attrs['largest']})"
    cut = f".narrow({axis}, 0, {k})" if k < call.input_shapes[0][axis] else ""
    if not call.several:
        return f"{ordered}[0]{cut}"
    return f"(part{cut} for part in {ordered})" if cut else ordered


def reduce_onnx(e: Emitter, node: Node) -> str:
    a = node.attrs
    axes = a["axes"] or range(len(node.signature.input_shapes[0]))
    return e.op(node.op, e.source(node), e.ints(axes), keepdims=int(a["keepdims"]))


def variance_onnx(e: Emitter, node: Node) -> str:
    a, x = node.attrs, e.source(node)
    inner = node.signature.input_shapes[0]
    over = a["axes"] or tuple(range(len(inner)))
    axes = e.ints(over)
    centred = e.op("Sub", x, e.op("ReduceMean", x, axes, keepdims=1))
    total = e.op("ReduceSum", e.op("Mul", centred, centred), axes, keepdims=int(a["keepdims"]))
    return e.op("Div", total, e.number(max(prod(inner[i] for i in over) - a["correction"], 0)))


def top_k_onnx(e: Emitter, node: Node) -> list[str]:
    a = node.attrs
    least: dict[str, Any] = {} if a["largest"] else {"largest": 0}
    return e.ops("TopK", e.source(node), e.ints([a["k"]]), axis=a["axis"], outputs=2, **least)


_KEEPDIMS = Attribute("bool", True, doc="keep reduced axes with size 1")
_AXES = {
    "axes": Attribute("ints", (), minimum=0, doc="the axes, counted from 0 with the batch; none means all"),
    "keepdims": _KEEPDIMS,
}


def _reduction(name: str, torch: Any, doc: str, **fields: Any) -> Operator:
    given = {"attributes": _AXES, "to_onnx": reduce_onnx, **fields}
    return Operator(name, "reduce", (1, 1), reduce_shape, doc, batch=reduce_batch, torch=torch, **given)


def _position(name: str, torch: str) -> Operator:
    return Operator(
        name, "reduce", (1, 1), reduce_axis_shape, "Position of the extreme along an axis.", attributes={"axis": AXIS, "keepdims": _KEEPDIMS},
        batch=reduce_batch, torch=torch, result="int64",
    )  # fmt: skip


REDUCTIONS = [
    _reduction("ReduceMean", _reduction_torch("{x}.mean({axes}{keep})"), "Mean over axes."),
    _reduction("ReduceSum", _reduction_torch("{x}.sum({axes}{keep})"), "Sum over axes."),
    _reduction("ReduceMax", _reduction_torch("{x}.amax({axes}{keep})"), "Max over axes."),
    _reduction("ReduceMin", _reduction_torch("{x}.amin({axes}{keep})"), "Min over axes."),
    _reduction("ReduceProd", product_torch, "Prod over axes."),
    _reduction("ReduceL1", _reduction_torch("torch.linalg.vector_norm({x}, 1, {axes}{keep})"), "L1 over axes."),
    _reduction("ReduceL2", _reduction_torch("torch.linalg.vector_norm({x}, 2, {axes}{keep})"), "L2 over axes."),
    _reduction("ReduceLogSumExp", _reduction_torch("{x}.logsumexp({axes}{keep})"), "LogSumExp over axes."),
    _reduction(
        "ReduceVariance", variance_torch, "Variance over axes.", onnx=False, to_onnx=variance_onnx,
        attributes={**_AXES, "correction": Attribute("int", 1, minimum=0, doc="subtracted from the count")},
    ),
    _position("ArgMax", "torch.argmax({x}, {axis}, {keepdims})"),
    _position("ArgMin", "torch.argmin({x}, {axis}, {keepdims})"),
    Operator(
        "TopK", "reduce", (1, 1), top_k_shape,
        "The k greatest along an axis, in order, of equal ones the earlier first; output 1 is their position. Sorting is to take all.",
        further=positions,
        attributes={
            "axis": AXIS,
            "k": Attribute("int", minimum=1, doc="how many"),
            "largest": Attribute("bool", True, doc="the greatest, not the least"),
        },
        batch=batch.along, torch=top_k_torch, to_onnx=top_k_onnx,
    ),
]  # fmt: skip
