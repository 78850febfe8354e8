"""Broken documents: valid ones with bytes, JSON structure or meaning changed at random."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

from cg_ir.errors import CgError
from cg_ir.graph import Graph
from cg_ir.operators import OPERATORS
from cg_ir.serialization import from_json

__all__ = ["mutants", "survives"]

_NUMBERS = (0, 1, 2, -1, 3, 7, 64, 2**31 - 1, 2**31, 2**53, 2**63, -(2**70), 10**400, 0.5, -0.0, 1e308, 1e-320)
_VALUES: tuple[Any, ...] = (
    *_NUMBERS,
    *(None, True, False, "", "x", "Relu", "ü" * 200, "\ud800", "\x00"),
    *([], [0], [1, 1], [-1], [[[]]], ["a"], [None], [1] * 33, [1] * 1000),
    *({}, {"a": 1}, {"op": "Relu"}, {"": {}}),
)
_KEYS = (
    *("op", "inputs", "attrs", "shape", "region", "weights", "cg_ir", "opset", "nodes", "name", "extras", "producer"),
    *sorted({name for operator in OPERATORS.values() for name in operator.attributes}),
)
_SNIPPETS = (
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b":",
    b'"',
    b"\\",
    b"\\u0000",
    b"NaN",
    b"1e999",
    b"\xff",
    b"\x00",
    b"-",
    b"[" * 5000,
)


def mutants(seeds: Sequence[Graph], count: int, rng: random.Random) -> Iterator[bytes]:
    """``count`` documents, each a seed with a few changes of one of three kinds: bytes, JSON structure, meaning."""
    texts = [graph.to_json().encode() for graph in seeds]
    documents = [graph.to_dict() for graph in seeds]
    for _ in range(count):
        kind = rng.random()
        if kind < 0.3:
            yield _bytes(rng.choice(texts), rng)
            continue
        document = copy.deepcopy(rng.choice(documents))
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            (_structure if kind < 0.6 else _meaning)(document, rng)
        yield json.dumps(document).encode()


def survives(document: bytes) -> bool:
    """Whether reading ends well: a graph (True) or the library's own error (False).

    A graph that was read must also have a hash and costs, and read back from its own text.

    Raises:
        Exception: whatever else was raised, which is a bug.
    """
    try:
        graph = from_json(document)
    except CgError:
        return False
    text = graph.to_json()
    again = from_json(text.encode())
    if again.hash != graph.hash or again.to_json() != text or (again.params, again.macs) != (graph.params, graph.macs):
        raise AssertionError("a graph does not read back as itself")
    return True


def _bytes(text: bytes, rng: random.Random) -> bytes:
    data = bytearray(text)
    for _ in range(rng.choice((1, 1, 2, 8))):
        place = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0 and data:
            data[place % len(data)] = rng.randrange(256)
        elif kind == 1:
            del data[place : place + rng.choice((1, 4, 60))]
        elif kind == 2:
            data[place:place] = rng.choice(_SNIPPETS)
        elif kind == 3:
            other = rng.randrange(len(data) + 1)
            data[place:place] = data[other : other + rng.choice((1, 20, 200))]
        else:
            del data[place:]
    return bytes(data)


def _containers(value: Any) -> list[Any]:
    found, stack = [], [value]
    while stack:
        here = stack.pop()
        if isinstance(here, (dict, list)):
            found.append(here)
            stack += here.values() if isinstance(here, dict) else here
    return found


def _structure(document: Any, rng: random.Random) -> None:
    here = rng.choice(_containers(document))
    value = copy.deepcopy(rng.choice(_VALUES))
    if isinstance(here, dict):
        if here and rng.random() < 0.7:
            key = rng.choice(list(here))
            if rng.random() < 0.3:
                del here[key]
            elif rng.random() < 0.2:
                here[rng.choice(_KEYS)] = here.pop(key)
            else:
                here[key] = value
        else:
            here[rng.choice(_KEYS)] = value
    elif here and rng.random() < 0.8:
        place = rng.randrange(len(here))
        change = rng.randrange(4)
        if change == 0:
            here[place] = value
        elif change == 1:
            del here[place]
        elif change == 2:
            here.insert(place, copy.deepcopy(here[rng.randrange(len(here))]))
        else:
            other = rng.randrange(len(here))
            here[place], here[other] = here[other], here[place]
    else:
        here.append(value)


def _meaning(document: Any, rng: random.Random) -> None:
    """A change that keeps every type: another operator, input, size or attribute."""
    nodes = document.get("nodes")
    node = rng.choice(nodes) if isinstance(nodes, list) and nodes else None
    if not isinstance(node, dict):
        return
    kind = rng.randrange(6)
    if kind == 0:
        node["op"] = rng.choice(list(OPERATORS))
    elif kind == 1 and node.get("inputs"):
        node["inputs"][rng.randrange(len(node["inputs"]))] = rng.randrange(-1, len(nodes) + 1)
    elif kind == 2 and node.get("shape"):
        node["shape"][rng.randrange(len(node["shape"]))] = rng.choice((1, 2, 3, 8, 2**20, 2**31 - 1))
    elif kind == 3:
        operator = OPERATORS.get(node.get("op", ""))
        if operator is not None and operator.attributes:
            name = rng.choice(list(operator.attributes))
            number = rng.choice((0, 1, 2, 3, -1, 2**31, 2**53))
            many = operator.attributes[name].kind.endswith("s")
            node.setdefault("attrs", {})[name] = [number] * rng.choice((1, 2, 4, 6)) if many else number
    elif kind == 4:
        node["weights"] = rng.choice(("w", "v"))
    else:
        node.setdefault("inputs", []).append(rng.randrange(len(nodes)))
