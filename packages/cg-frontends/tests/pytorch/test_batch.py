"""Which axis of each input holds the examples."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch_programs import Program, wrap  # noqa: E402

import cg_ir  # noqa: E402
from cg_frontends.pytorch import from_module  # noqa: E402
from cg_frontends.pytorch.batch import batch_axes, mixes, scales  # noqa: E402

BATCHES = {
    "leading": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 2)), [(5, 3, 8, 8)], [0]),
    "sequence first": (lambda: nn.LSTM(8, 16, 2), [(35, 4, 8)], [1]),
    "as long as there are examples": (lambda: nn.LSTM(8, 16), [(4, 4, 8)], [1]),
    "sequence first, with its state": (lambda: nn.GRU(8, 16), [(7, 5, 8), (1, 5, 16)], [1, 1]),
    "sequence first, states of two layers": (lambda: nn.GRU(8, 16, 2), [(7, 5, 8), (2, 5, 16)], [1, 1]),
    "batch first, with its state": (lambda: nn.GRU(8, 16, batch_first=True), [(5, 7, 8), (1, 5, 16)], [0, 1]),
    "one context for all": (lambda: Program(lambda x, context: x + context), [(3, 5, 8), (1, 5, 8)], [0, None]),
    "one sequence": (lambda: nn.GRU(8, 16), [(7, 1, 8), (1, 1, 16)], [None, None]),
    "batch first": (lambda: nn.LSTM(8, 16, batch_first=True), [(35, 4, 8)], [0]),
    "no batch": (lambda: nn.LSTM(8, 16), [(35, 8)], [None]),
    "unbatched image": (lambda: nn.Conv2d(3, 8, 3), [(3, 8, 8)], [None]),
    "transformer": (lambda: nn.Transformer(16, 4, 1, 1, 32), [(10, 3, 16), (20, 3, 16)], [1, 1]),
    "transformer, equal lengths": (lambda: nn.Transformer(16, 4, 1, 1, 32), [(10, 3, 16), (10, 3, 16)], [1, 1]),
    "transformer, batch first": (
        lambda: nn.Transformer(16, 4, 1, 1, 32, batch_first=True),
        [(10, 3, 16), (10, 7, 16)],
        [0, 0],
    ),
    "attention": (lambda: nn.MultiheadAttention(16, 4), [(10, 3, 16), (12, 3, 16), (12, 3, 16)], [1, 1, 1]),
    "layers": (lambda: nn.Sequential(nn.Linear(5, 5), nn.LayerNorm(5)), [(4, 7, 5)], [0]),
}


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("name", BATCHES)
def test_the_batch_is_the_axis_that_no_operator_mixes(name):
    make, shapes, axes = BATCHES[name]
    module = make()
    one = [[1 if i == axis else size for i, size in enumerate(s)] for s, axis in zip(shapes, axes, strict=True)]
    several = from_module(module, *(torch.zeros(s) for s in shapes))
    assert [list(node.shape) for node in several.nodes if node.op == "Input"] == one
    assert several.hash == from_module(module, *(torch.zeros(s) for s in one)).hash


def test_states_hold_the_batch_elsewhere_than_the_sequence():
    lstm = nn.LSTM(8, 16, batch_first=True)
    state = torch.zeros(1, 5, 16)
    graph = from_module(lstm, torch.zeros(5, 7, 8), (state, state))
    assert [node.shape for node in graph.nodes if node.op == "Input"] == [(1, 7, 8), (1, 1, 16), (1, 1, 16)]


def test_one_kernel_an_example_keeps_the_batch():
    """The batch is folded into the groups of a convolution and back."""

    def conditional(self, x):
        n, c, h, w = x.shape
        weight = x.mean((2, 3)).reshape(n * c, 1, 1, 1).expand(-1, 1, 3, 3)
        return F.conv2d(x.reshape(1, n * c, h, w), weight, padding=1, groups=n * c).reshape(n, c, h, w)

    graph = from_module(wrap(conditional), torch.zeros(4, 3, 8, 8))
    assert graph.nodes[0].shape == (1, 3, 8, 8)
    assert graph.hash == from_module(wrap(conditional), torch.zeros(1, 3, 8, 8)).hash


@pytest.mark.parametrize(
    ("shape", "positions", "wanted"),
    [
        ((1, 16, 64), (16,), ((1, 16, 64), (16,))),
        ((2, 16, 64), (16,), ((1, 16, 64), (16,))),
        ((16, 16, 64), (16,), ((1, 16, 64), (16,))),
        ((4, 16, 64), (4, 16), ((1, 16, 64), (1, 16))),
    ],
)
def test_positions_are_no_batch(shape, positions, wanted):
    class Positioned(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.layer = nn.Embedding(64, 64), nn.Linear(64, 64)

        def forward(self, x, places):
            return self.layer(x + self.table(places))

    graph = from_module(Positioned(), torch.zeros(shape), torch.zeros(positions, dtype=torch.int64))
    assert tuple(n.shape for n in graph.nodes if n.op == "Input") == wanted
    assert graph.macs == 16 * 64 * 64


def chain(shape, *reshapes):
    builder = cg_ir.GraphBuilder()
    node = builder.input(shape)
    for reshape in reshapes:
        node = builder.add("Reshape", builder.add("Tanh", node), shape=reshape)
    builder.output(node)
    return builder.build()


def holds_batch(labels):
    """Whether the examples are apart along one axis: all along it are of one example, or it has a factor that counts them."""
    for axis, size in enumerate(labels.shape):
        rows = np.moveaxis(labels, axis, 0).reshape(size, -1)
        if not (rows == rows[:, :1]).all():
            continue
        row, examples = rows[:, 0], int(labels.max()) + 1
        for inner in range(1, size + 1):
            if (np.arange(size) // inner % examples == row).all():
                return True
    return False


SHAPES = [
    (2, 3, 4),
    (6, 4),
    (3, 8),
    (24,),
    (4, 6),
    (2, 12),
    (2, 2, 6),
    (1, 24),
    (3, 2, 4),
    (4, 3, 2),
    (12, 2),
    (1, 2, 3, 4),
]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shape", [(2, 3, 4), (4, 3, 2), (2, 2, 6)])
def test_reshapes_that_leave_the_examples_apart(shape, axis):
    """Against the number of its example at every element."""
    labels = np.broadcast_to(np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(3)]), shape)
    for after in SHAPES:
        for back in (shape, (24,)):
            graph = chain(shape, after, back)
            apart = all(holds_batch(labels.reshape(s)) for s in {n.shape for n in graph.nodes})
            assert (mixes(graph, (axis,)) == 0) == apart, (after, back)


def test_operators_that_work_along_the_batch_are_counted():
    builder = cg_ir.GraphBuilder()
    x = builder.input((4, 5))
    builder.output(builder.add("Softmax", builder.add("Softmax", x, axis=0), axis=1))
    graph = builder.build()
    assert mixes(graph, (0,)) == mixes(graph, (1,)) == 1
    assert mixes(graph, (None,)) == 0
    assert batch_axes(graph, [(4, 5)]) is None


def test_nothing_is_known_of_custom_operators():
    builder = cg_ir.GraphBuilder()
    builder.output(builder.add("Custom", builder.input((4, 5)), shape=(4, 5), name="any"))
    assert batch_axes(builder.build(), [(4, 5)]) is None


def test_what_is_added_to_every_example_holds_no_batch_unless_it_is_as_long():
    builder = cg_ir.GraphBuilder()
    builder.output(builder.add("Add", builder.input((4, 5)), builder.input((5,))))
    graph = builder.build()
    assert batch_axes(graph, [(4, 5), (5,)]) == (0, None)
    assert mixes(graph, (0, 0)) == 1
    assert mixes(graph, (1, 0)) == 0


def test_what_is_joined_with_every_example_and_as_long_holds_a_batch_after_all():
    builder = cg_ir.GraphBuilder()
    builder.output(builder.add("Concat", builder.input((4, 5)), builder.input((4, 3)), axis=1))
    graph = builder.build()
    assert mixes(graph, (0, None)) == 1
    assert mixes(graph, (0, 0)) == 0


def test_several_examples_scale_costs_and_outputs():
    def graphs(*shapes):
        for shape in shapes:
            builder = cg_ir.GraphBuilder()
            x = builder.input(shape)
            builder.output(builder.add("MatMul", x, builder.add("Transpose", x, perm=(0, 2, 1))))
            yield builder.build()

    one, three, longer = graphs((1, 4, 6), (3, 4, 6), (1, 12, 6))
    assert scales(one, three, 3)
    assert not scales(one, three, 2)
    assert not scales(one, longer, 3)
    assert longer.macs == 9 * one.macs


def test_outputs_alone_do_not_tell_a_batch():
    """Rows that attend to each other: three times the rows give three times the outputs, and nine times the products."""

    def graph(rows):
        builder = cg_ir.GraphBuilder()
        x = builder.input((rows, 6))
        square = builder.add("MatMul", x, builder.add("Transpose", x, perm=(1, 0)))
        builder.output(builder.add("MatMul", square, x))
        return builder.build()

    assert not scales(graph(1), graph(3), 3)


def test_a_sequence_of_a_recurrent_layer_is_no_batch():
    rows = wrap(lambda self, x: self.lstm(x)[0], lstm=nn.LSTM(6, 6))
    one, several = from_module(rows, torch.zeros(1, 6)), from_module(rows, torch.zeros(3, 6))
    assert [graph.nodes[-1].shape for graph in (one, several)] == [(1, 6), (3, 6)]
    assert several.macs == 3 * one.macs
    assert not scales(one, several, 3)
