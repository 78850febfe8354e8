"""What becomes a node, what an operator owns, and what is Custom."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch_programs import operators, wrap  # noqa: E402

from cg_frontends.pytorch import UnknownOperatorWarning, from_module  # noqa: E402


def test_constants_fold_and_parameters_become_nodes():
    def forward(self, x):
        mask = torch.arange(8).view(2, 4).sum(0) > self.limit
        return torch.where(mask, x * (self.a.exp() + self.b).t(), x)

    module = wrap(forward, a=nn.Parameter(torch.zeros(4, 4)), b=nn.Parameter(torch.zeros(4, 4)))
    module.register_buffer("limit", torch.tensor(9))
    graph = from_module(module, torch.zeros(1, 4, 4))
    assert graph.params == 32
    assert operators(graph).count("Constant") == 1
    assert operators(graph).count("Parameter") == 2


@pytest.mark.parametrize("normalise", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm])
def test_parametrised_layers_are_layers(normalise):
    graph = from_module(wrap(lambda self, x: self.a(x), a=normalise(nn.Linear(4, 6))), torch.zeros(1, 4))
    assert operators(graph) == ["Input", "Gemm", "Output"]
    assert graph.params == 30
    assert graph.extras.get("unused_parameters", 0) == (6 if normalise is nn.utils.parametrizations.weight_norm else 0)


def test_computed_weights_are_inputs():
    def forward(self, x):
        weight = self.experts * x.mean((1, 2, 3)).view(1, 1, 1, 1)
        return F.conv2d(x, weight, padding=1)

    module = wrap(forward, experts=nn.Parameter(torch.zeros(6, 3, 3, 3)))
    graph = from_module(module, torch.zeros(1, 3, 8, 8))
    convolution = next(node for node in graph.nodes if node.op == "Conv")
    assert len(convolution.inputs) == 2
    assert convolution.params == 0
    assert convolution.macs == 6 * 64 * 27
    assert graph.params == 6 * 27


def test_low_rank_weights_are_counted_as_they_are():
    module = wrap(
        lambda self, x: F.linear(x, self.a @ self.b),
        a=nn.Parameter(torch.zeros(8, 2)),
        b=nn.Parameter(torch.zeros(2, 8)),
    )
    graph = from_module(module, torch.zeros(1, 8))
    assert graph.params == 32
    assert "unused_parameters" not in graph.extras


def test_an_unknown_operator_keeps_its_parameters():
    module = wrap(lambda self, x: F.embedding_bag(x, self.table), table=nn.Parameter(torch.zeros(9, 4)))
    with pytest.warns(UnknownOperatorWarning, match="embedding_bag"):
        graph = from_module(module, torch.zeros(1, 3, dtype=torch.int64))
    assert graph.params == 36
