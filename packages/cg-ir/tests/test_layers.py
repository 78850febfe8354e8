"""The table of layers adds up and folds by region."""

from __future__ import annotations

import pytest

from cg_ir import GraphBuilder
from cg_ir.layers import layers


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_costs_of_the_outermost_layers_add_up(networks, depth):
    graph = networks.cells()
    outermost = [layer for layer in layers(graph, depth) if layer.depth == 0]
    assert sum(layer.params for layer in outermost) == graph.params
    assert sum(layer.macs for layer in outermost) == graph.macs
    assert sum(layer.share for layer in outermost) == pytest.approx(1)


def test_regions_fold_at_the_depth_asked_for(networks):
    graph = networks.cells()
    names = [layer.name for layer in layers(graph, 1)]
    assert "stage_0" in names
    assert "cell_0" not in names
    two = layers(graph, 2)
    (cell,) = [layer for layer in two if layer.name == "cell_0" and layer.depth == 1][:1]
    assert cell.operator == "5 operators"
    assert "Conv" in [layer.name for layer in layers(graph, 3) if layer.depth == 2]
    inside = [layer for layer in two if layer.depth == 1 and layer.name.startswith(("cell", "reduction"))]
    assert sum(layer.macs for layer in inside) == sum(layer.macs for layer in two if layer.name.startswith("stage"))


def test_a_region_of_one_operator_is_that_operator():
    b = GraphBuilder("one")
    x = b.add("Conv", b.input((1, 3, 8, 8)), channels=4, kernel_shape=(1, 1), region="features.conv")
    b.output(b.add("Relu", x, region="features.act"))
    rows = [(layer.name, layer.operator, layer.shape) for layer in layers(b.build(), 3)]
    assert rows[1:] == [
        ("features", "2 operators", (1, 4, 8, 8)),
        ("conv", "Conv", (1, 4, 8, 8)),
        ("act", "Relu", (1, 4, 8, 8)),
    ]


def test_shared_weights_count_where_they_first_occur():
    b = GraphBuilder("shared")
    x = b.input((1, 4, 8, 8))
    for region in ("first", "second"):
        x = b.add("Conv", x, channels=4, kernel_shape=(1, 1), weights="same", region=region)
    b.output(x)
    assert [layer.params for layer in layers(b.build())][-2:] == [16, 0]
