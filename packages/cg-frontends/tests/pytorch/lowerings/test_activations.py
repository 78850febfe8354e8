"""Activations with every argument that PyTorch documents."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch_programs import Program, agree, computes, normal  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402

X = 4 * normal(2, 4, 6)


@pytest.mark.parametrize(
    "function",
    [
        F.relu, F.relu6, F.hardsigmoid, F.hardswish, F.silu, F.mish, F.selu, F.softsign, F.tanhshrink, F.logsigmoid, torch.sigmoid, torch.tanh,
        F.gelu, lambda x: F.gelu(x, approximate="tanh"),
        F.elu, lambda x: F.elu(x, alpha=0.3), F.celu, lambda x: F.celu(x, alpha=2.5),
        F.leaky_relu, lambda x: F.leaky_relu(x, 0.3), lambda x: F.rrelu(x, 0.1, 0.5), F.rrelu,
        F.hardtanh, lambda x: F.hardtanh(x, -0.5, 2.0), F.hardshrink, lambda x: F.hardshrink(x, 1.5), F.softshrink, lambda x: F.softshrink(x, 1.5),
        lambda x: F.threshold(x, 0.5, -3.0),
        lambda x: x.clamp(-1), lambda x: x.clamp(max=1), lambda x: x.clip(-1, 2), lambda x: x.clamp(2, -1), lambda x: x.clamp_min(0.5).clamp_max(2),
        lambda x: x.clamp(x.mean(1, keepdim=True), x.abs()), lambda x: x.clamp(torch.tensor(-1.0), torch.full((6,), 2.0)),
        F.glu, lambda x: F.glu(x, 1), lambda x: F.glu(x, dim=-2),
        lambda x: x.softmax(1), lambda x: F.softmax(x, -1), lambda x: F.softmin(x, 1), lambda x: F.log_softmax(x, -2),
        lambda x: F.softmax(x, -1, dtype=torch.float64), lambda x: x.to(torch.int64).softmax(-1, dtype=torch.float32),
        lambda x: F.log_softmax(x.to(torch.int64), 1, dtype=torch.float32), lambda x: F.softshrink(x - 0.5, 0.1),
    ],
)  # fmt: skip
def test_functions(function):
    computes(function, X)


@pytest.mark.parametrize(("beta", "threshold"), [(1, 20), (2, 20), (0.5, 1), (3, 0.2), (1, -1), (1, 14), (1, 16)])
def test_softplus_is_a_line_beyond_its_threshold(beta, threshold):
    graph = computes(lambda x: F.softplus(x, beta, threshold), X)
    assert len(graph.nodes) == (3 if threshold > 15 else 6)


@pytest.mark.parametrize("count", [1, 4])
def test_slopes_that_are_learned(count):
    layer = nn.PReLU(count)
    nn.init.normal_(layer.weight)
    assert agree(layer, X).params == count


def test_a_slope_that_is_computed_is_outside():
    with pytest.warns(UserWarning, match=r"became Custom: aten::prelu \(1x\)"):
        from_module(Program(lambda x: F.prelu(x, x.mean().reshape(1))), X)
