"""Scalar constants as Python numbers."""

from __future__ import annotations

__all__ = ["python_number"]

_WHOLE = 2**24  # float32 holds every integer up to here


def python_number(value: float, dtype: str) -> float | int:
    """A scalar as Python writes it: whole numbers as integers, which leave integer tensors (positions, masks) integers."""
    return int(value) if dtype == "int64" or (float(value).is_integer() and abs(value) <= _WHOLE) else value
