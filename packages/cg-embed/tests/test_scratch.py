"""Memory that is used again."""

from __future__ import annotations

import numpy as np

from cg_embed.scratch import Scratch


def test_a_name_has_one_memory_as_long_as_it_suffices():
    scratch = Scratch()
    first = scratch.array("a", (4, 6))
    assert first.shape == (4, 6)
    assert np.shares_memory(first, scratch.array("a", (3, 8)))
    assert not np.shares_memory(first, scratch.array("b", (4, 6)))
    large = scratch.array("a", (100, 6))
    assert large.shape == (100, 6)
    assert not np.shares_memory(first, large)
    assert scratch.array("a", (4, 6), np.float32).dtype == np.float32
