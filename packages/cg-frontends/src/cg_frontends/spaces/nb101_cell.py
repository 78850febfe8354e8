"""Cells of NAS-Bench-101 as text: reading, pruning, canonical form, enumeration and the official hash.

A cell has a vertex for the input, up to five vertices with an operator, and one for the output. Its text is ``adj_upper:ops``: the upper
triangle of the adjacency matrix, row by row, and a digit for each inner vertex's operator.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cg_ir import ArchError

#: The operators of inner vertices; a digit of the text is a position in this tuple.
OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
MAX_VERTICES = 7
MAX_EDGES = 9

_VERTICES = {v * (v - 1) // 2: v for v in range(2, MAX_VERTICES + 1)}
_FORM = "adj_upper:ops, such as 110010010000010101101:00201"
_DIGITS = frozenset("012")
_BACKWARD = -float(2**40)


@functools.cache
def pairs(vertices: int) -> tuple[tuple[int, int], ...]:
    """The edges (source, target) that a cell can have, in the order of the text."""
    return tuple(itertools.combinations(range(vertices), 2))


class Cell(NamedTuple):
    """A cell.

    Attributes:
        adjacency: upper triangle of the adjacency matrix, row by row, as ``0`` and ``1``.
        ops: digits of the inner vertices' operators.
    """

    adjacency: str
    ops: str

    @property
    def vertices(self) -> int:
        """Number of vertices, input and output included."""
        return len(self.ops) + 2

    def __str__(self) -> str:
        return f"{self.adjacency}:{self.ops}"

    def edges(self) -> list[tuple[int, int]]:
        """Source and target of each edge."""
        return [pair for pair, bit in zip(pairs(self.vertices), self.adjacency, strict=True) if bit == "1"]

    def matrix(self) -> list[list[int]]:
        """The adjacency matrix."""
        result = [[0] * self.vertices for _ in range(self.vertices)]
        for source, target in self.edges():
            result[source][target] = 1
        return result

    def canonical(self) -> Cell:
        """The spelling among all orders of the inner vertices that the published tables use.

        It is the one whose adjacency text is the greatest, and among those whose operators come first.
        """
        return self._respelled(0)

    def generated(self) -> Cell:
        """The spelling that the benchmark trained: the first one that its generator meets.

        The generator counts through the adjacency matrices column by column, first vertex first, and then through the operators. The
        network depends on the order of the vertices (the first ones get the remainder where channels do not divide), and so do its
        parameters in the benchmark's table.
        """
        return self._respelled(1)

    def _respelled(self, ranking: int) -> Cell:
        vertices = len(self.ops) + 2
        if vertices < 4:
            return self
        weights, orders = _relabellings(vertices)
        digits = np.frombuffer((self.adjacency + self.ops).encode(), dtype=np.uint8) & 15
        keys = weights[ranking] @ digits.astype(np.float64)
        best = int(keys.argmax())
        if keys[best] == keys[0]:
            return self
        place = (0, *orders[best], vertices - 1)
        kept = {(place[i], place[j]) for i, j in self.edges()}
        ops = [""] * (vertices - 2)
        for new, op in zip(orders[best], self.ops, strict=True):
            ops[new - 1] = op
        return Cell("".join(["1" if pair in kept else "0" for pair in pairs(vertices)]), "".join(ops))


@functools.cache
def _relabellings(vertices: int) -> tuple[NDArray[np.float64], list[tuple[int, ...]]]:
    """Weights (2 rankings, orders, digits) whose products with a cell's digits rank its spellings, and the new place of each inner vertex.

    The greatest key is the best. It is the adjacency as a binary number (row by row, or minus that column by column from the last) times
    3^inner, minus the operators as a number to base 3, exact in float64; an edge backwards outweighs everything.
    """
    inner = vertices - 2
    index = {pair: i for i, pair in enumerate(pairs(vertices))}
    orders = list(itertools.permutations(range(1, vertices - 1)))
    weights = np.full((2, len(orders), len(index) + inner), _BACKWARD)
    for k, order in enumerate(orders):
        place = (0, *order, vertices - 1)
        for (i, j), column in index.items():
            source, target = place[i], place[j]
            if source < target:
                weights[0, k, column] = 3**inner * 2 ** (len(index) - 1 - index[source, target])
                weights[1, k, column] = -(3**inner) * 2 ** (source + target * (target - 1) // 2)
        weights[:, k, len(index) :] = [-(3 ** (inner - new)) for new in order]
    return weights, orders


def read_cell(arch: Any) -> Cell:
    """A cell in any of its notations, pruned, in canonical form.

    Reads the text ``adj_upper:ops``; a pair (matrix, operators), an object with such keys as ``matrix`` / ``module_adjacency`` and ``ops``
    / ``module_operations``; and each of these as JSON text. Operators are the benchmark's names or digits, with or without ``input`` and
    ``output``.

    Raises:
        ArchError: another form, an unknown operator, too many vertices or edges, or an output that nothing connects with the input.
    """
    if isinstance(arch, str):
        adjacency, colon, ops = arch.partition(":")
        vertices = _VERTICES.get(len(adjacency))
        if colon and vertices and len(ops) == vertices - 2 and set(adjacency) <= {"0", "1"} and _DIGITS.issuperset(ops):
            return _valid(Cell(adjacency, ops)).canonical()
        return _read_text(arch)
    return _read_objects(arch)


def _valid(cell: Cell) -> Cell:
    """The cell without vertices that the input does not reach or that do not reach the output."""
    last = cell.vertices - 1
    edges = cell.edges()
    if len(edges) > MAX_EDGES or len({i for i, _ in edges}) < last or len({j for _, j in edges}) < last:
        reached, useful = {0}, {last}
        for i, j in edges:
            if i in reached:
                reached.add(j)
        for i, j in reversed(edges):
            if j in useful:
                useful.add(i)
        kept = sorted(reached & useful)
        if 0 not in kept or last not in kept:
            raise ArchError(f"nb101 cell {cell}: no path leads from the input to the output")
        found = {(i, j) for i, j in edges if i in kept and j in kept}
        if len(found) > MAX_EDGES:
            raise ArchError(f"nb101 cell {cell}: {len(found)} edges, but at most {MAX_EDGES} are allowed")
        adjacency = "".join("1" if pair in found else "0" for pair in itertools.combinations(kept, 2))
        return Cell(adjacency, "".join(cell.ops[i - 1] for i in kept[1:-1]))
    return cell


def _read_text(text: str) -> Cell:
    stripped = text.strip()
    if stripped.startswith(("[", "(", "{")):
        plain = stripped.replace("(", "[").replace(")", "]").replace("'", '"').replace(",]", "]")
        for candidate in (plain, f"[{plain}]"):
            try:
                return _read_objects(json.loads(candidate))
            except (ValueError, RecursionError):
                continue
        raise ArchError(f"nb101 cell is no valid JSON: {stripped!r:.120}")
    adjacency, colon, ops = stripped.partition(":")
    if not colon or set(adjacency) - {"0", "1"}:
        raise ArchError(f"a nb101 cell should look like {_FORM}, not {text!r:.120}")
    names = ops.split(",") if "," in ops or "-" in ops else list(ops)
    vertices = _VERTICES.get(len(adjacency))
    if vertices is None:
        raise ArchError(
            f"nb101 cell: the upper triangle of 2 to {MAX_VERTICES} vertices has {', '.join(map(str, _VERTICES))} "
            f"digits, not {len(adjacency)}"
        )
    return _assemble(adjacency, vertices, names)


def _read_objects(arch: Any) -> Cell:
    if isinstance(arch, Mapping):
        matrix = next((arch[k] for k in ("matrix", "adjacency", "module_adjacency", "adj") if k in arch), None)
        ops = next((arch[k] for k in ("ops", "operations", "module_operations") if k in arch), None)
    elif isinstance(arch, Sequence) and not isinstance(arch, str) and len(arch) == 2:
        matrix, ops = arch
    else:
        matrix, ops = getattr(arch, "matrix", None), getattr(arch, "ops", None)
    rows = getattr(matrix, "tolist", lambda: matrix)()
    names = getattr(ops, "tolist", lambda: ops)()
    if not isinstance(rows, Sequence) or not isinstance(names, Sequence) or isinstance(rows, str):
        raise ArchError(f"a nb101 cell should look like {_FORM}, or be a matrix and a list of operators")
    size = len(rows)
    if not all(isinstance(row, Sequence) and not isinstance(row, str) and len(row) == size for row in rows):
        raise ArchError("nb101 cell: the adjacency matrix should be square")
    if not 2 <= size <= MAX_VERTICES:
        raise ArchError(f"nb101 cell: {size} vertices, but there should be 2 to {MAX_VERTICES}")
    if any(entry not in (0, 1) for row in rows for entry in row):
        raise ArchError("nb101 cell: the adjacency matrix should hold 0 and 1")
    if any(rows[i][j] for i in range(size) for j in range(i + 1)):
        raise ArchError("nb101 cell: the adjacency matrix should be upper triangular")
    return _assemble("".join(str(int(rows[i][j])) for i, j in pairs(size)), size, list(names))


def _assemble(adjacency: str, vertices: int, names: Sequence[Any]) -> Cell:
    inner = list(names)
    if len(inner) == vertices and inner[0] == "input" and inner[-1] == "output":
        inner = inner[1:-1]
    if len(inner) != vertices - 2:
        raise ArchError(
            f"nb101 cell: {vertices} vertices have {vertices - 2} operators between input and output, not {len(inner)}"
        )
    digits = ""
    for vertex, op in enumerate(inner, 1):
        text = str(op).strip()
        if text in OPERATIONS:
            digits += str(OPERATIONS.index(text))
        elif text in _DIGITS:
            digits += text
        else:
            known = ", ".join(f"{i} {name}" for i, name in enumerate(OPERATIONS))
            raise ArchError(f"nb101 has no operator {text!r:.60} (vertex {vertex}); it has {known}")
    return _valid(Cell(adjacency, digits)).canonical()


def module_hash(cell: Cell) -> str:
    """The hash by which the benchmark's own tables name a cell, equal for isomorphic cells.

    MD5 of each vertex's degrees and operator, mixed with the sorted hashes of its neighbours once per vertex (Ying et al., ICML
    2019, arXiv 1902.09635, section 2.1).
    """

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    edges = cell.edges()
    sources: list[list[int]] = [[] for _ in range(cell.vertices)]
    targets: list[list[int]] = [[] for _ in range(cell.vertices)]
    for i, j in edges:
        sources[j].append(i)
        targets[i].append(j)
    labels = [-1, *map(int, cell.ops), -2]
    hashes = [md5(str((len(targets[v]), len(sources[v]), label))) for v, label in enumerate(labels)]
    for _ in labels:
        hashes = [
            md5(
                "|".join(
                    (
                        "".join(sorted(hashes[w] for w in sources[v])),
                        "".join(sorted(hashes[w] for w in targets[v])),
                        own,
                    )
                )
            )
            for v, own in enumerate(hashes)
        ]
    return md5(str(sorted(hashes)))


def cells() -> Iterator[Cell]:
    """All 423,624 cells, each in its canonical spelling, those with few vertices first."""
    for vertices in range(2, MAX_VERTICES + 1):
        yield from _cells(vertices)


def _cells(vertices: int) -> Iterator[Cell]:
    inner = vertices - 2
    edges = pairs(vertices)
    numbers = np.arange(1, 2 ** len(edges), dtype=np.uint32)
    bits = ((numbers[:, None] >> np.arange(len(edges) - 1, -1, -1, dtype=np.uint32)) & 1).astype(np.uint8)
    bits = bits[bits.sum(1) <= MAX_EDGES]
    for v in range(vertices):
        # vertices are in topological order: a predecessor each and a successor each make every vertex useful
        for place in (0, 1):
            columns = [c for c, edge in enumerate(edges) if edge[place] == v]
            if columns:
                bits = bits[bits[:, columns].any(1)]
    if inner < 2:
        spellings = ["".join(ops) for ops in itertools.product("012", repeat=inner)]
        for row in bits:
            adjacency = "".join(map(str, row))
            yield from (Cell(adjacency, ops) for ops in spellings)
        return
    weights = _relabellings(vertices)[0][0]
    keys = bits.astype(np.float64) @ weights[:, : len(edges)].T
    greatest = keys.max(1)
    first = keys[:, 0] == greatest
    labels = np.array(list(itertools.product(range(3), repeat=inner)))
    spellings = ["".join(map(str, row)) for row in labels.tolist()]
    ranks = -(weights[:, len(edges) :] @ labels.T)
    for row, same in zip(bits[first], (keys == greatest[:, None])[first], strict=True):
        adjacency = "".join(map(str, row))
        smallest = ranks[same].min(0) == ranks[0]
        yield from (Cell(adjacency, spellings[i]) for i in smallest.nonzero()[0].tolist())
