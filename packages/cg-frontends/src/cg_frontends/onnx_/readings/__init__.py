"""What ONNX operators become, by subject; importing this package registers all readings."""

from cg_frontends.onnx_.readings import elementwise, layers, layout, pooling, recurrent, reductions

__all__ = ["elementwise", "layers", "layout", "pooling", "recurrent", "reductions"]
