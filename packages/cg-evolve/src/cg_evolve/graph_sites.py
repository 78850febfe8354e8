"""Where a given network can be changed, and rebuilding it with changes.

Sites of a graph, each with the options that its kind allows:

=========== ====================================================================================================
``k<node>``  kernel size of a convolution whose padding keeps the extent, the padding kept so
``g<node>``  groups of a convolution that is not depthwise
``a<node>``  activation function
``w<node>``  width: a factor on the channels of all nodes that additions, depthwise convolutions and the like tie together
``d<node>``  depth: how often the block that ends at the node is there; 0 drops it
``s<u>_<v>`` skip connection: the value of u added to that of v
=========== ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import networkx as nx

from cg_ir import Graph, GraphBuilder, GraphError, Node
from cg_ir.operators import OPERATORS, rules

__all__ = ["ACTIVATIONS", "Sites", "rebuild"]

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
_KERNELS = ("1", "3", "5", "7")
_GROUPS = ("1", "2", "4", "8")
_WIDTHS = ("0.5", "0.75", "1", "1.25", "1.5", "2")
_DEPTHS = ("0", "1", "2", "3")
_TIES = {"norm", "activation", "pool", "elementwise"}
_WEIGHTED = {"conv", "matmul", "attention", "recurrent"}


def _kind(node: Node) -> str:
    return OPERATORS[node.op].kind


def _depthwise(node: Node) -> bool:
    return (
        node.op == "Conv"
        and node.attrs["group"] > 1
        and node.attrs["group"] == node.graph.nodes[node.inputs[0]].shape[1]
    )


@dataclass
class _Ties:
    """Union-find of the nodes whose channel counts are one number; frozen where they may not change."""

    parent: dict[int, int] = field(default_factory=dict)
    frozen: set[int] = field(default_factory=set)

    def find(self, node: int) -> int:
        self.parent.setdefault(node, node)
        while self.parent[node] != node:
            self.parent[node] = self.parent[self.parent[node]]
            node = self.parent[node]
        return node

    def tie(self, a: int, b: int) -> int:
        a, b = sorted((self.find(a), self.find(b)))
        self.parent[b] = a
        if b in self.frozen:
            self.frozen.add(a)
        return a

    def freeze(self, node: int) -> None:
        self.frozen.add(self.find(node))


class Sites:
    """The sites of a graph.

    Attributes:
        options: site -> the values that it may take.
        defaults: site -> the value that leaves the graph as it is.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = list(graph.nodes)
        self.options: dict[str, tuple[str, ...]] = {}
        self.defaults: dict[str, str] = {}
        self.ties = self._tie()
        self._find_local()
        self._find_widths()
        self._find_blocks()

    def _add(self, site: str, options: tuple[str, ...], default: str) -> None:
        self.options[site] = options
        self.defaults[site] = default

    # --- one operator -------------------------------------------------------------------------------------------------

    def _find_local(self) -> None:
        for node in self.nodes:
            if node.weights is not None:
                continue
            if node.op == "Conv":
                kernel, dilation = node.attrs["kernel_shape"], node.attrs["dilations"]
                square = len(set(kernel)) == 1 and str(kernel[0]) in _KERNELS
                same = all(
                    a == b == d * (k - 1) // 2
                    for a, b, d, k in zip(
                        node.attrs["pads"][: len(kernel)],
                        node.attrs["pads"][len(kernel) :],
                        dilation,
                        kernel,
                        strict=True,
                    )
                )
                if square and same and kernel[0] * min(node.shape[2:]) > 1:
                    self._add(f"k{node.index}", _KERNELS, str(kernel[0]))
                group = str(node.attrs["group"])
                if not _depthwise(node) and group in _GROUPS and node.inputs[0] != 0:
                    self._add(f"g{node.index}", _GROUPS, group)
            name = self._activation(node)
            if name is not None:
                self._add(f"a{node.index}", tuple(ACTIVATIONS), name)

    @staticmethod
    def _activation(node: Node) -> str | None:
        for name, (op, attrs) in ACTIVATIONS.items():
            if node.op == op and node.attrs == OPERATORS[op].fill_attrs(OPERATORS[op].read_attrs(attrs)):
                return name
        return None

    # --- widths -------------------------------------------------------------------------------------------------------

    def _tie(self) -> _Ties:
        """Which nodes have their channel count in common; ``-1`` stands for numbers that nothing may change."""
        ties = _Ties()
        ties.freeze(-1)
        mixed: dict[
            int, set[int]
        ] = {}  # nodes behind a concatenation: a sum of counts, free as long as nothing asks for one

        def fix(i: int) -> None:
            ties.tie(i, -1)
            for j in mixed.get(i, ()):
                ties.freeze(j)

        for node in self.nodes:
            i, ins = node.index, node.inputs
            if node.op in ("Conv", "ConvTranspose", "Gemm"):
                source = self.nodes[ins[0]]
                if node.weights is not None:
                    fix(i)
                    fix(source.index)
                elif node.op == "Conv" and _depthwise(node):
                    if node.shape[1] == source.shape[1] and source.index not in mixed:
                        ties.tie(i, source.index)
                    else:
                        fix(i)
                        fix(source.index)
                else:
                    ties.find(i)
                    if node.op == "Gemm" and len(source.shape) != 2:
                        fix(i)
                        fix(source.index)
            elif node.op == "Concat" and node.attrs["axis"] == 1:
                mixed[i] = {k for j in ins for k in ((mixed.get(j) or set()) | {ties.find(j)})}
                ties.find(i)
            elif _kind(node) in _TIES and len(node.shape) in (2, 4):
                for j in ins:
                    other = self.nodes[j].shape
                    if len(other) != len(node.shape):
                        if prod(other) > 1:
                            fix(i)
                    elif other[1] == node.shape[1]:
                        if j in mixed and len(ins) == 1:
                            mixed[i] = mixed[j]
                            ties.find(i)
                        elif j in mixed:
                            fix(j)
                            fix(i)
                        else:
                            ties.tie(i, j)
                    elif other[1] != 1:
                        fix(i)
                        fix(j)
            elif self._flattens(node):
                if ins[0] in mixed:
                    mixed[i] = mixed[ins[0]]
                    ties.find(i)
                else:
                    ties.tie(i, ins[0])
            else:
                fix(i)
                for j in ins:
                    fix(j)
        return ties

    def _flattens(self, node: Node) -> bool:
        """Whether a layout operator turns [n, c, 1, 1] into [n, c]."""
        if node.op not in ("Flatten", "Reshape", "Squeeze"):
            return False
        shape = self.nodes[node.inputs[0]].shape
        return len(shape) == 4 and shape[2:] == (1, 1) and node.shape == shape[:2]

    def _find_widths(self) -> None:
        for node in self.nodes:
            root = self.ties.find(node.index)
            free = root not in self.ties.frozen and node.op in ("Conv", "ConvTranspose", "Gemm")
            if free and not _depthwise(node) and f"w{root}" not in self.options:
                self._add(f"w{root}", _WIDTHS, "1")

    # --- depth and skips ----------------------------------------------------------------------------------------------

    @cached_property
    def _spine(self) -> list[int]:
        """The nodes that every path from the inputs to the outputs passes."""
        flow: nx.DiGraph = nx.DiGraph()
        flow.add_node("in")
        for node in self.nodes:
            if node.op == "Input":
                flow.add_edge("in", node.index)
            elif node.op == "Output":
                flow.add_edge(node.index, "out")
            for j in node.inputs:
                flow.add_edge(j, node.index)
        flow = flow.subgraph(nx.descendants(flow, "in") | {"in"})
        dominators = nx.immediate_dominators(flow, "in")
        result = []
        at: Any = "out"
        while at != "in":
            at = dominators[at]
            if at != "in":
                result.append(at)
        return result[::-1]

    def _find_blocks(self) -> None:
        self.blocks: dict[int, tuple[int, tuple[int, ...]]] = {}  # last node -> node before, nodes in order
        spine = [i for i in self._spine if self.nodes[i].op != "Output"]
        place = 0
        while place < len(spine):
            u = spine[place]
            for later in range(place + 1, len(spine)):
                v = spine[later]
                inner = range(u + 1, v + 1)
                weighted = any(_kind(self.nodes[i]) in _WEIGHTED and self._after(i, u) for i in inner)
                if weighted and self.nodes[u].shape == self.nodes[v].shape:
                    members = self._between(u, v)
                    if all(self.nodes[i].weights is None for i in members):
                        self.blocks[v] = (u, members)
                        place = later - 1
                    break
            place += 1
        for v, (u, _) in self.blocks.items():
            self.ties.tie(u, v)
        for v in self.blocks:
            self._add(f"d{v}", _DEPTHS, "1")
        self.options = {  # ties may have merged widths
            site: options
            for site, options in self.options.items()
            if site[0] != "w"
            or (self.ties.find(int(site[1:])) == int(site[1:]) and int(site[1:]) not in self.ties.frozen)
        }
        self.defaults = {site: self.defaults[site] for site in self.options}
        self.skips: dict[int, dict[str, int]] = {}  # node -> site -> node whose value is added
        ends = list(self.blocks)
        for number, v in enumerate(ends):
            for first in (v, ends[number - 1] if number else v):
                u = self.blocks[first][0]
                chained = first == v or self.blocks[v][0] == first
                if chained and self.nodes[u].shape == self.nodes[v].shape and u not in self.nodes[v].inputs:
                    site = f"s{u}_{v}"
                    if site not in self.options:
                        self._add(site, ("0", "1"), "0")
                        self.skips.setdefault(v, {})[site] = u

    def _after(self, node: int, source: int) -> bool:
        return node in self._descendants(source)

    def _descendants(self, source: int) -> set[int]:
        cache: dict[int, set[int]] = self.__dict__.setdefault("_descendants_of", {})
        if source not in cache:
            found = {source}
            for node in self.nodes[source + 1 :]:
                if any(j in found for j in node.inputs):
                    found.add(node.index)
            cache[source] = found
        return cache[source]

    def _between(self, u: int, v: int) -> tuple[int, ...]:
        """The nodes from after ``u`` to ``v``, with the bare parameters and constants that only they read."""
        wanted, stack = set(), [v]
        while stack:
            i = stack.pop()
            if i in wanted or i == u:
                continue
            wanted.add(i)
            stack += self.nodes[i].inputs
        return tuple(sorted(wanted))


