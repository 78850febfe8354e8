"""Recurrent layers, whole."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn.utils.parametrizations import weight_norm  # noqa: E402
from torch_programs import agree, normal, operators, random, wrap  # noqa: E402

from cg_frontends.pytorch import UnknownOperatorWarning, from_module  # noqa: E402


@pytest.mark.parametrize("cell", [nn.GRUCell, nn.LSTMCell, nn.RNNCell])
def test_recurrent_cells(cell):
    states = [] if cell is nn.LSTMCell else [random(2, 6, seed=1)]
    assert (
        agree(cell(8, 6), random(2, 8), *states).macs == {nn.GRUCell: 3, nn.LSTMCell: 4, nn.RNNCell: 1}[cell] * 6 * 14
    )


@pytest.mark.parametrize(
    "how",
    [
        {}, {"num_layers": 2}, {"bidirectional": True}, {"batch_first": True}, {"bias": False},
        {"num_layers": 2, "bidirectional": True, "batch_first": True, "bias": False},
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_layers_are_one_node_with_all_of_their_parameters(kind, how):
    layer = kind(5, 3, **how)
    x = normal(2, 4, 5) if how.get("batch_first") else normal(4, 1, 5)
    graph = agree(wrap(lambda self, x: self.layer(x)[0], layer=layer), x)
    assert operators(graph) == ["Input", type(layer).__name__, "Output"]
    assert graph.params == sum(p.numel() for p in layer.parameters())
    assert graph.macs == 4 * sum(p.numel() for name, p in layer.named_parameters() if name.startswith("weight"))


def test_projections_and_other_nonlinearities():
    agree(wrap(lambda self, x: self.layer(x)[0], layer=nn.LSTM(5, 6, proj_size=2, bidirectional=True)), normal(4, 1, 5))
    rectified = agree(wrap(lambda self, x: self.layer(x)[0], layer=nn.RNN(5, 3, nonlinearity="relu")), normal(4, 1, 5))
    assert rectified.nodes[1].attrs["nonlinearity"] == "relu"


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_states_are_inputs_unless_they_are_zero(kind):
    layer = kind(5, 3, batch_first=True)

    def states(make):
        given = make(1, 2, 3)
        return (given, given) if kind is nn.LSTM else given

    def forward(make):
        return wrap(lambda self, x: self.layer(x, states(lambda *s: make(s[0], x.shape[0], s[2])))[0], layer=layer)

    x = normal(2, 4, 5)
    assert operators(agree(forward(torch.zeros), x)) == ["Input", kind.__name__, "Output"]
    assert operators(agree(forward(torch.ones), x)).count("Constant") == 1
    given = [normal(1, 2, 3, seed=i) for i in range(2 if kind is nn.LSTM else 1)]
    module = wrap(lambda self, x, *s: self.layer(x, s if kind is nn.LSTM else s[0]), layer=layer)
    graph = from_module(module, x[:1], *(s[:, :1] for s in given), verify=True)
    assert len(graph.nodes[-1].inputs) == 1
    assert operators(graph).count("Input") == 1 + len(given)
    assert operators(graph).count("Output") == 1 + len(given)


def test_last_states_alone_are_read():
    graph = agree(
        wrap(lambda self, x: self.layer(x)[1][0][-1], layer=nn.LSTM(5, 3, 2, batch_first=True)), normal(2, 4, 5)
    )
    assert operators(graph).count("LSTM") == 1


def test_computed_weights_that_the_layer_owns():
    layer = weight_norm(nn.GRU(5, 3), "weight_hh_l0")
    graph = agree(wrap(lambda self, x: self.layer(x)[0], layer=layer), normal(4, 1, 5))
    assert graph.params == 9 * 5 + 9 * 3 + 9 + 9
    assert graph.extras["unused_parameters"] == 9  # the lengths of the rows


def test_computed_weights_that_no_layer_owns_are_custom():
    def computed(self, x):
        params = [x.mean() * p for p in self.layer._flat_weights]
        return torch.gru(x, torch.zeros(1, 1, 3), params, True, 1, 0.0, False, False, True)[0]

    with pytest.warns(UnknownOperatorWarning, match=r"aten::gru \(1x\)"):
        graph = from_module(wrap(computed, layer=nn.GRU(5, 3)), normal(1, 4, 5))
    assert "GRU" not in operators(graph)
    assert graph.params == 9 * 5 + 9 * 3 + 18
