"""Networks around a given one, and regions made narrower."""

from __future__ import annotations

import pytest
from predict_test_networks import bottlenecks, chain

from cg_ir import CgError, GraphBuilder
from cg_ir.errors import SourceError
from cg_predict.around import Narrower, space_around

pytest.importorskip("cg_evolve")


def test_the_space_has_the_network_itself_and_single_changes_to_it() -> None:
    graph = chain(2)
    space = space_around(graph)
    assert space.graph("base").hash == graph.canonicalize().hash
    neighbours = space.neighbors("base")
    assert all(space.graph(arch).hash != graph.hash for arch in neighbours[:20])


def test_a_network_without_a_site_is_told_by_its_name() -> None:
    b = GraphBuilder("nothing")
    b.output(b.add("Flatten", b.input((1, 3, 4, 4)), shape=(1, 48)))
    with pytest.raises(SourceError, match=r"^nothing has nothing that the space 'graph' knows how to change$"):
        space_around(b.build())
    with pytest.raises(SourceError, match=r"^the network has nothing"):
        space_around(b.build().renamed(""))


def test_inner_widths_are_halved_region_by_region() -> None:
    graph = bottlenecks(3)
    narrower = Narrower(graph)
    assert narrower.regions == ("block_0", "block_1", "block_2")  # not the one that has no width of its own
    assert narrower.without([]).hash == graph.canonicalize().hash
    for chosen in ([0], [1], [0, 2], [0, 1, 2]):
        found = narrower.without(chosen)
        assert [n.op for n in found.nodes] == [n.op for n in graph.canonicalize().nodes]
        inner = {n.region: n.shape[1] for n in found.nodes if n.op == "Relu" and n.region.startswith("block")}
        assert inner == {f"block_{i}": 8 if i in chosen else 16 for i in range(3)}
        outer = {n.shape[1] for n in found.nodes if n.op == "Add"}
        assert outer == {8}


def test_a_network_all_of_whose_widths_are_shared_is_refused() -> None:
    with pytest.raises(CgError, match=r"^no region of the network has a width that it does not share with others$"):
        Narrower(chain(3))


def test_channels_that_do_not_divide_stay() -> None:
    """Half of the inner 6 channels are no two groups of whole channels."""
    b = GraphBuilder("grouped")
    x = b.add("Conv", b.input((1, 3, 8, 8)), channels=8, kernel_shape=(1, 1), region="stem")
    for name, inner, group in (("odd", 6, 2), ("even", 8, 2)):
        y = b.add("Conv", x, channels=inner, kernel_shape=(1, 1), region=name)
        y = b.add("Conv", y, channels=inner, kernel_shape=(3, 3), pads=(1,) * 4, group=group, region=name)
        x = b.add("Add", x, b.add("Conv", y, channels=8, kernel_shape=(1, 1), region=name), region=name)
    b.output(b.add("Relu", x))
    found = Narrower(b.build())
    assert "even" in found.regions
    narrow = found.without(range(len(found.regions)))
    for node in narrow.nodes:
        if node.op == "Conv" and node.attrs["group"] == 2:
            assert node.shape[1] % 2 == 0
