"""From a tape of ATen calls to a graph of the format's operators.

Each ATen operator has a *lowering*, a function registered by name with :func:`lowers`. Its arguments are those of the ATen schema, with
:class:`Value` in place of tensors; it adds nodes and returns the node of each output. Parameters that an operator owns (``slots``)
are no nodes: the operator's row in the table counts them. A parameter that is used in any other way becomes a ``Parameter`` node,
constants become ``Constant`` nodes, and what is computed from them alone is lowered only where a node needs it.

A graph holds real numbers alone. The node of a complex value has pairs along one axis more (:attr:`Value.held`); a call that reads or makes
complex values is lowered by what is registered for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeVar

from cg_frontends.lowering.tape import CONSTANT, TRACED, WEIGHT, Call, Leaf, Tape, Value, values_in
from cg_ir import GraphError
from cg_ir.operators import OPERATORS

Shape = tuple[int, ...]
LoweringFunction = Callable[..., "int | Sequence[int | None]"]
_F = TypeVar("_F", bound=Callable[..., Any])
LOWERINGS: dict[str, LoweringFunction] = {}
#: Of calls that read or make complex values.
COMPLEX_LOWERINGS: dict[str, LoweringFunction] = {}
_LARGEST = 3.4028234663852886e38  # float32; stands for infinity, which JSON has not


def cut(shape: Sequence[int], axis: int, start: int, end: int, step: int = 1) -> dict[str, Any]:
    """The attributes of a ``Slice`` that takes a range of one axis and all of the others."""
    starts, ends, steps = [0] * len(shape), list(shape), [1] * len(shape)
    starts[axis], ends[axis], steps[axis] = start, end, step
    return {"starts": starts, "ends": ends, "steps": steps}


class UnknownOperatorWarning(UserWarning):
    """An operator outside the vocabulary became ``Custom``."""


def lowers(*names: str, among: dict[str, LoweringFunction] = LOWERINGS) -> Callable[[_F], _F]:
    """Register the lowering of ATen operators; a name without a namespace is ``aten::name``."""

    def register(function: _F) -> _F:
        for name in names:
            among[name if "::" in name else f"aten::{name}"] = function
        return function

    return register


@dataclass
class Spec:
    """A node to be: what :class:`GraphBuilder` will be given, and which tensors it owns.

    Attributes:
        slots: the parameters, in PyTorch's order.
        turned: the first of them is a matrix (in, out), not (out, in).
        state: what it owns beside them: a constant's elements, running mean and variance.
    """

    op: str
    inputs: list[int]
    shape: Shape
    attrs: dict[str, Any]
    region: str
    slots: tuple[Value, ...] = ()
    turned: bool = False
    state: tuple[Value, ...] = ()


class Lowering:
    """Lowers one tape.

    Attributes:
        specs: the nodes so far.
        unknown: how often each operator outside the vocabulary was met.
        region: dotted path of the module whose operators are being lowered.
    """

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.specs: list[Spec] = []
        self.unknown: dict[str, int] = {}
        self.region = ""
        self._numel = {id(leaf): leaf.numel for leaf in tape.leaves}
        self._nodes: dict[int, int] = {}
        self._claimed: dict[int, Value] = {}
        self._sources: dict[int, frozenset[int]] = {}
        self._values: dict[int, Value] = {}

    def declare(self, leaf: Leaf) -> None:
        """Add a parameter to the tape."""
        self.tape.leaves.append(leaf)
        self._numel[id(leaf)] = leaf.numel

    def mark(self) -> tuple[Any, ...]:
        """The present state, for :meth:`rewind`."""
        return len(self.specs), len(self._nodes), len(self._claimed), len(self.tape.leaves), dict(self.unknown)

    def rewind(self, mark: tuple[Any, ...]) -> None:
        """Take back every node since a mark."""
        specs, nodes, claimed, leaves, self.unknown = mark
        del self.specs[specs:], self.tape.leaves[leaves:]
        for grown, size in ((self._nodes, nodes), (self._claimed, claimed)):  # entries are only ever added
            while len(grown) > size:
                grown.popitem()

    def places(self) -> Iterable[tuple[Value, int]]:
        """The values that calls made, and the node of each."""
        return [(value, self._nodes[key]) for key, value in self._values.items() if key in self._nodes]

    # --- what lowerings use -------------------------------------------------------------------------------------------

    def add(
        self,
        op: str,
        *inputs: Value | int,
        shape: Iterable[int] | None = None,
        channels: int | None = None,
        slots: Iterable[Value | None] = (),
        turned: bool = False,
        state: Iterable[Value | None] = (),
        **attrs: Any,
    ) -> int:
        """Add a node and return its number.

        Args:
            op, inputs, attrs: as for ``GraphBuilder.add``; values stand for their nodes.
            shape: output shape; the operator's rule gives it where it is absent, perhaps from ``channels``.
            slots, turned, state: the tensors that the node owns, see :class:`Spec`.
        """
        nodes = [self.node(i) if isinstance(i, Value) else i for i in inputs]
        owned = tuple(slot for slot in slots if slot is not None)
        if shape is None:
            operator = OPERATORS[op]
            filled = operator.fill_attrs(operator.read_attrs(attrs))
            shape = operator.infer([self.specs[i].shape for i in nodes], filled, None, channels)
        kept = tuple(value for value in state if value is not None)
        self.specs.append(Spec(op, nodes, tuple(shape), attrs, self.region, owned, turned, kept))
        return len(self.specs) - 1

    def shape(self, node: int) -> Shape:
        """Output shape of a node."""
        return self.specs[node].shape

    def node(self, value: Value) -> int:
        """The node whose output is ``value``, added now if it is a parameter, a constant or computed from those."""
        known = self._nodes.get(id(value))
        if known is not None:
            return known
        if 0 in value.shape:
            raise GraphError(f"a tensor of shape {list(value.shape)} has no elements, which a graph cannot hold")
        if value.kind == CONSTANT:
            known = value.fill is not None and not (value.complex and value.fill)
            fill = (self.finite(value.fill),) if known and value.fill is not None else ()
            node = self.add("Constant", shape=value.held, value=fill, dtype=_real(value.dtype), state=(value,))
        elif value.call is None:
            node = self.add("Parameter", shape=value.held, slots=(value,))
        else:
            region = self.region
            self.lower(value.call)
            self.region = region
            if id(value) not in self._nodes:
                raise GraphError(f"output {value.index} of {value.call.name} is outside the vocabulary")
            return self._nodes[id(value)]
        self._nodes[id(value)] = node
        return node

    def operand(self, operand: Value | float, like: Value | float | None = None, shape: Shape = ()) -> int:
        """The node of an operand of elementwise arithmetic: a number, or a constant that is one, is a scalar ``Constant``.

        Args:
            like: the other operand; ``shape``: the result's. A filled constant that the result's shape does not need is a scalar.
        """
        if isinstance(operand, Value):
            if operand.kind != CONSTANT or operand.fill is None:
                return self.node(operand)
            if operand.shape and not (isinstance(like, Value) and like.shape == shape):
                return self.node(operand)
            return self.scalar(operand.fill)
        return self.scalar(operand)

    def scalar(self, number: float) -> int:
        """A scalar ``Constant`` of its own."""
        return self.add("Constant", shape=(), value=(self.finite(number),))

    def stand_in(self, node: int, dtype: str = "float32") -> Value:
        """A value whose node this is, for lowerings that are given values."""
        shape = self.shape(node)
        value = Value(TRACED, shape[:-1] if dtype.startswith("complex") else shape, dtype)
        self._nodes[id(value)] = node
        self._values[id(value)] = value  # lives as long as its id is known
        return value

    def computed(self, name: str, args: tuple[Any, ...], shape: Shape, dtype: str) -> Value:
        """What an ATen operator makes of constants or parameters, in a place where the program has no such call."""
        call = Call(f"aten::{name}", args, {}, self.region)
        value = Value(max((v.kind for v in values_in(call)), default=CONSTANT), shape, dtype, call)
        call.outputs = (value,)
        self._values[id(value)] = value
        return value

    def cut(self, node: Value | int, axis: int, start: int, end: int, step: int = 1) -> int:
        """A range of one axis of a node."""
        node = self.node(node) if isinstance(node, Value) else node
        return self.add("Slice", node, **cut(self.shape(node), axis, start, end, step))

    def reshape(self, node: Value | int, shape: Iterable[int]) -> int:
        """The node in another shape."""
        return self.add("Reshape", node, shape=shape)

    def transpose(self, node: Value | int, perm: Sequence[int]) -> int:
        """The node with its axes in another order."""
        index = self.node(node) if isinstance(node, Value) else node
        before = self.shape(index)
        return self.add("Transpose", index, shape=[before[i] for i in perm], perm=tuple(perm))

    def owned(self, value: Value | None) -> bool:
        """Whether an operator may own ``value`` as (part of) its parameters.

        It may where the value is a parameter or a part of one, or is computed from parameters that nothing else owns and that have
        at least as many elements (weight norm, weight standardisation).
        """
        if value is None or value.kind != WEIGHT:
            return False
        if value.place is not None:
            return all(step != 0 or size == 1 for size, step in zip(value.place[1], value.place[2], strict=True))
        leaves = self._leaves(value)
        if any(self._claimed.get(leaf, value) is not value for leaf in leaves):
            return False
        if sum(self._numel[leaf] for leaf in leaves) < prod(value.shape):
            return False
        for leaf in leaves:
            self._claimed[leaf] = value
        return True

    def _leaves(self, value: Value) -> frozenset[int]:
        """The ids of the parameters from which a value is computed."""
        known = self._sources.get(id(value))
        if known is None:
            if value.leaf is not None:
                known = frozenset((id(value.leaf),))
            elif value.call is None:
                known = frozenset()
            else:
                known = frozenset().union(*(self._leaves(v) for v in values_in(value.call) if v.kind == WEIGHT))
            self._sources[id(value)] = known
        return known

    @staticmethod
    def finite(number: float) -> float:
        """The number, or the nearest that JSON has."""
        if isinstance(number, complex):
            raise GraphError(f"a complex number ({number}) is no element that a graph can hold")
        number = float(number)
        if number != number:
            return 0.0
        return min(max(number, -_LARGEST), _LARGEST)

    # --- the run ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Lower every call on which an output depends."""
        live = self.tape.live()
        for index, value in enumerate(self.tape.inputs):
            self._nodes[id(value)] = self.add("Input", shape=value.held, index=index, dtype=_real(value.dtype))
        for call in self.tape.calls:
            traced = any(v is not None and v.kind == TRACED and 0 not in v.shape for v in call.outputs)
            if id(call) in live and traced and not _chooses(call):
                self.lower(call)
        self.region = ""
        for index, value in enumerate(self.tape.outputs):
            self.add("Output", value, shape=value.held, index=index)

    def lower(self, call: Call) -> None:
        """Lower one call."""
        if any(v is not None and id(v) in self._nodes for v in call.outputs):
            return
        self.region = call.region
        paired = any(v is not None and v.complex for v in (*call.outputs, *values_in(call)))
        function = (COMPLEX_LOWERINGS if paired else LOWERINGS).get(call.name)
        nodes = NotImplemented if function is None else function(self, call.outputs, *call.args, **call.kwargs)
        if nodes is NotImplemented:
            nodes = self._custom(call)
        if isinstance(nodes, int):
            nodes = (nodes,)
        for value, node in zip(call.outputs, nodes, strict=False):
            if value is not None and node is not None:
                self._nodes[id(value)] = node
                self._values[id(value)] = value

    def select(self, node: int, outputs: Sequence[Value | None]) -> list[int | None]:
        """The nodes of all outputs of a node that has several."""
        further = [
            None if value is None or 0 in value.shape else self.add("Select", node, shape=value.held, index=index)
            for index, value in enumerate(outputs[1:], 1)
        ]
        return [node, *further]

    def _custom(self, call: Call) -> list[int | None]:
        self.unknown[call.name] = self.unknown.get(call.name, 0) + 1
        inputs, slots = [], []
        for value in values_in(call):
            if value.kind == WEIGHT and self.owned(value):
                slots.append(value)
            else:
                inputs.append(value)
        first = next(v for v in call.outputs if v is not None)
        params = sum(prod(v.held) for v in slots)
        name = call.name.removeprefix("aten::")
        node = self.add("Custom", *inputs, shape=first.held, slots=slots, name=name, params=params)
        if call.outputs[0] is None:
            return [
                self.add("Select", node, shape=v.held, index=i) if v is not None else None
                for i, v in enumerate(call.outputs)
            ]
        return self.select(node, call.outputs)


def _real(dtype: str) -> str:
    """The element type of the parts of a number."""
    return {"complex64": "float32", "complex128": "float64", "complex32": "float16"}.get(dtype, dtype)


def _chooses(call: Call) -> bool:
    """Whether a call takes parts of a parameter: what reads them may own it, else they are lowered where they are read."""
    return call.name in ("aten::index", "aten::index_select") and call.args[0].kind == WEIGHT
