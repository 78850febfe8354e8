"""Sources that name code: what is run, which inputs are taken, and how failures are told."""

from __future__ import annotations

import json
import re
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no_such_package.models:net", "no module is called 'no_such_package'"),
        ("absent.py:Net", "no such file"),
        ("model.pt2", "unpickles"),
        ("weights.pth", "unpickles"),
    ],
)
def test_sources_that_are_none(frontend, text, message):
    assert frontend.accepts(text)
    with pytest.raises(SourceError, match=message):
        frontend.convert(text)


def test_a_file_without_a_name_says_what_could_be_named(frontend, tmp_path):
    file = tmp_path / "net.py"
    file.write_text(
        """
class Block(Module):
    def __init__(self, width): ...
    def forward(self, x): ...

class Sequence(Module):
    def forward(self, x): ...

class Loader:
    def __init__(self, path="."): ...

class Net(Module):
    def __init__(self, width=8, *, depth=2): ...
    def forward(self, x): ...

def make(depth=2): return Net(depth=depth)
def of(depth, *, width): return Net(width, depth=depth)
def family():
    yield make()
def _private(): return make()
def main(): make()
"""
    )
    with pytest.raises(SourceError, match=f"name it after a colon: {file}:Sequence, {file}:Net, {file}:make, ...$"):
        frontend.convert(str(file))
    file.write_text("def family():\n    yield 3\ndef of(depth, *, width): return depth\n")
    with pytest.raises(SourceError, match=f"name it after a colon: {file}:family$"):
        frontend.convert(str(file))


def test_syntax_errors_name_their_line(frontend, tmp_path):
    (tmp_path / "broken.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(SourceError, match=r"broken\.py:2: SyntaxError"):
        frontend.convert(f"{tmp_path / 'broken.py'}:f")


def test_accepts_is_cheap_and_never_raises(frontend):
    for source in (None, 3, "", "nb201:|x~0|", "a b:c", b"x", "x.onnx"):
        assert not frontend.accepts(source)
    assert frontend.accepts(torch.nn.Linear(2, 2))


def test_command_line(source, capsys):
    assert not main(["info", f"{source}:Net", "--input", "3x32x32", "--json"])
    out, err = capsys.readouterr()
    assert json.loads(out)["parameters"] == 314  # nothing that the code printed is among the results
    assert "building" in err
    with pytest.raises(SystemExit) as stop:
        main(["info", f"{source}:Fails"])
    assert stop.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 2  # "building" and the error


FAILURES = """import torch
from torch import nn

class Control(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        return -x

class Shapes(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.head = nn.Linear(100, 10)

    def forward(self, x):
        x = self.conv(x)
        return self.head(x.flatten(1))

class Width(nn.Module):
    def __init__(self, width):
        super().__init__()

class Two(nn.Module):
    def forward(self, x, y):
        return x + y

class Nothing(nn.Module):
    def forward(self, x):
        return torch.ones(3)

class Leaves(nn.Module):
    def forward(self, x):
        raise SystemExit(3)

class Imports(nn.Module):
    def __init__(self):
        super().__init__()
        import not_there

class Experts(nn.Module):
    def forward(self, x):
        y = torch.zeros_like(x)
        for k in range(2):
            rows = torch.where(x.sum(-1) > k)[0]
            y[rows] += x[rows]
        return y

class Packed(nn.Module):
    def forward(self, x):
        lengths = (x.sum(-1) > 0).sum(1)
        return nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True).data
"""


@pytest.mark.parametrize(
    ("name", "shapes", "line", "reason"),
    [
        ("Control", ["8"], 6, "control flow depends on the elements of a tensor"),
        ("Shapes", ["1x8x8"], 17, r"conv2d of \[1, 1, 8, 8\] and \[8, 3, 3, 3\]"),
        ("Shapes", ["3x8x8"], 18, r"linear of \[1, 288\]"),
        ("Width", ["8"], 21, "missing 1 required positional argument: 'width'"),
        ("Two", ["8"], 25, "missing 1 required positional argument: 'y'"),
        ("Two", ["8", "9"], 26, r"add of \[1, 8\] and \[1, 9\]"),
        ("Nothing", ["8"], 29, "no output of forward depends on its inputs"),
        ("Leaves", ["8"], 34, "SystemExit"),
        ("Imports", ["8"], 39, "No module named 'not_there'"),
        ("Experts", ["5x8"], 45, "which rows are taken depends on the elements of a tensor.*all experts' weights"),
        ("Packed", ["5x8"], 52, "the length of a packed sequence depends on the elements of a tensor"),
    ],
)
def test_failures_name_the_users_line(tmp_path, capsys, name, shapes, line, reason):
    path = tmp_path / "failures.py"
    path.write_text(FAILURES)
    with pytest.raises(SystemExit) as caught:
        main(["info", f"{path}:{name}", *(part for shape in shapes for part in ("--input", shape))])
    assert caught.value.code == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert re.search(rf"failures\.py:{line}: .*{reason}", told), told


def test_a_file_without_a_name(tmp_path, capsys):
    path = tmp_path / "failures.py"
    path.write_text(FAILURES)
    for source, told in ((path, f"{path}:Control"), (tmp_path / "absent.py", "there is no such file")):
        with pytest.raises(SystemExit) as caught:
            main(["info", str(source)])
        assert caught.value.code == 2
        assert told in capsys.readouterr().err


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
