"""One use of an operator, what it is refused with, and the batch that its plan keeps, for tests of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from cg_ir import GraphBuilder, GraphError
from cg_ir.graph import Node
from cg_ir.operators import OPERATORS
from cg_ir.operators.torch_text import Call

__all__ = ["batched", "computed", "refusal", "use"]

Shape = tuple[int, ...]


def use(op: str, *ins: Shape, **options: Any) -> Node:
    """The node of an operator between inputs of these shapes.

    Args:
        options: as of ``GraphBuilder.add``: ``shape``, ``channels`` and attributes.
    """
    b = GraphBuilder(canonical=False)
    node = b.add(op, *[b.input(shape) for shape in ins], **options)
    b.output(node)
    return b.build().nodes[node]


def refusal(op: str, *ins: Shape, **options: Any) -> str:
    """What is said of a use that cannot be, without the place; empty where nothing is said."""
    try:
        use(op, *ins, **options)
    except GraphError as error:
        place, _, message = str(error).partition(": ")
        assert place == f"node {len(ins)} ({op})"
        return message
    return ""


def computed(op: str, *inputs: Any, shape: Shape | None = None, **attrs: Any) -> Any:
    """What the text of an operator that owns nothing gives for tensors of torch.

    Args:
        shape: of the output, where the rule leaves it open.
    """
    import torch

    node = use(op, *[tuple(x.shape) for x in inputs], shape=shape, **attrs)
    names = [f"x{i}" for i in range(len(inputs))]
    wanted = ", ".join(map(str, node.shape))
    call = Call(op, node.attrs, node.shape, node.signature.input_shapes, names, wanted=wanted)
    known = {"torch": torch, "F": torch.nn.functional, **dict(zip(names, inputs, strict=True))}
    return eval(OPERATORS[op].expression(call), known)


def batched(
    op: str, function: Callable[..., Any], inputs: Sequence[Any], axes: Sequence[int | None], /, **attrs: Any
) -> int | None:
    """The axis along which an operator keeps a batch by its plan, checked on two examples; None where it runs them one by one.

    Args:
        function: of torch, what the operator computes; it is called with the inputs, and with the plan under the name ``plan``.
        inputs: those of both examples, a list of two where there is a batch, else one tensor.
        axes: for each input the axis that holds the batch.
    """
    import torch

    one, two = ([x[i] if isinstance(x, list) else x for x in inputs] for i in (0, 1))
    operator = OPERATORS[op]
    results = [function(*example, plan=None) for example in (one, two)]
    shapes = {"shape": tuple(results[0].shape), "input_shapes": tuple(tuple(x.shape) for x in one)}
    plan = operator.batch(SimpleNamespace(op=op, attrs={**operator.defaults[0], **attrs}, **shapes), tuple(axes))
    if plan.apart:
        return None
    given = []
    for place, (x, axis) in enumerate(zip(inputs, axes, strict=True)):
        repeat = plan.repeat[place] if plan.repeat else None
        assert repeat is None or axis is None
        joined = torch.cat(x, axis) if isinstance(x, list) else x
        given.append(joined if repeat is None else torch.cat([joined, joined], repeat))
    torch.testing.assert_close(function(*given, plan=plan), torch.cat(results, plan.axis))
    return plan.axis
