"""The winner of a search as files."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_plugin import worth

import cg_ir
from cg_evolve import Search
from cg_evolve.winner import export_winner


def searched(count: int) -> Search:
    search = Search("toy", "random", q=1)
    for _ in range(count):
        (candidate,) = search.ask()
        search.tell(candidate, worth(candidate.arch))
    return search


def test_the_best_network_is_written_in_every_form(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("torch")
    search = searched(5)
    written = export_winner(search, tmp_path)
    assert written == {suffix: str(tmp_path / f"winner{suffix}") for suffix in (".cg.json", ".svg", ".onnx", ".py")}
    assert {path.name for path in tmp_path.iterdir()} == {Path(path).name for path in written.values()}
    assert search.best is not None
    assert cg_ir.load(written[".cg.json"]).hash == search.best.hash
    namespace: dict[str, object] = {}
    exec(compile(Path(written[".py"]).read_text(), "winner.py", "exec"), namespace)
    assert any("Conv" in line for line in Path(written[".py"]).read_text().splitlines())


def test_an_earlier_winner_does_not_stay(tmp_path: Path) -> None:
    export_winner(searched(3), tmp_path)
    (tmp_path / "winner.txt").write_text("the user's own")
    assert export_winner(searched(0), tmp_path) == {}
    assert [path.name for path in tmp_path.iterdir()] == ["winner.txt"]


def test_a_form_that_cannot_be_made_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cg_evolve import winner

    original = winner.write

    def write(graph: cg_ir.Graph, path: Path, command: str) -> None:
        if path.suffix == ".onnx":
            raise cg_ir.GraphError("it has an operator that ONNX has not")
        original(graph, path, command)

    monkeypatch.setattr(winner, "write", write)
    assert ".onnx" not in export_winner(searched(2), tmp_path)
    assert not (tmp_path / "winner.onnx").exists()
    assert (tmp_path / "winner.svg").exists()
