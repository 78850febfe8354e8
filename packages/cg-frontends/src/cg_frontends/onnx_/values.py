"""The values of an ONNX graph while it is read: nodes, weights, and constants with their elements where those are known."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from cg_frontends.lowering.lowering import Lowering
from cg_frontends.lowering.tape import CONSTANT, WEIGHT, Leaf, Tape, Value
from cg_frontends.onnx_.operation import dtype_name
from cg_frontends.onnx_.parameters import Roles
from cg_ir import SourceError

_FLOATS = {"float32", "float64", "float16", "bfloat16"}
_INTEGERS = {"int8", "uint8", "int16", "uint16", "int32", "int4", "uint4"}
#: Elements of a tensor that are looked at; larger ones are weights, whose elements say nothing of the network.
_SMALL = 2**16
#: Elements that a reading may write out.
LARGE = 2**22
_RECORDED = 256


class Parts(list["int | Value"]):
    """A sequence of tensors whose length is known."""


class Values:
    """What readings use: they look values up and add nodes.

    Args:
        roles: what the operators of the graph read its tensors as.
        examples: how many the file was written for, where the graph is to be that of one.

    Attributes:
        low: the nodes so far.
        notes: what a user should know of the result, one sentence each.
        values: by name nodes (numbers), or weights and constants.
        arrays: elements by name, where they are known.
        types: element types by name.
    """

    def __init__(self, roles: Roles, examples: int = 1) -> None:
        self.low = Lowering(Tape())
        self.examples = examples
        self.notes: dict[str, None] = {}
        self.quantised: dict[int, tuple[Any, ...]] = {}
        self.values: dict[str, Any] = {}
        self.arrays: dict[str, NDArray[Any]] = {}
        self.types: dict[str, str] = {}
        self._split: set[str] = set()
        self._roles = roles

    def node(self, value: Any) -> int:
        """The number of a value's node."""
        if isinstance(value, Value):
            return self.low.node(value)
        if not isinstance(value, int):
            raise SourceError("a sequence of tensors stands where a tensor should")
        return value

    def shape(self, value: Any) -> tuple[int, ...]:
        """The shape of a value."""
        return value.shape if isinstance(value, Value) else self.low.shape(self.node(value))

    def add(self, op: str, *inputs: int | Value | None, **options: Any) -> int:
        """Add a node; see ``Lowering.add``."""
        return self.low.add(op, *(self.node(i) for i in inputs), **options)

    def owned(self, value: int | Value | None) -> bool:
        """Whether an operator may own a value as its parameters."""
        return isinstance(value, Value) and self.low.owned(value)

    def own(self, value: int | Value | None) -> Any:
        """A scale, shift or bias as a parameter of its own where the file may hold it once for several.

        Exporters store equal tensors once. All scales of a network that was not trained are ones, all shifts zeros, all layer scales 1e-6, and
        would count once for all layers; such a vector, one number throughout, is taken for as many parameters as operators read it.
        """
        if not (isinstance(value, Value) and value.leaf is not None and _is_vector(value.shape)):
            return value
        array = self.arrays.get(value.leaf.name)
        if array is None or _fill(array) is None:
            return value
        again = value.leaf.name in self._split
        self._split.add(value.leaf.name)
        if not again:
            return value
        self.notes["equal tensors that the file holds once count for every operator that reads them"] = None
        return self._weight(f"{value.leaf.name}.{len(self.low.specs)}", value.shape, value.dtype, value.leaf.origin)

    def operands(self, values: Sequence[int | Value | None]) -> list[int]:
        """The operands of elementwise arithmetic; a constant that is one number is a scalar where the others have as many axes."""
        result = []
        for i, value in enumerate(values):
            rank = max((len(self.shape(v)) for j, v in enumerate(values) if j != i), default=0)
            one = (
                isinstance(value, Value)
                and value.kind == CONSTANT
                and prod(value.shape) == 1
                and len(value.shape) <= rank
            )
            if one and isinstance(value, Value) and value.fill is not None:
                result.append(self.scalar(value.fill))
            else:
                result.append(self.node(value))
        return result

    def reshape(self, value: int | Value | None, shape: tuple[int, ...]) -> int:
        """The value in another shape."""
        return self.add("Reshape", value, shape=shape)

    def transpose(self, value: int | Value | None, perm: tuple[int, ...]) -> int:
        """The value with its axes in another order."""
        before = self.shape(value)
        return self.add("Transpose", value, shape=tuple(before[i] for i in perm), perm=perm)

    def flipped(self, node: int, axis: int) -> int:
        """The node with an axis from its end."""
        return self.low.cut(node, axis, self.shape(node)[axis] - 1, -1, -1)

    def scalar(self, number: float) -> int:
        """A scalar constant."""
        return self.low.scalar(number)

    @staticmethod
    def bounded(count: int) -> int:
        """A number of elements that a reading may write out.

        Raises:
            SourceError: it is too large.
        """
        if count > LARGE:
            raise SourceError(f"{count} elements are beyond the limit of this reader ({LARGE})")
        return count

    def constant(self, array: NDArray[Any]) -> int | Value:
        """A constant that a reading needs; a small one carries its elements."""
        if array.size <= _RECORDED:
            elements = tuple(float(v) for v in array.reshape(-1))
            return self.low.add("Constant", shape=array.shape, value=elements, dtype=str(array.dtype))
        value = Value(CONSTANT, array.shape, str(array.dtype), fill=_fill(array))
        value.data = array
        return value

    # --- values -------------------------------------------------------------------------------------------------------

    def _initializer(self, tensor: onnx.TensorProto) -> None:
        shape = tuple(int(s) for s in tensor.dims)
        if any(s < 0 for s in shape):
            raise SourceError(f"initializer '{tensor.name}' has a negative size")
        dtype = dtype_name(tensor.data_type)
        array = None
        if tensor.data_location != onnx.TensorProto.EXTERNAL and prod(shape) <= _SMALL:
            array = elements(tensor)
        self._tensor(tensor.name, shape, dtype, array, tensor)

    def _tensor(
        self, name: str, shape: tuple[int, ...], dtype: str, array: NDArray[Any] | None, origin: Any, named: bool = True
    ) -> None:
        """A tensor that the file holds: a parameter or a constant.

        Args:
            named: an initializer, which is a parameter unless operators say otherwise; else a ``Constant`` node, which is none.
        """
        roles = self._roles
        learned = dtype in _FLOATS and ((named and not roles.is_argument(name)) or name in roles.learned)
        learned |= dtype in _INTEGERS and name in roles.quantised
        if learned and shape and 0 not in shape:
            self.values[name] = self._weight(name, shape, dtype, origin)
        else:
            self._constant(name, shape, dtype, array)
            self.values[name].origin = origin
        if array is not None:
            self.arrays[name] = array
        self.types[name] = dtype

    def _weight(self, name: str, shape: tuple[int, ...], dtype: str, origin: Any) -> Value:
        leaf = Leaf(name, prod(shape), origin)
        self.low.declare(leaf)
        return Value(WEIGHT, shape, dtype, leaf=leaf, place=(0, shape, _strides(shape)))

    def _constant(self, name: str, shape: tuple[int, ...], dtype: str, array: NDArray[Any] | None) -> None:
        value = Value(CONSTANT, shape, dtype, fill=None if array is None else _fill(array))
        value.data = array
        if array is not None:
            self.arrays[name] = array
        self.values[name], self.types[name] = value, dtype


def is_float(dtype: str) -> bool:
    """Whether elements of this type can be learned."""
    return dtype in _FLOATS


def elements(tensor: onnx.TensorProto) -> NDArray[Any]:
    """The elements of a tensor that the file holds.

    Raises:
        SourceError: they do not fill its shape.
    """
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"initializer '{tensor.name}' cannot be read: {reason}") from None


def _is_vector(shape: tuple[int, ...]) -> bool:
    return len(shape) == 1 or sum(size > 1 for size in shape) == 1


def _fill(array: NDArray[Any]) -> float | None:
    """The number that fills an array, if one does."""
    if not array.size or array.dtype.kind not in "fiub":
        return None
    first = array.reshape(-1)[0]
    return float(first) if (array == first).all() else None


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))
