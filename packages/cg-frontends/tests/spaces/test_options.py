"""Options of spaces, in Python and as text."""

from __future__ import annotations

import pytest

from cg_frontends.spaces.options import read_choice, read_flag, read_integer, read_object
from cg_ir import ArchError, PluginError


@pytest.mark.parametrize(
    ("given", "expected"), [(True, True), (False, False), ("yes", True), ("TRUE", True), ("1", True), ("no", False), ("False", False), ("0", False), (1, True)]
)  # fmt: skip
def test_flags(given: object, expected: bool) -> None:
    assert read_flag("s", "o", given) is expected


@pytest.mark.parametrize("given", ["maybe", "", None, 2])
def test_other_flags_are_refused(given: object) -> None:
    with pytest.raises(PluginError, match=r"s\?o should be true or false, not "):
        read_flag("s", "o", given)


def test_integers_are_those_allowed() -> None:
    assert read_integer("s", "o", 8, (4, 8)) == read_integer("s", "o", "8", (4, 8)) == 8
    for given in (5, "-4", "4.0", "", None, "9" * 10, True):
        with pytest.raises(PluginError, match=r"s\?o should be one of 4, 8, not "):
            read_integer("s", "o", given, (4, 8))
    with pytest.raises(PluginError, match=r"one of 1 to 20, not 21"):
        read_integer("s", "o", 21, range(1, 21))


def test_words_are_those_allowed() -> None:
    assert read_choice("s", "o", "a", ("a", "b")) == "a"
    with pytest.raises(PluginError, match=r"s\?o should be one of a, b, not 'c'"):
        read_choice("s", "o", "c", ("a", "b"))


def test_objects_are_read_and_everything_else_is_left_alone() -> None:
    assert read_object("s", ' {"a": [1]}') == {"a": [1]}
    for other in ("a:b", ["x"], {"a": 1}, 7, None):
        assert read_object("s", other) is other
    for broken in ("{", "{'a': 1}", "{" * 100_000):
        with pytest.raises(ArchError, match="s: no valid JSON") as caught:
            read_object("s", broken)
        assert len(str(caught.value)) < 120
