"""The frontend of PyTorch sources: what it accepts, what it refuses without running it, and what it proposes."""

from __future__ import annotations

import sys

import pytest

torch = pytest.importorskip("torch")

from cg_frontends.pytorch_sources import PyTorchFrontend  # noqa: E402
from cg_ir import MissingExtra, SourceError  # noqa: E402
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


@pytest.mark.parametrize(
    ("source", "accepted"),
    [
        ("net.py:Net", True), ("a b/net.py:Net.inner", True), ("net.py:Net#3", True), ("C:\\nets\\net.py:Net", True), ("net\n.py:Net", True),
        ("package.module:Net", True), ("package:make", True), ("package.module:Net#0", True), ("net.py", True), ("NET.PY", True),
        ("weights.safetensors", True), ("MODEL.PT2", True), ("model.pkl", True),
        ("net.py:", False), ("net.py:3", False), ("package.module", False), ("package..module:Net", False), ("package.module:Net#", False),
        (":Net", False), ("nb201:|nor_conv_3x3~0|", False), ("8:8:8:8:8", False), ("net.onnx", False), ("net.cg.json", False),
    ],
)  # fmt: skip
def test_which_sources_are_accepted(frontend, source, accepted):
    assert frontend.accepts(source) is accepted


def test_modules_and_exported_programs_are_accepted(frontend):
    class ExportedProgram:
        pass

    assert frontend.accepts(torch.nn.Sequential())
    assert frontend.accepts(ExportedProgram())
    assert not frontend.accepts(torch.zeros(2))
    assert not frontend.accepts(torch.nn.Linear)


def test_without_torch_nothing_in_memory_is_accepted_and_its_installation_is_named(frontend, monkeypatch, tmp_path):
    module = torch.nn.Linear(2, 2)
    (tmp_path / "net.py").write_text("raise AssertionError('never run')\n")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert not frontend.accepts(module)
    for ask in (frontend.convert, frontend.count):
        with pytest.raises(MissingExtra, match=r"reading PyTorch models needs .*cg-frontends\[torch\]"):
            ask(f"{tmp_path / 'net.py'}:Net")


@pytest.mark.parametrize("suffix", [".pt2", ".pt", ".pth", ".pkl", ".safetensors", ".PTH"])
def test_files_that_are_not_read_are_refused_unopened(frontend, tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"cposix\nsystem\n(S'false'\ntR.")
    with pytest.raises(SourceError, match=rf"model{suffix}: {suffix.lower()} files are not read: "):
        frontend.convert(str(path))


@pytest.mark.parametrize("ask", ["convert", "count"])
def test_what_is_not_there_is_told_before_anything_is_imported(frontend, monkeypatch, tmp_path, ask):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    for source, message in (
        (f"{tmp_path}/absent.py:Net", r"absent\.py: there is no such file$"),
        (
            "no_such_package.inner:Net",
            r"no_such_package\.inner:Net: no module is called 'no_such_package'; is its package installed\?",
        ),
    ):
        with pytest.raises(SourceError, match=message):
            getattr(frontend, ask)(source)
    (tmp_path / "beside.py").touch()
    with pytest.raises(MissingExtra):  # it is there, and only torch is missing
        getattr(frontend, ask)("beside:Net")


@pytest.mark.parametrize(
    ("code", "proposal"),
    [
        ("def net(*, width): return width\n", "file.py:callable$"),
        ("def net(*, width=3): return width\n", ":net$"),
        ("def net(a, /): return a\n", "file.py:callable$"),
        ("def net(*sizes, **options): return sizes\n", ":net$"),
        ("def net():\n    return\n", "file.py:callable$"),
        ("def _net():\n    return 3\n", "file.py:callable$"),
        ("".join(f"def net{i}(): return 3\n" for i in range(3)), "net.py:net2$"),
        ("class Net:\n    def __init__(self, width): ...\n    def forward(self, x): ...\n", "file.py:callable$"),
        ("class Net:\n    async def forward(self, x): ...\n", "file.py:callable$"),
        ("if True:\n    def net(): return 3\n", "file.py:callable$"),
        ("def net(:\n", r"it is no valid Python at line 1: "),
        ("x = '\0'\n", "it is no valid Python"),
    ],
)
def test_what_is_proposed_takes_no_arguments(frontend, tmp_path, code, proposal):
    path = tmp_path / "net.py"
    path.write_text(code)
    with pytest.raises(SourceError, match=f"which class or function of it\\? .*{proposal}"):
        frontend.convert(str(path))


def test_networks_that_a_source_yields_are_counted(frontend, tmp_path):
    path = tmp_path / "net.py"
    path.write_text("from torch import nn\ndef nets(n=3):\n    for i in range(n):\n        yield nn.Linear(2, i + 1)\n")
    assert frontend.count(f"{path}:nets") == 3
    assert frontend.count(f"{path}:nets", args="[5]") == 5
    assert frontend.count(f"{path}:nets", args={"n": 1}) == 1
    with pytest.raises(SourceError, match=r"nets yields no network$"):
        frontend.count(f"{path}:nets", args=[0])


def test_options_that_there_are_not_are_named_with_those_that_there_are(frontend):
    message = "the torch frontend has no option 'batch'; it has input, args, strict, verify, tokens, past and name"
    with pytest.raises(SourceError, match=f"^{message}$"):
        frontend.convert("torch.nn:Linear", width=3, batch=2)
