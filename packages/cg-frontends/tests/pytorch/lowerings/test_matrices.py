"""Convolutions, products, attention and embeddings with every argument that PyTorch documents: outputs, parameters and MACs."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch_programs import agree, below, computes, normal, random  # noqa: E402

IMAGES = {1: normal(2, 4, 9), 2: normal(2, 4, 9, 8), 3: normal(2, 4, 5, 6, 5)}
CONVOLUTIONS = [
    {}, {"stride": 2}, {"padding": 1}, {"dilation": 2}, {"groups": 2}, {"bias": False}, {"padding": "same"}, {"padding": "valid"},
    {"padding": "same", "kernel_size": 2}, {"padding": "same", "dilation": 3, "kernel_size": 2},
    {"padding": 1, "padding_mode": "reflect"}, {"padding": 1, "padding_mode": "circular"},
    {"stride": 2, "padding": 2, "dilation": 2, "groups": 4},
]  # fmt: skip


@pytest.mark.parametrize("dims", IMAGES)
@pytest.mark.parametrize("how", CONVOLUTIONS)
def test_convolutions(dims, how):
    if how.get("padding_mode") and dims == 3:
        how = {**how, "padding_mode": "replicate"}
    layer = getattr(nn, f"Conv{dims}d")(4, 8, **{"kernel_size": 3, **how})
    graph = agree(layer, IMAGES[dims])
    assert graph.params == sum(p.numel() for p in layer.parameters())
    assert graph.macs == layer.weight.numel() * torch.Size(graph.nodes[-1].shape[2:]).numel()


@pytest.mark.parametrize("dims", IMAGES)
@pytest.mark.parametrize(
    "how", [{}, {"stride": 2, "output_padding": 1}, {"padding": 1}, {"dilation": 2}, {"groups": 2}, {"bias": False}]
)
def test_transposed_convolutions(dims, how):
    layer = getattr(nn, f"ConvTranspose{dims}d")(4, 8, 3, **how)
    graph = agree(layer, IMAGES[dims])
    assert graph.params == sum(p.numel() for p in layer.parameters())
    assert graph.macs == layer.weight.numel() * IMAGES[dims][0, 0].numel()


def test_each_axis_has_numbers_of_its_own():
    agree(nn.Conv2d(4, 6, (3, 2), (2, 1), (0, 2), (1, 3)), IMAGES[2])
    agree(nn.ConvTranspose2d(4, 6, (3, 2), (3, 2), (1, 0), (2, 1), dilation=(1, 2)), IMAGES[2])
    layer = nn.ConvTranspose1d(4, 4, 3, 2)
    computes(lambda x, w: F.conv1d(x[:1], w), IMAGES[1][:1], normal(6, 4, 3))
    computes(lambda x: F.conv2d(x[0], torch.ones(3, 4, 2, 2)).unsqueeze(0), IMAGES[2][:1])
    assert agree(_Sized(layer), IMAGES[1]).nodes[-1].shape == (1, 4, 20)


class _Sized(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x, output_size=[20])


class Held(nn.Module):
    """A function of the input and of parameters of given shapes."""

    def __init__(self, function, *shapes):
        super().__init__()
        self.function = function
        self.held = nn.ParameterList([nn.Parameter(normal(*s, seed=i + 5)) for i, s in enumerate(shapes)])

    def forward(self, *inputs):
        return self.function(*inputs, *self.held)


X, ROWS = normal(2, 3, 4), normal(2, 4)


@pytest.mark.parametrize(
    ("function", "inputs", "shapes", "macs"),
    [
        (lambda x, w: F.linear(x, w), [X], [(5, 4)], 60),
        (lambda x, w, b: F.linear(x, w, b), [X], [(5, 4), (5,)], 60),
        (lambda x, w: F.linear(x, w), [X], [(4,)], 12),
        (lambda x, w: x @ w, [X], [(4, 5)], 60),
        (lambda x, w: x @ w, [X], [(4,)], 12),
        (lambda x, w: torch.mv(x[0], w)[None], [X[:1]], [(4,)], 12),
        (lambda x, w, b: torch.addmm(b, x, w), [ROWS], [(4, 5), (5,)], 20),
        (lambda x, w, b: torch.addmm(b, x, w, beta=0.5, alpha=2), [ROWS], [(4, 5), (5,)], 20),
        (lambda x, w, b: torch.addmm(b, x, w, beta=0), [ROWS], [(4, 5), (5,)], 20),
        (lambda x, w, b: torch.addmm(b, x, w, alpha=-1), [ROWS], [(4, 5), (1, 5)], 20),
        (lambda x, w: torch.einsum("bij,jk->bik", x, w), [X], [(4, 5)], 60),
    ],
)  # fmt: skip
def test_products_with_parameters(function, inputs, shapes, macs):
    graph = agree(Held(function, *shapes), *inputs)
    used = [s for s in shapes if not (len(shapes) == 2 and "beta=0)" in str(function))]
    total = graph.params + graph.extras.get("unused_parameters", 0)
    assert (total, graph.macs) == (sum(torch.Size(s).numel() for s in used), macs)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: x @ y.mT, lambda x, y: torch.bmm(x, y.transpose(1, 2)), lambda x, y: torch.baddbmm(x[..., :3], x, y.mT, beta=0.5, alpha=3),
        lambda x, y: torch.einsum("bij,bkj->bik", x, y), lambda x, y: torch.einsum("...ij, ...ij -> ...i", x, y), lambda x, y: torch.einsum("bij,bij", x, y),
        lambda x, y: torch.tensordot(x, torch.ones(4, 2), 1) + y[..., :2], lambda x, y: torch.linalg.vecdot(x, y), lambda x,
            y: torch.cross(x[..., :3], y[..., 1:], -1),
    ],
)  # fmt: skip
def test_products_of_what_is_computed(function):
    inputs = (
        (X, normal(2, 3, 4, seed=1))
        if function.__code__.co_consts[-1] != "bij,bij"
        else (X[:1], normal(1, 3, 4, seed=1))
    )
    computes(function, *inputs)


QUERY, KEY = normal(2, 4, 5, 8), normal(2, 4, 7, 8, seed=1)
MASK = below(2, 2, 4, 5, 7).bool() | torch.eye(5, 7, dtype=torch.bool)


@pytest.mark.parametrize(
    "how",
    [
        {}, {"is_causal": True}, {"scale": 0.3}, {"scale": 8**-0.5}, {"attn_mask": torch.ones(5, 7).tril().bool()},
            {"attn_mask": torch.ones(5, 7, dtype=torch.bool)},
        {"attn_mask": normal(5, 7)}, {"attn_mask": torch.ones(5, 7).triu().bool()}, {"is_causal": True, "scale": 1.0}, {"attn_mask": torch.zeros(5, 7)},
    ],
)  # fmt: skip
def test_attention(how):
    graph = computes(lambda q, k: F.scaled_dot_product_attention(q, k, k, **how), QUERY, KEY)
    assert graph.macs == 2 * 4 * 5 * 7 * 8


def test_masks_that_are_computed():
    computes(lambda q, k, m: F.scaled_dot_product_attention(q, k, k, m), QUERY, KEY, MASK)
    computes(lambda q, k, m: F.scaled_dot_product_attention(q, k, k, m * 0.5), QUERY, KEY, normal(2, 1, 5, 7))


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_heads_that_share_keys(heads):
    computes(lambda q, k: F.scaled_dot_product_attention(q, k, k, enable_gqa=True), QUERY, KEY[:, :heads])


def test_embeddings():
    graph = agree(nn.Embedding(9, 6, padding_idx=2), below(9, 2, 5))
    assert (graph.params, graph.macs) == (54, 0)
    computes(lambda x: F.embedding(torch.tensor([[0, 2]]), x[0])[None], X[:1])


def test_a_table_that_is_also_a_matrix_counts_once():
    graph = agree(Held(lambda i, w: F.embedding(i, w) @ w.t(), (9, 6)), below(9, 2, 5))
    assert (graph.params, graph.macs) == (54, 5 * 54)


def test_a_bilinear_layer_is_counted_as_written():
    class Bilinear(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Bilinear(8, 8, 3)

        def forward(self, x):
            return self.layer(x, x.flip(1))

    assert agree(Bilinear(), random(2, 5, 8)).macs == 5 * 3 * 8 * 8


def test_heads_that_torch_repeats_itself():
    computes(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
        random(2, 4, 5, 8), random(2, 2, 5, 8), random(2, 2, 5, 8),
    )  # fmt: skip
