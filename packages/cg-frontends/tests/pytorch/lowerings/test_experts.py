"""Mixtures of experts: one operator, costs by the experts that are active and by all of them."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import cg_ir  # noqa: E402
from cg_frontends.pytorch import from_module  # noqa: E402
from cg_ir import SourceError  # noqa: E402
from cg_ir.experts import experts_of  # noqa: E402

TOKENS, WIDTH, HIDDEN, EXPERTS, ACTIVE = 5, 8, 16, 6, 2


class Mixture(nn.Module):
    """A mixture of two-layer experts with its weights chosen by token."""

    def __init__(self):
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.up = nn.Parameter(torch.randn(EXPERTS, WIDTH, HIDDEN) * 0.2)
        self.down = nn.Parameter(torch.randn(EXPERTS, WIDTH, HIDDEN) * 0.2)

    def forward(self, x):
        weights, ids = self.router(x).softmax(-1).topk(ACTIVE, -1)
        return (self.experts(x, ids) * weights[..., None]).sum(-2)

    def experts(self, x, ids):
        hidden = (x[..., None, None, :] @ self.up[ids]).relu()
        return (hidden @ self.down[ids].transpose(-1, -2)).squeeze(-2)


class Columns(Mixture):
    def experts(self, x, ids):
        up = self.up.transpose(1, 2)[ids]
        hidden = (up @ x[..., None, :, None].expand(*up.shape[:-2], WIDTH, 1)).relu()
        return (self.down[ids] @ hidden).squeeze(-1)


class Summed(Mixture):
    def experts(self, x, ids):
        hidden = torch.einsum("...d,...kdh->...kh", x, self.up[ids]).relu()
        return torch.einsum("btkh,btkdh->btkd", hidden, self.down[ids])


class Sorted(Mixture):
    """Rows in the order of their experts, one product a group."""

    def experts(self, x, ids):
        flat, order = ids.flatten().sort()
        rows = x.flatten(0, 1)[order // ACTIVE]
        ends = torch.histc(flat.float(), bins=EXPERTS, min=0, max=EXPERTS - 1).cumsum(0, dtype=torch.int32)
        hidden = torch._grouped_mm(rows, self.up, offs=ends).relu()
        made = torch._grouped_mm(hidden, self.down.transpose(1, 2), offs=ends)
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order))
        return made[back].view(*ids.shape, WIDTH)


class Looped(Mixture):
    """One expert after the other, each on the tokens that chose it."""

    def experts(self, x, ids):
        result = torch.zeros(*ids.shape, WIDTH)
        for expert in range(EXPERTS):
            chosen = torch.where(ids == expert)
            result[chosen] = (x[chosen[:-1]] @ self.up[expert]).relu() @ self.down[expert].T
        return result


@pytest.mark.parametrize("kind", [Mixture, Columns, Summed])
def test_experts_are_one_operator_however_they_are_written(kind):
    torch.manual_seed(0)
    x = torch.randn(1, TOKENS, WIDTH)
    graph = from_module(kind(), x, strict=True, verify=True)
    check_costs(graph)
    assert from_module(cg_ir.to_module(graph), x).hash == graph.hash


def test_rows_sorted_by_expert_meet_the_same_operator():
    """In the only type in which torch knows the shapes of such a product."""
    check_costs(from_module(Sorted().bfloat16(), torch.zeros(1, TOKENS, WIDTH, dtype=torch.bfloat16), strict=True))


def check_costs(graph):
    one = WIDTH * EXPERTS + ACTIVE * 2 * WIDTH * HIDDEN
    assert sum(node.op == "ExpertGemm" for node in graph.nodes) == 2
    assert (graph.params, graph.macs) == (WIDTH * EXPERTS + EXPERTS * 2 * WIDTH * HIDDEN, TOKENS * one)
    costs = experts_of(graph)
    assert (costs.experts, costs.active, costs.active_params) == ((EXPERTS,), (ACTIVE,), one)
    assert costs.all_macs == TOKENS * graph.params


def test_a_network_without_experts_has_no_costs_of_experts():
    assert experts_of(from_module(nn.Linear(3, 4), torch.zeros(1, 3))) is None


def test_tokens_gathered_by_what_the_elements_say_are_refused_by_name():
    with pytest.raises(SourceError, match=r"test_experts\.py:\d+: .*elements of a tensor"):
        from_module(Looped(), torch.randn(1, TOKENS, WIDTH))
