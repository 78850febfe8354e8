"""Einstein summation: one spelling for one equation."""

from __future__ import annotations

from collections.abc import Sequence

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def explicit_equation(equation: str, shapes: Sequence[tuple[int, ...]]) -> str:
    """The equation with its output stated, ellipses spelled out and letters renamed in order of appearance."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    free = [c for c in _LETTERS if c not in equation]
    widths = [len(s) - len(t.replace("...", "")) if "..." in t else 0 for t, s in zip(terms, shapes, strict=True)]
    dots = "".join(free[: max(widths, default=0)])
    terms = [t.replace("...", dots[len(dots) - w :]) for t, w in zip(terms, widths, strict=True)]
    if arrow:
        right = right.replace("...", dots)
    else:
        joined = "".join(terms)
        right = dots + "".join(sorted({c for c in joined if joined.count(c) == 1 and c not in dots}))
    names: dict[str, str] = {}
    for c in "".join(terms):
        names.setdefault(c, _LETTERS[len(names)])
    return ",".join("".join(names[c] for c in t) for t in terms) + "->" + "".join(names[c] for c in right)
