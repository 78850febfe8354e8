"""Transformer layers over graphs of different sizes, without padding.

The operators of all graphs lie one after the other; maps of single operators run over all of them at once, attention over
the graphs of each size together. Weights and results are those of ``nn.TransformerEncoderLayer`` on padded batches.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, cat, nn
from torch.nn import functional as F


def transformer_layer(
    layer: nn.TransformerEncoderLayer, x: Tensor, sizes: Sequence[tuple[int, int]], joint: Tensor | None = None
) -> Tensor:
    """One layer, without dropout.

    Args:
        layer: weights; normalisation after each part (``norm_first`` off), no dropout.
        x: (N, width), graph after graph.
        sizes: how many graphs of how many operators follow each other, ``(graphs, operators)``.
        joint: queries, keys and values (N, 3 width), where they are known.
    """
    attention = layer.self_attn
    heads = attention.num_heads
    if joint is None:
        joint = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    parts = []
    for part, (graphs, operators) in zip(joint.split([g * n for g, n in sizes]), sizes, strict=True):
        q, k, v = part.view(graphs, operators, 3, heads, -1).permute(2, 0, 3, 1, 4)
        parts.append(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(graphs * operators, -1))
    x = layer.norm1(x + attention.out_proj(cat(parts)))
    result: Tensor = layer.norm2(x + layer.linear2(layer.activation(layer.linear1(x))))
    return result
