"""What operators are written with as PyTorch: :func:`cg_ir.to_source` prints the texts, :func:`cg_ir.to_module` runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cg_ir.errors import GraphError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """One use of an operator that is to be written.

    Attributes:
        op, attrs, shape, input_shapes: as of a :class:`cg_ir.signature.Signature`.
        xs: what the inputs are called: names, or numbers where the operator takes them.
        own: what the module or tensor that it owns is called.
        wanted: the output shape as arguments of ``reshape``, -1 on the axis that a batch multiplies; ``moved``: the first input's is another.
        several: whether further outputs are read; the text is then a tuple of all of them.
    """

    op: str
    attrs: dict[str, Any]
    shape: Shape
    input_shapes: tuple[Shape, ...]
    xs: Sequence[str]
    own: str = ""
    wanted: str = ""
    several: bool = False
    moved: bool = False

    @property
    def x(self) -> str:
        """The first input."""
        return self.xs[0]

    def fill(self, template: str) -> str:
        """A template whose fields are ``x``, inputs by position, ``own``, ``wanted`` and attributes by name (as Python writes them)."""
        attrs = {name: repr(value) for name, value in self.attrs.items()}
        x = self.xs[0] if self.xs else ""
        return template.format(*self.xs, x=x, own=self.own, wanted=self.wanted, **attrs)


@dataclass(frozen=True)
class Number:
    """A whole number of a template; ``role`` is the name that it has as an argument."""

    role: str
    value: int

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class Elements:
    """Numbers of a template that are read as a list, or handed over as they are where it is run."""

    values: tuple[float, ...]

    def __str__(self) -> str:
        return f"[{', '.join(map(repr, self.values))}]"


#: The call that makes a layer; its numbers may differ from one use of a class to the next.
Template = tuple["str | Number | Elements", ...]


def listed(values: Sequence[int], role: str) -> Template:
    """One number where all are equal, else a tuple."""
    return (Number(role, values[0]),) if len(set(values)) == 1 else (tuple_text(values),)


def optional(name: str, values: Sequence[int], default: int) -> Template:
    """A list by name, left out where every number is the default."""
    return () if all(v == default for v in values) else (f", {name}=", *listed(values, name))


def flag(name: str, value: Any, default: Any) -> Template:
    """An argument by name, left out where it is the default."""
    return () if value == default else (f", {name}={value!r}",)


def tuple_text(values: Sequence[Any]) -> str:
    """A tuple as Python writes it."""
    return "(" + ", ".join(map(str, values)) + ("," if len(values) == 1 else "") + ")"


def is_even(pads: Sequence[int]) -> bool:
    """Whether begins and ends of every axis are alike."""
    half = len(pads) // 2
    return tuple(pads[:half]) == tuple(pads[half:])


def torch_pads(pads: Sequence[int]) -> list[int]:
    """Pads in ONNX's order (begins, then ends) as PyTorch's (last axis first, begin and end in turn); leading axes without are left out."""
    half = len(pads) // 2
    pairs = list(zip(pads[:half], pads[half:], strict=True))
    while pairs and pairs[0] == (0, 0):
        pairs.pop(0)
    return [p for pair in reversed(pairs) for p in pair]


def padded(x: str, pads: Sequence[int], value: str = "") -> str:
    """The trailing axes padded with a constant; negative pads crop."""
    return f"F.pad({x}, {tuple_text(torch_pads(pads))}{f', value={value}' if value else ''})" if any(pads) else x


def is_number(text: str) -> bool:
    """Whether an input is a plain number."""
    return text[0] in "-0123456789"


def tensor(number: str, like: str) -> str:
    """A plain number as a tensor, for functions that take none in this place."""
    return f"torch.as_tensor({number}, device={like}.device)" if is_number(number) else number


def axis_count(dims: int, possible: Sequence[int], op: str) -> int:
    """The number of axes, where PyTorch has the operator for so many.

    Raises:
        GraphError: it has not.
    """
    if dims not in possible:
        raise GraphError(f"PyTorch has no {op} for {dims} axes ({', '.join(map(str, possible))} are possible)")
    return dims
