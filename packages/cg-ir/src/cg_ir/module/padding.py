"""Pads in ONNX's order (begins, then ends) as PyTorch's (last axis first, begin and end in turn)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

__all__ = ["is_symmetric", "pad_zeros", "torch_pads"]


def is_symmetric(pads: Sequence[int]) -> bool:
    """Whether every axis is padded alike at both ends."""
    half = len(pads) // 2
    return tuple(pads[:half]) == tuple(pads[half:])


def torch_pads(pads: Sequence[int]) -> list[int]:
    """Pads for ``torch.nn.functional.pad``; leading axes without pads are left out."""
    half = len(pads) // 2
    pairs = list(zip(pads[:half], pads[half:], strict=True))
    while pairs and pairs[0] == (0, 0):
        pairs.pop(0)
    return [p for pair in reversed(pairs) for p in pair]


def pad_zeros(x: Tensor, pads: Sequence[int], value: float = 0.0) -> Tensor:
    """Pad the trailing axes with a constant; negative pads crop."""
    wanted = torch_pads(pads)
    return F.pad(x, wanted, value=value) if wanted else x
