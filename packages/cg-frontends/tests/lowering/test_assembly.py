"""From lowered nodes to a graph: parameters that nodes share in part become nodes of their own, and all are counted once."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch_programs import Attending, agree, normal, operators, wrap  # noqa: E402

from cg_frontends.lowering.assembly import assemble  # noqa: E402
from cg_frontends.pytorch import from_module  # noqa: E402
from cg_frontends.pytorch.convert import PRODUCER, convert  # noqa: E402


def test_unused_and_shared_parameters():
    graph = from_module(Attending(), torch.zeros(1, 3, 32, 32))
    assert graph.extras["unused_parameters"] == 3 * 5 + 5
    assert sorted(graph.weight_keys.values()) == ["first.weight", "first.weight"]


def test_tied_weight_with_another_bias_is_counted_once():
    layers = wrap(lambda self, x: self.b(self.a(x)), a=nn.Linear(6, 6), b=nn.Linear(6, 6))
    layers.b.weight = layers.a.weight
    graph = from_module(layers, torch.zeros(1, 6))
    assert graph.params == 36 + 6 + 6
    convolutions = wrap(lambda self, x: self.b(self.a(x)), a=nn.Conv2d(4, 4, 1), b=nn.Conv2d(4, 4, 1))
    convolutions.b.weight = convolutions.a.weight
    assert from_module(convolutions, torch.zeros(1, 4, 5, 5)).params == 16 + 4 + 4


def normal_weights(*modules: nn.Module) -> None:
    for module in modules:
        for i, parameter in enumerate(module.parameters()):
            parameter.data.copy_(normal(*parameter.shape, seed=i))


LAYERS = {
    "linear": (lambda: nn.Linear(6, 6), (2, 6)),
    "convolution": (lambda: nn.Conv2d(6, 6, 1), (2, 6, 4, 3)),
    "convolution of one axis, unbatched": (lambda: nn.Conv1d(6, 6, 3, padding=1), (6, 7)),
    "transposed, grouped": (lambda: nn.ConvTranspose2d(6, 6, 1, groups=2), (2, 6, 4, 3)),
    "layer": (lambda: nn.LayerNorm((4, 6)), (2, 4, 6)),
    "batch of rows": (lambda: nn.BatchNorm1d(6), (2, 6)),
    "batch": (lambda: nn.BatchNorm2d(6), (2, 6, 5, 3)),
    "group": (lambda: nn.GroupNorm(2, 6), (2, 6, 5, 3)),
    "instance": (lambda: nn.InstanceNorm2d(6, affine=True), (2, 6, 5, 3)),
}


@pytest.mark.parametrize("tied", ["weight", "bias", "weight bias"])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_that_share_some_of_their_parameters(name, tied):
    make, shape = LAYERS[name]
    first, second = make(), make()
    normal_weights(first, second)
    for parameter in tied.split():
        setattr(second, parameter, getattr(first, parameter))
    module = nn.Sequential(first, nn.Tanh(), second)
    graph = agree(module, normal(*shape))
    assert graph.params == sum(p.numel() for p in module.parameters())
    assert not graph.extras


def test_a_bias_of_three_layers_is_one_node():
    layers = nn.Sequential(*(nn.Linear(6, 6) for _ in range(3)))
    layers[1].bias = layers[2].bias = layers[0].bias
    assert operators(agree(layers, normal(2, 6))).count("Parameter") == 1


@pytest.mark.parametrize("tied", ["weight_ih_l0", "bias_hh_l0"])
@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_that_share_some_of_their_parameters_have_each_their_own(layer, tied):
    first, second = layer(6, 6, batch_first=True), layer(6, 6, batch_first=True)
    setattr(second, tied, getattr(first, tied))
    module = wrap(lambda self, x: self.b(self.a(x)[0])[0], a=first, b=second)
    graph = agree(module, normal(2, 4, 6))
    assert graph.params == 2 * sum(p.numel() for p in first.parameters())
    assert graph.params + graph.extras["unused_parameters"] == sum(p.numel() for p in module.parameters())


def test_a_matrix_of_a_recurrent_layer_that_a_linear_one_reads():
    lstm = nn.LSTM(6, 6, batch_first=True)
    module = wrap(lambda self, x: F.linear(self.lstm(x)[0], self.lstm.weight_hh_l0), lstm=lstm)
    graph = agree(module, normal(2, 4, 6))
    assert graph.params == 2 * 24 * 6 + 2 * 24 + 24 * 6
    assert not graph.weight_keys


def test_tags_tell_which_node_and_parameter_became_what():
    layers = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))
    layers[1].weight = layers[0].weight
    lowering = convert(layers, (torch.zeros(1, 6),), {}, "layers").lowering
    graph = assemble(lowering, "layers", PRODUCER, tagged=True)
    assert [(node.op, node.region) for node in graph.nodes] == [
        ("Input", "0"), ("Gemm", "1"), ("Parameter", "1.1"), ("Add", "1"),
        ("Gemm", "2"), ("Parameter", "2.1"), ("Add", "2"), ("Output", "3"),
    ]  # fmt: skip
    assert graph.hash == from_module(layers, torch.zeros(1, 6)).hash
    assert graph.producer == PRODUCER
