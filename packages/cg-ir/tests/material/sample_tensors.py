"""Elements for the inputs of operator samples."""

from __future__ import annotations

import torch


def tensor(shape: tuple[int, ...], dtype: str, generator: torch.Generator) -> torch.Tensor:
    """Seeded elements of a type; ``index5`` are whole numbers below 5."""
    if dtype.startswith("index"):
        return torch.randint(0, int(dtype[5:]), shape, generator=generator)
    if dtype == "bool":
        return torch.rand(shape, generator=generator) > 0.5
    if dtype == "int64":
        return torch.randint(0, 5, shape, generator=generator)
    return torch.randn(shape, generator=generator)
