"""from_module: routes agree, counts are exact, the module is left alone, errors name the user's line."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402
from torch_programs import NETWORKS, Convolutional, Program, operators, random, wrap  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402
from cg_ir import SourceError, to_module  # noqa: E402


@pytest.mark.filterwarnings("ignore:The tensor attributes")  # torch.export on recurrent layers
@pytest.mark.parametrize("name", NETWORKS)
def test_every_route_gives_the_same_hash(name):
    make, example = NETWORKS[name]
    module, x = make().eval(), example()
    graph = from_module(module, x)
    traced = torch.fx.symbolic_trace(module, concrete_args=None) if name == "convolutional" else None
    exported = torch.export.export(module, (x,), strict=False)
    assert from_module(exported, x).hash == graph.hash
    assert from_module(exported).hash == graph.hash  # its own example inputs
    if traced is not None:
        assert from_module(traced, x).hash == graph.hash
    with torch.device("meta"):
        assert from_module(make(), x.to("meta")).hash == graph.hash
    assert from_module(make().train(), torch.cat([x, x, x])).hash == graph.hash


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_and_macs(name):
    make, example = NETWORKS[name]
    module = make()
    graph = from_module(module, example())
    assert graph.params + graph.extras.get("unused_parameters", 0) == sum(p.numel() for p in module.parameters())
    if name != "recurrent":  # the counter does not know recurrent layers
        module = make().eval().to("meta")
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            module(example().to("meta"))
        assert 2 * graph.macs == counter.get_total_flops()
    assert "Custom" not in operators(graph)


def test_the_module_is_left_as_it_was():
    module = Convolutional().train()
    module.stem.eval()
    module.head.register_forward_hook(lambda *a: None)
    module.register_buffer("seen", torch.zeros(3))
    module.cache = {"x": torch.ones(2)}

    def write(self, *args):
        self.seen.add_(1)
        self.cache["y"] = args[0]
        self.extra = args[0]

    module.register_forward_pre_hook(write)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    modes = [m.training for m in module.modules()]
    attributes = {path: set(vars(m)) for path, m in module.named_modules()}
    parameters = [id(p) for p in module.parameters()]
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules()]
    from_module(module, torch.zeros(2, 3, 32, 32))
    assert [m.training for m in module.modules()] == modes
    assert [id(p) for p in module.parameters()] == parameters
    assert {path: set(vars(m)) for path, m in module.named_modules()} == attributes
    assert [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules()] == hooks
    assert list(module.cache) == ["x"]
    for key, value in module.state_dict().items():
        assert value.device.type == "cpu"
        assert torch.equal(value, before[key])


def test_the_module_is_left_as_it_was_after_a_failure():
    module = Convolutional().train()
    with pytest.raises(SourceError):
        from_module(module, torch.zeros(1, 4, 32, 32))
    assert module.training
    assert all(p.device.type == "cpu" for p in module.parameters())
    assert not torch.nn.modules.module._global_forward_hooks


def test_regions_are_module_paths():
    graph = from_module(Convolutional(), torch.zeros(1, 3, 32, 32))
    regions = {node.region: node.op for node in graph.nodes}
    assert regions["stem.2"] == "BatchNormalization"
    assert regions["depthwise"] == "Conv"


def test_batch_is_one_whatever_was_given():
    module = Convolutional()
    graph = from_module(module, torch.zeros(4, 3, 32, 32))
    assert graph.nodes[0].shape == (1, 3, 32, 32)
    assert graph.hash == from_module(module, torch.zeros(1, 3, 32, 32)).hash


def test_nested_inputs_and_outputs():
    module = wrap(lambda self, pair, *, more: {"sum": (pair[0] + more["z"], [pair[1] * 2])})
    x = torch.zeros(1, 4)
    graph = from_module(module, (x, x.clone()), more={"z": x.clone()})
    assert operators(graph).count("Input") == 3
    assert operators(graph).count("Output") == 2


def test_control_flow_on_buffers_is_followed():
    def forward(self, x):
        return x + 1 if bool(self.flag > 0) else x * 2

    module = wrap(forward)
    module.register_buffer("flag", torch.tensor(1.0))
    assert operators(from_module(module, torch.zeros(1, 4))) == ["Input", "Constant", "Add", "Output"]


def test_seven_billion_parameters_need_no_memory():
    with torch.device("meta"):
        layers = nn.Sequential(*(nn.Linear(16384, 16384) for _ in range(26)))
    graph = from_module(layers, torch.empty(1, 16384, device="meta"))
    assert graph.params == 26 * (16384 * 16384 + 16384)


def test_a_copy_converts_like_its_original():
    module = Convolutional()
    assert (
        from_module(copy.deepcopy(module), torch.zeros(1, 3, 32, 32)).hash
        == from_module(module, torch.zeros(1, 3, 32, 32)).hash
    )


def test_the_graph_computes_what_the_module_computes():
    module = Convolutional().eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    again = to_module(from_module(module, torch.zeros(1, 3, 32, 32))).eval()
    missing = again.load_state_dict(module.state_dict(), strict=False)  # modules lie where they lay
    assert not missing.missing_keys
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(again(x), module(x), atol=1e-4, rtol=1e-4)


def test_inputs_with_batches_of_their_own():
    class Towers(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(5, 3), nn.Linear(6, 3)

        def forward(self, x, y):
            return self.a(x), self.b(y)

    graph = from_module(Towers(), torch.zeros(8, 5), torch.zeros(4, 6))
    assert [node.shape for node in graph.nodes if node.op == "Input"] == [(1, 5), (1, 6)]

    class Sum(Towers):
        def forward(self, x, y):
            return self.a(x) + self.b(y)

    with pytest.raises(SourceError, match=r"Sum.forward at .*test_convert.py:\d+: .*\[8, 3\]") as caught:
        from_module(Sum(), torch.zeros(8, 5), torch.zeros(4, 6))
    assert "\n" not in str(caught.value)


def test_one_number_an_example_needs_a_batch_of_one():
    x = random(2, 5, 8)
    network = to_module(from_module(Program(lambda x: x.mean()), x[:1]))
    assert network(x[:1]).shape == ()
    with pytest.raises(ValueError, match="runs with batch size 1"):
        network(x)
