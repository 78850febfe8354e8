"""The computation graph: immutable arrays inside, light node views outside."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_ir.forms import Forms
from cg_ir.hashing import digest, refine, wiring
from cg_ir.operators import OPERATOR_NAMES, OPERATORS
from cg_ir.signature import Signature, SignatureTable, shared_table

if TYPE_CHECKING:
    import networkx
    from numpy.typing import NDArray

COMMUTES = np.array([OPERATORS[name].commutes for name in OPERATOR_NAMES])
#: How keys of ``extras`` begin that belong to the document that the graph was read from; they name nodes by number, so a rewritten graph has none.
RESERVED = "cg_ir."
_LAYOUT = np.array([OPERATORS[name].layout for name in OPERATOR_NAMES])


class Node:
    """A view of one node; made when asked for, equal to any other view of the same node."""

    __slots__ = ("graph", "index")

    def __init__(self, graph: Graph, index: int) -> None:
        self.graph = graph
        self.index = index

    @property
    def signature(self) -> Signature:
        """Operator, attributes and shapes."""
        return self.graph.signatures.rows[self.graph.codes[self.index]]

    @property
    def op(self) -> str:
        """Operator name."""
        return self.signature.op

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes, defaults filled in."""
        return self.signature.attrs

    @property
    def shape(self) -> tuple[int, ...]:
        """Output shape at batch size 1, batch included."""
        return self.signature.shape

    @property
    def inputs(self) -> tuple[int, ...]:
        """Indices of the earlier nodes that this one reads, in order."""
        graph = self.graph
        return tuple(graph.indices[graph.indptr[self.index] : graph.indptr[self.index + 1]].tolist())

    @property
    def region(self) -> str:
        """Dotted path of the module or cell that the node belongs to; '' for none."""
        return self.graph.region_names[self.graph.region_codes[self.index]]

    @property
    def weights(self) -> str | None:
        """Key that this node shares with others that use the same weights."""
        return self.graph.weight_keys.get(self.index)

    @property
    def params(self) -> int:
        """Learned scalars that the node owns, whether or not it shares them."""
        return self.signature.params

    @property
    def macs(self) -> int:
        """Multiply-accumulates at batch size 1."""
        return self.signature.macs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and other.graph is self.graph and other.index == self.index

    def __hash__(self) -> int:
        return hash((id(self.graph), self.index))

    def __repr__(self) -> str:
        return f"Node({self.index}: {self.op}{list(self.inputs)} -> {list(self.shape)})"


