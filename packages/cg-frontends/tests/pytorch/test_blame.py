"""A failure names the line of the user's code, and what to do instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch_programs import wrap  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402
from cg_ir import SourceError  # noqa: E402
from cg_ir.cli import main  # noqa: E402


def test_control_flow_on_elements_names_the_line():
    def forward(self, x):
        if x.sum() > 0:  # the line
            return x
        return x * 2

    line = forward.__code__.co_firstlineno + 1
    with pytest.raises(SourceError, match=rf"{Path(__file__).name}:{line}: control flow depends"):
        from_module(wrap(forward), torch.zeros(1, 4))


def test_a_wrong_shape_names_the_line_and_is_one_line():
    def forward(self, x):
        return self.a(x)

    with pytest.raises(SourceError, match=rf"{Path(__file__).name}:{forward.__code__.co_firstlineno + 1}: ") as caught:
        from_module(wrap(forward, a=nn.Linear(5, 5)), torch.zeros(1, 4))
    assert "\n" not in str(caught.value)


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
