"""Tables in CSV files: the layouts that are recognised, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from label_files import CELLS_201, PUBLISHED, write_csv, write_published

from cg_ir import SourceError, get_benchmark


def test_plain_csv(tmp_path: Path) -> None:
    path = write_csv(tmp_path)
    table = get_benchmark("csv").open(str(path))
    assert table.metrics == ("accuracy", "latency")
    assert table.query(CELLS_201[1], "accuracy") == 15.0, "repeated rows are averaged"
    assert table.query(CELLS_201[1], "latency") == 3.0
    packed = tmp_path / "labels.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(get_benchmark("csv").open(str(packed)).archs()) == CELLS_201[:2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arch,y\na,1\nb\n", "line 3: 2 cells expected, not 1"),
        ("arch,y\na,1\nb,1.x\n", "line 3: y should be a number, not '1.x'"),
        ("name,y\na,1\n", "no columns that name an architecture"),
        ("arch,y\n", "the table has no rows"),
        ("arch,note\na,b\n", "has no labels"),
        ("arch,y,y\na,1,2\n", "two columns have the same name"),
        ("index,y\n0,1\n", "nb201_cifar10.csv.gz, which spells the numbers out, is not beside it"),
        ("", "no header"),
    ],
)
def test_bad_csv_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(SourceError, match=message) as caught:
        get_benchmark("csv").open(str(path))
    assert str(path) in str(caught.value)


def test_a_table_of_another_space_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("channels,y\n8:8:8:8:8,1\n")
    with pytest.raises(SourceError, match="a table of the space natssize, not of nb101"):
        get_benchmark("nb101").open(str(path))


def test_cells_by_number_are_joined(tmp_path: Path) -> None:
    (tmp_path / "nb201_cifar10.csv").write_text(
        "index,arch_str,acc\n" + "".join(f"{i},{a},1\n" for i, a in enumerate(CELLS_201))
    )
    (tmp_path / "latency.csv").write_text("index,ms\n2,7.5\n0,1.5\n")
    table = get_benchmark("nb201").open(str(tmp_path / "latency.csv"))
    assert list(table.archs()) == [CELLS_201[2], CELLS_201[0]]
    assert table.query(CELLS_201[2], "ms") == 7.5


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_published_tables(tmp_path: Path, name: str) -> None:
    _, _, arch, metric = PUBLISHED[name]
    write_published(tmp_path, name)
    table = get_benchmark(name).open(str(tmp_path))
    assert table.metrics[0] == metric
    assert len(list(table.archs())) == 2
    assert list(table.archs())[1] == (arch.replace(" ", "") if name == "naap440" else arch)
    assert table.query(arch, metric) == 45.5
    assert {"set", "space", "n_runs", "lr", "depth", "model_id", "is_test"}.isdisjoint(table.metrics)


def test_a_bad_architecture_is_named_with_its_line(tmp_path: Path) -> None:
    path = write_published(tmp_path, "metaqnn")
    path.write_text(path.read_text().replace("C(128,1,1)", "C(129,1,1)"))
    with pytest.raises(SourceError, match=r"metaqnn.csv, line 3: metaqnn has no layer C\(129,1,1\)"):
        get_benchmark("metaqnn").open(str(path))
