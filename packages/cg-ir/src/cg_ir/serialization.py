"""Graphs as text: canonical JSON, JSON Lines, gzip. The format is specified in docs/format.md.

Reading treats every document as hostile: whatever is wrong raises :class:`cg_ir.GraphError` with the place and what would be right.
The published JSON Schema describes the same documents; tests hold the two against each other.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cg_ir.errors import GraphError, SourceError
from cg_ir.files import READ_LIMIT, atomic_path, open_bounded, read_limit
from cg_ir.graph import RESERVED, Graph
from cg_ir.operators import OPERATORS, OPSET
from cg_ir.records import from_lists
from cg_ir.signature import SignatureTable, shared_table

FORMAT_VERSION = (1, 0)

_SIZE_LIMIT = 2**31
_RANK_LIMIT = 32
_SET_LIMIT = 2**32  # bytes of a set once decompressed
_KINDS: dict[type, str] = {
    dict: "an object", list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number", type(None): "null",
}  # fmt: skip
#: Objects and lists in a document of the size limit; a node has about five, in a hundred bytes.
_BYTES_A_BRACKET = 32
_TOP_FIELDS = frozenset({"cg_ir", "opset", "name", "nodes", "producer", "extras"})
_NODE_FIELDS = frozenset({"op", "inputs", "attrs", "shape", "region", "weights"})
_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")
#: ``extras`` entry that keeps fields of a newer minor version.
UNKNOWN_FIELDS = f"{RESERVED}unknown_fields"


# --- writing ----------------------------------------------------------------------------------------------------------


def _node_dict(graph: Graph, index: int, code: int, inputs: list[int]) -> dict[str, Any]:
    row = graph.signatures.rows[code]
    node: dict[str, Any] = {"op": row.op}
    if inputs:
        node["inputs"] = inputs
    if row.items:
        node["attrs"] = {name: list(value) if isinstance(value, tuple) else value for name, value in row.items}
    node["shape"] = list(row.shape)
    region = graph.region_names[graph.region_codes[index]]
    if region:
        node["region"] = region
    if index in graph.weight_keys:
        node["weights"] = graph.weight_keys[index]
    return node


def to_dict(graph: Graph) -> dict[str, Any]:
    """The document as plain Python values, keys in canonical order, defaults left out."""
    inputs = graph.input_lists()
    nodes = [_node_dict(graph, i, code, inputs[i]) for i, code in enumerate(graph.codes.tolist())]
    extras = dict(graph.extras)
    unknown = extras.pop(UNKNOWN_FIELDS, None)
    document: dict[str, Any] = {"cg_ir": f"{FORMAT_VERSION[0]}.{FORMAT_VERSION[1]}", "opset": OPSET}
    if graph.name:
        document["name"] = graph.name
    document["nodes"] = nodes
    if graph.producer:
        document["producer"] = dict(graph.producer)
    if extras:
        document["extras"] = extras
    if unknown:
        document["cg_ir"] = unknown["cg_ir"]
        document.update(unknown["document"])
        for index, fields in unknown["nodes"].items():
            nodes[int(index)].update(fields)
    return document


def _dumps(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))
    except (TypeError, ValueError) as error:
        raise GraphError(f"extras and producer should hold JSON values only ({error})", "extras") from None


def to_json(graph: Graph) -> str:
    """Canonical JSON text: one node a line, ends with a line break."""
    document = to_dict(graph)
    parts = []
    for key, value in document.items():
        if key == "nodes":
            parts.append('"nodes": [\n  ' + ",\n  ".join(_dumps(node) for node in value) + "]")
        else:
            parts.append(f"{_dumps(key)}: {_dumps(value)}")
    return "{" + ",\n ".join(parts) + "}\n"


def _write(path: str | os.PathLike[str], chunks: Iterable[str]) -> None:
    compressed = os.fspath(path).endswith(".gz")
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as raw, contextlib.ExitStack() as stack:
            # no time and no name in the gzip header: equal graphs give equal files
            stream: Any = stack.enter_context(gzip.GzipFile("", "wb", 9, raw, mtime=0)) if compressed else raw
            for chunk in chunks:
                stream.write(chunk.encode())
    except UnicodeEncodeError:
        raise GraphError("a name holds half of a surrogate pair, which is no text", os.fspath(path)) from None
    except OSError as error:
        raise GraphError(f"cannot write: {error.strerror or error}", os.fspath(path)) from None


def save(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Write one graph; ``.gz`` compresses. The file appears whole or not at all."""
    _write(path, [to_json(graph)])


