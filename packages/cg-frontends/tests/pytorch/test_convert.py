"""from_module: routes agree, counts are exact, the module is left alone, errors name the user's line."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402
from torch_programs import NETWORKS, Attending, Convolutional  # noqa: E402

from cg_frontends.pytorch import UnknownOperatorWarning, from_module  # noqa: E402
from cg_ir import SourceError  # noqa: E402


def operators(graph):
    return [node.op for node in graph.nodes]


def wrap(function, **members):
    """A module whose forward is ``function(self, ...)``."""

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            for name, member in members.items():
                setattr(self, name, member)

        def forward(self, *args, **kwargs):
            return function(self, *args, **kwargs)

    return Wrapped()


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


def test_unused_and_shared_parameters():
    graph = from_module(Attending(), torch.zeros(1, 3, 32, 32))
    assert graph.extras["unused_parameters"] == 3 * 5 + 5
    assert sorted(graph.weight_keys.values()) == ["first.weight", "first.weight"]


def test_tied_weight_with_another_bias_is_counted_once():
    layers = wrap(lambda self, x: self.b(self.a(x)), a=nn.Linear(6, 6), b=nn.Linear(6, 6))
    layers.b.weight = layers.a.weight
    graph = from_module(layers, torch.zeros(1, 6))
    assert graph.params == 36 + 6 + 6
    convolutions = wrap(lambda self, x: self.b(self.a(x)), a=nn.Conv2d(4, 4, 1), b=nn.Conv2d(4, 4, 1))
    convolutions.b.weight = convolutions.a.weight
    assert from_module(convolutions, torch.zeros(1, 4, 5, 5)).params == 16 + 4 + 4


def test_a_module_used_twice_shares():
    graph = from_module(wrap(lambda self, x: self.a(self.a(x)), a=nn.Linear(6, 6)), torch.zeros(1, 6))
    assert graph.params == 42
    assert len(graph.weight_keys) == 2


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


@pytest.mark.parametrize(
    ("write", "same"),
    [
        (lambda self, x: x.clone().add_(1), lambda self, x: x + 1),
        (lambda self, x: F.relu(x, inplace=True), lambda self, x: F.relu(x)),
        (lambda self, x: torch.add(x, 1, out=torch.empty_like(x)), lambda self, x: x + 1),
        (lambda self, x: _through_view(x * 2), lambda self, x: (x * 2).view(-1, 8).relu().view(1, 4, 4)),
        (lambda self, x: _transposed(x * 2), lambda self, x: (x * 2).transpose(1, 2).relu().transpose(1, 2)),
        (lambda self, x: _filled(x), lambda self, x: x + 1),
    ],
)
def test_writes_in_place_are_their_plain_twins(write, same):
    x = torch.zeros(1, 4, 4)
    assert from_module(wrap(write), x).hash == from_module(wrap(same), x).hash


def _through_view(x):
    x.view(-1, 8).relu_()
    return x


def _transposed(x):
    x.transpose(1, 2).relu_()
    return x


def _filled(x):
    result = torch.zeros_like(x)
    result[...] = x + 1
    return result


def test_a_view_sees_a_later_write():
    def forward(self, x):
        x = x * 2
        row = x[:, 1]
        x.add_(1)
        return row

    graph = from_module(wrap(forward), torch.zeros(1, 4, 4))
    assert operators(graph) == ["Input", "Constant", "Mul", "Constant", "Add", "Slice", "Flatten", "Output"]


def test_a_write_to_a_part_scatters():
    def forward(self, x):
        x = x * 2
        x[:, 1] = x[:, 2] + 1
        return x

    graph = from_module(wrap(forward), torch.zeros(1, 4, 4))
    scatter = next(node for node in graph.nodes if node.op == "SliceScatter")
    assert scatter.attrs["starts"] == (0, 1, 0)
    assert graph.nodes[scatter.inputs[1]].shape == (1, 1, 4)


def test_constants_fold_and_parameters_become_nodes():
    def forward(self, x):
        mask = torch.arange(8).view(2, 4).sum(0) > self.limit
        return torch.where(mask, x * (self.a.exp() + self.b).t(), x)

    module = wrap(forward, a=nn.Parameter(torch.zeros(4, 4)), b=nn.Parameter(torch.zeros(4, 4)))
    module.register_buffer("limit", torch.tensor(9))
    graph = from_module(module, torch.zeros(1, 4, 4))
    assert graph.params == 32
    assert operators(graph).count("Constant") == 1
    assert operators(graph).count("Parameter") == 2


@pytest.mark.parametrize("normalise", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm])
def test_parametrised_layers_are_layers(normalise):
    graph = from_module(wrap(lambda self, x: self.a(x), a=normalise(nn.Linear(4, 6))), torch.zeros(1, 4))
    assert operators(graph) == ["Input", "Gemm", "Output"]
    assert graph.params == 30
    assert graph.extras.get("unused_parameters", 0) == (6 if normalise is nn.utils.parametrizations.weight_norm else 0)


def test_computed_weights_are_inputs():
    def forward(self, x):
        weight = self.experts * x.mean((1, 2, 3)).view(1, 1, 1, 1)
        return F.conv2d(x, weight, padding=1)

    module = wrap(forward, experts=nn.Parameter(torch.zeros(6, 3, 3, 3)))
    graph = from_module(module, torch.zeros(1, 3, 8, 8))
    convolution = next(node for node in graph.nodes if node.op == "Conv")
    assert len(convolution.inputs) == 2
    assert convolution.params == 0
    assert convolution.macs == 6 * 64 * 27
    assert graph.params == 6 * 27


def test_low_rank_weights_are_counted_as_they_are():
    module = wrap(
        lambda self, x: F.linear(x, self.a @ self.b),
        a=nn.Parameter(torch.zeros(8, 2)),
        b=nn.Parameter(torch.zeros(2, 8)),
    )
    graph = from_module(module, torch.zeros(1, 8))
    assert graph.params == 32
    assert "unused_parameters" not in graph.extras


def test_normalisations_without_all_of_their_parameters():
    module = wrap(
        lambda self, x: F.layer_norm(self.b(x), (4,), self.w),
        b=nn.BatchNorm1d(3, affine=False),
        w=nn.Parameter(torch.ones(4)),
    )
    graph = from_module(module, torch.zeros(1, 3, 4))
    assert graph.params == 4
    assert graph.nodes[1].attrs["affine"] is False
    assert graph.nodes[2].attrs["bias"] is False


def test_unknown_operators_are_custom_and_say_so():
    module = wrap(lambda self, x: torch.special.i0(self.a(x)), a=nn.Linear(4, 4))
    with pytest.warns(UnknownOperatorWarning, match="i0") as found:
        graph = from_module(module, torch.zeros(1, 4))
    assert found[0].filename == __file__
    assert [n.attrs["name"] for n in graph.nodes if n.op == "Custom"] == ["i0"]
    with pytest.raises(SourceError, match="i0"):
        from_module(module, torch.zeros(1, 4), strict=True)


def test_an_unknown_operator_keeps_its_parameters():
    module = wrap(lambda self, x: F.embedding_bag(x, self.table), table=nn.Parameter(torch.zeros(9, 4)))
    with pytest.warns(UnknownOperatorWarning, match="embedding_bag"):
        graph = from_module(module, torch.zeros(1, 3, dtype=torch.int64))
    assert graph.params == 36


def test_control_flow_on_elements_names_the_line():
    def forward(self, x):
        if x.sum() > 0:  # the line
            return x
        return x * 2

    line = forward.__code__.co_firstlineno + 1
    with pytest.raises(SourceError, match=rf"{Path(__file__).name}:{line}: control flow depends"):
        from_module(wrap(forward), torch.zeros(1, 4))


def test_control_flow_on_buffers_is_followed():
    def forward(self, x):
        return x + 1 if bool(self.flag > 0) else x * 2

    module = wrap(forward)
    module.register_buffer("flag", torch.tensor(1.0))
    assert operators(from_module(module, torch.zeros(1, 4))) == ["Input", "Constant", "Add", "Output"]


def test_a_wrong_shape_names_the_line_and_is_one_line():
    def forward(self, x):
        return self.a(x)

    with pytest.raises(SourceError, match=rf"{Path(__file__).name}:{forward.__code__.co_firstlineno + 1}: ") as caught:
        from_module(wrap(forward, a=nn.Linear(5, 5)), torch.zeros(1, 4))
    assert "\n" not in str(caught.value)


def test_plain_tensors_and_cpu_constants_mix_with_meta():
    def forward(self, x):
        return x * self.mean.view(1, 3) + torch.arange(3) + torch.tensor([1.0, 2.0, 3.0])

    module = wrap(forward, mean=torch.ones(3))
    assert operators(from_module(module, torch.zeros(1, 3))).count("Add") == 1


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


@pytest.mark.parametrize(
    ("mask", "causal"),
    [
        (lambda n: torch.ones(n, n, dtype=torch.bool).tril(), True),
        (lambda n: torch.arange(n)[None] <= torch.arange(n)[:, None], True),
        (lambda n: torch.full((n, n), float("-inf")).triu(1), True),
        (lambda n: torch.zeros(n, n), False),
    ],
)
@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_masks_that_say_what_an_attribute_says(mask, causal, device):
    def masked(self, x):
        with torch.device(device):
            return F.scaled_dot_product_attention(x, x, x, mask(x.shape[-2]))

    x = torch.zeros(1, 2, 5, 8)
    graph = from_module(wrap(masked), x)
    assert (
        graph.hash
        == from_module(wrap(lambda self, x: F.scaled_dot_product_attention(x, x, x, is_causal=causal)), x).hash
    )


def test_other_masks_are_inputs():
    def masked(self, x):
        return F.scaled_dot_product_attention(x, x, x, torch.ones(5, 5, dtype=torch.bool).tril(-1))

    assert operators(from_module(wrap(masked), torch.zeros(1, 2, 5, 8))) == ["Input", "Constant", "Attention", "Output"]


def test_the_graph_computes_what_the_module_computes():
    from cg_ir import to_module

    module = Convolutional().eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    again = to_module(from_module(module, torch.zeros(1, 3, 32, 32))).eval()
    missing = again.load_state_dict(module.state_dict(), strict=False)  # modules lie where they lay
    assert not missing.missing_keys
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(again(x), module(x), atol=1e-4, rtol=1e-4)


def test_filled_with_a_computed_number():
    def fill(self, x):
        y = torch.zeros_like(x)
        y[:, 1:] = x.mean()
        return y + 1

    graph = from_module(wrap(fill), torch.zeros(1, 4))
    assert operators(graph).count("Expand") == 1
    from cg_ir import to_module

    x = torch.randn(1, 4)
    torch.testing.assert_close(to_module(graph)(x), fill(None, x))


BATCHES = {
    "leading": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 2)), [(5, 3, 8, 8)], [0]),
    "sequence first": (lambda: nn.LSTM(8, 16, 2), [(35, 4, 8)], [1]),
    "batch first": (lambda: nn.LSTM(8, 16, batch_first=True), [(35, 4, 8)], [0]),
    "no batch": (lambda: nn.LSTM(8, 16), [(35, 8)], [None]),
    "unbatched image": (lambda: nn.Conv2d(3, 8, 3), [(3, 8, 8)], [None]),
    "transformer": (lambda: nn.Transformer(16, 4, 1, 1, 32), [(10, 3, 16), (20, 3, 16)], [1, 1]),
    "transformer, equal lengths": (lambda: nn.Transformer(16, 4, 1, 1, 32), [(10, 3, 16), (10, 3, 16)], [1, 1]),
    "transformer, batch first": (
        lambda: nn.Transformer(16, 4, 1, 1, 32, batch_first=True),
        [(10, 3, 16), (10, 7, 16)],
        [0, 0],
    ),
    "attention": (lambda: nn.MultiheadAttention(16, 4), [(10, 3, 16), (12, 3, 16), (12, 3, 16)], [1, 1, 1]),
    "layers": (lambda: nn.Sequential(nn.Linear(5, 5), nn.LayerNorm(5)), [(4, 7, 5)], [0]),
}


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("name", BATCHES)
def test_the_batch_is_the_axis_that_no_operator_mixes(name):
    make, shapes, axes = BATCHES[name]
    module = make()
    one = [[1 if i == axis else size for i, size in enumerate(s)] for s, axis in zip(shapes, axes, strict=True)]
    several = from_module(module, *(torch.zeros(s) for s in shapes))
    assert [list(node.shape) for node in several.nodes if node.op == "Input"] == one
    assert several.hash == from_module(module, *(torch.zeros(s) for s in one)).hash


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


def test_states_hold_the_batch_elsewhere_than_the_sequence():
    lstm = nn.LSTM(8, 16, batch_first=True)
    state = torch.zeros(1, 5, 16)
    graph = from_module(lstm, torch.zeros(5, 7, 8), (state, state))
    assert [node.shape for node in graph.nodes if node.op == "Input"] == [(1, 7, 8), (1, 1, 16), (1, 1, 16)]


def test_one_kernel_an_example_keeps_the_batch():
    """The batch is folded into the groups of a convolution and back."""

    def conditional(self, x):
        n, c, h, w = x.shape
        weight = x.mean((2, 3)).reshape(n * c, 1, 1, 1).expand(-1, 1, 3, 3)
        return F.conv2d(x.reshape(1, n * c, h, w), weight, padding=1, groups=n * c).reshape(n, c, h, w)

    graph = from_module(wrap(conditional), torch.zeros(4, 3, 8, 8))
    assert graph.nodes[0].shape == (1, 3, 8, 8)
    assert graph.hash == from_module(wrap(conditional), torch.zeros(1, 3, 8, 8)).hash
