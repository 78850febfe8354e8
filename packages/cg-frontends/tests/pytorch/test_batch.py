"""Which axis of each input holds the examples."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch_programs import wrap  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402

BATCHES = {
    "leading": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 2)), [(5, 3, 8, 8)], [0]),
    "sequence first": (lambda: nn.LSTM(8, 16, 2), [(35, 4, 8)], [1]),
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
