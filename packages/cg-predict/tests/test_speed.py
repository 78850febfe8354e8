"""The script that measures the predictor's speed."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path

import pytest

from cg_predict.settings import Settings


@pytest.mark.slow
def test_the_page_has_all_figures(capsys, monkeypatch, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("cg_frontends")
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "speed.py"
    spec = importlib.util.spec_from_file_location("predictor_speed", path)
    speed = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "predictor_speed", speed)
    spec.loader.exec_module(speed)
    ranked = speed.rank_all(400)
    assert len(ranked["graphs"]) == 400
    proxy = speed.synflow(ranked["archs"], 2)
    assert proxy.cpu > ranked["score"].cpu / 400
    few_exact = partial(speed.Predictor, settings=Settings(exact_labels=300))
    monkeypatch.setattr(speed, "Predictor", few_exact)
    many = speed.many_labels(400)  # past the exact process
    assert many["count"] == 400
    assert many["spearman"] > 0.8
    text = speed.page(ranked, proxy, many)
    assert "| fit on 50 labels under 2 s |" in text
    assert "With 400 labels" in text
    assert "all 15,625 cells within" not in text  # not all were ranked
