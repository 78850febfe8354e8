"""Elementwise arithmetic: one row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cg_ir.errors import GraphError
from cg_ir.operators import batch
from cg_ir.operators.attribute import AXIS, DTYPES, Attribute
from cg_ir.operators.operator import Emitter, Node, Operator
from cg_ir.operators.shapes import Attrs, PartialShape, Shape, broadcast, same, same_with_axis
from cg_ir.operators.torch_text import Call, tensor


def matrices(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The shape of an input whose last two axes are a matrix."""
    if len(ins[0]) < 2:
        raise GraphError(f"shape {list(ins[0])} has no matrix")
    return ins[0]


def extreme_torch(call: Call) -> str:
    text = call.x
    for x in call.xs[1:]:
        text = f"torch.{'maximum' if call.op == 'Max' else 'minimum'}({text}, {x})"
    return text


def divide_torch(call: Call) -> str:
    if call.attrs["rounding"] == "none":
        return call.fill("{0} / {1}")
    return f"torch.div({tensor(call.x, call.xs[1])}, {call.xs[1]}, rounding_mode='trunc')"


def is_infinite_torch(call: Call) -> str:
    names = {(True, True): "isinf", (True, False): "isneginf", (False, True): "isposinf"}
    name = names.get((call.attrs["detect_negative"], call.attrs["detect_positive"]))
    return f"torch.{name}({call.x})" if name else f"torch.zeros_like({call.x}, dtype=torch.bool)"


_UINT64 = 13  # onnx.TensorProto.UINT64


def chain_onnx(e: Emitter, node: Node) -> str:
    """One ONNX operator of the same name, or several in a row where there are more than two inputs."""
    first, *rest = e.operands(node)
    for other in rest:
        first = e.op(node.op, first, other)
    return first


def divide_onnx(e: Emitter, node: Node) -> str:
    a, b = e.operands(node)
    result = e.op("Div", a, b)
    whole = e.common(node)[:3] in ("int", "uin")
    if node.attrs["rounding"] == "none" or whole:
        return result
    return e.op("Mul", e.op("Sign", result), e.op("Floor", e.op("Abs", result)))


def atan2_onnx(e: Emitter, node: Node) -> str:
    """The angle of the slope, turned by half a circle left of the vertical."""
    y, x = e.operands(node)
    angle = e.op("Atan", e.op("Div", y, x))
    half = e.number(np.pi)
    turned = e.op("Where", e.op("GreaterOrEqual", y, e.number(0.0)), e.op("Add", angle, half), e.op("Sub", angle, half))
    result = e.op("Where", e.op("Less", x, e.number(0.0)), turned, angle)
    nowhere = e.op("And", e.op("Equal", x, e.number(0.0)), e.op("Equal", y, e.number(0.0)))
    return e.op("Where", nowhere, e.number(0.0), result)


def bit_shift_onnx(e: Emitter, node: Node) -> str:
    """ONNX shifts unsigned integers only; the bits below a sign are turned before and after."""
    a, b = e.operands(node)
    dtype = e.common(node)
    direction = node.attrs["direction"].upper()

    def shifted(value: str) -> str:
        unsigned = [e.op("Cast", v, to=_UINT64) for v in (value, b)]
        return e.cast(e.op("BitShift", *unsigned, direction=direction), dtype)

    if direction == "LEFT" or dtype.startswith("uint"):
        return shifted(a)
    turned = e.op("BitwiseNot", shifted(e.op("BitwiseNot", a)))
    return e.op("Where", e.op("Less", a, e.number(0, dtype)), turned, shifted(a))


def remainder_onnx(e: Emitter, node: Node) -> str:
    a, b = e.operands(node)
    if node.attrs["fmod"]:
        return e.op("Mod", a, b, fmod=1)
    return e.op("Sub", a, e.op("Mul", e.op("Floor", e.op("Div", a, b)), b))


