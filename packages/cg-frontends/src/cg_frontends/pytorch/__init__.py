"""PyTorch modules become computation graphs (extra ``torch``)."""

from cg_frontends.lowering.lowering import UnknownOperatorWarning
from cg_frontends.pytorch.convert import from_module
from cg_frontends.pytorch.copying import copy_weights

__all__ = ["UnknownOperatorWarning", "copy_weights", "from_module"]