def save_set(graphs: Iterable[Graph], path: str | os.PathLike[str]) -> None:
    """Write graphs as JSON Lines, one document a line; ``.gz`` compresses."""
    _write(path, (_dumps(to_dict(graph)) + "\n" for graph in graphs))


# --- reading ----------------------------------------------------------------------------------------------------------


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise GraphError(f"key {key!r:.60} stands twice in one object")
            seen.add(key)
    return result


def _no_constant(text: str) -> Any:
    raise GraphError(f"{text} is no JSON number")


def _parse(text: str) -> Any:
    brackets = text.count("{") + text.count("[")
    if brackets > read_limit() // _BYTES_A_BRACKET:
        raise GraphError(f"holds {brackets:,} objects and lists; that is no network, or {READ_LIMIT} should be raised")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError:
        raise GraphError("half of a surrogate pair (\\ud800 to \\udfff) is no text") from None
    except json.JSONDecodeError as error:
        if not text.strip():
            raise GraphError("the document is empty; a graph is a JSON object with 'cg_ir' and 'nodes'") from None
        raise GraphError(f"line {error.lineno}, column {error.colno}: not JSON ({error.msg})") from None
    except MemoryError:
        raise GraphError("there is not enough memory to read the document") from None
    except RecursionError:
        raise GraphError("the document is nested too deeply; a graph needs five levels") from None
    except ValueError as error:  # integers of thousands of digits
        raise GraphError(f"not JSON ({error})") from None


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GraphError(f"byte {error.start} is not UTF-8; a graph is JSON in UTF-8") from None


def _read_bytes(path: str | os.PathLike[str]) -> bytes:
    name = os.fspath(path)
    try:
        with open_bounded(name) as stream:
            return stream.read()
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise GraphError(f"cannot read: {reason}", name) from None
    except (MemoryError, SourceError) as error:
        raise GraphError(str(error) or "there is not enough memory to read it", "" if str(error) else name) from None


@contextlib.contextmanager
def _located(place: str) -> Iterator[None]:
    try:
        yield
    except GraphError as error:
        raise GraphError(str(error), place) from None


def load(path: str | os.PathLike[str]) -> Graph:
    """Read one graph from a file, compressed or not.

    Raises:
        GraphError: the file cannot be read or is not a valid document; nothing else is raised, whatever the bytes.
    """
    data = _read_bytes(path)
    with _located(os.fspath(path)):
        return from_dict(_parse(_decode(data)))


def load_set(path: str | os.PathLike[str]) -> Iterator[Graph]:
    """Read graphs from JSON Lines, one at a time and without holding the file in memory; errors name the line.

    Raises:
        GraphError: the file cannot be read, or a line is not a valid document.
    """
    name = os.fspath(path)
    number = 0
    try:
        with open_bounded(name, _SET_LIMIT) as stream:
            most = read_limit()
            while line := stream.readline():
                number += 1
                if len(line) > most:
                    raise GraphError(f"larger than {most:,} bytes", f"{name}, line {number}")
                if line.strip():
                    with _located(f"{name}, line {number}"):
                        graph = from_dict(_parse(_decode(line)))
                    yield graph
    except SourceError as error:
        raise GraphError(str(error)) from None
    except (OSError, EOFError, MemoryError, ValueError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error) or "there is not enough memory"
        raise GraphError(f"cannot read: {reason}", name if not number else f"{name}, after line {number}") from None


def from_json(document: str | bytes | Mapping[str, Any]) -> Graph:
    """A graph from JSON text or from the parsed document."""
    if isinstance(document, bytes):
        document = _decode(document)
    return from_dict(_parse(document) if isinstance(document, str) else document)


def _version(value: Any) -> tuple[int, int]:
    found = _VERSION.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        return int(found[1]), int(found[2])
    raise GraphError(f"the format version should look like '1.0', not {value!r:.60}", "cg_ir")


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise GraphError(f"should be an object, not {_kind(value)}", where)
    return value


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), type(value).__name__)


