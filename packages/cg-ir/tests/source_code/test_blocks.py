"""Regions as nested blocks: what each takes, makes and returns."""

from __future__ import annotations

from hypothesis import given
from strategies import networks

from cg_ir import Graph, GraphBuilder
from cg_ir.source_code.blocks import Block, block_tree


def blocks(block: Block) -> list[Block]:
    return [block, *(inner for item in block.items if isinstance(item, Block) for inner in blocks(item))]


def two_levels() -> Graph:
    b = GraphBuilder()
    x = b.input((1, 4))
    a = b.add("Relu", x, region="outer.first")
    c = b.add("Tanh", a, region="outer.first")
    d = b.add("Add", c, x, region="outer.second")
    e = b.add("Abs", d, region="outer.second")
    b.output(b.add("Sub", e, a))
    return b.build()


def test_blocks_take_what_they_read_and_return_what_others_read() -> None:
    whole, outer, first, second = blocks(block_tree(two_levels(), set()))
    assert [block.path for block in (whole, outer, first, second)] == [
        (),
        ("outer",),
        ("outer", "first"),
        ("outer", "second"),
    ]
    assert [(block.inputs, block.outputs) for block in (first, second)] == [([0], [1, 2]), ([2, 0], [4])]
    assert (outer.inputs, outer.outputs) == ([0], [1, 4])
    assert (whole.inputs, whole.outputs) == ([], [])
    assert whole.items == [0, outer, 5, 6]


def test_what_is_left_out_is_in_no_block_and_taken_by_none() -> None:
    b = GraphBuilder()
    x = b.input((1, 4))
    half = b.constant((), [0.5])
    b.output(b.add("Relu", b.add("Mul", x, half, region="r"), region="r"))
    whole, inner = blocks(block_tree(b.build(), {half}))
    assert half not in whole.nodes()
    assert inner.inputs == [x]


def test_a_further_output_stays_with_its_operator() -> None:
    b = GraphBuilder()
    x = b.input((1, 6))
    most = b.add("TopK", x, axis=1, k=2, region="top")
    where = b.add("Select", most, index=1, shape=(1, 2), region="elsewhere")
    b.output(b.add("Relu", most, region="top"))
    b.output(b.add("Neg", where))
    whole = block_tree(b.build(), set())
    (inner,) = [item for item in whole.items if isinstance(item, Block)]
    assert where in inner.nodes()
    assert where in inner.outputs


@given(networks())
def test_every_node_is_in_one_block_and_every_wire_crosses_where_it_is_declared(graph: Graph) -> None:
    whole = block_tree(graph, set())
    assert sorted(whole.nodes()) == list(range(len(graph)))
    inputs = graph.input_lists()
    for block in blocks(whole):
        own = set(block.nodes())
        assert set(block.inputs) == {j for i in own for j in inputs[i]} - own
        assert set(block.outputs) == {j for i, ins in enumerate(inputs) if i not in own for j in ins} & own
        done: set[int] = set(block.inputs)
        for item in block.items:
            reads = item.inputs if isinstance(item, Block) else inputs[item]
            assert set(reads) <= done
            done |= set(item.nodes()) if isinstance(item, Block) else {item}
