"""The example plugin keeps the contract, and is found once it is installed."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

cg_stack = pytest.importorskip(
    "cg_stack", reason="the example plugin is not installed: pip install ./docs/examples/cg-stack"
)

from cg_ir import get_space, graph_of  # noqa: E402
from cg_ir.testing import FrontendSuite, SpaceSuite  # noqa: E402


class TestStackSpace(SpaceSuite):
    def make(self):
        return cg_stack.StackSpace()


class TestStackFile(FrontendSuite):
    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        self.path = tmp_path / "net.stack"
        self.path.write_text("1353\n")

    def make(self):
        return cg_stack.StackFile()

    def sources(self):
        return [str(self.path)]


@pytest.mark.skipif(
    "cg_stack" not in {entry.value for entry in metadata.entry_points(group="cg")}, reason="the plugin is not installed"
)
def test_the_plugin_is_found(tmp_path: Path) -> None:
    path = tmp_path / "net.stack"
    path.write_text("1353")
    assert get_space("stack").graph("1353").hash == graph_of("stack:1353").hash == graph_of(str(path)).hash