def rebuild(sites: Sites, settings: Mapping[str, str], name: str = "") -> Graph:
    """The graph with sites set.

    Args:
        sites: of the graph.
        settings: site -> value, only those that differ from the default.

    Raises:
        GraphError: the settings do not fit each other.
    """
    builder = GraphBuilder(name)
    made: dict[int, int] = {}
    inside = {i: v for v, (_, members) in sites.blocks.items() for i in members}
    for node in sites.nodes:
        i = node.index
        if i in made or i in inside:
            block = inside.get(i)
            if block is not None and i == block:
                made[i] = _block(builder, sites, settings, block, made)
                made[i] = _skips(builder, sites, settings, i, made)
            continue
        made[i] = _emit(builder, sites, settings, node, made, "")
    return builder.build()


def _block(builder: GraphBuilder, sites: Sites, settings: Mapping[str, str], v: int, made: dict[int, int]) -> int:
    """Emit a block as often as its depth says; the last node made."""
    u, members = sites.blocks[v]
    value = made[u]
    for copy in range(int(settings.get(f"d{v}", "1"))):
        local = {**made, u: value}
        for i in members:
            local[i] = _emit(builder, sites, settings, sites.nodes[i], local, f"copy_{copy}" if copy else "")
        value = local[v]
    return value


