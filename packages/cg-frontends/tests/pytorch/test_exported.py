"""Programs of torch.export, torch.fx and TorchScript."""

from __future__ import annotations

import logging
import warnings

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch_programs import random  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402
from cg_frontends.pytorch.exported import module_of, runner_of  # noqa: E402
from cg_ir import SourceError  # noqa: E402


def test_traced_and_scripted_modules():
    layers = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.ReLU()).eval()
    x = random(2, 8)
    graph = from_module(layers, x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in (torch.jit.script(layers), torch.jit.trace(layers, x)):
            wanted = module(x)
            assert from_module(module, x).hash == graph.hash
            assert torch.equal(module(x), wanted)  # left as it was


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
        self.register_buffer("offset", torch.ones(4))

    def forward(self, x, *, scale):
        return self.stem(x) * scale + self.offset


@pytest.fixture(scope="module")
def program():
    x = torch.zeros(1, 4)
    return torch.export.export(Nested().train(False), (x,), {"scale": x.clone()}, strict=False)


def test_an_exported_program_runs_with_the_paths_of_its_modules(program):
    run, owner = runner_of(program)
    paths = []
    x = random(1, 4)
    result = run(paths.append, (x,), {"scale": 2 * x})
    assert dict.fromkeys(p for p in paths if p) == dict.fromkeys(["stem.0", "stem.1"])
    wanted = program.module()(x, scale=2 * x)
    (found,) = result if isinstance(result, (tuple, list)) else (result,)
    torch.testing.assert_close(found, wanted)
    assert {name for name, _ in owner.named_parameters()} == {"stem.0.weight", "stem.0.bias"}


def test_a_module_runs_as_it_is():
    module = Nested()
    run, owner = runner_of(module)
    assert owner is module
    x = random(2, 4)
    torch.testing.assert_close(run(lambda path: None, (x,), {"scale": x}), module(x, scale=x))


def test_the_graph_of_an_exported_program_has_the_regions_of_its_module(program):
    graph, twin = from_module(program), from_module(Nested(), torch.zeros(1, 4), scale=torch.zeros(1, 4))
    assert graph.hash == twin.hash
    assert [node.region for node in graph.nodes] == [node.region for node in twin.nodes]
    assert graph.params == 20


def test_what_only_an_export_can_take_is_exported():
    """Elements that are read and change nothing become symbols there."""

    class Reads(nn.Module):
        def forward(self, x):
            x.sum().item()
            return x * 2

    module = Reads().train()
    graph = from_module(module, torch.zeros(1, 4))
    assert [node.op for node in graph.nodes] == ["Input", "Constant", "Mul", "Output"]
    assert module.training


def test_an_export_that_fails_leaves_the_module_in_its_mode_and_logs_as_they_were(capfd, monkeypatch):
    class Branches(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    module = nn.Sequential(Branches(), nn.Dropout().eval()).train()
    monkeypatch.setattr(logging.root.manager, "disable", logging.DEBUG)
    modes = [m.training for m in module.modules()]
    with pytest.raises(Exception, match=r"data-dependent|Could not guard"):
        module_of(module, (torch.zeros(1, 4),), {})
    assert [m.training for m in module.modules()] == modes
    assert logging.root.manager.disable == logging.DEBUG
    assert capfd.readouterr() == ("", "")


def test_a_script_that_torch_cannot_export_is_refused_in_one_line():
    class Branches(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            while bool(x.sum() > 0):
                x = x - 1
            return x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = torch.jit.script(Branches())
        with pytest.raises(
            SourceError, match=r"^Branches: a TorchScript module that torch.export cannot take \("
        ) as caught:
            from_module(script, torch.zeros(1, 4))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
