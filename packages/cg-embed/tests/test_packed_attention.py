"""Attention without padding."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from cg_embed.packed_attention import transformer_layer  # noqa: E402

SIZES = [((2, 3), (1, 7)), ((1, 1),), ((3, 1), (1, 2), (2, 5))]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_values_and_gradients_are_those_of_torch(sizes, activation):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True, activation=activation)
    lengths = [n for graphs, n in sizes for _ in range(graphs)]
    packed = torch.randn(sum(lengths), 16, requires_grad=True)
    padded = nn.utils.rnn.pad_sequence(packed.detach().split(lengths), batch_first=True).requires_grad_()
    inside = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    expected = layer(padded, src_key_padding_mask=~inside)[inside]
    found = transformer_layer(layer, packed, sizes)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    found.square().sum().backward()
    own = {name: p.grad.clone() for name, p in layer.named_parameters()}
    layer.zero_grad()
    expected.square().sum().backward()
    torch.testing.assert_close(packed.grad, padded.grad[inside], rtol=1e-3, atol=1e-4)
    for name, parameter in layer.named_parameters():
        torch.testing.assert_close(own[name], parameter.grad, rtol=1e-3, atol=1e-3)


def test_known_queries_keys_and_values_are_taken():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    x = torch.randn(6, 8)
    joint = nn.functional.linear(x, layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias)
    torch.testing.assert_close(transformer_layer(layer, x, [(2, 3)], joint), transformer_layer(layer, x, [(2, 3)]))
    assert not torch.allclose(transformer_layer(layer, x, [(2, 3)], 2 * joint), transformer_layer(layer, x, [(2, 3)]))
