"""``cg bench ablation``: predictors without a part, and the page."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from cg_bench.ablation import CHANGED, WHOLE, markdown, methods
from cg_bench.ranking.transfer import Rows
from cg_ir.cli import main
from cg_predict.metrics import spearman
from cg_predict.settings import Settings


def test_every_setting_that_ranking_in_a_pool_reads_has_a_row():
    changed = {name for name, value in CHANGED.items() if value != getattr(Settings(), name)}
    assert changed == {field.name for field in fields(Settings)} - {"exact_labels", "size_weight"}
    assert len(fields(Settings)) <= 16
    names = [method.name for method in methods("nb201")]
    assert all(any(name.startswith(f"with {setting} ") for name in names) for setting in changed)


def test_predictors_without_a_part_still_rank(family):
    graphs, labels = family
    for method in methods("nb201"):
        outcome = method.run(graphs, labels, 40, 0)
        rest = np.setdiff1d(np.arange(len(graphs)), outcome.labelled)
        assert spearman(outcome.score[rest], labels[rest]) > 0.6, method.name
        assert method.predictor.get_params()["exclude"] == ("nb201",)


def row(method: str, target: str, draw: int, spearman: float) -> dict[str, object]:
    return {"method": method, "target": target, "draw": draw, "spearman": spearman, "labels": 50, "networks": 100}


def test_the_page_says_what_a_part_adds():
    rows = [row(WHOLE, t, d, 0.9 + 0.01 * d) for t in ("a", "b") for d in range(3)]
    rows += [row("without it", "a", d, 0.8 + 0.01 * d) for d in range(3)]
    assert "| 50 | +0.100 ± 0.000 |  |  |" in markdown(rows)  # no mean over families before all are there
    rows += [row("without it", "b", d, 0.88 + 0.02 * d) for d in range(3)]
    text = markdown(rows)
    assert "| 50 | 0.910 | 0.910 | 0.910 |" in text
    assert "| 50 | +0.100 ± 0.000 | +0.010 ± 0.006 | +0.055 ± 0.003 |" in text


@pytest.mark.realdata
@pytest.mark.slow
def test_the_command_runs_on_real_tables(data_dir, tmp_path, capsys):
    command = ["bench", "ablation", "--data", str(data_dir), "--quick", "--limit", "120", "--draws", "1", "-o"]
    assert main([*command, str(tmp_path)]) == 0, capsys.readouterr().err
    rows = Rows(tmp_path / "results.csv").rows
    whole = [r["spearman"] for r in rows if r["method"] == WHOLE and r["target"] == "mobilenetv3"]
    assert min(whole) > 0.9
    assert "## Without the embedding" in (tmp_path / "results.md").read_text()
