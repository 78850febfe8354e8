"""``cg collect``: the networks of a label table with their labels, in one file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cg_frontends.benchmarks.graph_labels import read_graphs
from cg_ir import CgError, SourceError, get_space
from cg_ir.cli import cg


def test_collect(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("arch,acc,group\n8:8:8:8:8,1,x\n8:8:8:8:16,2,y\n8:8:8:8:9,3,y\n")
    output = tmp_path / "out.jsonl.gz"
    result = CliRunner().invoke(cg, ["collect", f"natssize={labels}", "-o", str(output), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"output": str(output), "networks": 2, "left_out": 1}
    assert "left out 1, the first: 8:8:8:8:9: natssize has no width 9" in result.stderr
    table = read_graphs(output)
    assert [table.group(arch) for arch in table.archs()] == ["x", "y"]
    assert table.graph("8:8:8:8:16").hash == get_space("natssize").graph("8:8:8:8:16").hash
    # networks that are there are not built again: nothing else knows how to build these
    with gzip.open(output, "at") as file:
        line = {"id": "mine", "labels": {"acc": 3}, "graph": table.graph("8:8:8:8:8").to_dict()}
        file.write(json.dumps(line) + "\n")
    labels.write_text("arch,acc\n8:8:8:8:8,1\nmine,5\n")
    result = CliRunner().invoke(cg, ["collect", f"csv={labels}", "--space", "natssize", "-o", str(output)])
    assert result.exit_code == 0, result.output
    assert read_graphs(output).query("mine", "acc") == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["natssize", "-o", "x.jsonl"], "should be BENCHMARK=PATH"),
        (["natssize=labels.csv", "-o", "x.json"], "should end in .jsonl or .jsonl.gz"),
        (["csv=labels.csv", "-o", "x.jsonl"], "names no space"),
        (["natssize=labels.csv", "-o", "x.jsonl"], "no network of it can be built"),
    ],
)
def test_collect_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("labels.csv").write_text("arch,acc\n8:8:8:8:9,1\n")
    result = CliRunner().invoke(cg, ["collect", *arguments])
    assert isinstance(result.exception, SourceError)
    assert message in str(result.exception)
    assert not list(tmp_path.glob("x.*"))


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("arch,acc\n8:8:8:8:8,1\n8:8:8:8:16,2\n")
    return path


def collect(*arguments: str) -> Result:
    return CliRunner().invoke(cg, ["collect", *arguments])


def test_options_of_the_benchmark_may_hold_equals_signs(labels: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    result = collect(f"csv?space=natssize={labels}", "-o", str(output))
    assert result.exit_code == 0, result.output
    assert read_graphs(output).query("8:8:8:8:16", "acc") == 2


def test_the_file_is_a_table_that_is_collected_itself(labels: Path, tmp_path: Path) -> None:
    first, again = tmp_path / "out.jsonl", tmp_path / "again.jsonl.gz"
    assert collect(f"natssize={labels}", "-o", str(first)).exit_code == 0
    assert "2 networks with labels" in collect(f"graphs={first}", "-o", str(again)).output
    table, copy = read_graphs(first), read_graphs(again)
    assert list(copy.archs()) == list(table.archs())
    assert [copy.graph(a).hash for a in copy.archs()] == [table.graph(a).hash for a in table.archs()]


def test_a_table_of_which_nothing_can_be_built_leaves_the_file_as_it_was(labels: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    assert collect(f"natssize={labels}", "-o", str(output)).exit_code == 0
    before = output.read_bytes()
    labels.write_text("arch,acc\n8:8:8:8:9,1\n")
    result = collect(f"natssize={labels}", "-o", str(output))
    assert "no network of it can be built; the first: natssize has no width 9" in str(result.exception)
    assert output.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("out")] == ["out.jsonl"]


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    result = collect(f"natssize={tmp_path / 'absent.csv'}", "-o", str(output))
    assert isinstance(result.exception, CgError)
    assert "absent.csv" in str(result.exception)
    result = collect("nothing=labels.csv", "-o", str(output))
    assert isinstance(result.exception, CgError)
    assert "nothing" in str(result.exception)
    assert not output.exists()
