"""The page of ``cg bench embedding``, from rows made by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cg_bench.embedding.report import Difference, Table, markdown, write_report
from cg_bench.embedding.study import ALONE, BESIDE, DESCRIPTORS, NOISE, NOTHING, PATH_SHIPPED, PATH_UNTRAINED, PREDICTOR

TRAINED = "path, functional positives"


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


def rows_of(values: dict[tuple[str, str], Any], family: str = "nb201", labels: int = 50) -> list[dict[str, Any]]:
    """Rows from Spearman by vectors and use, (seeds, draws)."""
    return [
        {"family": family, "vectors": vectors, "seed": s, "use": use, "labels": labels, "draw": d, "spearman": v, "networks": 60}
        for (vectors, use), array in values.items()
        for s, line in enumerate(np.atleast_2d(array))
        for d, v in enumerate(line.tolist())
    ]  # fmt: skip


def test_a_table_is_whole_or_not_there() -> None:
    rows = rows_of({("v", ALONE): [[0.1, 0.2], [0.3, 0.4]]})
    table = Table(rows)
    assert table("v", ALONE, "nb201", 50).tolist() == [[0.1, 0.2], [0.3, 0.4]]  # type: ignore[union-attr]
    assert table("v", BESIDE, "nb201", 50) is None
    assert Table(rows[:-1])("v", ALONE, "nb201", 50) is None  # a draw of the second seed is missing
    assert Table(rows[:2])("v", ALONE, "nb201", 50).tolist() == [[0.1, 0.2]]  # type: ignore[union-attr]


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_a_difference_pairs_seeds_and_draws_that_both_have(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    own, other = rng.normal(size=(2, 4)), rng.normal(size=(seeds, 3))
    used = own[:, :3] - (other if seeds == 1 else other[:2])
    found = Difference(own, other)
    np.testing.assert_allclose(found.values, used)
    assert found.mean == pytest.approx(used.mean())
    assert found.error == pytest.approx(max(found.by_draw, found.by_seed))
    assert found.text(2) == f"{used.mean():+.2f} ± {found.by_draw:.2f}, {found.by_seed:.2f}"


def test_the_mean_over_families_pairs_draw_by_draw_and_needs_all() -> None:
    rng = np.random.default_rng(0)
    parts = {f: (rng.uniform(size=3), rng.uniform(size=3)) for f in ("nb201", "nb101")}
    rows = [
        row
        for family, (base, own) in parts.items()
        for row in rows_of({(DESCRIPTORS, BESIDE): base, (PATH_SHIPPED, ALONE): own}, family)
    ]
    gaps = {family: own - base for family, (base, own) in parts.items()}
    both = np.mean(list(gaps.values()), axis=0)
    cells = [f"{g.mean():+.3f} ± {g.std(ddof=1) / np.sqrt(3):.3f}" for g in (*gaps.values(), both)]
    text = markdown(rows, [], "")
    assert f"| {PATH_SHIPPED} | " + " | ".join(cells) + " |" in text
    means = [own.mean() for _, own in parts.values()]
    assert f"| {PATH_SHIPPED} | " + " | ".join(f"{m:.3f}" for m in (*means, np.mean(means))) + " |" in text
    assert "Networks: nb201 110, nb101 110." in text
    fewer = [row for row in rows if (row["family"], row["vectors"]) != ("nb101", PATH_SHIPPED)]
    assert f"| {PATH_SHIPPED} | {cells[0]} |  |  |" in markdown(fewer, [], "")


@pytest.mark.parametrize(("gain", "verdict"), [(0.05, "yes"), (0.008, "not clear"), (-0.01, "no")])
def test_what_was_asked_holds_where_it_is_more_than_an_error_away(gain: float, verdict: str) -> None:
    base = np.array([0.8, 0.82, 0.84])
    own = base + gain + np.array([-0.001, 0.0, 0.001])
    rows = rows_of({(NOTHING, PREDICTOR): base, (NOISE, PREDICTOR): base - 0.5, (PATH_SHIPPED, PREDICTOR): own})
    asked = re.findall(
        r"\| path, as shipped: beside .* at least \+0.008, nb201, .* \| (.*) \| (.*) \|", markdown(rows, [], "")
    )
    assert asked[0] == (f"{gain:+.4f} ± {0.001 / np.sqrt(3):.4f}", verdict)
    assert asked[1][1] == "yes"  # noise stands half below


def test_training_is_judged_by_the_weights_that_it_starts_from() -> None:
    start = np.array([[0.7, 0.8], [0.6, 0.65]])
    end = start + np.array([[0.1], [0.2]])
    rows = rows_of({(PATH_UNTRAINED, ALONE): start, (TRAINED, ALONE): end, (DESCRIPTORS, BESIDE): start[:1]})
    text = markdown(rows, [], "")
    section = text[text.index("## Trained against untrained") :]
    assert f"| {TRAINED}, {ALONE} | +0.1500 ± 0.0000, 0.0500 | +0.1500 ± 0.0000, 0.0500 |" in section
    assert f"{TRAINED}: better than untrained, {ALONE}, mean over families, 50 labels | +0.1500" in text
    assert f"| {TRAINED} (2 seeds) |" in text
    untrained = [row for row in rows if row["vectors"] != TRAINED]
    assert "## Trained against untrained" not in markdown(untrained, [], "")


def test_what_trainings_took_is_summed_up(tmp_path: Path) -> None:
    training = [
        {"vectors": TRAINED, "seed": s, "steps": 400, "batch": 128, "seconds": t, "first_loss": 5.0 + s, "last_loss": 1.0}
        for s, t in enumerate((90.0, 110.0, 1000.0))
    ]  # fmt: skip
    write_report(tmp_path, [], training)
    assert list(tmp_path.iterdir()) == []
    write_report(tmp_path, rows_of({(DESCRIPTORS, BESIDE): [0.5]}), training)
    text = (tmp_path / "results.md").read_text()
    assert f"| {TRAINED} | 3 | 51,200 | 110 | 6.000, 1.000 |" in text
    assert "```yaml\n# What `cg bench embedding` compares" in text
