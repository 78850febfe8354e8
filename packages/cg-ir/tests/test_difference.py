"""diff: matched nodes, changes, costs."""

from __future__ import annotations

import pytest

from cg_ir import GraphBuilder, diff


def test_equal_graphs(networks):
    found = diff(networks.cells(), networks.cells())
    assert found.equal
    assert (found.changed, found.added, found.removed) == ((), (), ())
    assert "the graphs are equal" in found.to_text()


def test_changed_attributes(networks):
    a, b = networks.cells(3), networks.cells(1)
    found = diff(a, b)
    assert not found.equal
    assert (found.added, found.removed) == ((), ())
    assert len(found.changed) == 6
    assert {c.before.op for c in found.changed} == {"Conv"}
    assert found.changed[0].fields["kernel_shape"] == ((3, 3), (1, 1))
    assert found.costs["parameters"] == (a.params, b.params)
    assert sum(c.after.params - c.before.params for c in found.changed) == b.params - a.params


def test_added_and_removed_cells(networks):
    short, long = networks.cells(repeats=2), networks.cells(repeats=3)
    grown = diff(short, long)
    assert not grown.removed
    assert len(grown.added) == len(long) - len(short)
    assert {n.region.split(".")[1] for n in grown.added} == {"cell_2"}
    shrunk = diff(long, short)
    assert not shrunk.added
    assert len(shrunk.removed) == len(grown.added)


@pytest.mark.parametrize(("a", "b"), [("cells", "unet"), ("attention_block", "cells")])
def test_every_node_is_accounted_for_once(networks, a, b):
    one, two = getattr(networks, a)(), getattr(networks, b)()
    found = diff(one, two)
    before = (
        [x for x, _ in found.unchanged] + [c.before.index for c in found.changed] + [n.index for n in found.removed]
    )
    after = [y for _, y in found.unchanged] + [c.after.index for c in found.changed] + [n.index for n in found.added]
    assert sorted(before) == list(range(len(one)))
    assert sorted(after) == list(range(len(two)))


def test_rewired_inputs_are_changes():
    def graph(swap):
        b = GraphBuilder()
        x = b.input((1, 4))
        y, z = b.add("Relu", x), b.add("Tanh", x)
        b.output(b.add("Concat", *((z, y) if swap else (y, z)), axis=1))
        return b.build()

    found = diff(graph(False), graph(True))
    assert not found.equal
    (change,) = [c for c in found.changed if c.before.op == "Concat"]
    assert list(change.fields) == ["inputs"]
    assert diff(graph(True), graph(True)).equal
