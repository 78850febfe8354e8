"""What mixtures of experts cost, against counting by hand."""

from __future__ import annotations

import pytest

from cg_ir import Graph, GraphBuilder
from cg_ir.experts import ExpertCosts, experts_of

TOKENS, WIDTH, HIDDEN = 6, 8, 4


def routed(
    *experts: int, k: int = 2, how: str = "TopK", weights: str | None = None, moved: bool = False, beside: bool = False
) -> Graph:
    """A mixture of experts a number; each token meets ``k``, or one by ``ArgMax``, or what an input says."""
    b = GraphBuilder("experts")
    x = b.input((1, TOKENS, WIDTH))
    if beside:
        b.output(b.add("Gemm", x, channels=3))
    for count in experts:
        scores = b.add("Softmax", b.add("Gemm", x, channels=count), axis=2)
        if how == "ArgMax":
            chosen, met = b.add("ArgMax", scores, axis=2), 1
        elif how == "Input":
            chosen, met = b.input((1, TOKENS, k), dtype="int64"), k
        else:
            chosen, met = b.add("Select", b.add("TopK", scores, axis=2, k=k), index=1, shape=(1, TOKENS, k)), k
        if moved:
            chosen = b.add("Reshape", b.add("Reshape", chosen, shape=(TOKENS, met)), shape=(TOKENS * met,))
        shape = b.shape(chosen)
        rows = b.add("Expand", b.add("Unsqueeze", x, shape=(1, TOKENS, 1, WIDTH)), shape=(1, TOKENS, met, WIDTH))
        rows = b.add("Reshape", rows, shape=(*shape, WIDTH))
        b.output(b.add("ExpertGemm", rows, chosen, num_experts=count, channels=HIDDEN, weights=weights))
    return b.build()


def test_a_network_without_experts_has_no_such_costs() -> None:
    b = GraphBuilder()
    b.output(b.add("Gemm", b.input((1, 4)), channels=4))
    assert experts_of(b.build()) is None


@pytest.mark.parametrize(("how", "k", "met"), [("TopK", 2, 2), ("TopK", 3, 3), ("ArgMax", 1, 1)])
@pytest.mark.parametrize("moved", [False, True])
def test_a_token_meets_those_that_its_routing_chooses(how: str, k: int, met: int, moved: bool) -> None:
    found = experts_of(routed(5, k=k, how=how, moved=moved))
    one, router = WIDTH * HIDDEN, WIDTH * 5
    assert found == ExpertCosts(
        experts=(5,),
        active=(met,),
        params=5 * one + router,
        active_params=met * one + router,
        macs=TOKENS * (met * one + router),
        all_macs=TOKENS * (5 * one + router),
    )


def test_what_lies_beside_is_always_active() -> None:
    alone, beside = experts_of(routed(5)), experts_of(routed(5, beside=True))
    assert alone is not None
    assert beside is not None
    gemm = WIDTH * 3
    assert (beside.params - alone.params, beside.active_params - alone.active_params) == (gemm, gemm)
    assert (beside.macs - alone.macs, beside.all_macs - alone.all_macs) == (TOKENS * gemm, TOKENS * gemm)


def test_numbers_of_unknown_origin_are_met_all_but_never_more_than_there_are() -> None:
    few, many = experts_of(routed(50, how="Input")), experts_of(routed(5, how="Input"))
    assert few is not None
    assert many is not None
    assert few.active == (2 * TOKENS,)
    assert many.active == (5,)
    assert (many.params, many.macs) == (many.active_params, many.all_macs)


def test_mixtures_of_several_sizes_are_all_told_and_equal_ones_once() -> None:
    found = experts_of(routed(4, 6, 4))
    assert found is not None
    assert (found.experts, found.active) == ((4, 6), (2, 2))
    assert found.params - found.active_params == (2 + 4 + 2) * WIDTH * HIDDEN


def test_shared_experts_count_once_and_are_computed_twice() -> None:
    found = experts_of(routed(4, 4, weights="shared"))
    assert found is not None
    one, routers = WIDTH * HIDDEN, 2 * WIDTH * 4
    assert (found.params, found.active_params) == (4 * one + routers, 2 * one + routers)
    assert found.all_macs == TOKENS * (2 * 4 * one + routers)
