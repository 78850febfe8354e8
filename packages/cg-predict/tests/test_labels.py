"""Lists of networks and their labels, as files that people write."""

from __future__ import annotations

from pathlib import Path

import pytest
from predict_test_networks import network

from cg_ir.errors import SourceError
from cg_ir.sources import Reading
from cg_predict.labels import callable_of, read_labels, sources_in


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file beside two networks, a.cg.json and b.cg.json."""
    monkeypatch.chdir(tmp_path)
    for name, width in (("a", 4), ("b", 8)):
        network([width], [False]).save(tmp_path / f"{name}.cg.json")
    return tmp_path / "labels.csv"


def test_rows_are_read_in_order_and_equal_sources_are_read_once(file: Path) -> None:
    file.write_text("acc,arch\n3,b.cg.json\n-1e2,a.cg.json\n4,b.cg.json\n")
    labels = read_labels(file, None, Reading())
    assert (labels.sources, labels.values, labels.metric) == (
        ["b.cg.json", "a.cg.json", "b.cg.json"],
        [3, -100, 4],
        "acc",
    )
    assert labels.graphs[0] is labels.graphs[2]
    assert labels.graphs[1].hash == network([4], [False]).hash


@pytest.mark.parametrize(
    ("text", "metric", "values", "found"),
    [
        ("arch,note,acc\na.cg.json,x,1\n", None, [1.0], "acc"),  # the first column that holds numbers
        ("arch,acc,loss\na.cg.json,1,2\n", "loss", [2.0], "loss"),
        ("arch,acc\na.cg.json,\nb.cg.json,2\n", None, [2.0], "acc"),  # no label, no row
        ("\ufeffarch , acc\r\n a.cg.json , 1 \r\n\r\n", None, [1.0], "acc"),  # as spreadsheets write
        ('"arch","acc"\n"a.cg.json","1"\n', None, [1.0], "acc"),
        ("acc,arch\n1,a.cg.json\n,\n", None, [1.0], "acc"),
        ("acc,arch,last\n1,a.cg.json\n", None, [1.0], "acc"),  # a row that ends early
    ],
)
def test_tables_as_people_write_them(
    file: Path, text: str, metric: str | None, values: list[float], found: str
) -> None:
    file.write_bytes(text.encode())
    labels = read_labels(file, metric, Reading())
    assert (labels.values, labels.metric) == (values, found)


@pytest.mark.parametrize(
    ("text", "metric", "told"),
    [
        ("arch,acc\na.cg.json,1\n", "loss", "{file}: there is no column 'loss'; there are acc"),
        ("arch\na.cg.json\n", "acc", "{file}: there is no column 'acc'; there are none"),
        ("arch,acc\na.cg.json,\n", None, "{file}: no column beside 'arch' holds numbers"),
        ("arch,acc\na.cg.json,\n", "acc", "{file}: column 'acc' holds no label"),
        ("name,acc\na.cg.json,1\n", None, "{file}: a CSV of networks needs a column 'arch'; it has name, acc"),
        ("", None, "{file}: a CSV of networks needs a column 'arch'; it has no header"),
        ("arch,acc\na.cg.json,one\n", "acc", "{file}, line 2: the label 'one' in column 'acc' is no number"),
        ("arch,acc\n\na.cg.json,-inf\n", "acc", "{file}, line 3: the label '-inf' in column 'acc' is no finite number"),
        ('arch,acc,note\na.cg.json,1,"two\nlines"\nb.cg.json,x,\n', "acc", "{file}, line 4: the label 'x' in column 'acc' is no number"),
        ('arch,acc,note\na.cg.json,x,"two\nlines"\n', "acc", "{file}, line 2: the label 'x' in column 'acc' is no number"),
        ("arch,acc\u2028\na.cg.json,x\u2028y\n", None, "{file}: no column beside 'arch' holds numbers"),
        ('arch,acc\n"a.cg.json,1\n', None, "{file}: is no CSV text file: unexpected end of data"),
        ("arch;acc\na;1\n", None, "{file}: its columns are separated by semicolons; save it with commas"),
        ("arch\tacc\na\t1\n", None, "{file}: its columns are separated by tabs; save it with commas"),
        ("arch,acc,acc\na,1,2\n", None, "{file}: two columns are called 'acc'"),
        ("arch,acc\na,1,2\n", None, "{file}, line 2: has 3 cells, but there are 2 columns"),
        (b"PK\x03\x04", None, "{file}: is a spreadsheet; save it as CSV (UTF-8)"),
        (b"\xd0\xcf\x11\xe0", None, "{file}: is a spreadsheet; save it as CSV (UTF-8)"),
        ("arch,acc\n\xe9,1\n".encode("latin-1"), None, "{file}: should be a CSV text file in UTF-8"),
    ],
)  # fmt: skip
def test_what_is_no_table_of_labels_is_told_in_one_line(
    file: Path, text: str | bytes, metric: str | None, told: str
) -> None:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SourceError) as caught:
        read_labels(file, metric, Reading())
    assert str(caught.value) == told.format(file=file)


def test_a_network_that_cannot_be_read_is_told_with_its_line(file: Path) -> None:
    file.write_text("arch,acc\na.cg.json,1\nmissing.cg.json,2\n")
    with pytest.raises(SourceError, match=rf"^{file}, line 3: .*missing\.cg\.json"):
        read_labels(file, None, Reading())
    with pytest.raises(SourceError, match=rf"^{file.parent}: cannot be read: Is a directory$"):
        read_labels(file.parent, None, Reading())


MAKE = """
from torch import nn
def make(width, depth=1):
    return nn.Sequential(*[nn.Conv2d(3, width, 1)] + [nn.Conv2d(width, width, 1)] * (depth - 1))
