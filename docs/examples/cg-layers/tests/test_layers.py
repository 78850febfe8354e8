from __future__ import annotations

import pytest
from cg_ir import SourceError
from cg_ir.testing import FrontendSuite, ScorerSuite
from cg_layers import Layers, NearSize


@pytest.fixture(autouse=True)
def _in_a_folder_with_sources(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.layers").write_text("input 3 32 32\nconv 3 16\nrelu\npool 2\nlinear 10\n")


class TestLayers(FrontendSuite):
    def make(self):
        return Layers()

    def sources(self):
        return ["small.layers"]


class TestNearSize(ScorerSuite):
    def make(self):
        return NearSize()


def test_costs_are_those_counted_by_hand():
    graph = Layers().convert("small.layers")
    assert graph.params == 9 * 3 * 16 + 16 * 10 + 10
    assert graph.macs == 9 * 3 * 16 * 32 * 32 + 16 * 10


@pytest.mark.parametrize(
    ("text", "message"),
    [("conv 3 16", "line 1: the first layer"), ("input 3 8 8\nbend 1", "line 2: no layer"), ("", "no layer")],
)
def test_errors_name_the_line(tmp_path, text, message):
    (tmp_path / "wrong.layers").write_text(text)
    with pytest.raises(SourceError, match=message):
        Layers().convert("wrong.layers")
