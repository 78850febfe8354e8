"""Mixtures of experts: products of rows with the matrices that numbers choose for them.

A program writes them as ``weight[ids]`` and a batched product, or sorts the rows by expert and calls ``grouped_mm``. Either way each row
meets one matrix (out, in) of a parameter (experts, out, in): ``ExpertGemm``.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from cg_frontends.lowering.lowering import Lowering, lowers
from cg_frontends.lowering.tape import TRACED, WEIGHT, Value

Outputs = Sequence[Any]
_CASTS = frozenset({"aten::to", "aten::_to_copy", "aten::float", "aten::int"})


def expert_product(low: Lowering, out: Outputs, a: Value, b: Value) -> int | None:
    """The node of a batched product of which one side is matrices chosen by number; None where it is no such product."""
    for chosen, rows, turned in ((b, a, True), (a, b, False)):
        found = _chosen(low, chosen)
        if found is None:
            continue
        weight, ids, transposed = found
        features = (rows.shape[-2:] if turned else rows.shape[-2:][::-1]) if len(rows.shape) > 1 else ()
        head = rows.shape[:-2]
        if features[:1] != (1,) or len(head) > len(ids.shape):
            continue  # several rows for each choice
        x = low.node(rows)
        if head != ids.shape:
            x = low.add("Expand", x, shape=(*ids.shape, *rows.shape[-2:]))
        x = low.reshape(x, (*ids.shape, features[1]))
        node = _gemm(low, x, weight, ids, turned != transposed)
        return low.reshape(node, out[0].shape)
    return None


def expert_einsum(low: Lowering, out: Outputs, equation: str, operands: Sequence[Value]) -> int | None:
    """As `expert_product`, for an explicit equation."""
    terms, _, result = equation.partition("->")
    if len(operands) != 2:
        return None
    pairs = list(zip(terms.split(","), operands, strict=True))
    for (matrix, chosen), (row, rows) in (pairs, pairs[::-1]):
        found = _chosen(low, chosen)
        if found is None:
            continue
        weight, ids, transposed = found
        head, first, second = matrix[:-2], matrix[-2], matrix[-1]
        inside, outside = (first, second) if first not in result else (second, first)
        given = row[:-1]
        if row[-1] != inside or result != head + outside or [c for c in head if c in given] != list(given):
            continue
        x = low.reshape(rows, (*(n if c in given else 1 for c, n in zip(head, ids.shape, strict=True)), rows.shape[-1]))
        x = low.add("Expand", x, shape=(*ids.shape, rows.shape[-1]))
        return _gemm(low, x, weight, ids, (inside == first) != transposed)
    return None


def _gemm(low: Lowering, x: int, weight: Value, ids: Value, turned: bool) -> int:
    """Turned: the matrices are (in, out)."""
    width = weight.shape[-1 if turned else -2]
    shape = (*ids.shape, width)
    return low.add("ExpertGemm", x, ids, shape=shape, slots=(weight,), turned=turned, num_experts=weight.shape[0])


def _chosen(low: Lowering, value: Value) -> tuple[Value, Value, bool] | None:
    """Matrices, their numbers, and whether the program transposes them, where a value is the matrices that indices choose."""
    call, transposed = value.call, False
    rank = len(value.shape)
    if (
        call is not None
        and call.name == "aten::transpose"
        and {d % rank for d in call.args[1:3]} == {rank - 1, rank - 2}
    ):
        call, transposed = call.args[0].call, True
    if value.kind != TRACED or call is None or not call.args:
        return None
    weight, ids = call.args[0], None
    if call.name == "aten::index" and len(call.args[1]) == 1:
        ids = call.args[1][0]
    elif call.name == "aten::index_select" and call.args[1] == 0:
        ids = call.args[2]
    if ids is None or "int" not in ids.dtype or weight.kind != WEIGHT or len(weight.shape) != 3:
        return None
    return (weight, ids, transposed) if low.owned(weight) else None


@lowers("_grouped_mm", "transformers::grouped_mm_fallback")
def grouped_mm(low: Lowering, out: Outputs, x: Value, weight: Value, offs: Any = None, *bias: Any, **named: Any) -> Any:
    """Rows sorted by expert: the numbers of the experts are those whose histogram gives the bounds."""
    ids = _counted(offs)
    if ids is None or len(weight.shape) != 3 or ids.shape != x.shape[:-1] or any(bias) or named.get("bias") is not None:
        return NotImplemented
    if not low.owned(weight):
        return NotImplemented
    return _gemm(low, low.node(x), weight, ids, True)


def _counted(bounds: Value | None) -> Value | None:
    """The integers of whose histogram a value is the running sum."""
    call = None if bounds is None else _before_casts(bounds).call
    if call is None or call.name != "aten::cumsum":
        return None
    call = _before_casts(call.args[0]).call
    if call is None or call.name not in ("aten::histc", "aten::bincount"):
        return None
    value = _before_casts(call.args[0])
    return value if "int" in value.dtype else None


def _before_casts(value: Value) -> Value:
    while value.call is not None and value.call.name in _CASTS:
        value = value.call.args[0]
    return value


@lowers("histc")
def histc(low: Lowering, out: Outputs, x: Value, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """How often each integer from 0 occurs."""
    source = _before_casts(x)
    if "int" not in source.dtype or min != 0 or max != bins - 1:
        return NotImplemented
    count = prod(source.shape)
    ones = low.add("OneHot", low.reshape(source, (count,)), shape=(count, bins))
    return low.add("ReduceSum", ones, shape=(bins,), axes=(0,), keepdims=False)
