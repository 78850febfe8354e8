"""Training that lowers the loss, stops and goes on."""

from __future__ import annotations

import numpy as np
import pytest

from cg_embed import ContrastiveConfig, ContrastiveEncoder
from cg_embed.contrastive import POSITIVES

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")

from cg_embed.pretrain import TrainingConfig, TrainingError, sample_families, train  # noqa: E402

SMALL = {"width": 16, "layers": 2, "attention_layers": 1, "heads": 2, "positions": 4, "projection": 8}


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


@pytest.mark.parametrize(
    ("encoder", "options"),
    [
        ("path", {"chanels": 4}),
        ("path", {"channels": -1}),
        ("contrastive", {"width": 16, "heads": 3}),
        ("contrastive", {"width": -16}),
    ],
)
def test_options_that_make_no_encoder_are_told_in_one_line(networks, encoder, options):
    with pytest.raises(TrainingError, match=r"^options: [^\n]+$"):
        train(TrainingConfig(encoder=encoder, options=options), {"random": networks})


def test_data_of_which_there_is_none():
    with pytest.raises(TrainingError, match="nothing to train on"):
        sample_families(TrainingConfig())
