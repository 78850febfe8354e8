"""Readings of ATen arguments that several lowerings need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def each(value: int | Sequence[int], count: int) -> tuple[int, ...]:
    """A number for each of ``count`` spatial axes; ATen lets one stand for all."""
    if isinstance(value, int):
        return (value,) * count
    values = tuple(value)
    return values * count if len(values) == 1 else values


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from 0."""
    return axis % rank if rank else 0


def axes_of(axes: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """Axes counted from 0, sorted; none means all."""
    if axes is None or (not isinstance(axes, int) and len(axes) == 0):
        return tuple(range(rank))
    given = (axes,) if isinstance(axes, int) else axes
    return tuple(sorted(a % rank for a in given)) if rank else ()


def filled(given: Sequence[Any], *defaults: Any) -> tuple[Any, ...]:
    """What is given, and the defaults of what follows."""
    return (*given, *defaults[len(given) :])
