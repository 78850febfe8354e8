"""ONNX models become computation graphs (extra ``onnx``)."""

from cg_frontends.onnx_.convert import from_onnx

__all__ = ["from_onnx"]
