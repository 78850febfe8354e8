"""Readings of ATen arguments, against what numpy and torch make of them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from cg_frontends.pytorch.lowerings.arguments import axes_of, axis_of, each, filled


@pytest.mark.parametrize(
    ("value", "count", "numbers"),
    [(3, 2, (3, 3)), ([3], 2, (3, 3)), ((3, 1), 2, (3, 1)), ([0], 1, (0,)), (2, 0, ()), ([1, 2, 3], 3, (1, 2, 3))],
)
def test_one_number_stands_for_all_axes(value: object, count: int, numbers: tuple[int, ...]) -> None:
    assert each(value, count) == numbers  # type: ignore[arg-type]


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_axes_are_counted_from_the_front(rank: int) -> None:
    shape = tuple(range(5, 5 + rank))
    for axis in range(-rank, rank):
        assert shape[axis_of(axis, rank)] == shape[axis]
        assert 0 <= axis_of(axis, rank) < rank
        assert axes_of(axis, rank) == (axis_of(axis, rank),)


@pytest.mark.parametrize("axes", [None, (), [], (0,), [-1, 0], (2, 1), [-2, -3]])
def test_sums_along_the_axes_are_those_of_numpy(axes: object) -> None:
    x = np.arange(24).reshape(2, 3, 4)
    wanted = x.sum(tuple(axes)) if axes else x.sum()  # type: ignore[arg-type]
    found = axes_of(axes, 3)  # type: ignore[arg-type]
    assert found == tuple(sorted(found))
    assert np.array_equal(x.sum(found), wanted)


def test_a_single_number_has_no_axes_and_yet_its_first_may_be_named() -> None:
    assert axis_of(-1, 0) == axis_of(0, 0) == 0
    assert axes_of(None, 0) == axes_of(0, 0) == axes_of([-1], 0) == ()


def test_defaults_follow_what_is_given() -> None:
    assert filled([], 1, 2) == (1, 2)
    assert filled((5,), 1, 2) == (5, 2)
    assert filled([5, None], 1, 2) == (5, None)
    assert filled([5, 6, 7], 1, 2) == (5, 6, 7)
