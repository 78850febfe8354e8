"""Published transformers are changed by the space around a network; where timm is installed (``nox -s zoo-sample``)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cg_evolve.graph_space import GraphSpace
from cg_ir import get_space, to_module
from cg_ir.testing import assert_valid

torch = pytest.importorskip("torch")

ZOO = Path(__file__).parents[1] / "packages" / "cg-frontends" / "benchmarks" / "zoo.py"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed"),
]


@pytest.fixture(scope="module")
def space() -> Any:
    spec = importlib.util.spec_from_file_location("zoo", ZOO)
    assert spec is not None
    assert spec.loader is not None
    zoo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(zoo)
    zoo.define_torchvision_operators()
    return get_space("timm")


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_mutations_are_valid_run_and_trace_to_themselves(name: str, space: Any, tmp_path: Path) -> None:
    from cg_frontends.pytorch import from_module

    path = tmp_path / "net.cg.json"
    space.graph(name).save(path)
    around = GraphSpace(str(path))
    assert {"h", "w", "d", "a"} <= {site[0] for site in around.sites}
    assert around.graph("base").hash == space.graph(name).hash
    rng = np.random.default_rng(0)
    arch = "base"
    for step in range(40):
        arch = around.mutate("base" if step % 10 == 0 else arch, rng)
        graph = around.graph(arch)
        assert_valid(graph)
        assert graph.nodes[-1].shape == (1, 1000)
        with torch.device("meta"):
            module = to_module(graph).eval()
        assert from_module(module, torch.empty(graph.nodes[0].shape, device="meta")).hash == graph.hash, arch
        if step % 20 == 9:
            with torch.no_grad():
                assert torch.isfinite(to_module(graph).eval()(torch.randn(graph.nodes[0].shape))).all(), arch
