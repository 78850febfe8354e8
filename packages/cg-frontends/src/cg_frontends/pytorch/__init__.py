"""PyTorch modules become computation graphs (extra ``torch``)."""

from cg_frontends.lowering.lowering import UnknownOperatorWarning
from cg_frontends.pytorch.convert import from_module

__all__ = ["UnknownOperatorWarning", "from_module"]
