"""The roofline's columns, by hand."""

from __future__ import annotations

import networkx
import numpy as np
import pytest

from cg_ir import GraphBuilder
from cg_predict.roofline import COLUMNS, WORKING, ideal, roofline


def column(graph, name, batch=1):
    return roofline([graph], batch)[0, COLUMNS.index(name)]


def block():
    """A convolution with batch normalisation and ReLU, from 3 to 40 channels on 8 x 8."""
    b = GraphBuilder("block")
    x = b.add("Conv", b.input((1, 3, 8, 8)), channels=40, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    b.output(b.add("Relu", b.add("BatchNormalization", x)))
    return b.build()


def test_columns_by_hand():
    graph = block()
    assert column(graph, "macs/convk") == graph.macs == 64 * 3 * 40 * 9
    assert column(graph, "tiled/convk") == 64 * 32 * 64 * 9  # channels in tiles of 32
    assert column(graph, "weights/convk") == 3 * 40 * 9
    assert column(graph, "moved/convk") == 64 * (3 + 40)
    assert column(graph, "moved/batchnorm") == 64 * 80
    assert column(graph, "fused/convk") == 64 * 3  # the result stays where it is until the ReLU writes it
    assert column(graph, "fused/batchnorm") == 0
    assert column(graph, "fused/pointwise") == 64 * 40
    assert column(graph, "launches/pointwise") == 1
    assert column(graph, "fused_launches") == 1
    assert column(graph, "levels") == 3
    traffic = 3 * 40 * 9 + 64 * 43
    assert column(graph, "bound4/convk") == max(graph.macs / 4, traffic)
    assert column(graph, "bound256/convk") == max(graph.macs / 256, traffic)


def test_the_batch_multiplies_activations_and_not_weights():
    graph = block()
    assert column(graph, "macs/convk", 8) == 8 * graph.macs
    assert column(graph, "weights/convk", 8) == column(graph, "weights/convk")
    assert column(graph, "launches/convk", 8) == 1


def test_what_hangs_on_no_input_does_not_grow():
    b = GraphBuilder("standardised")
    weight = b.add("Relu", b.add("Parameter", shape=(4, 3, 1, 1)))
    b.output(b.add("Conv", b.input((1, 3, 8, 8)), weight, kernel_shape=(1, 1), channels=4))
    graph = b.build()
    assert column(graph, "standing", 16) == column(graph, "standing") == 24
    assert column(graph, "standing_launches") == 1


def test_a_recurrent_layer_launches_once_a_step():
    b = GraphBuilder("recurrent")
    b.output(b.add("LSTM", b.input((1, 20, 8)), hidden_size=8, batch_first=True, num_layers=2))
    graph = b.build()
    assert column(graph, "launches/recurrent") == 40
    assert column(graph, "weights/recurrent") == 20 * graph.params  # and reads its weights


def test_rows_do_not_depend_on_their_neighbours(family):
    graphs, _ = family
    together = roofline(graphs[:10])
    alone = np.concatenate([roofline([g]) for g in graphs[:10]])
    np.testing.assert_allclose(together, alone)


def of_one(op: str, given: tuple[int, ...], **attrs):
    b = GraphBuilder(op)
    b.output(b.add(op, b.input(given), **attrs))
    return b.build()


CONV = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}


@pytest.mark.parametrize(
    ("graph", "kind"),
    [
        (of_one("Conv", (1, 8, 4, 4), channels=4, kernel_shape=(1, 1)), "conv1"),
        (of_one("Conv", (1, 8, 4, 4), channels=4, **CONV), "convk"),
        (of_one("Conv", (1, 8, 4, 4), channels=8, group=2, **CONV), "grouped"),
        (of_one("Conv", (1, 8, 4, 4), channels=8, group=8, **CONV), "depthwise"),
        (of_one("Gemm", (1, 8), channels=4), "gemm"),
        (of_one("Relu", (1, 8)), "pointwise"),
        (of_one("Softmax", (1, 8), axis=1), "softmax"),
        (of_one("BatchNormalization", (1, 8, 4, 4)), "batchnorm"),
        (of_one("LayerNormalization", (1, 5, 8), axis=2), "norm"),
        (of_one("MaxPool", (1, 8, 4, 4), kernel_shape=(2, 2), strides=(2, 2)), "pool"),
        (of_one("Transpose", (1, 8, 4), perm=(0, 2, 1)), "permute"),
    ],
)
def test_kinds_of_operators(graph, kind: str) -> None:
    row = roofline([graph])[0]
    launched = [name for name, value in zip(COLUMNS, row, strict=True) if name.startswith("launches/") and value]
    assert launched == [f"launches/{kind}"]
    if kind in WORKING:
        assert row[COLUMNS.index(f"macs/{kind}")] == graph.macs
        assert row[COLUMNS.index(f"weights/{kind}")] == graph.params


def test_views_launch_nothing_and_move_nothing() -> None:
    row = roofline([of_one("Flatten", (1, 8, 4, 4), shape=(1, 128))])[0]
    assert [name for name, value in zip(COLUMNS, row, strict=True) if value] == ["once"]


def test_grouped_convolutions_fill_tiles_group_by_group() -> None:
    graph = of_one("Conv", (1, 12, 4, 4), channels=72, group=2, **CONV)
    assert column(graph, "tiled/grouped") == graph.macs * (32 / 6) * (64 / 36)


def test_a_result_that_two_read_is_written_for_both() -> None:
    b = GraphBuilder("two readers")
    x = b.add("Conv", b.input((1, 3, 8, 8)), channels=4, **CONV)
    b.output(b.add("Add", b.add("Relu", x), b.add("Sigmoid", x)))
    graph = b.build()
    assert column(graph, "fused/convk") == column(graph, "moved/convk") == 64 * 7
    # of the sum only the edge from the first activation costs nothing
    assert column(graph, "fused/pointwise") == column(graph, "moved/pointwise") - 2 * 4 * 64


def test_ideal_machines_only_compute_move_read_weights_or_launch() -> None:
    rng = np.random.default_rng(0)
    columns = rng.uniform(0, 100, (3, len(COLUMNS)))
    columns[1] = 0.0
    told = ideal(columns)
    for place, prefix in enumerate(("macs/", "fused/", "weights/", "launches/")):
        own = [i for i, name in enumerate(COLUMNS) if name.startswith(prefix)]
        np.testing.assert_allclose(np.exp(told[0, place]), columns[0, own].sum())
    assert told[1].tolist() == [0.0] * 4
    assert roofline([]).shape == (0, len(COLUMNS))


def test_levels_are_launches_on_the_longest_path(family) -> None:
    for graph in family[0][:5]:
        nodes = networkx.DiGraph([(j, n.index) for n in graph.nodes for j in n.inputs])
        idle = {n.index for n in graph.nodes if n.op in ("Input", "Output", "Flatten")}
        longest = max(len(set(path) - idle) for path in networkx.all_simple_paths(nodes, 0, len(graph) - 1))
        assert column(graph, "levels") == longest
