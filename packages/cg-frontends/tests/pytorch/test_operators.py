"""Programs of a few operators: they convert without a Custom, agree with their network, and come back with the same hash."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402
from torch_programs import Program, agree, below, random  # noqa: E402

import cg_ir  # noqa: E402
from cg_frontends.pytorch import from_module  # noqa: E402

IMAGE, TOKENS = random(2, 4, 6, 8), random(2, 5, 8)
ROWS, PLACES = random(2, 3, 8, seed=1), below(5, 2, 3, 8)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (lambda x: F.pad(x, (0, 0, 1, 1), mode="reflect"), [IMAGE]),
        (lambda x: F.pad(x, (2, 1, 0, 0), mode="replicate"), [IMAGE]),
        (lambda x: F.pad(x, (0, 0, 1, 1), mode="circular"), [IMAGE]),
        (lambda x: torch.sort(x, -1), [TOKENS]),
        (lambda x: torch.sort(x, 1, True)[1], [TOKENS]),
        (lambda x: x.argsort(-1), [TOKENS]),
        (lambda x: torch.topk(x, 2, largest=False)[0], [TOKENS]),
        (lambda x: (x > 0.5).any(-1), [TOKENS]),
        (lambda x: (x > 0.5).all(1, keepdim=True), [TOKENS]),
        (lambda x, i, s: x.scatter_add(1, i, s), [TOKENS, PLACES, ROWS]),
        (lambda x, i, s: x.scatter(1, i, s), [TOKENS, torch.arange(3)[None, :, None].expand(2, 3, 8).contiguous(), ROWS]),
        (lambda x, i, s: x.scatter_reduce(1, i, s, "amax"), [TOKENS, PLACES, ROWS]),
        (lambda x: torch.log1p(x) + torch.expm1(x) + torch.log2(x + 1), [TOKENS]),
        (lambda x, y: torch.atan2(x - 0.5, y - 0.5), [TOKENS, random(2, 5, 8, seed=2)]),
        (lambda x: x.diagonal(0, -2, -1), [IMAGE]),
        (lambda x: torch.diagonal(x, -2, 1, 3), [IMAGE]),
        (lambda i: (i & 3) | ((i << 1) ^ (i >> 1)) + ~i, [PLACES]),
        (lambda x: torch.div(x * 9 - 4, 1.5, rounding_mode="trunc") + torch.fmod(x * 5 - 3, 2) + torch.trunc(3 * x), [TOKENS]),
        (lambda x: torch.tan(x) + torch.sinh(x) + torch.asin(x) + torch.atanh(0.9 * x) + torch.isinf(x), [TOKENS]),
        (lambda x: torch.cdist(x, x.flip(1)), [TOKENS]),
        (lambda x: torch.cdist(x, x.flip(1), p=3.0) + torch.cdist(x, x, p=float("inf")), [TOKENS]),
        (lambda x: x.norm(3, -1) + torch.median(x, 1, keepdim=True)[0][..., 0] + x.kthvalue(2)[0], [TOKENS]),
        (lambda x: x + torch.zeros(1, 5, 8).masked_fill(x > 0.5, -0.5), [TOKENS[:1]]),
        (lambda x: torch.heaviside(x - 0.5, x), [TOKENS]),
        (lambda x: F.cosine_similarity(x, x.flip(1), dim=-1), [TOKENS]),
        (lambda x: torch.zeros_like(x).scatter(-1, x.argmax(-1, keepdim=True), 1.0), [TOKENS]),
        (lambda x: torch.zeros_like(x).index_add(1, torch.tensor([0, 1, 1, 2, 4]), x), [TOKENS]),
        (lambda x: F.softshrink(x - 0.5, 0.1), [TOKENS]),
        # written with others by torch itself
        (lambda x: x.logit(1e-3) + torch.logaddexp(x, x.flip(1)) + torch.nan_to_num(x / x), [TOKENS]),
        (lambda x: torch.diag_embed(x).sum(-1) + x.index_fill(1, torch.tensor([0, 2]), 3.0), [TOKENS]),
        (lambda x, t: F.grid_sample(x, F.affine_grid(t, (2, 4, 3, 5), align_corners=False), align_corners=False),
         [IMAGE, random(2, 2, 3)]),
        (lambda x: x.unfold(1, 3, 2), [TOKENS]),
        (lambda x: x * (torch.arange(8).type_as(x) + 0.5), [TOKENS]),
        (lambda x: x.sum(), [TOKENS[:1]]),
        (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
         [random(2, 4, 5, 8), random(2, 2, 5, 8), random(2, 2, 5, 8)]),
        (lambda x: x * torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8], device=x.device), [TOKENS]),
        (lambda x: x[:, torch.tensor([0, 2], device=x.device)], [TOKENS]),
        (lambda x: x * x.new_tensor(2.5), [TOKENS]),
    ],
)  # fmt: skip
def test_programs(function, inputs):
    agree(Program(function), *inputs)


def test_index_add_adds():
    agree(Program(lambda x, i, s: x.index_add(1, i, s)), TOKENS[:1], below(5, 3), ROWS[:1])


def test_a_bilinear_layer_is_counted_as_written():
    class Bilinear(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Bilinear(8, 8, 3)

        def forward(self, x):
            return self.layer(x, x.flip(1))

    assert agree(Bilinear(), TOKENS).macs == 5 * 3 * 8 * 8


def test_one_number_an_example_needs_a_batch_of_one():
    network = cg_ir.to_module(from_module(Program(lambda x: x.mean()), TOKENS[:1]))
    assert network(TOKENS[:1]).shape == ()
    with pytest.raises(ValueError, match="runs with batch size 1"):
        network(TOKENS)
