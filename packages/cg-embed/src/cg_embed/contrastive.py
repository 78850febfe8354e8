"""Contrastive learning with soft positives, and the distances between graphs that make graphs positive.

For a batch of n graphs with embeddings z_i on the unit sphere and distances d_ij (Han et al., SDM 2023, arXiv 2302.10835, in the
form of a supervised contrastive loss with soft labels):

    a_ij = softmax over j != i of -d_ij / (sharpness * mean d)
    p_ij = softmax over j != i of z_i . z_j / temperature
    loss = -1/n sum_ij a_ij log p_ij

The paper takes d from Laplacian spectra ("spectral positives": alike in wiring). Any distance will do; "functional positives" take it from
descriptors: alike in what paths compute and how signals travel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .descriptors import Descriptors
from .spectrum import SpectrumCache

if TYPE_CHECKING:
    from torch import Tensor

Features = Callable[[Sequence[Any]], NDArray[np.float64]]


def soft_targets(distances: Tensor, sharpness: float = 0.1) -> Tensor:
    """a (n, n) from distances (n, n): rows add up to 1, the diagonal is 0."""
    import torch

    n = len(distances)
    diagonal = torch.eye(n, dtype=torch.bool, device=distances.device)
    scale = distances.sum() / max(1, n * (n - 1))
    logits = -distances / (sharpness * scale.clamp(min=1e-12))
    return torch.softmax(logits.masked_fill(diagonal, float("-inf")), dim=1)


def contrastive_loss(z: Tensor, targets: Tensor, temperature: float = 0.1) -> Tensor:
    """Cross-entropy between targets (n, n), zero on the diagonal, and the softmax of cosine similarities of z (n, d)."""
    import torch
    from torch.nn.functional import normalize

    unit = normalize(z, dim=1)
    diagonal = torch.eye(len(z), dtype=torch.bool, device=z.device)
    logits = (unit @ unit.T / temperature).masked_fill(diagonal, float("-inf"))
    log_p = torch.log_softmax(logits, dim=1).masked_fill(diagonal, 0.0)
    return -(targets * log_p).sum(dim=1).mean()


def spectral_features(graphs: Sequence[Any]) -> NDArray[np.float64]:
    """The k = 21 smallest eigenvalues of each graph: their Euclidean distance is the paper's."""
    return SpectrumCache()(graphs)


def functional_features(graphs: Sequence[Any]) -> NDArray[np.float64]:
    """Descriptors, standardised over the graphs and clipped at four standard deviations, constant columns left out.

    Every group of descriptors (`cg_embed.GROUPS`) weighs the same, however many columns it has.
    """
    descriptors = Descriptors()
    x = descriptors.encode(graphs).astype(np.float64)
    groups = np.array(descriptors.groups)
    spread = x.std(axis=0)
    x = np.clip((x - x.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0), -4, 4)
    x[:, spread <= 1e-9] = 0
    for group in np.unique(groups):
        x[:, groups == group] /= np.sqrt(max(1, int((spread[groups == group] > 1e-9).sum())))
    return x[:, spread > 1e-9]


POSITIVES: dict[str, Features] = {"functional": functional_features, "spectral": spectral_features}
"""Named features whose Euclidean distances make soft positives; computed over the graphs of one family at a time."""
