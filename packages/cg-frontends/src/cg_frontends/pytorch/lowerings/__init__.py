"""The lowerings of ATen operators, by subject; importing this package registers them all."""

from cg_frontends.pytorch.lowerings import (
    activations,
    arithmetic,
    complex_numbers,
    experts,
    indexing,
    joining,
    layout,
    matrices,
    normalisation,
    pooling,
    recurrent,
    reductions,
    resampling,
    spectra,
)

__all__ = [
    "activations",
    "arithmetic",
    "complex_numbers",
    "experts",
    "indexing",
    "joining",
    "layout",
    "matrices",
    "normalisation",
    "pooling",
    "recurrent",
    "reductions",
    "resampling",
    "spectra",
]
