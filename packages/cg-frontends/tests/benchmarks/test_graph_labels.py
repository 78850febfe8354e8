"""Graph documents with labels: the file and its table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cg_frontends.benchmarks.graph_labels import LabelledGraph, read_graphs, write_graphs
from cg_ir import SourceError, get_benchmark, get_space
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


class TestLabelledGraphs(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("graphs")

    def write(self, folder: Path) -> Path:
        return write(folder)