def from_dict(document: Any) -> Graph:
    """A graph from a parsed document, fully validated.

    Raises:
        GraphError: with the place of the first thing that is wrong, such as ``nodes[3].inputs[0]``.
    """
    document = _object(document, "document")
    if "cg_ir" not in document:
        raise GraphError("the field 'cg_ir' with the format version is missing; is this a graph document?")
    version = _version(document["cg_ir"])
    if version[0] != FORMAT_VERSION[0]:
        relation = "newer" if version > FORMAT_VERSION else "older"
        raise GraphError(
            f"format version {document['cg_ir']} is {relation} than what this release reads ({FORMAT_VERSION[0]}.x)",
            "cg_ir",
        )
    later = version > FORMAT_VERSION
    opset = document.get("opset")
    if type(opset) is not int or opset < 1:
        raise GraphError(f"should be a positive integer, not {opset!r:.60}", "opset")
    if opset > OPSET:
        raise GraphError(f"opset {opset} is newer than what this release knows ({OPSET}); update cg-ir", "opset")
    for field in document:
        if field not in _TOP_FIELDS and not later:
            raise GraphError(f"unknown field {field!r:.60}; fields are {', '.join(sorted(_TOP_FIELDS))}")
    name = document.get("name", "")
    if not isinstance(name, str):
        raise GraphError(f"should be a string, not {_kind(name)}", "name")
    producer = _object(document.get("producer", {}), "producer")
    if not all(isinstance(v, str) for v in producer.values()):
        raise GraphError("should hold strings only", "producer")
    extras = _object(document.get("extras", {}), "extras")
    _finite(extras)
    reserved = [key for key in extras if isinstance(key, str) and key.startswith(RESERVED)]
    if reserved:
        raise GraphError(f"key {reserved[0]!r:.60} is reserved", "extras")
    nodes = document.get("nodes")
    if not isinstance(nodes, list):
        raise GraphError(f"should be a list, not {_kind(nodes)}", "nodes")
    reader = _NodeReader(shared_table(), later, len(nodes))
    for index, node in enumerate(nodes):
        try:
            reader.read(index, node)
        except GraphError as error:
            place = f"nodes[{index}]" + (f".{error.where}" if error.where else "")
            message = str(error)[len(error.where) + 2 :] if error.where else str(error)
            raise GraphError(message, place) from None
    reader.check_whole()
    unknown = {k: v for k, v in document.items() if k not in _TOP_FIELDS}
    if unknown or reader.unknown:
        extras = {**extras, UNKNOWN_FIELDS: {"cg_ir": document["cg_ir"], "document": unknown, "nodes": reader.unknown}}
    return reader.graph(name, producer, extras)


def _finite(extras: dict[str, Any]) -> None:
    """See to it that extras can be written again: ``1e999`` is a number in JSON and an infinity when it is read."""
    parts: list[Any] = [extras]
    while parts:
        part = parts.pop()
        if type(part) is float and not math.isfinite(part):
            raise GraphError("holds a number that is too large", "extras")
        if type(part) in (dict, list):
            parts.extend(part.values() if type(part) is dict else part)


