"""ONNX models become computation graphs (extra ``onnx``)."""

from __future__ import annotations

from typing import Any

from cg_frontends.onnx_.entry import OnnxConversionWarning, from_onnx

__all__ = ["OnnxConversionWarning", "copy_weights", "from_onnx"]


def __getattr__(name: str) -> Any:
    if name == "copy_weights":  # needs torch as well
        from cg_frontends.onnx_.weights import copy_weights

        return copy_weights
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
