"""The reference meaning of every operator: a graph as a runnable PyTorch module (extra ``torch``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cg_ir.errors import MissingExtra

if TYPE_CHECKING:
    from cg_ir.graph import Graph
    from cg_ir.module.network import NetworkModule

__all__ = ["to_module"]


def to_module(graph: Graph) -> NetworkModule:
    """A ``torch.nn.Module`` that computes what ``graph`` says, with freshly initialised weights.

    The module takes the graph's inputs in the order of their index and returns its output, or a tuple of them. It accepts any batch size:
    a batch multiplies the leading axis, also where the graph has folded it into another. Operators with weights are standard modules
    (``nn.Conv2d``, ``nn.BatchNorm2d``, ...) with PyTorch's own initialisation, found under the path of their region; operators that
    share weights share them here. Bare parameters start from a truncated normal distribution of standard deviation 0.02. Constants whose
    elements the graph does not record are ones, or zeros where they are integers.

    Raises:
        GraphError: the graph has a ``Custom`` operator, or one whose attributes PyTorch cannot run.
        MissingExtra: PyTorch is not installed.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtra("cg-ir", "torch", "running a graph") from None
    from cg_ir.module.network import NetworkModule

    return NetworkModule(graph)
