"""Labels of a table instead of training."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_plugin import ToySpace

from cg_evolve import SearchError
from cg_evolve.evaluators.benchmark import BenchmarkEvaluator
from cg_ir import PluginError, SourceError

GRAPH = ToySpace().graph("cccccc")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "toy.csv"
    path.write_text("arch,valid,test\ncccccc,1,10\nkkkkkk,2,\npppppp,,30\nwwwwww,nan,40\nckckck,inf,5\n")
    return path


def test_the_main_metric_comes_first(table: Path) -> None:
    assert BenchmarkEvaluator(f"toy={table}").evaluate("cccccc", GRAPH, 0) == {"valid": 1.0, "test": 10.0}
    labels = BenchmarkEvaluator(f"toy={table}", metric="test").evaluate("cccccc", GRAPH, 0)
    assert list(labels.items()) == [("test", 10.0), ("valid", 1.0)]


def test_architectures_without_a_finite_main_label_are_not_in_the_pool(table: Path) -> None:
    assert BenchmarkEvaluator(f"toy={table}", "toy").archs() == ["cccccc", "kkkkkk"]
    assert BenchmarkEvaluator(f"toy={table}", "toy", "test").archs() == ["cccccc", "pppppp", "wwwwww", "ckckck"]


def test_labels_that_are_missing_are_left_out_and_the_main_one_is_needed(table: Path) -> None:
    evaluator = BenchmarkEvaluator(f"toy={table}", "toy")
    assert evaluator.evaluate("kkkkkk", GRAPH, 0) == {"valid": 2.0}
    for arch in ("pppppp", "wwwwww", "ckckck", "iiiiii"):
        with pytest.raises(SearchError, match=f"^the table has no valid of {arch}$"):
            evaluator.evaluate(arch, GRAPH, 0)


class Spelled(ToySpace):
    def canonical(self, arch: str) -> str:
        return arch.lower()


def test_an_architecture_is_found_under_another_spelling(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cg_evolve.evaluators.benchmark.get_space", lambda name: Spelled())
    table.write_text("arch,valid\nCcCcCc,1\n")
    evaluator = BenchmarkEvaluator(f"toy={table}", "toy")
    assert evaluator.evaluate("cCcCcC", GRAPH, 0) == {"valid": 1.0}
    with pytest.raises(SearchError, match="no valid of kkkkkk"):
        evaluator.evaluate("kkkkkk", GRAPH, 0)


def test_options_of_the_space_do_not_make_it_another_one(table: Path) -> None:
    assert BenchmarkEvaluator(f"toy={table}", "toy?channels=8").archs() == ["cccccc", "kkkkkk"]


@pytest.mark.parametrize(
    ("target", "space", "metric", "error", "message"),
    [
        ("toy={}", "", "top1", SearchError, "the table has no column 'top1'; it has valid, test"),
        ("toy={}", "graph", "", SearchError, "the benchmark 'toy' is of the space 'toy', not 'graph'"),
        ("toy=none.csv", "", "", SourceError, "no such file"),
        ("tyo={}", "", "", PluginError, "did you mean 'toy'"),
    ],
)
def test_mistakes_are_named(
    table: Path, target: str, space: str, metric: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        BenchmarkEvaluator(target.format(table), space, metric)


def test_a_name_alone_is_looked_for_in_the_data_folder(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CG_DATA", str(table))
    assert BenchmarkEvaluator("toy").metrics == ["valid", "test"]
    monkeypatch.delenv("CG_DATA")
    with pytest.raises(
        SearchError, match=r"^where is the table\? benchmark:toy=PATH, or name its folder in the environment"
    ):
        BenchmarkEvaluator("toy")