class _Nodes(Sequence[Node]):
    __slots__ = ("_graph",)

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __len__(self) -> int:
        return len(self._graph)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [Node(self._graph, i) for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(f"node {index} of a graph of {len(self)}")
        return Node(self._graph, int(index))

    def __iter__(self) -> Iterator[Node]:
        return (Node(self._graph, i) for i in range(len(self)))


def _restore(rows: dict[int, tuple[Any, ...]], codes: NDArray[np.int32], *fields: Any) -> Graph:
    """A graph from its pickle, its signatures among those of this process."""
    table = shared_table()
    own = {code: table.intern(*row) for code, row in rows.items()}
    return Graph(table, np.array([own[code] for code in codes.tolist()], dtype=np.int32), *fields)


class Graph(Forms):
    """A network as a directed acyclic graph of primitive operators, in topological order.

    Make one with :class:`cg_ir.GraphBuilder`, a search space, a frontend or :func:`cg_ir.load`; the constructor takes arrays that are
    already valid and canonical and checks nothing.

    Args:
        signatures: the table that ``codes`` refer to.
        codes: signature of each node, int32 (n,).
        indptr: CSR row pointers of the inputs, int32 (n + 1,).
        indices: the earlier nodes that each node reads, in order, int32 (edges,).
        region_names: distinct regions.
        region_codes: region of each node, integer (n,).
        weight_keys: key of the nodes that share weights.
        name: what the graph is called; not part of its identity.
        producer: name and version of what made it.
        extras: anything else worth keeping, JSON values; not part of its identity.
    """

    __slots__ = (
        "__dict__", "__weakref__", "codes", "extras", "indices", "indptr", "name", "producer", "region_codes", "region_names",
        "signatures", "weight_keys",
    )  # fmt: skip

    def __init__(
        self,
        signatures: SignatureTable,
        codes: NDArray[np.int32],
        indptr: NDArray[np.int32],
        indices: NDArray[np.int32],
        region_names: tuple[str, ...],
        region_codes: NDArray[Any],
        weight_keys: Mapping[int, str] | None = None,
        name: str = "",
        producer: Mapping[str, str] | None = None,
        extras: Mapping[str, Any] | None = None,
    ) -> None:
        self.signatures = signatures
        self.codes = codes
        self.indptr = indptr
        self.indices = indices
        self.region_names = region_names
        self.region_codes = region_codes
        self.weight_keys: Mapping[int, str] = weight_keys or {}
        self.name = name
        self.producer: Mapping[str, str] = producer or {}
        self.extras: Mapping[str, Any] = extras or {}
        for array in (codes, indptr, indices, region_codes):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        label = f"{self.name!r}, " if self.name else ""
        return f"Graph({label}{len(self)} nodes, {self.params:,} parameters, {self.macs:,} MACs)"

    def __eq__(self, other: object) -> bool:
        """Equal hashes; :func:`cg_ir.equal` decides isomorphism exactly."""
        return self is other or (isinstance(other, Graph) and self.hash == other.hash)

    def __hash__(self) -> int:
        return hash(self.hash)

    def __reduce__(self) -> tuple[Any, ...]:
        rows = {}
        for code in np.unique(self.codes).tolist():
            row = self.signatures.rows[code]
            rows[code] = (row.op, row.items, row.shape, row.input_shapes)
        arrays = (self.codes, self.indptr, self.indices, self.region_names, self.region_codes)
        return _restore, (rows, *arrays, dict(self.weight_keys), self.name, dict(self.producer), dict(self.extras))

    @property
    def nodes(self) -> Sequence[Node]:
        """The nodes in topological order."""
        return _Nodes(self)

    @property
    def op_codes(self) -> NDArray[np.int16]:
        """Operator of each node, an index into ``cg_ir.operators.OPERATOR_NAMES``, (n,)."""
        return self.signatures.op_codes[self.codes]

    def _total(self, per_signature: NDArray[np.int64], distinct: bool) -> int:
        values = per_signature[self.codes]
        if distinct and self.weight_keys:
            seen: set[str] = set()
            values = values.copy()
            for index, key in self.weight_keys.items():
                if key in seen:
                    values[index] = 0
                seen.add(key)
        if len(values) and int(values.max()) > 2**62 // len(values):
            return sum(values.tolist())
        return int(values.sum())

    @cached_property
    def params(self) -> int:
        """Learned scalars; those that operators share count once."""
        return self._total(self.signatures.params, distinct=True)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions, matrix products, attention and recurrent layers at batch size 1 (FLOPs are twice that)."""
        return self._total(self.signatures.macs, distinct=False)

    @cached_property
    def depth(self) -> int:
        """Operators on the longest path from a source to an output, layout operators, sources and sinks not counted."""
        ops = self.op_codes
        counts = (~_LAYOUT[ops]).tolist()
        outputs = (ops == OPERATOR_NAMES.index("Output")).tolist()
        result = [0] * len(self)
        longest = 0
        for i, ins in enumerate(self.input_lists()):
            if ins:
                result[i] = max([result[j] for j in ins]) + counts[i]
                longest = max(longest, result[i] - outputs[i])
        return longest

    def input_lists(self) -> list[list[int]]:
        """The inputs of each node as plain lists."""
        ends = self.indptr.tolist()
        flat = self.indices.tolist()
        return [flat[a:b] for a, b in itertools.pairwise(ends)]

    def weight_groups(self) -> dict[str, list[int]]:
        """Nodes by the key of the weights that they share."""
        groups: dict[str, list[int]] = {}
        for index, key in self.weight_keys.items():
            groups.setdefault(key, []).append(index)
        return groups

    def colours(self) -> list[int]:
        """Stable colours of the nodes, see :mod:`cg_ir.hashing`: equal for nodes that refinement cannot tell apart."""
        table, codes = self.signatures, self.codes.tolist()
        scaled = table.scaled_labels
        wires = wiring(self.indptr, self.indices, codes, table.commutes)
        first = list(map(scaled.__getitem__, codes))
        if not self.weight_keys:
            return refine(first, wires)
        return refine(first, wires, [table.labels[code] for code in codes], self.weight_groups())

    @cached_property
    def hash(self) -> str:
        """Versioned digest of the structure: equal for isomorphic graphs, whatever their names, regions and node order."""
        return digest(self.colours())

    @property
    def facts(self) -> dict[str, Any]:
        """What has been computed of the network so far, by property; one dictionary for all names that :meth:`renamed` gives it."""
        return self.__dict__

    def renamed(self, name: str) -> Graph:
        """The same network under another name. Both share their arrays and :attr:`facts`, whichever is asked first."""
        arrays = self.signatures, self.codes, self.indptr, self.indices, self.region_names, self.region_codes
        other = Graph(*arrays, self.weight_keys, name, self.producer, self.extras)
        other.__dict__ = self.facts
        return other

    def to_networkx(self) -> networkx.MultiDiGraph:
        """A networkx graph.

        Nodes have ``op``, ``shape`` (``1x3x32x32``), ``attrs`` (JSON), ``region``, ``params`` and ``macs``; edges are keyed and labelled by
        input position. All of it is text and numbers, so that networkx writes it to any of its formats (GraphML, GEXF, GML).
        """
        import networkx as nx

        result: networkx.MultiDiGraph = nx.MultiDiGraph(name=self.name)
        for node in self.nodes:
            texts = {"op": node.op, "shape": "x".join(map(str, node.shape)), "attrs": json.dumps(dict(node.attrs))}
            result.add_node(node.index, **texts, region=node.region, params=node.params, macs=node.macs)
            for position, source in enumerate(node.inputs):
                result.add_edge(source, node.index, key=position, position=position)
        return result
