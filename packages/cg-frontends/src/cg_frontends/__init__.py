"""Frontends and search spaces: benchmark notations, PyTorch modules and ONNX files become computation graphs."""

__all__ = ["__version__"]

__version__ = "0.1.0"
