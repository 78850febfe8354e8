"""Where a network can be changed: the sites of small networks, and what each change asks for."""

from __future__ import annotations

import pytest

from cg_evolve.graph_axes import Factor
from cg_evolve.graph_sites import ACTIVATIONS, Changes, Sites, Width, rebuild
from cg_ir import Graph, GraphBuilder, GraphError

SAME = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}


def network(**options: object) -> Graph:
    """A stem and two blocks of 16 channels; the first convolution of the first block with these options."""
    b = GraphBuilder()
    x = b.add("Relu", b.add("Conv", b.input((1, 3, 8, 8)), channels=16, **SAME))
    y = b.add("Conv", x, **{"channels": 16, **SAME, **options})
    x = b.add("Add", x, b.add("Conv", b.add("Relu", y), channels=16, kernel_shape=(1, 1)))
    x = b.add("Relu", b.add("Conv", x, channels=16, **SAME))
    b.output(b.add("Gemm", b.add("Flatten", b.add("GlobalAveragePool", x), shape=(1, 16)), channels=10))
    return b.build()


def sites_of(graph: Graph, kind: str) -> dict[int, tuple[str, ...]]:
    """The options of the sites of one kind, by node."""
    return {int(name[1:]): site.options for name, site in Sites(graph).by_name.items() if name[0] == kind}


@pytest.mark.parametrize(
    ("options", "kernel"),
    [
        ({}, "3"),
        ({"kernel_shape": (5, 5), "pads": (2, 2, 2, 2)}, "5"),
        ({"kernel_shape": (3, 3), "pads": (2, 2, 2, 2), "dilations": (2, 2)}, "3"),
        ({"kernel_shape": (1, 3), "pads": (0, 1, 0, 1)}, None),  # not square
        ({"kernel_shape": (9, 9), "pads": (4, 4, 4, 4)}, None),  # none of the options
    ],
)
def test_kernels_are_sites_where_their_padding_keeps_the_extent(options: dict[str, object], kernel: str | None) -> None:
    graph = network(**options)
    place = 3
    assert graph.nodes[place].op == "Conv"
    assert (place in sites_of(graph, "k")) == (kernel is not None)
    if kernel is not None:
        assert Sites(graph).by_name[f"k{place}"].default == kernel
        for value in ("1", "3", "5", "7"):
            made = rebuild(Sites(graph), {f"k{place}": value})
            conv = next(n for n in made.nodes if n.index == place)
            assert conv.attrs["kernel_shape"] == (int(value),) * 2
            assert [n.shape for n in made.nodes] == [n.shape for n in graph.nodes]


def test_groups_are_sites_but_for_depthwise_convolutions_and_the_first() -> None:
    assert set(sites_of(network(), "g")) == {3, 5, 7}
    assert 3 not in sites_of(network(group=16), "g")
    assert rebuild(Sites(network()), {"g3": "4"}).nodes[3].attrs["group"] == 4
    with pytest.raises(GraphError, match="12 channels do not divide into 8 groups"):
        rebuild(Sites(network()), {"g3": "8", "w3": "0.75"})


def test_an_activation_is_told_with_its_attributes() -> None:
    for name, (op, attrs) in ACTIVATIONS.items():
        b = GraphBuilder()
        x = b.add(op, b.add("Conv", b.input((1, 3, 8, 8)), channels=4, **SAME), **attrs)
        b.output(x)
        graph = b.build()
        site = Sites(graph).by_name["a2"]
        assert (site.default, site.options) == (name, tuple(ACTIVATIONS))
        for other, (wanted, _) in ACTIVATIONS.items():
            assert rebuild(Sites(graph), {"a2": other}).nodes[2].op == wanted
    b = GraphBuilder()
    b.output(b.add("Clip", b.add("Conv", b.input((1, 3, 8, 8)), channels=4, **SAME), min=0.0, max=4.0))
    assert not any(name[0] == "a" for name in Sites(b.build()).by_name)  # relu4 is none of them


@pytest.mark.parametrize(
    ("base", "value", "expected"),
    [(64, "1.25", 80), (64, "0.75", 48), (40, "0.75", 32), (16, "0.75", 12), (12, "0.75", 9), (6, "0.5", 3), (3, "0.5", 2), (1, "0.5", 1), (32, "2", 64)],
)  # fmt: skip
def test_widths_keep_to_multiples_that_the_network_keeps_to(base: int, value: str, expected: int) -> None:
    factor, changes = Factor(base), Changes()
    Width("1", ("0.5", "1"), "1", factor).change(value, changes)
    assert changes.sizes == {factor: expected}


def test_a_width_is_one_site_for_all_that_additions_tie_to_it() -> None:
    assert set(sites_of(network(), "w")) == {1, 3}  # of the stem and all blocks' ends, and of the inner convolution
    made = rebuild(Sites(network()), {"w1": "0.5"})
    assert {n.shape[1] for n in made.nodes if n.op in ("Add", "Relu")} == {8, 16}
    assert [n.shape for n in made.nodes if n.op == "Output"] == [(1, 10)]


def test_blocks_are_left_out_and_repeated() -> None:
    graph = network()
    sites = Sites(graph)
    (first, second) = [name for name in sites.by_name if name[0] == "d"]
    for times in range(4):
        made = rebuild(sites, {first: str(times), second: "0"})
        assert sum(n.op == "Add" for n in made.nodes) == times
        assert sum(n.op == "Conv" for n in made.nodes) == 1 + 2 * times
    assert rebuild(sites, {}).hash == graph.hash
    twice = rebuild(sites, {first: "2"})
    assert {n.region.rpartition(".")[2] for n in twice.nodes if "copy" in n.region} == {"copy_1"}


def test_a_skip_connection_goes_over_a_block_that_is_there() -> None:
    sites = Sites(network())
    skips = [name for name in sites.by_name if name[0] == "s"]
    assert skips
    for name in skips:
        made = rebuild(sites, {name: "1"})
        assert sum(n.op == "Add" for n in made.nodes) >= 1
        assert made.params == sites.graph.params
        assert made.hash != sites.graph.hash
    over = next(name for name in skips if f"d{name.split('_')[1]}" in sites.by_name)
    with pytest.raises(GraphError, match=f"{over}.*a skip connection over a block that is not there|a skip connection"):
        rebuild(sites, {name: "0" for name in sites.by_name if name[0] == "d"} | {over: "1"})


def test_weights_that_are_shared_are_left_alone() -> None:
    b = GraphBuilder()
    x = b.add("Conv", b.input((1, 3, 8, 8)), channels=4, **SAME)
    for _ in range(2):
        x = b.add("Conv", b.add("Relu", x), channels=4, weights="both", **SAME)
    b.output(b.add("Gemm", b.add("Flatten", b.add("GlobalAveragePool", x), shape=(1, 4)), channels=10))
    graph = b.build()
    shared = {n.index for n in graph.nodes if n.weights}
    assert not any(int(name[1:].split("_")[0]) in shared for name in Sites(graph).by_name if name[0] in "kgw")
