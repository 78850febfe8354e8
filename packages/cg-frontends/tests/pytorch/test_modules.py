"""A module that is lent to the recorder, and that it is itself again afterwards."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from cg_frontends.pytorch.modules import lend  # noqa: E402


class Net(nn.Module):
    """Shared weights, buffers, tensors in plain attributes, a cache and a hook."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("absent", None)
        self.anchors = [torch.ones(2), torch.zeros(2)]
        self.sizes = {"a": torch.ones(1), "b": 2}
        self.cache: dict[str, Any] = {}
        self.plain = torch.arange(3)
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.cache["last"] = x
        return self.norm(self.second(self.first(x)))


def state(module: nn.Module) -> dict[str, Any]:
    """What every submodule holds, by path and name, down to the members of its dictionaries."""
    found: dict[str, Any] = {}
    for path, part in module.named_modules():
        for name, value in part.__dict__.items():
            found[f"{path}.{name}"] = id(value)
            if isinstance(value, (dict, list)):
                found[f"{path}.{name}:"] = [*map(id, value.values() if isinstance(value, dict) else value)]
    return found


def test_tensors_are_on_meta_while_it_is_lent_and_its_own_afterwards() -> None:
    net = Net().train()
    before = state(net)
    with lend(net, lambda path: None) as lent:
        assert all(part.training is False for part in net.modules())
        tensors = [*net.parameters(), *net.buffers(), *net.anchors, net.sizes["a"], net.plain]
        assert {tensor.device.type for tensor in tensors} == {"meta"}
        assert net.sizes["b"] == 2
        assert net.second.weight is net.first.weight
        assert [name for name, _ in lent.parameters] == ["first.weight", "first.bias", "norm.weight", "norm.bias"]
        assert lent.origins[id(net.first.weight)].device.type == "cpu"
        assert net.first.weight.requires_grad
        net(torch.empty(2, 3, device="meta"))
        assert net.cache
    assert net.training
    assert not net.cache
    assert state(net) == before


def test_buffers_stay_real_where_programs_read_them() -> None:
    net = Net()
    with lend(net, lambda path: None, real_buffers=True):
        assert net.plain.tolist() == [0, 1, 2]
        assert net.norm.running_var.tolist() == [1.0] * 3
        net.plain.add_(5)
        assert net.first.weight.device.type == "meta"
    assert net.plain.tolist() == [0, 1, 2]


def test_the_path_that_runs_is_said_also_where_a_call_fails() -> None:
    class Fails(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no")

    net = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh()), Fails())
    seen: list[str] = []
    with pytest.raises(RuntimeError, match="no"), lend(net, seen.append):
        net(torch.empty(1, device="meta"))
    assert seen == ["", "0", "", "1", "1.0", "1", "", "2", "", ""]
    seen.clear()
    net[0](torch.zeros(1))
    assert not seen, "its hooks are gone"


def test_a_module_that_is_called_and_not_a_part_runs_where_it_is_called() -> None:
    stranger = nn.ReLU()

    class Calls(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return stranger(x)

    seen: list[str] = []
    net = nn.Sequential(Calls())
    with lend(net, seen.append):
        net(torch.empty(1, device="meta"))
    assert seen == ["", "0", "0", "0", "", ""]
