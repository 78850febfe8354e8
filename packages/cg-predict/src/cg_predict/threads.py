"""Linear algebra on one thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looks through the libraries of the process, once


def single_threaded(function: Callable[P, R]) -> Callable[P, R]:
    """Keep BLAS on one thread while ``function`` runs.

    On thousands of matrices of some hundred rows, several threads lose more by waiting for each other than they gain.
    """

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        with _controller().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited
