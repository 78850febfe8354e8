"""Where a given network can be changed, and rebuilding it with changes.

Sites of a graph, each with the options that its kind allows:

=========== ====================================================================================================
``k<node>``  kernel size of a convolution whose padding keeps the extent, the padding kept so
``g<node>``  groups of a convolution that is not depthwise
``a<node>``  activation function
``w<node>``  width: a factor on the channels or features that the node makes, and on all that additions, depthwise convolutions, the
             embeddings of tokens and the like tie to them
``h<node>``  number of heads of an attention, their size kept
``d<node>``  depth: how often the block that ends at the node is there; 0 drops it
``s<u>_<v>`` skip connection: the value of u added to that of v
=========== ====================================================================================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cg_evolve.graph_axes import Axes, Factor, depthwise
from cg_evolve.graph_blocks import blocks
from cg_ir import Graph, GraphBuilder, GraphError, Node
from cg_ir.operators import OPERATORS

__all__ = ["ACTIVATIONS", "Changes", "Site", "Sites", "rebuild"]

#: Activation functions by the name that architecture strings use.
ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "relu6": ("Clip", {"min": 0.0, "max": 6.0}),
    "leaky": ("LeakyRelu", {}),
    "elu": ("Elu", {}),
    "silu": ("Silu", {}),
    "hardswish": ("HardSwish", {}),
    "gelu": ("Gelu", {}),
    "mish": ("Mish", {}),
}
_HEADS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


@dataclass
class Changes:
    """What settings of sites ask of the network.

    Attributes:
        operators: operator and attributes that nodes get instead of their own.
        sizes: sizes that factors of shapes get.
        copies: how often blocks are there, by last node.
        skips: nodes whose values are added to that of another one.
    """

    operators: dict[int, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    sizes: dict[Factor, int] = field(default_factory=dict)
    copies: dict[int, int] = field(default_factory=dict)
    skips: dict[int, list[int]] = field(default_factory=dict)

    def attributes(self, node: Node) -> dict[str, Any]:
        """The attributes of a node, to be changed in place."""
        return self.operators.setdefault(node.index, (node.op, dict(node.attrs)))[1]


@dataclass(frozen=True)
class Site(ABC):
    """A place where a network can be changed.

    Attributes:
        kind: its letter.
        place: what it names beside the letter, mostly a node.
        options: the values that it may take.
        default: the value that leaves the network as it is.
    """

    kind: ClassVar[str]
    place: str
    options: tuple[str, ...]
    default: str

    @property
    def name(self) -> str:
        """As architecture strings spell it."""
        return f"{self.kind}{self.place}"

    @abstractmethod
    def change(self, value: str, changes: Changes) -> None:
        """Note what another value asks for."""


@dataclass(frozen=True)
class Kernel(Site):
    """Kernel size of a convolution."""

    kind = "k"
    node: Node

    @classmethod
    def find(cls, node: Node) -> Iterator[Site]:
        if node.op != "Conv":
            return
        kernel, pads, options = node.attrs["kernel_shape"], node.attrs["pads"], ("1", "3", "5", "7")
        square = len(set(kernel)) == 1 and str(kernel[0]) in options
        if square and pads == _same(node, kernel[0]) and kernel[0] * min(node.shape[2:]) > 1:
            yield cls(str(node.index), options, str(kernel[0]), node)

    def change(self, value: str, changes: Changes) -> None:
        attrs = changes.attributes(self.node)
        attrs["kernel_shape"] = (int(value),) * len(attrs["kernel_shape"])
        attrs["pads"] = _same(self.node, int(value))


@dataclass(frozen=True)
class Groups(Site):
    """Groups of a convolution."""

    kind = "g"
    node: Node

    @classmethod
    def find(cls, node: Node) -> Iterator[Site]:
        options = ("1", "2", "4", "8")
        reads_input = node.op == "Conv" and node.inputs[0] == 0
        if node.op == "Conv" and not depthwise(node) and not reads_input and str(node.attrs["group"]) in options:
            yield cls(str(node.index), options, str(node.attrs["group"]), node)

    def change(self, value: str, changes: Changes) -> None:
        changes.attributes(self.node)["group"] = int(value)


@dataclass(frozen=True)
class Activation(Site):
    """An activation function."""

    kind = "a"
    node: Node

    @classmethod
    def find(cls, node: Node) -> Iterator[Site]:
        for name, (op, attrs) in ACTIVATIONS.items():
            if node.op == op and node.attrs == OPERATORS[op].fill_attrs(OPERATORS[op].read_attrs(attrs)):
                yield cls(str(node.index), tuple(ACTIVATIONS), name, node)
                return

    def change(self, value: str, changes: Changes) -> None:
        changes.operators[self.node.index] = ACTIVATIONS[value]


@dataclass(frozen=True)
class Width(Site):
    """Channels or features: a multiple of 8 or 4 where the network's own number is one and not small."""

    kind = "w"
    factor: Factor

    def change(self, value: str, changes: Changes) -> None:
        base = self.factor.size
        step = next((n for n in (8, 4) if base % n == 0 and base >= 4 * n), 1)
        changes.sizes[self.factor] = max(step, round(base * float(value) / step) * step)


