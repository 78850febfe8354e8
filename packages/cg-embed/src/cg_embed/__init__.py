"""Vectors for computation graphs: descriptors, spectra, the path-weighted encoder and the contrastive encoder.

Everything but training and `ContrastiveEncoder` works without torch. Names are imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cg_ir.lazy import lazy_names

if TYPE_CHECKING:
    from cg_embed.contrastive_encoder import ContrastiveConfig, ContrastiveEncoder
    from cg_embed.descriptors import GROUPS, Descriptors
    from cg_embed.neighbourhoods import Neighbourhoods
    from cg_embed.path_encoder import PathConfig, PathEncoder
    from cg_embed.shipped import shipped_encoder
    from cg_embed.spectrum import SpectrumCache, laplacian_spectrum

__version__ = "0.1.0"

_WHERE = {
    "Descriptors": "descriptors",
    "GROUPS": "descriptors",
    "Neighbourhoods": "neighbourhoods",
    "PathEncoder": "path_encoder",
    "PathConfig": "path_encoder",
    "shipped_encoder": "shipped",
    "ContrastiveEncoder": "contrastive_encoder",
    "ContrastiveConfig": "contrastive_encoder",
    "laplacian_spectrum": "spectrum",
    "SpectrumCache": "spectrum",
}

__all__ = [  # noqa: RUF022 - grouped by concept
    "__version__",
    "Descriptors", "GROUPS", "Neighbourhoods", "laplacian_spectrum", "SpectrumCache",  # numbers with a meaning
    "shipped_encoder", "PathEncoder", "PathConfig", "ContrastiveEncoder", "ContrastiveConfig",  # learned vectors
]  # fmt: skip

__getattr__, __dir__ = lazy_names(__name__, _WHERE)
