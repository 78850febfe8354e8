"""PyTorch modules become computation graphs (extra ``torch``)."""

from cg_frontends.pytorch.convert import from_module
from cg_frontends.pytorch.lowering import UnknownOperatorWarning

__all__ = ["UnknownOperatorWarning", "from_module"]
