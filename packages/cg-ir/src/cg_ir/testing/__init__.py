"""What the tests of plugins share: conformance suites and sample graphs.

Subclass a suite in a test module, say what to test, and run pytest:

    from cg_ir.testing import SpaceSuite
    from my_plugin import MySpace

    class TestMySpace(SpaceSuite):
        def make(self):
            return MySpace()

The suites need pytest; they are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cg_ir.lazy import lazy_names

if TYPE_CHECKING:
    from cg_ir.testing.suites import (
        BenchmarkSuite,
        EvaluatorSuite,
        FrontendSuite,
        ScorerSuite,
        SpaceSuite,
        assert_valid,
        sample_graphs,
    )

__all__ = [
    "BenchmarkSuite", "EvaluatorSuite", "FrontendSuite", "ScorerSuite", "SpaceSuite", "assert_valid", "sample_graphs",
]  # fmt: skip

__getattr__, __dir__ = lazy_names(__name__, dict.fromkeys(__all__, "suites"))
