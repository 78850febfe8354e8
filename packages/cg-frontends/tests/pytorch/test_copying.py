"""Weights move from a module into the network of its graph, and the outputs agree."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.nn.utils.parametrizations import weight_norm  # noqa: E402

from cg_frontends.pytorch import copy_weights, from_module  # noqa: E402
from cg_frontends.pytorch.structure import tensors_of  # noqa: E402
from cg_ir import SourceError, to_module  # noqa: E402


class Convolutions(nn.Module):
    """Grouped, depthwise, dilated, transposed, with uneven pads, normalised weights, running statistics with and without scale."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 12, 3, padding="same", bias=False),
            nn.BatchNorm2d(12),
            nn.Conv2d(12, 24, 3, groups=4, padding=1),
            nn.BatchNorm2d(24, affine=False),
            nn.PReLU(24),
            nn.Conv2d(24, 24, 3, groups=24, dilation=2),
            nn.GroupNorm(3, 24),
            nn.ZeroPad2d((1, 0, 1, 0)),
            weight_norm(nn.Conv2d(24, 8, 3, stride=2)),
            nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1, groups=2, output_padding=1),
            nn.InstanceNorm2d(8, affine=True),
            nn.ConvTranspose2d(8, 6, 2, bias=False),
        )

    def forward(self, x):
        return self.layers(x)


class Standardised(nn.Conv2d):
    """A weight that is computed from the parameter."""

    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight / weight.std((1, 2, 3), keepdim=True), self.bias, padding=1)


class Shared(nn.Module):
    """A tied embedding, one layer in two places, a weight whose bias is another's, a convolution at two strides."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.layer = nn.Linear(6, 6)
        self.other = nn.Linear(6, 6)
        self.other.bias = self.layer.bias
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.embedding.weight
        self.norm = nn.LayerNorm(6)
        self.norm.bias = self.layer.bias
        self.kernel = nn.Parameter(torch.randn(6, 6, 3))

    def forward(self, tokens):
        x = self.layer(self.layer(self.embedding(tokens)))
        x = self.norm(self.other(x)).transpose(1, 2)
        x = F.conv1d(x, self.kernel, padding=1) + F.conv1d(x, self.kernel, padding=2, dilation=2)
        return self.head(x.transpose(1, 2))


class Bare(nn.Module):
    """Matrices as GPT-2 keeps them, products with bare parameters, a token, layer scale, buffers."""

    def __init__(self):
        super().__init__()
        self.turned = nn.Parameter(torch.randn(6, 6))
        self.bias = nn.Parameter(torch.randn(6))
        self.square = nn.Parameter(torch.randn(6, 6))
        self.shift = nn.Parameter(torch.randn(6))
        self.token = nn.Parameter(torch.randn(1, 1, 6))
        self.scale = nn.Parameter(torch.randn(6))
        self.table = nn.Parameter(torch.randn(9, 2))
        self.register_buffer("position", torch.arange(25).reshape(5, 5) % 9)
        self.register_buffer("mask", torch.randn(5, 6))

    def forward(self, x):
        y = torch.addmm(self.bias, x.reshape(-1, 6), self.turned).view(x.shape)
        y = torch.matmul(y, self.square) + self.shift
        y = torch.cat([self.token.expand(x.shape[0], -1, -1), y], 1) * self.scale
        window = torch.zeros(5, 6)
        window[1:, :3] = 0.5
        y = y + self.mask * window
        heads = y.reshape(y.shape[0], 5, 2, 3).transpose(1, 2)
        bias = self.table[self.position.view(-1)].view(5, 5, 2).permute(2, 0, 1)
        return F.scaled_dot_product_attention(heads, heads, heads, attn_mask=bias)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 8, 2, bidirectional=True, proj_size=3, batch_first=True)
        self.gru = nn.GRU(6, 4, bias=False, batch_first=True)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        x = self.gru(self.lstm(x)[0])[0]
        return self.attention(x, x, x)


CASES = {
    "convolutions": (Convolutions, (3, 12, 12)),
    "standardised": (lambda: Standardised(3, 4, 3), (3, 8, 8)),
    "shared": (Shared, None),
    "bare": (Bare, (4, 6)),
    "recurrent": (Recurrent, (7, 5)),
    "transformer": (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2), (5, 8)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("batch", [1, 3])
def test_outputs_agree(name, batch):
    make, shape = CASES[name]
    torch.manual_seed(0)
    module = make().eval()
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(0.5 * torch.randn(tensor.shape))
        for submodule in module.modules():
            if isinstance(submodule, nn.BatchNorm2d):
                submodule.running_var.uniform_(0.5, 2.0)
    x = torch.randint(0, 11, (batch, 5)) if shape is None else torch.randn(batch, *shape)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    network = to_module(from_module(module, x)).eval()
    with torch.no_grad():
        wanted = list(tensors_of(module(x)))
        drawn = list(tensors_of(network(x)))
        assert any(not torch.allclose(a, b, atol=1e-2) for a, b in zip(drawn, wanted, strict=True))
        copy_weights(module, network, x)
        for ours, theirs in zip(tensors_of(network(x)), wanted, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


def test_shared_weights_stay_shared():
    module = Shared()
    network = to_module(from_module(module, torch.zeros(1, 5, dtype=torch.int64)))
    copy_weights(module, network, torch.zeros(1, 5, dtype=torch.int64))
    assert sum(p.numel() for p in network.parameters()) == sum(p.numel() for p in module.parameters())


def test_another_network_is_refused():
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    network = to_module(from_module(nn.Sequential(nn.Conv2d(3, 9, 3), nn.ReLU()), torch.zeros(1, 3, 8, 8)))
    with pytest.raises(SourceError, match="is not what to_module makes"):
        copy_weights(layers, network, torch.zeros(1, 3, 8, 8))


def test_a_module_without_weights_is_refused():
    with torch.device("meta"):
        layers = nn.Sequential(nn.Linear(4, 4))
    network = to_module(from_module(layers, torch.zeros(1, 4)))
    with pytest.raises(SourceError, match=r"0\.weight has no elements"):
        copy_weights(layers, network, torch.zeros(1, 4))


def test_one_matrix_read_both_ways_is_refused():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, 4))

        def forward(self, x):
            return F.linear(x, self.weight) @ self.weight

    network = to_module(from_module(Both(), torch.zeros(1, 4)))
    with pytest.raises(SourceError, match="reads transposed"):
        copy_weights(Both(), network, torch.zeros(1, 4))
