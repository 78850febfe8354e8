"""Linear algebra on one thread."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from cg_predict.threads import single_threaded


def blas() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@single_threaded
def inside(fail: bool = False) -> set[int]:
    """What it sees."""
    _ = np.ones((3, 3)) @ np.ones((3, 3))
    if fail:
        raise ValueError("inside")
    return blas()


def test_a_function_sees_one_thread_and_its_caller_as_many_as_before() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas()
        assert inside() == {1}
        assert blas() == before
        with pytest.raises(ValueError, match="inside"):
            inside(fail=True)
        assert blas() == before
    assert inside.__doc__ == "What it sees."
