"""The fast parts of pre-training compute what the plain ones do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")

from cg_embed.pretrain import TrainingConfig  # noqa: E402


@pytest.fixture
def benchmark_scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "benchmarks"))


@pytest.mark.parametrize("encoder", ["path", "contrastive"])
def test_the_plain_loop_has_the_same_losses_and_gradients(encoder, networks, benchmark_scripts):
    from pretraining import compare, sides

    small = {"width": 16, "layers": 3, "attention_layers": 2, "heads": 2, "positions": 4, "projection": 8}
    config = TrainingConfig(
        encoder=encoder, options=small if encoder == "contrastive" else {"channels": 4}, steps=2, batch=12, head=8,
        frozen=0.0, positives="spectral" if encoder == "contrastive" else "functional",
    )  # fmt: skip
    graphs = networks[:24]
    found = compare(config, graphs)
    assert found["losses"].shape == (3, 2)
    np.testing.assert_allclose(found["losses"][:, 0], found["losses"][:, 1], atol=2e-4)
    ours, plain = sides(config, graphs)
    target = torch.full((12, 12), 1 / 11)
    for side in (ours, plain):
        side.step(range(12), target, 0.1)
    for (name, a), b in zip(ours.learner.named_parameters(), plain.learner.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-4, rtol=1e-3, msg=name)
