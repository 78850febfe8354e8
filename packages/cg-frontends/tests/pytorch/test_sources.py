"""Sources that name code: what is run, which inputs are taken, and how failures are told."""

from __future__ import annotations

import json
import sys

import pytest

torch = pytest.importorskip("torch")
from cg_frontends.pytorch_sources import PyTorchFrontend  # noqa: E402
from cg_ir import SourceError  # noqa: E402
from cg_ir.cli import main  # noqa: E402

CODE = """
import sibling
from torch import nn

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        print("building")
        self.conv = nn.Conv2d(3, width, 3)
        self.head = nn.Linear(width, sibling.CLASSES)

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3)))

class Fails(Net):
    def forward(self, x):
        return self.head(x)

class Raises(Net):
    def __init__(self):
        raise ValueError("no such width")

def reads():
    net = Net()
    assert float(net.head.weight.sum()) < 1e9
    return net

def nothing():
    return 3

def several(least=4):
    for width in (least, 2 * least):
        yield Net(width)

def mixed():
    yield Net()
    yield 3
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "sibling", raising=False)
    (tmp_path / "sibling.py").write_text("CLASSES = 10\n")
    (tmp_path / "net.py").write_text(CODE)
    return str(tmp_path / "net.py")


@pytest.fixture
def frontend():
    return PyTorchFrontend()


def test_file_and_callable(frontend, source):
    graph = frontend.convert(f"{source}:Net", input=["3x32x32"])
    assert graph.params == 8 * 28 + 90
    assert graph.nodes[0].shape == (1, 3, 32, 32)
    assert frontend.convert(f"{source}:Net", args='{"width": 4}').params == 4 * 28 + 50
    assert frontend.convert(f"{source}:Net", args="[4]").params == 4 * 28 + 50
    assert (
        frontend.convert(f"{source}:reads").hash == frontend.convert(f"{source}:Net").hash
    )  # a constructor that needs elements


def test_module_path(frontend):
    assert frontend.convert("torch.nn:LSTM", args=[4, 8], input=["5x4"]).params == 4 * 8 * 14
    assert frontend.convert("torch.nn:Embedding", args=[9, 4], input=["5:int64"]).params == 36


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Fails", {}, r"net\.py:17: "),
        ("Raises", {}, r"net\.py:21: ValueError: no such width"),
        ("Nett", {}, "did you mean 'Net'"),
        ("nothing", {}, "returned int"),
        ("Net", {"input": ["3*32"]}, "3x224x224"),
        ("Net", {"input": ["3x32x32:float"]}, "float32"),
        ("Net", {"input": ["3x0x32"]}, "sizes"),
        ("Net", {"args": "{"}, "JSON"),
        ("Net", {"args": '{"wide": 3}'}, "among its arguments there is no 'wide'"),
        ("Net", {"wide": 3}, "no option 'wide'"),
    ],
)
def test_failures_are_one_line(frontend, source, name, options, message):
    with pytest.raises(SourceError, match=message) as caught:
        frontend.convert(f"{source}:{name}", **options)
    assert "\n" not in str(caught.value)


def test_syntax_errors_name_their_line(frontend, tmp_path):
    (tmp_path / "broken.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(SourceError, match=r"broken\.py:2: SyntaxError"):
        frontend.convert(f"{tmp_path / 'broken.py'}:f")


def test_command_line(source, capsys):
    assert not main(["info", f"{source}:Net", "--input", "3x32x32", "--json"])
    out, err = capsys.readouterr()
    assert json.loads(out)["parameters"] == 314  # nothing that the code printed is among the results
    assert "building" in err
    with pytest.raises(SystemExit) as stop:
        main(["info", f"{source}:Fails"])
    assert stop.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 2  # "building" and the error


def test_a_function_that_yields_stands_for_its_networks(frontend, source, capsys):
    from cg_ir.sources import Reading

    reading = Reading(input=("3x32x32",))
    assert reading.expand([f"{source}:several", f"{source}:Net"]) == [
        f"{source}:several#0",
        f"{source}:several#1",
        f"{source}:Net",
    ]
    assert reading.expand([f"{source}:several?least=6"])[1] == f"{source}:several#1?least=6"
    widths = [reading.graph(one).nodes[1].shape[1] for one in reading.expand([f"{source}:several?least=3,5"])]
    assert widths == [3, 6, 5, 10]
    assert frontend.convert(f"{source}:several#1", input=["3x32x32"]).name == f"{source}:several#1"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("several", r"several yields several networks; .*several#0 is the first"),
        ("several#2", "several#2: it yields fewer networks"),
        ("mixed#1", "mixed yields int as number 1, not an nn.Module"),
        ("reads#0", "yields nothing, it returns one network; leave out the number"),
    ],
)
def test_mistakes_about_what_yields(frontend, source, name, message):
    with pytest.raises(SourceError, match=message):
        frontend.convert(f"{source}:{name}", input=["3x32x32"])
