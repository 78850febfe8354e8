"""Attention without padding."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from cg_embed.packed_attention import transformer_layer  # noqa: E402


def test_attention_without_padding_is_that_of_torch():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True)
    sizes, lengths = [(2, 3), (1, 7)], [3, 3, 7]
    packed = torch.randn(13, 16, requires_grad=True)
    padded = nn.utils.rnn.pad_sequence(packed.detach().split(lengths), batch_first=True).requires_grad_()
    mask = torch.arange(7)[None] >= torch.tensor(lengths)[:, None]
    found, expected = transformer_layer(layer, packed, sizes), layer(padded, src_key_padding_mask=mask)
    torch.testing.assert_close(found, expected[~mask], atol=1e-5, rtol=1e-5)
    weight = torch.randn(13, 16)
    (found * weight).sum().backward()
    (expected[~mask] * weight).sum().backward()
    torch.testing.assert_close(packed.grad, padded.grad[~mask], atol=1e-5, rtol=1e-5)
