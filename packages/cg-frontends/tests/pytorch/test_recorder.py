"""A forward pass as values that never change: writes in place, views, fills and constants with elements."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402
from torch_programs import operators, wrap  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402


@pytest.mark.parametrize(
    ("write", "same"),
    [
        (lambda self, x: x.clone().add_(1), lambda self, x: x + 1),
        (lambda self, x: F.relu(x, inplace=True), lambda self, x: F.relu(x)),
        (lambda self, x: torch.add(x, 1, out=torch.empty_like(x)), lambda self, x: x + 1),
        (lambda self, x: _through_view(x * 2), lambda self, x: (x * 2).view(-1, 8).relu().view(1, 4, 4)),
        (lambda self, x: _transposed(x * 2), lambda self, x: (x * 2).transpose(1, 2).relu().transpose(1, 2)),
        (lambda self, x: _filled(x), lambda self, x: x + 1),
    ],
)
def test_writes_in_place_are_their_plain_twins(write, same):
    x = torch.zeros(1, 4, 4)
    assert from_module(wrap(write), x).hash == from_module(wrap(same), x).hash


def _through_view(x):
    x.view(-1, 8).relu_()
    return x


def _transposed(x):
    x.transpose(1, 2).relu_()
    return x


def _filled(x):
    result = torch.zeros_like(x)
    result[...] = x + 1
    return result


def test_a_view_sees_a_later_write():
    def forward(self, x):
        x = x * 2
        row = x[:, 1]
        x.add_(1)
        return row

    graph = from_module(wrap(forward), torch.zeros(1, 4, 4))
    assert operators(graph) == ["Input", "Constant", "Mul", "Constant", "Add", "Slice", "Flatten", "Output"]


def test_a_write_to_a_part_scatters():
    def forward(self, x):
        x = x * 2
        x[:, 1] = x[:, 2] + 1
        return x

    graph = from_module(wrap(forward), torch.zeros(1, 4, 4))
    scatter = next(node for node in graph.nodes if node.op == "SliceScatter")
    assert scatter.attrs["starts"] == (0, 1, 0)
    assert graph.nodes[scatter.inputs[1]].shape == (1, 1, 4)


def test_filled_with_a_computed_number():
    def fill(self, x):
        y = torch.zeros_like(x)
        y[:, 1:] = x.mean()
        return y + 1

    graph = from_module(wrap(fill), torch.zeros(1, 4))
    assert operators(graph).count("Expand") == 1
    from cg_ir import to_module

    x = torch.randn(1, 4)
    torch.testing.assert_close(to_module(graph)(x), fill(None, x))


def test_plain_tensors_and_cpu_constants_mix_with_meta():
    def forward(self, x):
        return x * self.mean.view(1, 3) + torch.arange(3) + torch.tensor([1.0, 2.0, 3.0])

    module = wrap(forward, mean=torch.ones(3))
    assert operators(from_module(module, torch.zeros(1, 3))).count("Add") == 1
