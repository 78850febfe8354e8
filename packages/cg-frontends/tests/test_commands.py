"""``cg collect``: the networks of a label table with their labels, in one file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cg_frontends.benchmarks.graph_labels import read_graphs
from cg_ir import SourceError, get_space
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
