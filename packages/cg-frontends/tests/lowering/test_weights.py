"""Which operators share parameters, by the memory that they read."""

from __future__ import annotations

import itertools

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch_programs import wrap  # noqa: E402

from cg_frontends.lowering.lowering import Spec  # noqa: E402
from cg_frontends.lowering.tape import WEIGHT, Leaf, Value  # noqa: E402
from cg_frontends.lowering.weights import Sharing  # noqa: E402
from cg_frontends.pytorch import from_module  # noqa: E402

LEAF = Leaf("w", 36)


def view(tensor: torch.Tensor, leaf: Leaf = LEAF) -> Value:
    """What the recorder notes of a view of a parameter."""
    place = (tensor.storage_offset(), tuple(tensor.shape), tensor.stride())
    return Value(WEIGHT, tuple(tensor.shape), "float32", leaf=leaf, place=place)


def gemm(*slots: Value) -> Spec:
    return Spec("Gemm", [], (1,), {}, "", slots)


def keys(*views: torch.Tensor) -> list[str | None]:
    sharing = Sharing([gemm(view(v)) for v in views])
    return [sharing.key(i) for i in range(len(views))]


W = torch.arange(36).reshape(6, 6)


def test_a_key_names_the_range_of_the_parameter() -> None:
    assert keys(W, W) == ["w", "w"]
    assert keys(W, W.t()) == ["w", "w"]
    assert keys(W, W.reshape(4, 9)) == ["w", "w"]
    assert keys(W[2:4], W[2:4].view(-1)) == ["w[12:24]", "w[12:24]"]
    assert keys(W[:, :3], W[:, :3]) == ["w[0:6x3:6x1]"] * 2
    assert keys(W[1:, ::2], W[1:, ::2]) == ["w[6:5x3:6x2]"] * 2
    assert keys(W) == [None]
    assert keys(W[:3], W[3:]) == [None, None]
    assert keys(W[:, :3], W[:, 3:]) == [None, None]
    assert keys(W[:, :3], W[:3]) == [None, None]  # as many elements from the same place, but others


def test_every_range_is_counted_once() -> None:
    assert Sharing([gemm(view(v)) for v in (W[:3], W[3:], W[:3].t())]).counted == 36
    assert Sharing([gemm(view(W[:, :2])), gemm(view(W[:, 2:]))]).counted == 36


@pytest.mark.parametrize("sizes", list(itertools.product((1, 2, 3), repeat=3)))
def test_views_of_the_same_gapless_range_share_whatever_their_order(sizes: tuple[int, ...]) -> None:
    """Against the elements themselves: of all views with small strides, those that read 0 .. n-1, each once, share."""
    numel = sizes[0] * sizes[1] * sizes[2]
    memory = torch.arange(64)
    whole = view(memory[:numel])
    for strides in itertools.product(range(7), repeat=3):
        part = memory.as_strided(sizes, strides)
        shares = Sharing([gemm(whole), gemm(view(part))]).key(1) is not None
        assert shares == (sorted(part.flatten().tolist()) == list(range(numel))), (sizes, strides)


def test_what_is_computed_is_shared_by_who_reads_the_same_value() -> None:
    first, second = (Value(WEIGHT, (6, 6), "float32") for _ in range(2))
    sharing = Sharing([gemm(first), gemm(second), gemm(first)])
    assert sharing.key(0) == sharing.key(2) == "computed.0"
    assert sharing.key(1) is None
    assert sharing.counted == 72


def test_some_of_the_parameters_in_common_ask_for_nodes_of_their_own() -> None:
    bias, other = Leaf("b", 6), Leaf("c", 6)
    row = torch.arange(6)
    specs = [gemm(view(W), view(row, bias)), gemm(view(W), view(row, other)), gemm(view(row, Leaf("d", 6)))]
    sharing = Sharing(specs)
    assert [sharing.split(i) for i in range(3)] == [True, True, False]
    assert [sharing.key(0, 0), sharing.key(0, 1)] == ["w", None]
    assert sharing.counted == 36 + 6 + 6 + 6
    assert not Sharing([specs[0], specs[0]]).split(0)


def test_recurrent_layers_share_all_of_their_parameters_or_none() -> None:
    other = Leaf("other", 36)
    layers = [Spec("LSTM", [], (1,), {}, "", (view(W), view(W, leaf))) for leaf in (other, other, Leaf("another", 36))]
    sharing = Sharing([*layers, gemm(view(W))])
    assert [sharing.key(i) for i in range(4)] == ["w", "w", None, None]
    assert not any(sharing.split(i) for i in range(4))
    assert sharing.counted == 72 + 72 + 36


def test_complex_numbers_count_twice() -> None:
    value = Value(WEIGHT, (6, 3), "complex64", leaf=LEAF, place=(0, (6, 3, 2), (6, 2, 1)))
    assert Sharing([gemm(value)]).counted == 36


def test_a_module_used_twice_shares():
    graph = from_module(wrap(lambda self, x: self.a(self.a(x)), a=nn.Linear(6, 6)), torch.zeros(1, 6))
    assert graph.params == 42
    assert len(graph.weight_keys) == 2


def test_parts_of_one_parameter_are_apart_and_the_same_part_is_shared():
    def forward(self, x):
        return F.linear(x[:, :3], self.w[:, :3]) + F.linear(x[:, 3:], self.w[:, 3:]) + F.linear(x[:, 3:], self.w[:, 3:])

    graph = from_module(wrap(forward, w=nn.Parameter(torch.zeros(4, 6))), torch.zeros(1, 6))
    assert graph.params == 24
    assert sorted(graph.weight_keys.values()) == ["w[3:4x3:6x1]"] * 2
