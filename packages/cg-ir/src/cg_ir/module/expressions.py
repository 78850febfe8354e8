"""What stands right of the equals sign where a node is computed: read in source code, run in modules."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from cg_ir.errors import GraphError
from cg_ir.graph import Node
from cg_ir.operators import OPERATORS, Plan, plan, selected_axis
from cg_ir.operators.torch_text import Call
from cg_ir.signature import Signature

_WHOLE = 2**24  # float32 holds every integer up to here


def expression(nodes: Sequence[Node], node: Node, xs: Sequence[str], own: str, how: Plan, several: bool) -> str:
    """The text that computes a node.

    Args:
        xs: what its inputs are called.
        own: what the module or tensor that it owns is called.
        how: how it meets a batch.
        several: whether further outputs are read; the value is then a tuple.

    Raises:
        GraphError: PyTorch cannot say it.
    """
    ids = OPERATORS[node.op].ids
    if ids is not None and not _is_index(nodes[node.inputs[ids]]):
        xs = [f"{x}.long()" if k == ids else x for k, x in enumerate(xs)]
    return _written(node.signature, tuple(xs), own, how, several)


@lru_cache(maxsize=4096)
def _written(sig: Signature, xs: tuple[str, ...], own: str, how: Plan, several: bool) -> str:
    sizes = ["-1" if place == how.axis and not how.apart else str(size) for place, size in enumerate(sig.shape)]
    wanted = ", ".join(sizes) if sizes else "()"
    call = Call(sig.op, sig.attrs, sig.shape, sig.input_shapes, xs, own, wanted, several, how.moved)
    return OPERATORS[sig.op].expression(call)


def _is_index(node: Node) -> bool:
    """Whether a node says that its numbers are such as rows are looked up by."""
    return node.attrs.get(OPERATORS[node.op].result) in ("int64", "int32")


def ends(nodes: Sequence[Node], op: str) -> list[Node]:
    """The nodes ``Input`` or ``Output`` in the order of their indices."""
    return sorted((node for node in nodes if node.op == op), key=lambda node: int(node.attrs["index"]))


def plans(nodes: Sequence[Node]) -> list[Plan]:
    """How each node meets a batch, which leads every input.

    Raises:
        GraphError: a node is outside the vocabulary.
    """
    found: list[Plan] = []
    for node in nodes:
        if node.op == "Input":
            found.append(Plan(0 if node.shape else None))
        elif node.op == "Select":
            (source,) = node.inputs
            found.append(Plan(selected_axis(nodes[source].signature, found[source].axis)))
        elif node.op == "Output":  # several examples folded into an axis come first in the end
            axis = found[node.inputs[0]].axis
            outside = axis is None or not node.shape
            found.append(Plan(None) if outside else Plan(axis if node.shape[axis or 0] == 1 else 0))
        elif node.op == "Custom":
            where = f"node {node.index} (Custom)"
            raise GraphError(f"{node.attrs['name']!r:.80} is outside the vocabulary and PyTorch cannot run it", where)
        else:
            found.append(plan(node.signature, tuple(found[i].axis for i in node.inputs)))
    return found


def plain_numbers(nodes: Sequence[Node]) -> dict[int, float | int]:
    """Constant scalars that only arithmetic with a tensor reads: they are written as Python's numbers.

    Whole ones are integers, which leave integer tensors (positions, masks) integers.
    """
    found: dict[int, float | int] = {}
    barred: set[int] = set()
    for node in nodes:
        first = OPERATORS[node.op].numbers
        if node.op == "Constant":
            value, dtype = node.attrs["value"], node.attrs["dtype"]
            if node.shape == () and len(value) == 1 and dtype in ("float32", "int64"):
                whole = dtype == "int64" or (float(value[0]).is_integer() and abs(value[0]) <= _WHOLE)
                found[node.index] = int(value[0]) if whole else value[0]
        elif first is None or all(i in found for i in node.inputs[first:]):
            barred.update(node.inputs)
        else:
            barred.update(node.inputs[:first])
    return {index: value for index, value in found.items() if index not in barred}
