"""The space of timm's networks; most of it where timm is installed (``nox -s zoo-sample``)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from cg_frontends.spaces.timm_models import TimmModels
from cg_ir import ArchError, MissingExtra, PluginError, get_space
from cg_ir.plugins import SearchSpace
from cg_ir.testing import SpaceSuite
from cg_ir.trust import command_line

torch = pytest.importorskip("torch")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SMALL = (
    *("mobilenetv3_small_050", "mobilenetv3_small_075", "resnet10t", "resnet14t", "resnet18"),
    *("test_convnext", "test_efficientnet", "test_resnet", "test_vit", "vit_tiny_patch16_224"),
)
with_timm = pytest.mark.skipif(
    importlib.util.find_spec("timm") is None or not BENCHMARKS.is_dir(), reason="timm is not installed"
)


def test_a_spelling_with_resolution_needs_no_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    space = get_space("timm")
    assert space.canonical(" resnet50@288 ") == "resnet50@288"
    assert space.canonical("vit@1024x768") == "vit@1024x768"
    for use in (lambda: space.canonical("resnet50"), lambda: space.graph("resnet50@288"), lambda: space.size):
        with pytest.raises(MissingExtra, match="pip install 'timm'"):
            use()


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("resnet50@", "should be a name"),
        ("resnet50@x", "should be a name"),
        ("resnet-50", "should be a name"),
        ("resnet50@8", "between 32 and 2048"),
        ("resnet50@288", "fixed to 224"),
        (50, "should be a name"),
    ],
)
def test_bad_spellings_are_refused(arch: Any, message: str) -> None:
    with pytest.raises(ArchError, match=message):
        get_space("timm?resolution=224").canonical(arch)
    with pytest.raises(PluginError, match="resolution should be"):
        get_space("timm?resolution=big")


@pytest.fixture(scope="module")
def timm() -> Any:
    spec = importlib.util.spec_from_file_location("zoo", BENCHMARKS / "zoo.py")
    assert spec is not None
    assert spec.loader is not None
    zoo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(zoo)
    zoo.define_torchvision_operators()
    import timm

    return timm


@with_timm
def test_networks_are_those_of_timm(timm: Any) -> None:
    from cg_frontends.pytorch import from_module

    space = TimmModels()
    assert space.size == len(timm.list_models()) == len(set(space.enumerate()))
    for name in ("resnet18", "vit_tiny_patch16_224", "efficientvit_m0"):
        model = timm.create_model(name)
        graph = space.graph(name)
        assert graph.params == sum(p.numel() for p in model.parameters()) - graph.extras.get("unused_parameters", 0)
        assert graph.hash == from_module(model, torch.empty(1, *model.pretrained_cfg["input_size"])).hash
        assert space.canonical(name) == f"{name}@{model.pretrained_cfg['input_size'][1]}"


@with_timm
def test_resolution_and_classes(timm: Any) -> None:
    space = TimmModels()
    small, large = space.graph("resnet18@224"), space.graph("resnet18@320")
    assert small.params == large.params
    assert large.macs > 2 * small.macs
    # a network of fixed size is built for the other one
    assert (
        space.graph("vit_tiny_patch16_224@288").params
        == space.graph("vit_tiny_patch16_224").params + (18**2 - 14**2) * 192
    )
    assert TimmModels(classes=10).graph("resnet18").params == small.params - 990 * 513
    assert TimmModels(resolution=320).graph("resnet18").hash == large.hash
    with pytest.raises(ArchError, match="inception_v3@64 cannot be built: "):
        space.graph("inception_v3@64")


@with_timm
def test_a_table_of_its_names_runs_no_python_of_a_stranger(timm: Any) -> None:
    """Timm's constructor is the space's own: a command whose line does not name it may build the networks that a table lists."""
    with command_line(["collect", "timm=labels.csv"]):
        assert TimmModels().graph("resnet10t@224").params > 5e6


@with_timm
def test_relatives_and_unknown_names(timm: Any) -> None:
    space = TimmModels()
    assert space.module("resnet18") == "resnet"
    assert "resnet34@224" in space.neighbors("resnet18")
    assert "seresnet50@224" in space.neighbors("resnet18")
    with pytest.raises(ArchError, match="has no network 'resnet19'; did you mean resnet1"):
        space.graph("resnet19@224")


@with_timm
class TestTimm(SpaceSuite):
    """The contract, on the small networks of the list."""

    @pytest.fixture(autouse=True)
    def _timm(self, timm: Any) -> None:
        pass

    def make(self) -> SearchSpace:
        space = TimmModels()
        space.names = SMALL
        return space


@with_timm
def test_merged_branches() -> None:
    space, merged = get_space("timm"), get_space("timm", merged=1)
    plain, deployed = space.graph("repvgg_a0"), merged.graph("repvgg_a0")
    assert len(deployed) < len(plain)
    assert deployed.params < plain.params
    assert merged.graph("resnet18").hash == space.graph("resnet18").hash
