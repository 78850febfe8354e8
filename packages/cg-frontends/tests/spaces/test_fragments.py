"""Fragments wired and tiled, against the same networks built node by node."""

from __future__ import annotations

import pytest

from cg_frontends.spaces import fragments
from cg_frontends.spaces.fragments import Assembly, FragmentCache, capture, chain
from cg_ir import GraphBuilder, equal
from cg_ir.signature import SignatureTable, shared_table

SHAPE = (1, 4, 8, 8)


def residual(b: GraphBuilder, x: int, y: int) -> int:
    return b.add("Add", b.add("Relu", x), b.add("Tanh", y))


def test_a_fragment_reads_its_inputs_by_number() -> None:
    part = capture(residual, SHAPE, SHAPE)
    assert part.output == len(part.codes) - 1
    assert sorted(i for i in part.indices if i < 0) == [~1, ~0]
    assert [shared_table()[code].op for code in part.codes][-1] == "Add"
    assert capture(lambda b, x: x, SHAPE).output == ~0
    whole = capture(lambda b: b.output(b.add("Relu", b.input(SHAPE))))
    assert [shared_table()[code].op for code in whole.codes] == ["Input", "Relu", "Output"]


def test_pieces_one_after_the_other_read_the_two_before_them() -> None:
    stem = capture(lambda b: b.add("Sigmoid", b.input(SHAPE))).piece
    one = capture(lambda b, x: b.add("Relu", x), SHAPE).piece
    two = capture(residual, SHAPE, SHAPE).piece
    head = capture(lambda b, x: b.output(b.add("Sin", x)), SHAPE).piece
    made = chain([stem, one, two, two, head], ("stem", "a", "b", "c", "head"), shared_table(), "chained")
    b = GraphBuilder("chained")
    x = b.add("Sigmoid", b.input(SHAPE))
    y = b.add("Relu", x)
    z = residual(b, y, x)
    b.output(b.add("Sin", residual(b, z, y)))
    assert equal(made, b.build())
    assert made.name == "chained"
    assert [n.region for n in made.nodes] == ["stem"] * 2 + ["a"] + ["b"] * 3 + ["c"] * 3 + ["head"] * 2
    assert made.hash == made.canonicalize().hash == b.build().hash


def test_a_piece_that_passes_its_input_on_is_looked_through() -> None:
    stem = capture(lambda b: b.add("Sigmoid", b.input(SHAPE))).piece
    nothing = capture(lambda b, x: x, SHAPE).piece
    head = capture(lambda b, x: b.output(b.add("Sin", x)), SHAPE).piece
    made = chain([stem, nothing, nothing, head], ("stem", "x", "y", "head"), shared_table(), "")
    assert [n.op for n in made.nodes] == ["Input", "Sigmoid", "Sin", "Output"]
    assert made.input_lists() == [[], [0], [1], [2]]


def test_an_assembly_wires_fragments_to_each_other_and_to_its_inputs() -> None:
    relu, add = capture(lambda b, x: b.add("Relu", x), SHAPE), capture(residual, SHAPE, SHAPE)
    cell = Assembly()
    first = cell.append(relu, ~0)
    last = cell.append(add, first, ~1)
    part = cell.finish(last)
    names = [shared_table()[code].op for code in part.codes]
    reads, at = [], 0
    for count in part.counts:
        reads.append([names[i] if i >= 0 else i for i in part.indices[at : at + count]])
        at += count
    assert dict(zip(names[1:], reads[1:], strict=True)) == {"Relu": ["Relu"], "Tanh": [~1], "Add": ["Relu", "Tanh"]}
    assert reads[0] == [~0]
    assert cell.append(capture(lambda b, x: x, SHAPE), last) == last


def test_a_block_is_built_once_for_each_key_and_again_for_another_table(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def block(b: GraphBuilder, x: int) -> int:
        built.append(1)
        return b.add("Relu", x)

    cache = FragmentCache()
    assert cache.begin() is shared_table()
    part = cache.get("k", block, SHAPE)
    assert cache.get("k", block, SHAPE) is part is cache.find("k")
    assert cache.find("other") is None
    cache.get("other", block, SHAPE)
    assert len(built) == 2
    table = SignatureTable()
    monkeypatch.setattr(fragments, "shared_table", lambda: table)
    assert cache.begin() is table
    assert cache.find("k") is None
    assert cache.begin() is table
