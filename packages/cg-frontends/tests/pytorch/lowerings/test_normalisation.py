"""Normalisations with every argument, with parameters that they own and without."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch_programs import Program, agree, computes, normal, wrap  # noqa: E402

import cg_ir  # noqa: E402
from cg_frontends.pytorch import copy_weights, from_module  # noqa: E402
from cg_ir import SourceError  # noqa: E402

X, IMAGE = normal(2, 4, 6), normal(2, 4, 5, 3)


def trained(layer):
    """The layer with numbers that tell scale, shift, mean and variance apart."""
    for i, tensor in enumerate(layer.state_dict().values()):
        if tensor.is_floating_point():
            tensor.copy_(normal(*tensor.shape, seed=i).abs() + i + 0.5)
    return layer


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (lambda: nn.BatchNorm1d(4, eps=0.1), X), (lambda: nn.BatchNorm2d(4, affine=False), IMAGE), (lambda: nn.BatchNorm1d(4), normal(2, 4)),
        (lambda: nn.InstanceNorm1d(4), X), (lambda: nn.InstanceNorm2d(4, eps=0.1, affine=True), IMAGE),
        (lambda: nn.InstanceNorm2d(4, affine=True, track_running_stats=True), IMAGE),
        (lambda: nn.GroupNorm(2, 4, eps=0.1), IMAGE), (lambda: nn.GroupNorm(4, 4, affine=False), X), (lambda: nn.GroupNorm(1, 4), X),
        (lambda: nn.LayerNorm(6, eps=0.1), X), (lambda: nn.LayerNorm((4, 6)), X), (lambda: nn.LayerNorm(6, bias=False), X),
        (lambda: nn.LayerNorm(6, elementwise_affine=False), X), (lambda: nn.RMSNorm(6), X), (lambda: nn.RMSNorm((4, 6), eps=0.1), X),
        (lambda: nn.RMSNorm(6, elementwise_affine=False), X), (lambda: nn.LocalResponseNorm(3, 0.1, 0.5, 2.0), IMAGE),
    ],
)  # fmt: skip
def test_layers(layer, x):
    layer = trained(layer())
    graph = agree(layer, x)
    assert graph.params == sum(p.numel() for p in layer.parameters())
    assert graph.macs == 0


def test_scales_that_are_computed():
    computes(lambda x, w: F.layer_norm(x, (6,), w[0]), X[:1], normal(1, 6))
    computes(lambda x, w: F.layer_norm(x, (6,), w[0], w[0] * 2, 0.1), X[:1], normal(1, 6))
    computes(lambda x, w: F.rms_norm(x, (6,), w[0], 0.1), X[:1], normal(1, 6))
    computes(lambda x, w: F.group_norm(x, 2, w[0], w[0] + 1), X[:1], normal(1, 4))
    computes(lambda x, w: F.instance_norm(x, weight=w[0], bias=w[0]), X[:1], normal(1, 4))
    computes(
        lambda x, w: F.batch_norm(x, torch.ones(4), torch.full((4,), 2.0), w[0], w[0], eps=0.5), X[:1], normal(1, 4)
    )


@pytest.mark.parametrize("mean", [None, torch.zeros(4)])
def test_statistics_of_the_batch_are_none_that_could_be_copied(mean):
    program = Program(lambda x: F.batch_norm(x, mean, mean, training=True))
    graph = from_module(program, X)
    assert [n.op for n in graph.nodes] == ["Input", "BatchNormalization", "Output"]
    with pytest.raises(SourceError, match="without running statistics is one of the batch at hand"):
        copy_weights(program, cg_ir.to_module(graph), X)


def test_statistics_that_are_given_beside_the_result_are_outside():
    with pytest.raises(SourceError, match="output 1 of aten::native_layer_norm is outside the vocabulary"):
        from_module(Program(lambda x: torch.native_layer_norm(x, (6,), None, None, 1e-5)), X)


def test_normalisations_without_all_of_their_parameters():
    module = wrap(
        lambda self, x: F.layer_norm(self.b(x), (4,), self.w),
        b=nn.BatchNorm1d(3, affine=False),
        w=nn.Parameter(torch.ones(4)),
    )
    graph = from_module(module, torch.zeros(1, 3, 4))
    assert graph.params == 4
    assert graph.nodes[1].attrs["affine"] is False
    assert graph.nodes[2].attrs["bias"] is False
