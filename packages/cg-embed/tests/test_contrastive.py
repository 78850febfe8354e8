"""The contrastive loss and its targets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp

from cg_embed import Descriptors
from cg_embed.contrastive import functional_features

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")

from cg_embed.contrastive import contrastive_loss, soft_targets  # noqa: E402


def test_loss_against_its_formula():
    rng = np.random.default_rng(0)
    z, x = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    d = np.linalg.norm(x[:, None] - x[None], axis=-1)
    scale = d.sum() / 30
    loss = 0.0
    for i in range(6):
        others = [j for j in range(6) if j != i]
        logits = -d[i, others] / (0.2 * scale)
        a = np.exp(logits - logsumexp(logits))
        unit = z / np.linalg.norm(z, axis=1, keepdims=True)
        sims = unit[others] @ unit[i] / 0.5
        loss -= a @ (sims - logsumexp(sims)) / 6
    targets = soft_targets(torch.from_numpy(d), sharpness=0.2)
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-12)
    assert (targets.diagonal() == 0).all()
    found = contrastive_loss(torch.from_numpy(z), targets, temperature=0.5)
    assert float(found) == pytest.approx(loss, rel=1e-9)


def test_loss_is_least_where_similarities_match():
    """The cross-entropy is bounded below by the entropy of the targets, and gradient descent on z approaches it."""
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.normal(size=(8, 2)))
    targets = soft_targets(torch.cdist(x, x), sharpness=0.5)
    entropy = float(-(targets * torch.log(targets.clamp(min=1e-30))).sum(1).mean())
    z = torch.from_numpy(rng.normal(size=(8, 4))).requires_grad_(True)
    optimizer = torch.optim.Adam([z], lr=0.05)
    start = contrastive_loss(z, targets).item()
    for _ in range(300):
        loss = contrastive_loss(z, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert entropy <= loss.item() < start
    assert loss.item() - entropy < 0.25 * (start - entropy)


def test_functional_features(networks):
    x = functional_features(networks)
    assert x.shape[0] == len(networks)
    assert np.isfinite(x).all()
    # every group weighs the same, up to clipping
    d = Descriptors()
    raw = d.encode(networks).astype(np.float64)
    kept = np.array(d.groups)[raw.std(axis=0) > 1e-9]
    energy = [np.sum(x[:, kept == g] ** 2) / len(networks) for g in dict.fromkeys(kept)]
    assert max(energy) <= 1 + 1e-9
    assert min(energy) > 0.6