@dataclass(frozen=True)
class Heads(Site):
    """Number of heads of an attention."""

    kind = "h"
    factor: Factor

    def change(self, value: str, changes: Changes) -> None:
        changes.sizes[self.factor] = int(value)


@dataclass(frozen=True)
class Depth(Site):
    """How often a block is there."""

    kind = "d"
    last: int

    def change(self, value: str, changes: Changes) -> None:
        changes.copies[self.last] = int(value)


@dataclass(frozen=True)
class Skip(Site):
    """An addition that is not there."""

    kind = "s"
    source: int
    target: int

    def change(self, value: str, changes: Changes) -> None:
        if value == "1":
            changes.skips.setdefault(self.target, []).append(self.source)


def _same(node: Node, kernel: int) -> tuple[int, ...]:
    """The padding that keeps the extent at stride 1."""
    return tuple(dilation * (kernel - 1) // 2 for dilation in node.attrs["dilations"]) * 2


class Sites:
    """The sites of a graph.

    Attributes:
        by_name: the sites.
        axes: of the graph's nodes.
        blocks: by last node.
        inputs: of each node.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = list(graph.nodes)
        self.axes = Axes(graph)
        self.blocks = blocks(self.nodes)
        for last, block in self.blocks.items():  # a block that is dropped leaves its input in its place
            for a, b in zip(self.axes.of[block.before], self.axes.of[last], strict=True):
                if not self.axes.summed(a) and not self.axes.summed(b):
                    self.axes.tie(a, b)
        self.by_name: dict[str, Site] = {}
        for node in self.nodes:
            if node.weights is None:
                for find in (Kernel.find, Groups.find, Activation.find):
                    self._add(*find(node))
        self._add(*self._widths(), *self._heads(), *self._depths(), *self._skips())
        self.inputs = [node.inputs for node in self.nodes]
        self._leaves = [frozenset(f for axis in axes for f in self.axes.leaves(axis)) for axes in self.axes.of]

    def shape(self, node: int, sizes: Mapping[Factor, int]) -> tuple[int, ...]:
        """Shape of a node with other sizes of factors."""
        return self.nodes[node].shape if self._leaves[node].isdisjoint(sizes) else self.axes.shape(node, sizes)

    def kept(self, node: int, changes: Changes) -> bool:
        """Whether changes leave a node and the shapes around it as they are."""
        near = (node, *self.inputs[node])
        return node not in changes.operators and all(self._leaves[i].isdisjoint(changes.sizes) for i in near)

    def _add(self, *sites: Site) -> None:
        self.by_name.update({site.name: site for site in sites if len(site.options) > 1})

    def _widths(self) -> Iterator[Site]:
        """Free factors that are a whole axis of the node that makes them."""
        for node in self.nodes:
            for axis in self.axes.of[node.index]:
                factors = self.axes.factors(axis)
                whole = len(factors) == 1 and factors[0].maker == node.index and factors[0].size == self.axes.size(axis)
                if whole and self.axes.free(factors[0]):
                    yield Width(str(node.index), ("0.5", "0.75", "1", "1.25", "1.5", "2"), "1", factors[0])

    def _heads(self) -> Iterator[Site]:
        """Free factors that are the axis of heads of an attention, or of a product of queries and keys."""
        seen: set[Factor] = set()
        for node in self.nodes:
            softmax = node.op == "Softmax" and node.attrs["axis"] == len(node.shape) - 1
            if len(node.shape) < 3 or not (node.op == "Attention" or softmax):
                continue
            factors = self.axes.factors(self.axes.of[node.index][-3])
            if len(factors) != 1 or factors[0] in seen or not self.axes.free(factors[0]) or factors[0].maker < 0:
                continue
            if self.nodes[factors[0].maker].shape[-1] > factors[0].size:  # a part of the features that its node makes
                seen.add(factors[0])
                own = factors[0].size
                near = sorted({own, *(n for n in _HEADS if own / 3 <= n <= own * 2 + 1)})
                yield Heads(str(node.index), tuple(map(str, near)), str(own), factors[0])

    def _depths(self) -> Iterator[Site]:
        for last in self.blocks:
            yield Depth(str(last), ("0", "1", "2", "3"), "1", last)

    def _skips(self) -> Iterator[Site]:
        """From the input of a block, or of the one before it, to its result."""
        ends = list(self.blocks)
        for number, target in enumerate(ends):
            for first in (target, ends[number - 1] if number else target):
                source = self.blocks[first].before
                chained = first == target or self.blocks[target].before == first
                same = self.nodes[source].shape == self.nodes[target].shape
                if chained and same and source not in self.nodes[target].inputs:
                    yield Skip(f"{source}_{target}", ("0", "1"), "0", source, target)


def rebuild(sites: Sites, settings: Mapping[str, str], name: str = "") -> Graph:
    """The graph with sites set.

    Args:
        sites: of the graph.
        settings: site -> value, only those that differ from the default.

    Raises:
        GraphError: the settings do not fit each other.
    """
    changes = Changes()
    for site, value in settings.items():
        sites.by_name[site].change(value, changes)
    builder = GraphBuilder(name)
    made: dict[int, int] = {}
    inside = {i: last for last, block in sites.blocks.items() for i in block.members}
    for node in sites.nodes:
        i = node.index
        last = inside.get(i)
        if last is None:
            made[i] = _emit(builder, sites, changes, node, made, "")
        elif i == last:
            made[i] = _copies(builder, sites, changes, last, made)
            made[i] = _with_skips(builder, sites, changes, i, made)
    return builder.build()


def _copies(builder: GraphBuilder, sites: Sites, changes: Changes, last: int, made: Mapping[int, int]) -> int:
    """Emit a block as often as its depth says; the last node made."""
    block = sites.blocks[last]
    value = made[block.before]
    for copy in range(changes.copies.get(last, 1)):
        local = {**made, block.before: value}
        for i in block.members:
            local[i] = _emit(builder, sites, changes, sites.nodes[i], local, f"copy_{copy}" if copy else "")
        value = local[last]
    if builder.shape(value) != sites.shape(last, changes.sizes):
        raise GraphError("a block that changes the shape cannot be left out", f"d{last}")
    return value


def _with_skips(builder: GraphBuilder, sites: Sites, changes: Changes, node: int, made: Mapping[int, int]) -> int:
    value = made[node]
    for source in changes.skips.get(node, ()):
        if made[source] == value:
            raise GraphError("a skip connection over a block that is not there", f"s{source}_{node}")
        if builder.shape(made[source]) != builder.shape(value):
            raise GraphError("a skip connection between different shapes", f"s{source}_{node}")
        value = builder.add("Add", value, made[source], region=sites.nodes[node].region)
    return value


def _emit(builder: GraphBuilder, sites: Sites, changes: Changes, node: Node, made: Mapping[int, int], copy: str) -> int:
    """Add one node with its changes.

    Raises:
        GraphError: the operator does not fit the sizes, or makes another shape of them than its axes say.
    """
    inputs = [made[j] for j in sites.inputs[node.index]]
    region = ".".join(filter(None, (node.region, copy)))
    if sites.kept(node.index, changes):
        return builder.copy(node, inputs, region)
    op, attrs = changes.operators.get(node.index, (node.op, node.attrs))
    attrs = dict(attrs)
    shape = sites.shape(node.index, changes.sizes)
    if op in ("Conv", "ConvTranspose"):
        if depthwise(node):
            attrs["group"] = builder.shape(inputs[0])[1]
        if shape[1] % attrs["group"] or builder.shape(inputs[0])[1] % attrs["group"]:
            raise GraphError(f"{shape[1]} channels do not divide into {attrs['group']} groups", f"node {node.index}")
    elif op == "PRelu" and attrs["num_parameters"] > 1:
        attrs["num_parameters"] = shape[1]
    elif op == "Slice":
        _slice(attrs, node, shape)
    return builder.add(op, *inputs, region=region, weights=node.weights, shape=shape, **attrs)


def _slice(attrs: dict[str, Any], node: Node, shape: tuple[int, ...]) -> None:
    """Move the borders of a slice to those of the same part of the new sizes."""
    starts, ends = list(attrs["starts"]), list(attrs["ends"])
    for axis, (old, new) in enumerate(zip(node.shape, shape, strict=True)):
        if old != new:
            starts[axis] = starts[axis] // old * new
            ends[axis] = starts[axis] + new
    attrs["starts"], attrs["ends"] = tuple(starts), tuple(ends)
