"""``cg bench embedding``: paired differences, stand-ins for the embedding, and a run on real tables."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from cg_bench.embedding.report import Difference, markdown
from cg_bench.embedding.study import (
    BESIDE,
    DESCRIPTORS,
    NOISE,
    STRUCTURES,
    Study,
    evaluation_rows,
    gp_scores,
    read_settings,
    training_rows,
)
from cg_bench.embedding.vectors import Noise, Unweighted, embedding_from
from cg_ir.cli import main
from cg_ir.errors import CgError
from cg_predict import Predictor
from cg_predict.context import Context, Encodings
from cg_predict.features import path_vectors
from cg_predict.metrics import spearman


def test_a_difference_has_an_error_over_draws_and_one_over_seeds():
    rng = np.random.default_rng(0)
    draws, seeds = rng.normal(size=6), rng.normal(size=4)
    own = 0.5 + draws[None, :] + seeds[:, None]
    found = Difference(own, np.zeros((1, 6)))
    assert found.mean == pytest.approx(0.5 + draws.mean() + seeds.mean())
    assert found.by_draw == pytest.approx(draws.std(ddof=1) / np.sqrt(6))
    assert found.by_seed == pytest.approx(seeds.std(ddof=1) / 2)
    paired = Difference(own, draws[None, :] + np.zeros((4, 1)))  # what both share goes
    assert paired.by_draw == pytest.approx(0, abs=1e-12)
    assert np.isnan(Difference(own[:1], np.zeros((1, 6))).by_seed)


def test_noise_is_the_graphs_own_and_says_nothing(family):
    graphs, labels = family
    x = Noise(300, seed=1).encode(graphs)
    np.testing.assert_array_equal(Noise(300, seed=1).encode(graphs[5:7]), x[5:7])
    assert abs(x.mean()) < 0.02
    assert x.std() == pytest.approx(1, abs=0.02)
    assert not np.allclose(x, Noise(300, seed=2).encode(graphs))
    correlations = [spearman(column, labels) for column in x.T]
    assert np.std(correlations) == pytest.approx(1 / np.sqrt(len(graphs)), rel=0.2)


def test_predictors_read_the_vectors_that_stand_in(family):
    graphs, labels = family
    before = path_vectors()
    with embedding_from(Noise(7)):
        predictor = Predictor(use_prior=False, warn=False).fit(graphs[:20], labels[:20])
        assert path_vectors().encode(graphs[:3]).shape == (3, 7)
        with_noise = predictor.predict(graphs, pool=graphs)
    assert path_vectors() is before
    assert not np.allclose(
        with_noise, Predictor(use_prior=False, warn=False).fit(graphs[:20], labels[:20]).predict(graphs, pool=graphs)
    )


def test_columns_are_weighted_for_the_shipped_encoder_alone(family):
    graphs, _ = family
    shipped = path_vectors().encoder

    def weighted() -> bool:
        context = Context(Encodings.of(graphs, True), Predictor(warn=False).knowledge, pooled=True)
        return context._features[3] is not None

    assert weighted()
    for encoder, expected in (
        (Unweighted(shipped), False),
        (Noise(len(shipped), 0, shipped.weights), True),
        (Noise(len(shipped)), False),
    ):
        with embedding_from(encoder):
            assert weighted() == expected


def test_kernels_without_their_views_drop_out(family):
    graphs, labels = family
    x = np.random.default_rng(0).normal(size=(len(graphs), 3)).astype(np.float32)
    x[:, 0] = labels
    views = {"descriptors": x, "components": x[:, :1]}
    score = gp_scores(views, STRUCTURES[BESIDE], np.arange(40), labels[:40], 0)
    assert spearman(score[40:], labels[40:]) > 0.9
    np.testing.assert_array_equal(score, gp_scores(views, STRUCTURES[BESIDE], np.arange(40), labels[:40], 0))


def row(vectors: str, use: str, seed: int, draw: int, value: float) -> dict[str, object]:
    return {
        "family": "nb201", "vectors": vectors, "seed": seed, "use": use, "labels": 50, "draw": draw, "spearman": value, "networks": 100,
    }  # fmt: skip


def test_the_page_says_means_differences_and_verdicts():
    rows = [row(DESCRIPTORS, BESIDE, 0, d, 0.8 + 0.01 * d) for d in range(3)]
    rows += [row(NOISE, BESIDE, s, d, 0.8 + 0.01 * d) for s in range(2) for d in range(3)]
    rows += [row("path, as shipped", "alone", 0, d, 0.85 + 0.01 * d + 0.001 * (d == 1)) for d in range(3)]
    text = markdown(rows, [], "")
    assert "| descriptors | 0.810 | 0.810 |" in text
    assert "| noise (2 seeds) | +0.000 ± 0.000, 0.000 |" in text
    assert "| path, as shipped | +0.050 ± 0.000 |" in text
    assert "nb201, 50 labels | +0.0503 ± 0.0003 | yes |" in text
    half = [r for r in rows if r["draw"] < 2 or r["vectors"] != NOISE or r["seed"] == 0]
    assert "## Vectors beside" not in markdown(half, [], "")  # not before all draws are there


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