def _skips(builder: GraphBuilder, sites: Sites, settings: Mapping[str, str], v: int, made: dict[int, int]) -> int:
    value = made[v]
    for site, u in sites.skips.get(v, {}).items():
        if settings.get(site, "0") == "1":
            if made[u] == value:
                raise GraphError("a skip connection over a block that is not there", site)
            if builder.shape(made[u]) != builder.shape(value):
                raise GraphError("a skip connection between different shapes", site)
            value = builder.add("Add", value, made[u], region=sites.nodes[v].region)
    return value


def _emit(
    builder: GraphBuilder, sites: Sites, settings: Mapping[str, str], node: Node, made: Mapping[int, int], copy: str
) -> int:
    """Add one node with its settings."""
    i, op, attrs = node.index, node.op, dict(node.attrs)
    inputs = [made[j] for j in node.inputs]
    region = ".".join(filter(None, (node.region, copy)))
    shape: tuple[int, ...] | None = None
    channels: int | None = None
    if op in ("Conv", "ConvTranspose", "Gemm"):
        channels = _channels(sites, settings, node)
        if op == "Conv":
            kernel = settings.get(f"k{i}")
            if kernel is not None:
                rank = len(attrs["kernel_shape"])
                attrs["kernel_shape"] = (int(kernel),) * rank
                attrs["pads"] = tuple(d * (int(kernel) - 1) // 2 for d in attrs["dilations"]) * 2
            if f"g{i}" in settings:
                attrs["group"] = int(settings[f"g{i}"])
            elif _depthwise(node):
                attrs["group"] = builder.shape(inputs[0])[1]
                channels = builder.shape(inputs[0])[1] if node.shape[1] == node.attrs["group"] else channels
        if op == "Conv" and channels is not None and channels % attrs["group"]:
            raise GraphError(f"{channels} channels do not divide into {attrs['group']} groups", f"node {i}")
    elif f"a{i}" in settings:
        op, attrs = ACTIVATIONS[settings[f"a{i}"]]
    elif op == "PRelu" and attrs["num_parameters"] > 1:
        attrs["num_parameters"] = builder.shape(inputs[0])[1]
    elif sites._flattens(node):
        shape = builder.shape(inputs[0])[:2]
    elif OPERATORS[op].shape is rules.stated or OPERATORS[op].layout:
        shape = node.shape
    return builder.add(op, *inputs, region=region, weights=node.weights, shape=shape, channels=channels, **attrs)


def _channels(sites: Sites, settings: Mapping[str, str], node: Node) -> int:
    """Output channels of a node: its width times the factor, a multiple of 8 or 4 where the network's own is one and not small."""
    base = node.shape[-1] if node.op == "Gemm" else node.shape[1]
    factor = float(settings.get(f"w{sites.ties.find(node.index)}", "1"))
    if factor == 1.0:
        return base
    step = next((n for n in (8, 4) if base % n == 0 and base >= 4 * n), 1)
    return max(step, round(base * factor / step) * step)
