"""Activations: one row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cg_ir.errors import GraphError
from cg_ir.operators import batch
from cg_ir.operators.attribute import AXIS, Attribute
from cg_ir.operators.operator import Emitter, Node, Operator
from cg_ir.operators.shapes import Attrs, PartialShape, Shape, same, same_with_axis
from cg_ir.operators.torch_text import Call, Number


def prelu_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The input's shape; one slope, or one a channel of axis 1."""
    slopes = attrs["num_parameters"]
    if slopes != 1 and ins[0][1:2] != (slopes,):
        raise GraphError(f"num_parameters should be 1 or the channels of {list(ins[0])}, not {slopes}")
    return ins[0]


def prelu_tensors(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> dict[str, Shape]:
    """One slope, or one a channel."""
    return {"weight": (attrs["num_parameters"],)}


def clip_torch(call: Call) -> str:
    unbounded = call.attrs["min"] is None and call.attrs["max"] is None
    return call.fill("{x}" if unbounded else "torch.clamp({x}, {min}, {max})")


def softplus_onnx(e: Emitter, node: Node) -> str:
    beta, x = node.attrs["beta"], e.source(node)
    if beta == 1.0:
        return e.op("Softplus", x)
    return e.op("Div", e.op("Softplus", e.op("Mul", x, e.number(beta))), e.number(beta))


def prelu_onnx(e: Emitter, node: Node) -> str:
    slopes = e.weights[node.index]["weight"].reshape(-1, *(1,) * (len(node.shape) - 2))
    return e.op("PRelu", e.source(node), e.tensor(slopes if slopes.size > 1 else slopes.reshape(1), "slopes", node))


def clip_onnx(e: Emitter, node: Node) -> str:
    dtype = e.dtype(node)
    bounds = ["" if b is None else e.number(b, dtype) for b in (node.attrs["min"], node.attrs["max"])]
    return e.op("Clip", e.source(node), *bounds)


def _activation(name: str, torch: Any, doc: str, **fields: Any) -> Operator:
    return Operator(name, "activation", (1, 1), same, doc, torch=torch, **{"batch": batch.keeps, **fields})


_ALPHA = {"alpha": Attribute("float", 1.0, doc="slope or scale of the negative side")}
_SLOPE = {"alpha": Attribute("float", 0.01, doc="slope of the negative side")}
_APPROXIMATE = {"approximate": Attribute("string", "none", choices=("none", "tanh"), doc="exact or by tanh")}
_BOUNDS = {"min": Attribute("float", None, doc="lower bound"), "max": Attribute("float", None, doc="upper bound")}
ACTIVATIONS = [
    _activation("Relu", "F.relu({x})", "max(x, 0).", in_place=True, gain=0.5),
    _activation("Sigmoid", "torch.sigmoid({x})", "1 / (1 + exp(-x)).", gain=0.293),
    _activation("Tanh", "torch.tanh({x})", "Hyperbolic tangent.", gain=0.39),
    _activation(
        "Silu", "F.silu({x})", "x sigmoid(x).", gate=("Sigmoid",), onnx=False, in_place=True, gain=0.36,
        to_onnx=lambda e, node: e.op("Mul", e.source(node), e.op("Sigmoid", e.source(node))),
    ),
    _activation("Mish", "F.mish({x})", "x tanh(softplus(x)).", gate=("Tanh", "Softplus"), in_place=True, gain=0.452),
    _activation("HardSwish", "F.hardswish({x})", "x clip(x + 3, 0, 6) / 6.", gate=("HardSigmoid",), in_place=True, gain=0.332),
    _activation(
        "HardSigmoid", "F.hardsigmoid({x})", "clip(x + 3, 0, 6) / 6.", gain=0.277,
        to_onnx=lambda e, node: e.op("HardSigmoid", e.source(node), alpha=1.0 / 6.0, beta=0.5),
    ),
    _activation("Softsign", "F.softsign({x})", "x / (1 + |x|).", gain=0.18),
    _activation("Selu", "F.selu({x})", "Scaled exponential linear unit.", in_place=True, gain=1.0),
    _activation(
        "LogSigmoid", "F.logsigmoid({x})", "log(sigmoid(x)).", onnx=False, gain=0.92,
        to_onnx=lambda e, node: e.op("Neg", e.op("Softplus", e.op("Neg", e.source(node)))),
    ),
    _activation("LeakyRelu", "F.leaky_relu({x}, {alpha})", "x, or alpha x below zero.", attributes=_SLOPE, in_place=True, gain=0.5),
    _activation("Elu", "F.elu({x}, {alpha})", "x, or alpha (exp(x) - 1) below zero.", attributes=_ALPHA, in_place=True, gain=0.65),
    _activation("Celu", "F.celu({x}, {alpha})", "Continuously differentiable Elu.", attributes=_ALPHA, gain=0.65),
    _activation(
        "Gelu", lambda call: call.fill("F.gelu({x})" if call.attrs["approximate"] == "none" else "F.gelu({x}, approximate={approximate})"),
        "Gaussian error linear unit.", attributes=_APPROXIMATE, gain=0.425,
    ),
    _activation(
        "Softplus", "F.softplus({x}, {beta})", "log(1 + exp(beta x)) / beta.",
        attributes={"beta": Attribute("float", 1.0, doc="sharpness")}, gain=0.92, to_onnx=softplus_onnx,
    ),
    Operator(
        "PRelu", "activation", (1, 1), prelu_shape, "LeakyRelu with learned slopes.", tensors=prelu_tensors,
        attributes={"num_parameters": Attribute("int", 1, minimum=1, doc="1, or one a channel")},
        batch=batch.leading, gain=0.53, owns=lambda use: ("nn.PReLU(", Number("channels", use.attrs["num_parameters"]), ")"),
        owned="prelu", torch="{own}({x})", to_onnx=prelu_onnx,
    ),
    _activation("Clip", clip_torch, "Bounded below and above; Relu6 is Clip(0, 6).", attributes=_BOUNDS, in_place=True, to_onnx=clip_onnx, gain=0.5),
    Operator(
        "Softmax", "activation", (1, 1), same_with_axis, "Exponentials that add up to 1 along an axis.",
        attributes={"axis": AXIS}, batch=batch.along, torch="F.softmax({x}, dim={axis})",
    ),
    Operator(
        "LogSoftmax", "activation", (1, 1), same_with_axis, "Logarithm of Softmax.",
        attributes={"axis": AXIS}, batch=batch.along, torch="F.log_softmax({x}, dim={axis})",
    ),
]  # fmt: skip
