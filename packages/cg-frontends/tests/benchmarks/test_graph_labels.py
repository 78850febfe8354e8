"""Graph documents with labels: the file, its table, and the command that writes it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cg_frontends.benchmarks.graph_labels import LabelledGraph, read_graphs, write_graphs
from cg_ir import SourceError, get_benchmark, get_space
from cg_ir.cli import cg
from cg_ir.plugins import Benchmark
from cg_ir.testing import BenchmarkSuite

ARCHS = [f"{width}:8:8:8:{last}" for width in (8, 16, 24, 32, 40, 48, 56, 64) for last in (8, 16, 24)]


def write(folder: Path, suffix: str = "") -> Path:
    path = folder / f"nets.jsonl{suffix}"
    space = get_space("natssize")
    entries = [
        LabelledGraph(f"net {i}", space.graph(arch), {"acc": 90.0 + i, **({"late": 1.0} if i % 2 else {})}, f"g{i % 3}")
        for i, arch in enumerate(ARCHS)
    ]
    write_graphs(entries, path)
    return path


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_what_is_written_is_read(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, suffix)
    before = path.read_bytes()
    assert (before[:2] == b"\x1f\x8b") == bool(suffix)
    table = read_graphs(path)
    assert list(table.archs()) == [f"net {i}" for i in range(len(ARCHS))]
    assert table.metrics == ("acc", "late")
    assert table.query("net 3", "acc") == 93.0
    assert table.group("net 4") == "g1"
    graph = get_space("natssize").graph(ARCHS[5])
    assert (table.graph("net 5").hash, table.graph("net 5").name) == (graph.hash, graph.name)
    with pytest.raises(KeyError):
        table.query("net 2", "late")
    write_graphs(table.entries.values(), path)
    assert path.read_bytes() == before


def test_the_lemur_layout_is_read(tmp_path: Path) -> None:
    """No group, labels by metric."""
    document = get_space("natssize").graph(ARCHS[0]).to_dict()
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"id": "a", "labels": {"acc": 0.5, "other": None}, "graph": document}) + "\n\n")
    table = get_benchmark("graphs").open(str(tmp_path))
    assert (table.query("a", "acc"), table.group("a"), table.metrics) == (0.5, "", ("acc",))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "no valid JSON"),
        ("[]", "should be an object"),
        ('{"id": "a", "labels": {"acc": 1}}', "should be an object"),
        ('{"id": "", "labels": {"acc": 1}, "graph": {}}', "printable text"),
        ('{"id": "a\\n", "labels": {"acc": 1}, "graph": {}}', "printable text"),
        ('{"id": "a", "labels": {"acc": NaN}, "graph": {}}', "finite number"),
        ('{"id": "a", "labels": {"acc": true}, "graph": {}}', "finite number"),
        ('{"id": "a", "labels": [], "graph": {}}', "should be an object and"),
        ('{"id": "a", "labels": {}, "group": 3, "graph": {}}', "'group' a text"),
        ('{"id": "a", "labels": {"acc": 1}, "graph": {}}', "cg_ir"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text().splitlines()[0] + "\n" + line + "\n")
    with pytest.raises(SourceError, match=rf"nets.jsonl, line 2: .*{message}"):
        read_graphs(path)


def test_an_id_comes_once(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text().splitlines()[0] + "\n" + path.read_text())
    with pytest.raises(SourceError, match="line 2: the id 'net 0' comes twice"):
        read_graphs(path)


@pytest.mark.parametrize("damage", [slice(0, -50), slice(40, 60)], ids=["cut off", "changed"])
def test_a_damaged_compressed_file_is_refused(tmp_path: Path, damage: slice) -> None:
    path = write(tmp_path, ".gz")
    data = path.read_bytes()
    path.write_bytes(data[damage] if damage.start == 0 else data[: damage.start] + b"\xff" * 20 + data[damage.stop :])
    with pytest.raises(SourceError, match="cannot be read as labelled graphs"):
        read_graphs(path)


def test_groups_of_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("arch,acc,group\n8:8:8:8:8,1,x\n8:8:8:8:16,2,7\n8:8:8:8:16,4,7\n")
    table = get_benchmark("csv?space=natssize").open(str(path))
    assert table.metrics == ("acc",)
    assert (table.group("8:8:8:8:8"), table.group("[8, 8, 8, 8, 16]")) == ("x", "7")
    path.write_text("arch,acc\n8:8:8:8:8,1\n")
    assert get_benchmark("csv").open(str(path)).group("8:8:8:8:8") == ""


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


class TestLabelledGraphs(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("graphs")

    def write(self, folder: Path) -> Path:
        return write(folder)
