"""Building a graph node by node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cg_ir.canonical import canonical_records
from cg_ir.errors import GraphError
from cg_ir.graph import Graph, Node
from cg_ir.operators import OPERATORS
from cg_ir.records import Record, Shape, assemble

_SIZE_LIMIT = 2**31

#: Spellings of operators that are others: PyTorch's names and true identities.
_ALIASES: dict[str, tuple[str, dict[str, Any]]] = {"Relu6": ("Clip", {"min": 0.0, "max": 6.0}), "Swish": ("Silu", {})}
_IDENTITIES = frozenset({"Identity", "Dropout"})


def read_shape(shape: Iterable[Any]) -> Shape:
    """A shape as a tuple of positive integers, or ``GraphError``."""
    result = tuple(shape)
    for size in result:
        if type(size) is not int:
            try:
                return read_shape([int(s.__index__()) for s in result])
            except AttributeError:
                raise GraphError(f"a shape should be a list of integers, not {list(result)!r:.80}") from None
        if not 0 < size < _SIZE_LIMIT:
            raise GraphError(f"sizes should lie between 1 and 2^31 - 1, not {size}")
    return result


class GraphBuilder:
    """Adds nodes one after the other; ``build`` brings them into canonical form.

    Shapes are inferred and checked as nodes are added, so an impossible network fails at the node that is wrong.

    >>> b = GraphBuilder("tiny")
    >>> x = b.input((1, 3, 32, 32))
    >>> x = b.add("Conv", x, channels=16, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    >>> x = b.add("Relu", x)
    >>> b.output(x)
    3
    >>> b.build().params
    432
    """

    def __init__(self, name: str = "", *, canonical: bool = True, producer: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.extras: dict[str, Any] = {}
        self.producer = dict(producer or {})
        self.records: list[Record] = []
        self._canonical = canonical
        self._inputs = 0
        self._outputs = 0

    def shape(self, node: int) -> Shape:
        """Output shape of a node."""
        return self.records[node].shape

    def input(self, shape: Iterable[int], *, dtype: str = "float32", index: int | None = None) -> int:
        """Add an ``Input`` of this shape, batch of 1 included."""
        index = self._inputs if index is None else index
        self._inputs = index + 1
        return self.add("Input", shape=shape, index=index, dtype=dtype)

    def parameter(self, shape: Iterable[int], *, region: str = "", weights: str | None = None) -> int:
        """Add a bare learned tensor."""
        return self.add("Parameter", shape=shape, region=region, weights=weights)

    def constant(
        self, shape: Iterable[int] = (), value: Sequence[float] = (), *, dtype: str = "float32", region: str = ""
    ) -> int:
        """Add a tensor that is not learned; ``value`` holds its elements in row-major order, or one that fills the shape."""
        return self.add("Constant", shape=shape, value=value, dtype=dtype, region=region)

    def output(self, node: int, *, index: int | None = None) -> int:
        """Declare a node's value as an output of the network."""
        index = self._outputs if index is None else index
        self._outputs = index + 1
        return self.add("Output", node, index=index)

    def add(
        self,
        op: str,
        *inputs: int,
        region: str = "",
        weights: str | None = None,
        shape: Iterable[int] | None = None,
        channels: int | None = None,
        **attrs: Any,
    ) -> int:
        """Add a node and return its number.

        Args:
            op: operator name; ``Relu6`` and ``Swish`` are read as ``Clip(0, 6)`` and ``Silu``, ``Identity`` and ``Dropout`` add nothing.
            inputs: numbers of earlier nodes, in order.
            region: dotted path of the module or cell.
            weights: key shared by the nodes that use the same weights.
            shape: output shape, where the operator's rule leaves it open or to be checked against the rule.
            channels: output channels of convolutions, or the last axis of ``Gemm`` and ``Embedding``.
            attrs: the operator's attributes, ONNX names.

        Raises:
            GraphError: unknown operator, bad attribute, inputs that do not fit.
        """
        if op in _IDENTITIES:
            return inputs[0]
        if op in _ALIASES:
            op, fixed = _ALIASES[op]
            attrs = {**fixed, **attrs}
        operator = OPERATORS.get(op)
        where = f"node {len(self.records)} ({op})"
        if operator is None:
            raise GraphError(f"unknown operator {op!r}; see cg_ir.operators.OPERATORS, or use Custom", where)
        try:
            items = operator.read_attrs(attrs)
            count = len(self.records)
            for i in inputs:
                if not 0 <= i < count:
                    raise GraphError(f"input {i} is not an earlier node")
            ins = [self.records[i].shape for i in inputs]
            out = None if shape is None else read_shape(shape)
            result = read_shape(operator.infer(ins, operator.fill_attrs(items), out, channels))
            if op == "Select":
                self._check_select(self.records[inputs[0]], dict(items)["index"], result)
        except GraphError as error:
            raise GraphError(str(error), where) from None
        self.records.append(Record(op, items, list(inputs), result, region, weights))
        return len(self.records) - 1

    def copy(self, node: Node, inputs: Sequence[int], region: str | None = None) -> int:
        """Add a node of a graph that reads ``inputs`` in the place of its own, and return its number.

        Raises:
            GraphError: inputs that do not fit.
        """
        same, region = node.signature, node.region if region is None else region
        if same.op == "Select" or tuple([self.records[i].shape for i in inputs]) != same.input_shapes:
            return self.add(same.op, *inputs, region=region, weights=node.weights, shape=same.shape, **same.attrs)
        self.records.append(Record(same.op, same.items, list(inputs), same.shape, region, node.weights))  # valid there
        return len(self.records) - 1

    def _check_select(self, source: Record, index: Any, shape: Shape) -> None:
        ins = [self.records[i].shape for i in source.inputs]
        OPERATORS[source.op].check_select(ins, source.attrs, source.shape, index, shape)

    def build(self) -> Graph:
        """The graph, canonical unless the builder was told otherwise.

        Raises:
            GraphError: there is no output.
        """
        if not any(r.op == "Output" for r in self.records):
            raise GraphError("a graph needs at least one output")
        records = self.records
        if self._canonical:
            records = canonical_records(records)
        return assemble(records, self.name, self.producer, self.extras)
