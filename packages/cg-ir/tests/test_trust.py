"""Which Python the arguments of a command line name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cg_ir import SourceError
from cg_ir.trust import command_line, may_run, require_python


def test_a_library_is_not_restricted() -> None:
    assert may_run("any.py")
    require_python("any.py:make", "any.py")


@pytest.mark.parametrize(
    ("argument", "place", "named"),
    [
        ("net.py:make", "net.py", True),
        ("net.py", "net.py", False),
        (".py:make", ".py", False),
        ("net.pyc:make", "net.py", False),
        ("a.py:f,b.py:g", "b.py", True),
        ("space?file=a.py:f&other=b.py:g", "b.py", True),
        ("a.py:f?g=b.py:h", "b.py", True),
        ("my net.py:f", "net.py", False),
        ("models.zoo:net", "models.zoo", True),
        ("models.zoo:net", "models", False),
        ("models.zoo", "models.zoo", False),
        ("models.zoo:3", "models.zoo", False),
        ("3models:net", "3models", False),
        ("--x=zoo:net", "zoo", True),
        ("-zoo:net", "zoo", False),
        ("nb201:|nor_conv|", "nb201", False),
    ],
)
def test_what_an_argument_names(argument: str, place: str, named: bool) -> None:
    with command_line([argument]):
        assert may_run(place) == named


def test_a_link_is_the_file_that_it_leads_to(tmp_path: Path) -> None:
    file, link = tmp_path / "net.py", tmp_path / "link.py"
    file.write_text("")
    try:
        os.symlink(file, link)
    except OSError:
        pytest.skip("no links on this system")
    with command_line([f"{link}:make"]):
        assert may_run(str(file))
        assert may_run(str(link))


def test_a_name_is_none_as_part_of_another(tmp_path: Path) -> None:
    with command_line([f"{tmp_path}/net.py:make"]):
        assert not may_run(f"{tmp_path}/other/net.py")
        assert not may_run("net.py")


def test_a_command_inside_another_ends_with_its_own_names() -> None:
    def fails() -> None:
        with command_line(["inner.py:f"]):
            assert may_run("inner.py")
            assert not may_run("outer.py")
            raise ZeroDivisionError

    with command_line(["outer.py:f"]):
        with pytest.raises(ZeroDivisionError):
            fails()
        assert may_run("outer.py")
        assert not may_run("inner.py")
    assert may_run("inner.py")


def test_everything_may_run_where_the_user_says_so() -> None:
    with command_line(["rank", "--allow-python"]):
        assert may_run("any.py")
        assert may_run("any.module")
        require_python("any.py:make", "any.py")


def test_what_is_not_named_is_refused_with_what_would_allow_it() -> None:
    with command_line(["rank", "table.csv"]), pytest.raises(SourceError) as error:
        require_python("evil.py:make?x=1", "evil.py")
    assert str(error.value) == (
        "evil.py:make?x=1: is Python that a file names and the command line does not; if you trust it, give --allow-python"
    )
