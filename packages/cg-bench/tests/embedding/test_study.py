"""``cg bench embedding``: kernels, settings, trained encoders, and a run on real tables."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from cg_bench.embedding.study import (
    BESIDE,
    DESCRIPTORS,
    STRUCTURES,
    Study,
    evaluation_rows,
    gp_scores,
    read_settings,
    training_rows,
)
from cg_ir.cli import main
from cg_ir.errors import CgError
from cg_predict.metrics import spearman


def test_kernels_without_their_views_drop_out(family):
    graphs, labels = family
    x = np.random.default_rng(0).normal(size=(len(graphs), 3)).astype(np.float32)
    x[:, 0] = labels
    views = {"descriptors": x, "components": x[:, :1]}
    score = gp_scores(views, STRUCTURES[BESIDE], np.arange(40), labels[:40], 0)
    assert spearman(score[40:], labels[40:]) > 0.9
    np.testing.assert_array_equal(score, gp_scores(views, STRUCTURES[BESIDE], np.arange(40), labels[:40], 0))


def test_settings_and_unknown_stages(tmp_path):
    quick, full = read_settings(True), read_settings()
    assert quick.networks < full.networks
    assert set(quick.families) < set(full.families)
    assert all(t["settings"]["steps"] < 50 for t in quick.trained.values())
    study = Study(
        quick, tmp_path, tmp_path, evaluation_rows(tmp_path), training_rows(tmp_path), lambda _: None, lambda: None
    )
    with pytest.raises(CgError, match="there is no stage 'everything'"):
        study.run(("everything",))


def test_an_encoder_is_trained_without_the_family_left_out(tmp_path):
    pytest.importorskip("torch_geometric")
    from cg_embed.pretrain import TrainingConfig, sample_families, train

    settings = {"encoder": "path", "options": {"channels": 4}, "steps": 2, "batch": 8}
    trained = {"path, short": {"seeds": 1, "leave_out": True, "settings": settings}}
    spaces = ("nb201", "natssize")
    study = Study(
        replace(read_settings(True), spaces=spaces, graphs=12, trained=trained), tmp_path, tmp_path, evaluation_rows(tmp_path),
        training_rows(tmp_path), lambda _: None, lambda: None,
    )  # fmt: skip
    sampled = sample_families(TrainingConfig(spaces=spaces, graphs=12))
    for family, other in (spaces, spaces[::-1]):
        found = study.trained("path, short", 0, family)
        config = TrainingConfig(**{**settings, "options": {"channels": 4, "seed": 0}}, spaces=(other,), graphs=12)
        expected = train(config, {other: sampled[other]})
        assert all(np.array_equal(found.weights[name], value) for name, value in expected.weights.items())
        again = study.trained("path, short", 0, family)
        assert all(np.array_equal(again.weights[name], value) for name, value in expected.weights.items())
    assert [row["vectors"] for row in study.training.rows] == [f"path, short, without {family}" for family in spaces]


@pytest.mark.realdata
@pytest.mark.slow
def test_the_command_trains_compares_and_continues(data_dir, tmp_path, capsys):
    pytest.importorskip("torch_geometric")
    command = ["bench", "embedding", "--data", str(data_dir), "--quick", "-o", str(tmp_path), "--json"]
    stages = ["--stage", "descriptors", "--stage", "path", "--stage", "path, functional positives"]
    assert main([*command, *stages]) == 0, capsys.readouterr().err
    first = capsys.readouterr()
    rows = json.loads(first.out)["rows"]
    assert "path, functional positives, seed 1" in first.err
    assert main([*command, *stages]) == 0
    again = capsys.readouterr()
    assert json.loads(again.out)["rows"] == rows
    assert "seed" not in again.err  # nothing was done twice
    text = (tmp_path / "results.md").read_text()
    for part in ("## What was asked", "## Vectors alone", "## Trained against untrained", "## Training"):
        assert part in text
    values = [r["spearman"] for r in evaluation_rows(tmp_path).rows if r["vectors"] == DESCRIPTORS]
    assert min(values) > 0.8
