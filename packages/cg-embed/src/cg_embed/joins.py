"""Where paths join: the softmax over the inputs of many joins at once, in numpy or torch."""

from __future__ import annotations

import math
from typing import Any


def exponentials(terms: list[Any], xp: Any) -> tuple[Any, Any]:
    """The greatest term of every row and the sum of ``exp(term - greatest)``; the terms become those exponentials, in place.

    Args:
        terms: by input of the joins, each (rows, ...); a later one covers the first rows of those before it.
        xp: the module of the arrays, ``numpy`` or ``torch``.
    """
    top = xp.full_like(terms[0], -math.inf)
    for term in terms:
        part = top[: len(term)]
        xp.maximum(part, term, out=part)
    total = xp.zeros_like(top)
    for term in terms:
        term -= top[: len(term)]
        xp.exp(term, out=term)
        total[: len(term)] += term
    return top, total
