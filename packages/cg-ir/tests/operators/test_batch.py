"""Rules of the batch: two examples at once give what each gives by itself, wherever the batch lies."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from operator_uses import batched  # noqa: E402

from cg_ir.operators import OPERATORS  # noqa: E402
from cg_ir.operators.batch import APART, Plan, apart, keeps, leading, spatial, unless  # noqa: E402


def pair(*shape: int) -> list[Any]:
    return [torch.randn(shape), torch.randn(shape)]


def seen(shape: tuple[int, ...], *inputs: tuple[int, ...], **attrs: Any) -> Any:
    return SimpleNamespace(op="", attrs=attrs, shape=shape, input_shapes=inputs)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_elementwise_functions_keep_the_batch_where_it_is(axis: int) -> None:
    assert batched("Tanh", lambda x, plan: x.tanh(), [pair(2, 1, 3)], [axis]) == axis


@pytest.mark.parametrize("along", [0, 1, 2])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_batch_along_the_axis_of_an_operator_runs_apart(axis: int, along: int) -> None:
    for op, function in (("Softmax", torch.softmax), ("CumSum", torch.cumsum)):
        run = lambda x, plan, f=function: f(x, along)  # noqa: E731
        assert batched(op, run, [pair(2, 1, 3)], [axis], axis=along) == (None if axis == along else axis)


@pytest.mark.parametrize(
    ("shapes", "axes", "expected"),
    [
        (((1, 4), (1, 4)), (0, 0), 0),
        (((3, 4), (3, 4)), (0, 0), 0),
        (((1, 4), (3, 4)), (0, None), None),  # the batch stretches to three: which row belongs to whom
        (((3, 4), (1, 4)), (0, None), 0),
        (((3, 4), (3, 4)), (0, None), 0),
        (((3, 4), (4,)), (0, None), 0),
        (((3, 4), ()), (0, None), 0),
        (((4,), (3, 4)), (0, None), 1),
        (((4,), (3, 4)), (0, 1), 1),
        (((2, 3, 4), (3, 4)), (1, 0), 1),
        (((2, 3, 4), (3, 4)), (0, 0), None),  # batches on two axes
        (((2, 3, 4), (3, 1)), (1, 0), 1),
        (((1, 1), (3, 1)), (0, 0), None),
        (((2, 3), (2, 3)), (None, 1), 1),
    ],
)  # fmt: skip
def test_operands_broadcast_with_their_batches(
    shapes: tuple[tuple[int, ...], ...], axes: tuple[int | None, ...], expected: int | None
) -> None:
    inputs = [pair(*s) if axis is not None else torch.randn(s) for s, axis in zip(shapes, axes, strict=True)]
    assert batched("Sub", lambda a, b, plan: a - b, inputs, axes) == expected


def test_no_place_of_the_batch_is_met_wrongly() -> None:
    """Every pair of small shapes, wherever the batch lies: whatever is not run apart is right."""
    shapes, kept = [(), (1,), (2,), (1, 2), (2, 1), (2, 2), (1, 2, 2)], 0
    for a, b in product(shapes, repeat=2):
        if any(x != y and 1 not in (x, y) for x, y in zip(a[::-1], b[::-1], strict=False)):
            continue
        for axes in product([None, *range(len(a))], [None, *range(len(b))]):
            if axes != (None, None):
                inputs = [
                    pair(*s) if axis is not None else torch.randn(s) for s, axis in zip((a, b), axes, strict=True)
                ]
                kept += batched("Mul", lambda x, y, plan: x * y, inputs, axes) is not None
    assert kept > 60


def test_numbers_of_an_example_have_no_axis() -> None:
    plan = OPERATORS["Add"].batch
    assert plan(seen((), (), ()), (0, 0)) == APART
    assert plan(seen((3,), (), (3,)), (0, None)) == APART
    assert plan(seen((1, 3), (1, 3), ()), (0, 0)) == APART


def test_leading_batches_and_no_others() -> None:
    use = seen((1, 4), (1, 4), (1, 4))
    assert leading(use, (0,)) == leading(use, (0, None)) == leading(use, (0, 0)) == Plan(0)
    for axes in ((1,), (0, 1), (None, 0)):
        assert leading(use, axes) == APART


def test_windows_move_along_the_last_axes() -> None:
    use = seen((1, 2, 3, 4), (1, 2, 6, 8), kernel_shape=(2, 2))
    assert [spatial(use, (axis,)) for axis in range(4)] == [Plan(0), Plan(1), APART, APART]
    assert spatial(seen((1, 2, 3), (1, 2, 8), output_size=(3,)), (1,)) == Plan(1)
    assert spatial(use, (None,)) == APART


def test_other_rules() -> None:
    use = seen((1, 4), (1, 4), turn=1)
    assert keeps(use, (1,)) == Plan(1)
    assert apart(use, (0,)) == APART == Plan(0, apart=True)
    rule = unless(lambda attrs, rank: (attrs["turn"] % rank,))
    assert [rule(use, (axis,)) for axis in (0, 1)] == [Plan(0), APART]
