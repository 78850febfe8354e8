"""PyTorch modules become computation graphs (extra ``torch``)."""

from cg_frontends.lowering.lowering import UnknownOperatorWarning
from cg_frontends.pytorch.copying import copy_weights
from cg_frontends.pytorch.decoding import Decoding
from cg_frontends.pytorch.entry import from_module

__all__ = ["Decoding", "UnknownOperatorWarning", "copy_weights", "from_module"]
