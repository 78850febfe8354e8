"""What ONNX operators become, by subject; importing this package registers all readings."""

from cg_frontends.onnx_.readings import (
    attention,
    elementwise,
    layers,
    layout,
    pooling,
    quantisation,
    recurrent,
    reductions,
    resampling,
    sequences,
    spectra,
)

__all__ = [
    "attention",
    "elementwise",
    "layers",
    "layout",
    "pooling",
    "quantisation",
    "recurrent",
    "reductions",
    "resampling",
    "sequences",
    "spectra",
]