class _NodeReader:
    """Checks the nodes of one document in order and collects their arrays."""

    def __init__(self, table: SignatureTable, later: bool, count: int) -> None:
        self.table = table
        self.count = count
        self.later = later
        self.codes: list[int] = []
        self.shapes: list[tuple[int, ...]] = []
        self.indptr = [0]
        self.indices: list[int] = []
        self.regions: dict[str, int] = {"": 0}
        self.region_codes: list[int] = []
        self.weight_keys: dict[int, str] = {}
        self.weight_owner: dict[str, int] = {}
        self.unknown: dict[str, dict[str, Any]] = {}
        self.sinks: dict[int, int] = {}
        self.sources: dict[int, int] = {}
        self.outputs: set[int] = set()

    def read(self, index: int, node: Any) -> None:
        if type(node) is not dict:
            raise GraphError(f"should be an object, not {_kind(node)}")
        extra = node.keys() - _NODE_FIELDS
        if extra:
            if not self.later:
                raise GraphError(
                    f"unknown field {min(map(str, extra))!r:.60}; fields are {', '.join(sorted(_NODE_FIELDS))}"
                )
            self.unknown[str(index)] = {key: node[key] for key in sorted(extra)}
        op: Any = node.get("op")
        operator = OPERATORS.get(op) if type(op) is str else None
        if operator is None:
            unknown = f"operator {op!r:.60} is not in opset {OPSET}"
            raise GraphError(unknown if type(op) is str else f"should be an operator name, not {_kind(op)}", "op")
        shape = self._shape(node.get("shape"))
        inputs = node.get("inputs", ())
        if type(inputs) is not list and inputs != ():
            raise GraphError(f"should be a list of node numbers, not {_kind(inputs)}", "inputs")
        shapes = self.shapes
        for position, i in enumerate(inputs):
            if type(i) is not int or not 0 <= i < index:
                raise GraphError(_bad_input(i, index, self.count), f"inputs[{position}]")
            if i in self.outputs:
                raise GraphError(f"node {i} is an Output, which nothing reads", f"inputs[{position}]")
        ins = tuple([shapes[i] for i in inputs])
        attrs = node.get("attrs", {})
        if type(attrs) is not dict:
            raise GraphError(f"should be an object, not {_kind(attrs)}", "attrs")
        items = operator.read_attrs(attrs)
        code = self.table.find(op, items, shape, ins)
        if code is None:
            operator.infer(ins, operator.fill_attrs(items), shape)
            code = self.table.intern(op, items, shape, ins)
        if op == "Select":
            self._select(inputs[0], dict(items)["index"], shape)
        self.codes.append(code)
        shapes.append(shape)
        self.indices += inputs
        self.indptr.append(len(self.indices))
        region = node.get("region", "")
        if type(region) is not str:
            raise GraphError(f"should be a string, not {_kind(region)}", "region")
        self.region_codes.append(self.regions.setdefault(region, len(self.regions)))
        if op in ("Input", "Output"):
            number: Any = dict(items).get("index", 0)
            known = self.sources if op == "Input" else self.sinks
            if number in known:
                raise GraphError(f"{op} {number} stands twice (nodes {known[number]} and {index})", "attrs.index")
            known[number] = index
            if op == "Output":
                self.outputs.add(index)
        if "weights" in node:
            self._weights(index, node["weights"], code)

    def _shape(self, value: Any) -> tuple[int, ...]:
        if type(value) is not list:
            wrong = "is missing" if value is None else f"should be a list of sizes, not {_kind(value)}"
            raise GraphError(wrong, "shape")
        if len(value) > _RANK_LIMIT:
            raise GraphError(f"has {len(value)} axes; at most {_RANK_LIMIT} are allowed", "shape")
        for position, size in enumerate(value):
            if type(size) is not int or not 0 < size < _SIZE_LIMIT:
                raise GraphError(f"sizes should be integers from 1 to 2^31 - 1, not {size!r:.40}", f"shape[{position}]")
        return tuple(value)

    def _select(self, source: int, index: Any, shape: tuple[int, ...]) -> None:
        row = self.table.rows[self.codes[source]]
        OPERATORS[row.op].check_select(row.input_shapes, row.attrs, row.shape, index, shape)

    def _weights(self, index: int, key: Any, code: int) -> None:
        if type(key) is not str or not key:
            raise GraphError(f"should be a name, not {key!r:.60}", "weights")
        row = self.table.rows[code]
        if row.params == 0:
            raise GraphError(f"{row.op} has no parameters to share", "weights")
        owner = self.weight_owner.setdefault(key, index)
        first = self.table.rows[self.codes[owner]]
        if (first.op, first.params) != (row.op, row.params):
            other = f"node {owner}, which has another operator or size"
            raise GraphError(f"key {key!r:.60} is shared with {other}", "weights")
        self.weight_keys[index] = key

    def check_whole(self) -> None:
        if not self.sinks:
            raise GraphError("a graph needs at least one Output", "nodes")
        for name, known in (("Input", self.sources), ("Output", self.sinks)):
            if sorted(known) != list(range(len(known))):
                raise GraphError(f"the indices of {name} nodes should count from 0 without gaps", "nodes")

    def graph(self, name: str, producer: Mapping[str, str], extras: Mapping[str, Any]) -> Graph:
        lists = self.codes, self.indptr, self.indices, self.regions, self.region_codes, self.weight_keys
        return from_lists(self.table, *lists, name, producer, extras)


def _bad_input(value: Any, index: int, count: int) -> str:
    if type(value) is int and value >= count:
        return f"there is no node {value}; the last of this document is {count - 1}"
    if type(value) is int and value >= index:
        return f"{value} is not an earlier node; inputs come before what reads them, so a graph has no cycle"
    return f"should be the number of an earlier node (0 to {index - 1}), not {value!r:.40}"
