"""The contrastive loss, the paper's encoder, and training that resumes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp

from cg_embed import ContrastiveConfig, ContrastiveEncoder, Descriptors
from cg_embed.contrastive import POSITIVES, functional_features

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")

from cg_embed.contrastive import contrastive_loss, soft_targets  # noqa: E402
from cg_embed.kgnn import flip_signs, graph_batch  # noqa: E402
from cg_embed.pretrain import TrainingConfig, TrainingError, train  # noqa: E402

SMALL = {"width": 16, "layers": 2, "attention_layers": 1, "heads": 2, "positions": 4, "projection": 8}


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


def test_encoder_is_invariant_and_seeded(networks, recipe_of, network_of, order_of):
    encoder = ContrastiveEncoder(ContrastiveConfig(**SMALL))
    x = encoder.encode(networks)
    assert x.shape == (len(networks), 32) == (len(networks), len(encoder)) == (len(networks), len(encoder.names))
    np.testing.assert_allclose(ContrastiveEncoder(ContrastiveConfig(**SMALL)).encode(networks), x, atol=1e-6)
    alone = np.concatenate([encoder.encode([g]) for g in networks])
    np.testing.assert_allclose(alone, x, atol=1e-5)
    z = encoder.encode(networks, projected=True)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    rng = np.random.default_rng(0)
    for _ in range(10):
        recipe = recipe_of(rng, 15)
        a, b = network_of(recipe), network_of(recipe, order=order_of(recipe, rng))
        branch = encoder.encode([a, b])[:, :16]  # of the other branch, repeated eigenvalues leave the basis open
        np.testing.assert_allclose(branch[0], branch[1], atol=1e-5)


def test_signs_of_positions_are_drawn_for_each_graph_and_vector(networks):
    encoder = ContrastiveEncoder(ContrastiveConfig(**SMALL))
    batch = graph_batch(encoder.prepare(networks[:40]), rich=False, layers=2)
    flipped = flip_signs(batch, torch.Generator().manual_seed(0))
    assert torch.equal(flip_signs(batch, torch.Generator().manual_seed(0)).positions, flipped.positions)
    same, seen = [], batch.positions.abs() > 1e-6
    for begin, end in zip(batch.ptr[:-1].tolist(), batch.ptr[1:].tolist(), strict=True):
        for column in range(4):
            here = seen[begin:end, column]
            if here.any():
                ratio = (flipped.positions / batch.positions)[begin:end, column][here]
                assert ratio.unique().tolist() in ([1.0], [-1.0])
                same.append(ratio[0].item())
    assert abs(np.mean(same)) < 0.3
    assert flipped.x is batch.x
    without = graph_batch([(graph, np.zeros((len(graph), 0))) for graph in networks[:3]], rich=False, layers=2)
    assert flip_signs(without).positions.shape[1] == 0


def test_training_sees_positions_with_both_signs(networks, monkeypatch):
    from cg_embed.kgnn import GraphEncoder

    seen, forward = [], GraphEncoder.forward

    def watched(self, batch):
        seen.append(batch.positions)
        return forward(self, batch)

    monkeypatch.setattr(GraphEncoder, "forward", watched)
    small, large = sorted(networks[:10], key=lambda g: len(g.simplify()))[::9]  # a batch begins with its smallest graph
    train(config_of("contrastive", steps=12, batch=2), {"two": [small, large]})
    first = torch.stack(seen)[:, : len(small.simplify()), 0]
    assert torch.equal(first.abs(), first[:1].abs().expand_as(first))
    assert len(first.unique(dim=0)) == 2


@pytest.mark.parametrize(("both_ways", "rich"), [(True, False), (False, True)])
def test_options_beyond_the_paper(networks, both_ways, rich, tmp_path):
    config = ContrastiveConfig(**SMALL, both_ways=both_ways, rich=rich)
    encoder = ContrastiveEncoder(config)
    encoder.save(tmp_path)
    again = ContrastiveEncoder.load(tmp_path)
    assert again.config == config
    np.testing.assert_allclose(again.encode(networks), encoder.encode(networks), atol=1e-6)
    assert (
        np.abs(encoder.encode(networks) - ContrastiveEncoder(ContrastiveConfig(**SMALL)).encode(networks)).max() > 1e-3
    )


def config_of(encoder: str, **changes) -> TrainingConfig:
    options = SMALL if encoder == "contrastive" else {"channels": 4}
    positives = "spectral" if encoder == "contrastive" else "functional"
    settings = {
        "encoder": encoder,
        "options": options,
        "positives": positives,
        "steps": 6,
        "batch": 16,
        "head": 8,
        "save_every": 2,
    }
    return TrainingConfig(**{**settings, **changes})


@pytest.mark.parametrize("encoder", ["path", "contrastive"])
def test_training_lowers_the_loss(encoder, networks):
    losses = []
    config = config_of(encoder, steps=40, learning_rate=5e-3)
    trained = train(config, {"random": networks}, report=lambda step, loss: losses.append(loss))
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.05
    assert np.isfinite(trained.encode(networks)).all()


@pytest.mark.parametrize("encoder", ["path", "contrastive"])
def test_a_stopped_run_goes_on_as_if_nothing_had_been(encoder, networks, tmp_path):
    families = {"a": networks[:30], "b": networks[30:]}
    config = config_of(encoder)
    whole = train(config, families)

    class Stop(Exception):
        pass

    def stop(step: int, loss: float) -> None:
        if step == 4:
            raise Stop

    with pytest.raises(Stop):
        train(config, families, tmp_path, report=stop)
    steps = []
    resumed = train(config, families, tmp_path, resume=True, report=lambda step, loss: steps.append(step))
    assert steps == [4, 5]
    np.testing.assert_array_equal(resumed.encode(networks), whole.encode(networks))
    again = train(config, families, tmp_path, resume=True, report=lambda *_: pytest.fail("trained twice"))
    np.testing.assert_array_equal(again.encode(networks), whole.encode(networks))
    with pytest.raises(TrainingError, match="other settings \\(seed\\)"):
        train(config_of(encoder, seed=1), families, tmp_path, resume=True)


def test_frozen_channels_stay_random(networks):
    """Of 4 channels, the first keeps its weights; without `frozen` all change."""
    from cg_embed import PathConfig, PathEncoder

    start = PathEncoder(PathConfig(channels=4)).weights
    for frozen, kept in ((0.25, 1), (0, 0)):
        trained = train(config_of("path", frozen=frozen, steps=3), {"random": networks}).weights
        for name, value in trained.items():
            same = (value == start[name]).reshape(-1, 4).all(axis=0)
            assert same.tolist() == [True] * kept + [False] * (4 - kept), name


def test_pretrain_of_the_encoder_is_the_papers(networks):
    a = ContrastiveEncoder.pretrain({"random": networks}, ContrastiveConfig(**SMALL), steps=2, batch=8)
    config = TrainingConfig(encoder="contrastive", options=SMALL, positives="spectral", steps=2, batch=8)
    np.testing.assert_array_equal(a.encode(networks), train(config, {"random": networks}).encode(networks))
    assert set(POSITIVES) == {"functional", "spectral"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("encoder", "cnn"), ("positives", "labels"), ("steps", 0), ("steps", True), ("batch", 1), ("learning_rate", -1),
        ("temperature", float("nan")), ("spaces", "nb201"), ("seed", -1), ("head", 2.5), ("frozen", 1), ("graph_files", ["x"]),
    ],
)  # fmt: skip
def test_bad_settings(setting, value):
    with pytest.raises(TrainingError, match=setting) as caught:
        TrainingConfig(**{setting: value})
    assert "\n" not in str(caught.value)


def test_bad_options_and_data(networks):
    with pytest.raises(TrainingError, match="options"):
        train(TrainingConfig(options={"chanels": 4}), {"random": networks})
    from cg_embed.pretrain import sample_families

    with pytest.raises(TrainingError, match="nothing to train on"):
        sample_families(TrainingConfig())
