"""The frontend of PyTorch sources: what it accepts, what it refuses without running it, and what it proposes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from cg_frontends.pytorch_sources import PyTorchFrontend  # noqa: E402
from cg_ir import SourceError  # noqa: E402
from cg_ir.cli import main  # noqa: E402


@pytest.fixture
def frontend():
    return PyTorchFrontend()


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


def test_accepts_is_cheap_and_never_raises(frontend):
    for source in (None, 3, "", "nb201:|x~0|", "a b:c", b"x", "x.onnx"):
        assert not frontend.accepts(source)
    assert frontend.accepts(torch.nn.Linear(2, 2))


def test_the_command_refuses_a_file_without_a_name(tmp_path, capsys):
    path = tmp_path / "net.py"
    path.write_text("class Net(Module):\n    def forward(self, x): ...\n")
    for source, told in ((path, f"{path}:Net"), (tmp_path / "absent.py", "there is no such file")):
        with pytest.raises(SystemExit) as caught:
            main(["info", str(source)])
        assert caught.value.code == 2
        assert told in capsys.readouterr().err
