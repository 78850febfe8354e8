"""Cells of NAS-Bench-101 as text: notations, the canonical spelling and the one that was trained, the official hash."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from cg_frontends.spaces.nb101_cell import OPERATIONS, Cell, cells, module_hash, read_cell
from cg_ir import ArchError

#: The best cell of the benchmark's paper.
BEST = "110010010000010101101:00201"
#: Chains, equal branches with different operators, and larger ones.
CELLS = ["1:", "101:1", "111:2", "101011:00", "110011:10", "1110001011:210", "1110001011:101", BEST]
CELLS += [
    "111000100000101001101:01022",
    "100000100001111100011:10220",
    "011000010000100001101:21020",
    "101100001001000100101:12021",
]


def respell(cell: Cell, order: tuple[int, ...]) -> Cell | None:
    """The cell with its inner vertices moved, None where an edge would point backwards."""
    place = (0, *order, cell.vertices - 1)
    matrix = np.zeros((cell.vertices, cell.vertices), dtype=int)
    for i, j in cell.edges():
        matrix[place[i], place[j]] = 1
    if np.tril(matrix).any():
        return None
    ops = dict(zip(order, cell.ops, strict=True))
    return Cell("".join(map(str, matrix[np.triu_indices(len(matrix), 1)])), "".join(ops[v] for v in sorted(ops)))


def spellings(cell: Cell) -> set[Cell]:
    orders = itertools.permutations(range(1, cell.vertices - 1))
    return {other for order in orders if (other := respell(cell, order)) is not None}


@pytest.mark.parametrize("arch", CELLS)
def test_spellings_of_a_cell_are_one(arch: str) -> None:
    cell = read_cell(arch)
    same = spellings(cell)
    assert {read_cell(str(s)) for s in same} == {cell}
    assert len({s.generated() for s in same}) == 1
    assert len({module_hash(s) for s in same}) == 1


@pytest.mark.parametrize("arch", CELLS)
def test_the_canonical_spelling_has_the_greatest_matrix_and_then_the_first_operators(arch: str) -> None:
    same = spellings(read_cell(arch))
    greatest = max(s.adjacency for s in same)
    assert read_cell(arch) == min((s for s in same if s.adjacency == greatest), key=lambda s: s.ops)


@pytest.mark.parametrize("arch", CELLS)
def test_the_generated_spelling_comes_first_where_matrices_are_counted_column_by_column(arch: str) -> None:
    cell = read_cell(arch)

    def number(s: Cell) -> tuple[int, str]:
        matrix = s.matrix()
        bits = [matrix[i][j] for j in range(s.vertices) for i in range(j)]
        return sum(bit << place for place, bit in enumerate(bits)), s.ops

    assert cell.generated() == min(spellings(cell), key=number)


def test_the_official_hash() -> None:
    assert module_hash(read_cell(BEST)) == "00005c142e6f48ac74fdcf73e3439874"


def test_useless_vertices_are_pruned() -> None:
    # the input feeds a vertex that nothing reads, and another one stands alone
    assert str(read_cell("1001000000:012")) == "1:"
    with pytest.raises(ArchError, match="no path leads"):
        read_cell("000:1")


def test_edges_count_after_pruning() -> None:
    with pytest.raises(ArchError, match="15 edges, but at most 9"):
        read_cell("1" * 15 + ":0000")
    # ten edges, of which one leads to a vertex that nothing reads
    assert read_cell("111111000010000100101:00000").adjacency.count("1") == 9


def test_edges_and_matrix_say_the_same() -> None:
    cell = Cell("110011", "20")
    assert cell.vertices == 4
    assert cell.edges() == [(0, 1), (0, 2), (1, 3), (2, 3)]
    assert np.argwhere(cell.matrix()).tolist() == [[0, 1], [0, 2], [1, 3], [2, 3]]
    assert str(cell) == "110011:20"


def test_enumeration_has_every_cell_of_up_to_four_vertices() -> None:
    found = set()
    for vertices in (2, 3, 4):
        slots = vertices * (vertices - 1) // 2
        for bits in itertools.product("01", repeat=slots):
            for ops in itertools.product("012", repeat=vertices - 2):
                try:
                    found.add(read_cell(f"{''.join(bits)}:{''.join(ops)}"))
                except ArchError:
                    continue
    listed = list(itertools.takewhile(lambda cell: cell.vertices < 5, cells()))
    assert set(listed) == found
    assert len(listed) == len(found)
    assert [cell.vertices for cell in listed] == sorted(cell.vertices for cell in listed)


@pytest.mark.parametrize("outer", [False, True])
def test_other_notations(outer: bool) -> None:
    cell = read_cell(BEST)
    names = [OPERATIONS[int(op)] for op in cell.ops]
    if outer:
        names = ["input", *names, "output"]
    matrix = cell.matrix()
    forms = [
        (matrix, names),
        (np.array(matrix), names),
        {"module_adjacency": matrix, "module_operations": names},
        {"matrix": np.array(matrix), "ops": names},
        json.dumps([matrix, names]),
        json.dumps({"matrix": matrix, "ops": names}),
        str((matrix, names)),
        f"{cell.adjacency}:{','.join(names)}",
    ]
    for form in forms:
        assert str(read_cell(form)) == BEST


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("110010010000010101101:00203", r"no operator '3' \(vertex 5\); it has 0 conv3x3-bn-relu"),
        ("110:conv7x7-bn-relu", r"no operator 'conv7x7-bn-relu' \(vertex 1\)"),
        ("11001001000001010110:00201", "has 1, 3, 6, 10, 15, 21 digits, not 20"),
        ("110010010000010101101:0020", "5 operators between input and output, not 4"),
        ("", "should look like adj_upper:ops"),
        ("[[0, 1]", "no valid JSON"),
        ("[" * 100_000, "no valid JSON"),
        ([[[0, 1], [1, 0]], []], "upper triangular"),
        ([[[1, 1], [0, 0]], []], "upper triangular"),
        ([[[0, 1, 0], [0, 0]], [0]], "square"),
        ([[[0, 2], [0, 0]], []], "0 and 1"),
        ([[[0]], []], "1 vertices, but there should be 2 to 7"),
        ([np.triu(np.ones((8, 8)), 1), [0] * 6], "8 vertices"),
        (["01", []], "should look like"),
        ({"matrix": [[0, 1], [0, 0]]}, "should look like"),
        (5, "should look like"),
    ],
)
def test_bad_cells_are_refused_in_one_line(arch: object, message: str) -> None:
    with pytest.raises(ArchError, match=message) as caught:
        read_cell(arch)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250