"""


def test_arguments_of_a_callable_may_be_columns(file: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("cg_frontends")
    (file.parent / "net.py").write_text(MAKE)
    file.write_text("depth,acc,width\n2,0.5,4\n,0.6,8\n")
    labels = read_labels(file, None, Reading(input=("3x8x8",)), "net.py:make")
    assert labels.sources == ["net.py:make?width=4&depth=2", "net.py:make?width=8"]
    assert [g.params for g in labels.graphs] == [4 * 4 + 5 * 4, 8 * 4]
    assert sources_in(file, "net.py:make") == labels.sources
    file.write_text("height,acc\n2,1\n")
    told = "needs a column 'arch', or columns for the arguments of net.py:make; it has height, acc"
    with pytest.raises(SourceError, match=told):
        read_labels(file, None, Reading(), "net.py:make")


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["net.py:make?width=1", "net.py:make?width=2"], "net.py:make"),
        (["net.py:make", "a.cg.json"], "net.py:make"),
        (["net.py:make", "net.py:other"], None),
        (["a.cg.json"], None),
        ([], None),
    ],
)
def test_the_one_callable(sources: list[str], expected: str | None) -> None:
    assert callable_of(sources) == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("list.txt", "a.cg.json\n\n  b.cg.json \n", ["a.cg.json", "b.cg.json"]),
        ("list.txt", "nb201:|a~0|+|b,c|\n", ["nb201:|a~0|+|b,c|"]),  # a comma makes no table
        ("list.txt", "acc, arch\n1,x\n", ["x"]),  # but a header with arch does, whatever the file is called
        ("list.txt", '"arch"\nx\ny\n', ["x", "y"]),
        ("list.csv", "a.cg.json\nb.cg.json\n", ["a.cg.json", "b.cg.json"]),
        ("list.csv", "arch,acc\nx,\ny,2\n", ["x", "y"]),  # labels do not matter
        ("list.txt", "x" * 200_000 + "\ny\n", ["x" * 200_000, "y"]),
    ],
)
def test_lists_name_one_source_a_line_or_are_tables(tmp_path: Path, name: str, text: str, expected: list[str]) -> None:
    (tmp_path / name).write_text(text)
    assert sources_in(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("list.txt", " \n\n", "the file is empty; it should name one SOURCE a line, or be a CSV with a column 'arch'"),
        ("list.csv", "name,acc\nx,1\n", "a CSV of networks needs a column 'arch'; it has name, acc"),
        ("list.csv", "arch;acc\nx;1\n", "its columns are separated by semicolons; save it with commas"),
    ],
)
def test_what_lists_no_network_is_refused(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceError) as caught:
        sources_in(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: {told}"
