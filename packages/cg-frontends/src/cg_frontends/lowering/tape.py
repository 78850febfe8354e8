"""What a recorded forward pass consists of: values, calls, and the tape that holds them in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

#: Kinds of values, ordered so that a call's outputs have the greatest kind among its inputs.
CONSTANT, WEIGHT, TRACED = 0, 1, 2


@dataclass(eq=False)
class Leaf:
    """A parameter of the module: its first dotted name, its number of elements, and the tensor itself where it is at hand."""

    name: str
    numel: int
    origin: Any = None


@dataclass(eq=False, slots=True)
class Value:
    """One tensor at one moment of the forward pass; in-place operators make new values.

    Attributes:
        kind: ``CONSTANT`` (buffers and what is computed from them alone), ``WEIGHT`` (parameters and what is computed from
            them and constants alone) or ``TRACED`` (depends on an input of the network).
        shape: sizes, batch included.
        dtype: element type by torch's name, such as ``float32``.
        call: the call that made it, ``None`` for sources.
        index: position among the outputs of ``call``, or among the inputs of the network.
        leaf: the parameter, for a value that is one.
        fill: the number that fills a constant, where it is known.
        place: for parameters and views of them: (offset, sizes, strides) inside the parameter, complex numbers as pairs.
        data: the elements of a constant that the program made outside the meta device.
        origin: the module's own tensor, for a buffer.
    """

    kind: int
    shape: tuple[int, ...]
    dtype: str
    call: Call | None = None
    index: int = 0
    leaf: Leaf | None = None
    fill: float | None = None
    place: tuple[Any, ...] | None = None
    data: Any = None
    origin: Any = None

    @property
    def complex(self) -> bool:
        """Whether its elements are complex numbers."""
        return self.dtype.startswith("complex")

    @property
    def held(self) -> tuple[int, ...]:
        """The shape of its node: a complex number is a pair along a last axis, as ``torch.view_as_real`` has it."""
        return (*self.shape, 2) if self.complex else self.shape


@dataclass(eq=False, slots=True)
class Call:
    """One operator call; ``args`` and ``kwargs`` hold :class:`Value` where the program passed tensors.

    Calls on constants alone keep the function that was called in ``func``, so that their elements can be computed where they matter.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    region: str
    outputs: tuple[Value | None, ...] = ()
    func: Any = None


@dataclass
class Tape:
    """A forward pass: inputs, calls whose result depends on an input or a parameter, outputs."""

    inputs: list[Value] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)

    def live(self) -> set[int]:
        """The ids of the calls on which an output depends."""
        needed: set[int] = set()
        stack = [v.call for v in self.outputs if v.call is not None]
        while stack:
            call = stack.pop()
            if id(call) in needed:
                continue
            needed.add(id(call))
            stack.extend(v.call for v in values_in(call) if v.call is not None)
        return needed


def values_in(call: Call) -> Iterator[Value]:
    """The values among the arguments of a call, in order."""
    for argument in (*call.args, *call.kwargs.values()):
        if isinstance(argument, Value):
            yield argument
        elif isinstance(argument, (list, tuple)):
            for item in argument:
                if isinstance(item, Value):
                    yield item