def where_onnx(e: Emitter, node: Node) -> str:
    condition = e.source(node) if e.dtype(node) == "bool" else e.cast(e.source(node), "bool")
    return e.op("Where", condition, *e.operands(node, skip=1))


def _binary(name: str, torch: Any, doc: str, **fields: Any) -> Operator:
    given = {"batch": batch.broadcast, "result": "common", "to_onnx": chain_onnx, **fields}
    return Operator(name, "elementwise", (2, 2), broadcast, doc, torch=torch, **given)


def _unary(name: str, torch: str, **fields: Any) -> Operator:
    return Operator(
        name, "elementwise", (1, 1), same, f"{name} of each element.", batch=batch.keeps, torch=torch, **fields
    )


_MANY: dict[str, Any] = {"commutes": True, "batch": batch.broadcast, "result": "common", "to_onnx": chain_onnx}
_LOGICAL: dict[str, Any] = {"result": "bool", "to_onnx": lambda e, node: e.op(node.op, *e.operands(node, dtype="bool"))}
_COMPARISON: dict[str, Any] = {"numbers": 0, "result": "bool"}
ELEMENTWISE = [
    Operator(
        "Add", "elementwise", (2, None), broadcast, "Sum of two or more.", torch=lambda call: " + ".join(call.xs), numbers=0, **_MANY
    ),
    _binary("Mul", "{0} * {1}", "Product.", numbers=0, commutes=True),
    _binary("Sub", "{0} - {1}", "First minus second.", numbers=0),
    _binary(  # a minus binds less than a power
        "Pow", lambda call: call.fill("({0}) ** {1}" if call.x.startswith("-") else "{0} ** {1}"), "First to the power of the second.", numbers=0
    ),
    _binary(
        "Atan2", "torch.atan2({0}, {1})", "Angle of the point whose height is the first and whose width is the second.",
        onnx=False, to_onnx=atan2_onnx,
    ),
    _binary(
        "Div", divide_torch, "First over second.", numbers=0, to_onnx=divide_onnx,
        attributes={"rounding": Attribute("string", "none", choices=("none", "trunc"), doc="towards zero, as integers divide")},
    ),
    _binary(
        "Mod", lambda call: f"torch.fmod({tensor(call.x, call.xs[1])}, {call.xs[1]})" if call.attrs["fmod"] else call.fill("{0} % {1}"),
        "Remainder of the first by the second.", numbers=0, to_onnx=remainder_onnx,
        attributes={"fmod": Attribute("bool", False, doc="with the sign of the first, not of the second")},
    ),
    Operator("Max", "elementwise", (2, None), broadcast, "Greatest of two or more.", torch=extreme_torch, **_MANY),
    Operator("Min", "elementwise", (2, None), broadcast, "Least of two or more.", torch=extreme_torch, **_MANY),
    _binary("Equal", "{0} == {1}", "Logical equal of each element.", commutes=True, **_COMPARISON),
    _binary("And", "torch.logical_and({0}, {1})", "Logical and of each element.", commutes=True, **_LOGICAL),
    _binary("Or", "torch.logical_or({0}, {1})", "Logical or of each element.", commutes=True, **_LOGICAL),
    _binary("Xor", "torch.logical_xor({0}, {1})", "Logical xor of each element.", commutes=True, **_LOGICAL),
    _binary("BitwiseAnd", "torch.bitwise_and({0}, {1})", "And of the bits of integers.", numbers=0, commutes=True),
    _binary("BitwiseOr", "torch.bitwise_or({0}, {1})", "Or of the bits of integers.", numbers=0, commutes=True),
    _binary("BitwiseXor", "torch.bitwise_xor({0}, {1})", "Xor of the bits of integers.", numbers=0, commutes=True),
    _binary(
        "BitShift", lambda call: f"torch.bitwise_{call.attrs['direction']}_shift({call.x}, {call.xs[1]})",
        "Bits of the first moved by as many places as the second says.", numbers=0, to_onnx=bit_shift_onnx,
        attributes={"direction": Attribute("string", choices=("left", "right"), doc="where to")},
    ),
    _binary("Greater", "{0} > {1}", "Whether first > second.", **_COMPARISON),
    _binary("GreaterOrEqual", "{0} >= {1}", "Whether first >= second.", **_COMPARISON),
    _binary("Less", "{0} < {1}", "Whether first < second.", **_COMPARISON),
    _binary("LessOrEqual", "{0} <= {1}", "Whether first <= second.", **_COMPARISON),
    Operator(
        "Where", "elementwise", (3, 3), broadcast, "Second where the first holds, third elsewhere.", batch=batch.broadcast, numbers=1,
        torch="torch.where({0}.bool(), {1}, {2})", result="common", to_onnx=where_onnx,
    ),
    _unary("Abs", "torch.abs({x})", gain=1.0),
    _unary("Neg", "torch.neg({x})", gain=1.0),
    _unary("Exp", "torch.exp({x})", gain=7.4),
    _unary("Log", "torch.log({x})", gain=1.0),
    _unary("Sqrt", "torch.sqrt({x})", gain=0.5),
    _unary("Reciprocal", "torch.reciprocal({x})"),
    _unary("Erf", "torch.erf({x})", gain=0.465),
    _unary("Sin", "torch.sin({x})"),
    _unary("Cos", "torch.cos({x})"),
    _unary("Tan", "torch.tan({x})"),
    _unary("Asin", "torch.asin({x})"),
    _unary("Acos", "torch.acos({x})"),
    _unary("Atan", "torch.atan({x})"),
    _unary("Sinh", "torch.sinh({x})"),
    _unary("Cosh", "torch.cosh({x})"),
    _unary("Asinh", "torch.asinh({x})"),
    _unary("Acosh", "torch.acosh({x})"),
    _unary("Atanh", "torch.atanh({x})"),
    _unary("Floor", "torch.floor({x})"),
    _unary("Ceil", "torch.ceil({x})"),
    _unary("Round", "torch.round({x})"),
    _unary("Sign", "torch.sign({x})"),
    _unary("Not", "torch.logical_not({x})", **_LOGICAL),
    _unary("IsNaN", "torch.isnan({x})", result="bool"),
    _unary("BitwiseNot", "torch.bitwise_not({x})"),
    Operator(
        "IsInf", "elementwise", (1, 1), same, "Whether each element is infinite.", batch=batch.keeps, torch=is_infinite_torch, result="bool",
        attributes={
            "detect_negative": Attribute("bool", True, doc="whether minus infinity counts"),
            "detect_positive": Attribute("bool", True, doc="whether infinity counts"),
        },
    ),
    Operator(
        "Cast", "elementwise", (1, 1), same, "Another element type.", attributes={"to": Attribute("string", choices=DTYPES, doc="element type")},
        batch=batch.keeps, torch=lambda call: f"{call.x}.to(torch.{call.attrs['to']})", result="to",
        to_onnx=lambda e, node: e.cast(e.source(node), node.attrs["to"]),
    ),
    Operator(
        "CumSum", "elementwise", (1, 1), same_with_axis, "Running sum along an axis.", attributes={"axis": AXIS},
        batch=batch.along, torch="torch.cumsum({x}, {axis})",
        to_onnx=lambda e, node: e.op("CumSum", e.source(node), e.number(node.attrs["axis"], "int64")),
    ),
    Operator(
        "Trilu", "elementwise", (1, 1), matrices, "One triangle of each matrix.",
        attributes={"upper": Attribute("bool", True, doc="which triangle"), "k": Attribute("int", 0, doc="diagonal")},
        batch=batch.unless(lambda attrs, rank: (rank - 2, rank - 1)),
        to_onnx=lambda e, node: e.op("Trilu", e.source(node), e.number(node.attrs["k"], "int64"), upper=int(node.attrs["upper"])),
        torch=lambda call: call.fill("torch.triu({x}, {k})" if call.attrs["upper"] else "torch.tril({x}, {k})"),
    ),
]  # fmt: skip
