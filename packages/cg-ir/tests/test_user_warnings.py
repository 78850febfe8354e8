"""Warnings name the user's file, through however many of the packages' own functions they come."""

from __future__ import annotations

import warnings

from cg_ir.user_warnings import warn_user


def raised(depth):
    """Warn from a function that stands in a package of the project, called by others of it."""
    code = "def deep(n):\n    return deep(n - 1) if n else warn_user('careful', RuntimeWarning)\n"
    inside = {"__name__": "cg_frontends.deep", "warn_user": warn_user}
    exec(compile(code, "deep.py", "exec"), inside)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        inside["deep"](depth)
    return found


def test_the_innermost_line_outside_is_named():
    for depth in (0, 1, 7):
        (found,) = raised(depth)
        assert found.filename == __file__
        assert found.category is RuntimeWarning
        assert str(found.message) == "careful"


def test_a_direct_call_names_its_own_line():
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        warn_user("here")
    assert found[0].filename == __file__
