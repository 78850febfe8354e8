"""Typed operator attributes: what a value may be, and which value is the default."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cg_ir.errors import GraphError

AttrValue = bool | int | float | str | tuple[int, ...] | tuple[float, ...] | None

#: Marks an attribute without a default.
REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()

_INT_LIMIT = 2**53  # integers survive every JSON reader


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        if isinstance(value, float) and value.is_integer() and abs(value) < _INT_LIMIT:
            return int(value)
        raise TypeError
    if abs(value) > _INT_LIMIT:
        raise TypeError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    value = float(value)
    if not math.isfinite(value):
        raise TypeError
    return value + 0.0  # -0.0 becomes 0.0


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise TypeError


def _each(read: Any) -> Any:
    def read_list(value: Any) -> tuple[Any, ...]:
        if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__iter__"):
            raise TypeError
        return tuple(read(v) for v in value)

    return read_list


#: What reads the values of each kind, and the kind in words.
_KINDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "int": (_integer, "an integer"),
    "float": (_number, "a finite number"),
    "string": (_text, "a string"),
    "bool": (_flag, "true or false"),
    "ints": (_each(_integer), "a list of integers"),
    "floats": (_each(_number), "a list of finite numbers"),
}


@dataclass(frozen=True)
class Attribute:
    """One attribute of an operator.

    Args:
        kind: ``int``, ``float``, ``string``, ``bool``, ``ints`` or ``floats``.
        default: the value when it is absent; ``REQUIRED`` for none. ``None`` means "not applied"
            (an open bound of ``Clip``). For lists tied to the kernel, one number that fills the list.
        length: for lists, how many values stand for each spatial axis of ``kernel_shape``: 1 or 2 (begins, then ends).
        minimum: the least admissible value of a number, or of each number in a list.
        choices: the admissible strings.
        doc: one line for the format's reference.
    """

    kind: str
    default: Any = REQUIRED
    length: int = 0
    minimum: int | None = None
    choices: tuple[str, ...] = ()
    doc: str = ""

    def read(self, value: Any, name: str, spatial: int) -> AttrValue:
        """Return ``value`` in its normal form, or raise ``GraphError``."""
        try:
            result = _KINDS[self.kind][0](value)
        except (TypeError, ValueError, OverflowError):
            raise GraphError(f"attribute '{name}' should be {_KINDS[self.kind][1]}, not {value!r:.60}") from None
        if self.length and len(result) != self.length * spatial:
            raise GraphError(f"attribute '{name}' should have {self.length * spatial} numbers, not {len(result)}")
        if self.minimum is not None:
            values = result if isinstance(result, tuple) else (result,)
            if any(v < self.minimum for v in values):
                raise GraphError(f"attribute '{name}' should be at least {self.minimum}, not {value!r:.60}")
        if self.choices and result not in self.choices:
            raise GraphError(f"attribute '{name}' should be one of {', '.join(self.choices)}, not {value!r:.60}")
        return result

    def default_for(self, spatial: int) -> AttrValue:
        """The default, with lists filled to the number of spatial axes."""
        if self.length and self.default is not REQUIRED:
            return (self.default,) * (self.length * spatial)
        return self.default


#: Attributes that several operators have.
KERNEL = Attribute("ints", minimum=1, doc="window size of each spatial axis")
STRIDES = Attribute("ints", 1, length=1, minimum=1, doc="step of each spatial axis")
PADS = Attribute("ints", 0, length=2, minimum=0, doc="padding at the begin of each spatial axis, then at the ends")
DILATIONS = Attribute("ints", 1, length=1, minimum=1, doc="spacing of the window's elements")
BIAS = Attribute("bool", False, doc="whether a bias is added")
AXIS = Attribute("int", minimum=0, doc="the axis, counted from 0 with the batch")
RANGES = {key: Attribute("ints", doc=f"{key[:-1]} of every axis") for key in ("starts", "ends", "steps")}
DTYPES = (
    *("float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "complex64", "complex128"),
    *("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool"),
)
DTYPE = Attribute("string", "float32", choices=DTYPES, doc="element type")
