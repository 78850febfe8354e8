"""Rules of shapes that operators share, against numpy and against counting windows one by one."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from cg_ir import GraphError
from cg_ir.operators.shapes import broadcast, counted, need_axis, need_rank, same_with_axis, slice_shape, windows

SHAPES = [(), (1,), (3,), (2, 3), (1, 3), (2, 1), (3, 2), (4, 1, 3), (4, 2, 1), (5, 1, 1, 1)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_shapes_broadcast_as_those_of_numpy(count: int) -> None:
    for shapes in product(SHAPES, repeat=count):
        try:
            expected = np.broadcast_shapes(*shapes)
        except ValueError:
            with pytest.raises(GraphError) as error:
                broadcast(shapes, {}, None)
            assert str(error.value) == f"inputs of shapes {[list(s) for s in shapes]} do not broadcast"
        else:
            assert broadcast(shapes, {}, None) == expected


def places(size: int, kernel: int, stride: int, begin: int, end: int, dilation: int, ceil: bool) -> int:
    """Windows counted one by one: those within the padded axis; with ceil also one that reaches beyond, but none that begins in the end padding."""
    total, reach, count = begin + size + end, dilation * (kernel - 1), 0
    for start in range(0, begin + size if ceil else total, stride):
        fits = start + reach < total
        left_over = start > 0 and start - stride + reach + 1 < total  # elements that no window before covers
        count += fits or (ceil and left_over)
    return count


def test_windows_are_as_many_as_fit() -> None:
    for size, kernel, stride, begin, end, dilation, ceil in product(
        (1, 4, 7), (1, 2, 3), (1, 2, 3), (0, 1), (0, 1, 2), (1, 2), (False, True)
    ):
        if ceil and 2 * max(begin, end) > kernel:  # no library pools so
            continue
        attrs: dict[str, Any] = {"kernel_shape": (kernel,), "strides": (stride,), "pads": (begin, end)}
        attrs |= {"dilations": (dilation,), "ceil_mode": ceil}
        reach = dilation * (kernel - 1) + 1
        if reach <= size + begin + end:
            assert windows((1, 1, size), attrs) == [places(size, kernel, stride, begin, end, dilation, ceil)], attrs
        else:
            with pytest.raises(GraphError) as error:
                windows((1, 1, size), attrs)
            assert str(error.value) == f"a window of {reach} does not fit an axis of {size} padded by {begin}+{end}"


def test_each_axis_has_its_own_window() -> None:
    attrs = {"kernel_shape": (3, 1), "strides": (1, 2), "pads": (1, 0, 2, 1)}
    assert windows((1, 1, 5, 8), attrs) == [6, 5]


def test_slices_have_the_shape_of_numpys() -> None:
    size = 4
    for start, end, step in product(range(size), range(-1, size + 1), (-3, -2, -1, 1, 2, 3)):
        attrs = {"starts": (0, start), "ends": (2, end), "steps": (1, step)}
        taken = np.zeros((2, size))[:, slice(start, None if end < 0 and step < 0 else max(end, 0), step)]
        if taken.shape[1]:
            assert slice_shape([(2, size)], attrs, None) == taken.shape
        else:
            with pytest.raises(GraphError, match=rf"^slice {start}:{end}:{step} is empty$"):
                slice_shape([(2, size)], attrs, None)


@pytest.mark.parametrize(("start", "end", "step"), [(4, 4, 1), (-1, 3, 1), (0, 5, 1), (3, -2, -1), (0, 4, 0)])
def test_slices_outside_an_axis_are_refused(start: int, end: int, step: int) -> None:
    with pytest.raises(GraphError) as error:
        slice_shape([(4,)], {"starts": (start,), "ends": (end,), "steps": (step,)}, None)
    assert str(error.value) == f"slice {start}:{end}:{step} is outside an axis of 4"


def test_a_slice_says_all_axes() -> None:
    with pytest.raises(GraphError, match=r"^starts, ends and steps should each have 2 numbers, one an axis$"):
        slice_shape([(2, 4)], {"starts": (0, 0), "ends": (2, 4), "steps": (1,)}, None)


def test_axes_count_from_0_to_the_last() -> None:
    need_axis(0, 2)
    need_axis(1, 2)
    assert same_with_axis([(3, 4)], {"axis": 1}, None) == (3, 4)
    for axis in (-1, 2):
        with pytest.raises(GraphError) as error:
            same_with_axis([(3, 4)], {"axis": axis}, None)
        assert str(error.value) == f"axis {axis} is outside the 2 axes of the input (axes count from 0)"


def test_a_rank_is_named_with_the_shape() -> None:
    need_rank((1, 2), 2, "the input")
    with pytest.raises(GraphError, match=r"^the input should have 3 axes, not shape \[1, 2\]$"):
        need_rank((1, 2), 3, "the input")


def test_running_statistics_are_not_learned() -> None:
    held = {"weight": (2, 3), "running_var": (5,), "running_mean": (5,), "bias": (4,), "scalar": ()}
    assert counted(lambda ins, attrs, out: held)([], {}, ()) == 6 + 4 + 1  # type: ignore[arg-type]
