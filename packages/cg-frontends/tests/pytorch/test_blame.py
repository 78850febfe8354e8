"""A failure names the line of the user's code, and what to do instead."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch_programs import wrap  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402
from cg_frontends.pytorch.blame import blame, definition, describe, reads_elements, tell_operator  # noqa: E402
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


def raised(function, *args):
    """The error that a function raises."""
    with pytest.raises(Exception) as caught:
        function(*args)
    return caught.value


def line_of(function, offset=1):
    return f"{__file__}:{function.__code__.co_firstlineno + offset}"


def shifts(x):
    return x.view(3, -1)


def wrapped(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)

    return inner


class Net(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x):
        return x


def test_the_innermost_line_outside_of_libraries_is_blamed():
    assert blame(raised(shifts, torch.zeros(4))) == line_of(shifts)
    assert blame(raised(lambda: nn.Sequential(wrap(lambda self, x: shifts(x)))(torch.zeros(4)))) == line_of(shifts)
    error = raised(nn.Linear(2, 2), torch.zeros(3))  # all its frames but the test's are torch's
    assert blame(error).startswith(__file__)


def test_an_error_without_a_line_of_the_users_is_told_where_the_code_begins():
    error = ValueError("no traceback")
    assert blame(error) == ""
    assert blame(error, shifts) == line_of(shifts, 0)


def test_definitions_are_those_of_the_users_code():
    assert definition(shifts) == definition(wrapped(shifts)) == line_of(shifts, 0)
    assert definition(Net) == line_of(Net.__init__, 0)
    assert definition(Net.forward) == line_of(Net.forward, 0)
    for other in (None, 3, len, nn.Linear, torch.relu, "text", from_module):
        assert definition(other) == ""


def test_a_description_is_one_line_of_bounded_length():
    assert describe(ValueError("a\n  b" + "c" * 400), Net()) == (
        f"Net.forward at {line_of(Net.forward, 0)}: ValueError: a b{'c' * 297}"
    )
    assert describe(KeyError(), nn.Linear(2, 2)) == "Linear.forward: KeyError: KeyError"


def test_the_innermost_operator_is_told():
    error = RuntimeError("sizes")
    tell_operator(error, "linear of [1, 3]")
    tell_operator(error, "outer of [2]")
    assert describe(error, nn.Linear(2, 2)) == "Linear.forward: RuntimeError: sizes (linear of [1, 3])"
    tell_operator(other := RuntimeError("sizes"), "")
    assert describe(other, nn.Linear(2, 2)) == "Linear.forward: RuntimeError: sizes"


META = torch.zeros(3, device="meta")


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (lambda: META.tolist(), "control flow"),
        (lambda: META.sum().item(), "control flow"),
        (lambda: bool(META[0]), "control flow"),
        (lambda: META.cpu(), "control flow"),
        (lambda: META.nonzero(), "which rows are taken"),
        (lambda: META[META > 0], "which rows are taken"),
        (lambda: torch.zeros(3)[:, 4], None),
        (lambda: bool(torch.zeros(2)), "control flow"),
    ],
)
def test_what_reads_elements_is_told_by_torchs_own_errors(read, told):
    error = raised(read)
    assert reads_elements(error) is (told is not None)
    if told:
        assert f"{told} depends on the elements of a tensor, which a graph cannot hold; " in describe(error, Net())
