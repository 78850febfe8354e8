"""Matrix products and attention: torch's shapes, the numbers of products, and what is refused."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from operator_uses import batched, computed, refusal, use  # noqa: E402

from cg_ir import GraphError  # noqa: E402
from cg_ir.operators import OPERATORS  # noqa: E402

F = torch.nn.functional


def on_meta(*shapes: tuple[int, ...]) -> list[Any]:
    return [torch.empty(shape, device="meta") for shape in shapes]


def pair(*shape: int) -> list[Any]:
    return [torch.randn(shape), torch.randn(shape)]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(8,), (1, 8), (1, 5, 8), (2, 3, 5, 8)])
def test_affine_maps_are_torchs(shape: tuple[int, ...], bias: bool) -> None:
    layer = torch.nn.Linear(8, 3, bias=bias, device="meta")
    node = use("Gemm", shape, channels=3, bias=bias)
    assert node.shape == layer(torch.empty(shape, device="meta")).shape
    assert node.params == sum(p.numel() for p in layer.parameters())
    assert node.macs == 3 * prod(shape)


def test_experts_hold_all_matrices_and_use_one_a_row() -> None:
    node = use("ExpertGemm", (1, 5, 8), (1, 5), num_experts=7, channels=3)
    assert (node.shape, node.params, node.macs) == ((1, 5, 3), 7 * 8 * 3, 5 * 8 * 3)


SHAPES = [(3,), (2, 3), (3, 2), (4, 2, 3), (1, 3, 2), (4, 3, 2), (5, 1, 2, 3), (5, 4, 3, 2)]


def test_matrix_products_are_torchs() -> None:
    fit = 0
    for a, b in product(SHAPES, repeat=2):
        try:
            shape = torch.matmul(*on_meta(a, b)).shape
        except RuntimeError:
            assert refusal("MatMul", a, b), (a, b)
            continue
        node = use("MatMul", a, b)
        assert node.shape == shape
        assert node.macs == torch.matmul(torch.ones(a), torch.ones(b)).sum()  # each product adds one
        fit += 1
    assert fit > 25


@pytest.mark.parametrize(
    ("equation", "shapes", "macs"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)], 24),
        ("bhqe,bhke->bhqk", [(1, 2, 3, 4), (1, 2, 5, 4)], 120),
        ("i,i->", [(3,), (3,)], 3),
        ("i,j->ij", [(3,), (4,)], 0),  # nothing is summed
        ("ij->ji", [(2, 3)], 0),
        ("ij->i", [(2, 3)], 0),
        ("ii->i", [(3, 3)], 0),
        ("ij, jk -> ik", [(2, 3), (3, 4)], 24),
        ("ij,jk->ik", [(2, 3), (1, 4)], 24),  # an axis of 1 is repeated
        ("ij,jk->ik", [(2, 1), (3, 4)], 24),
    ],
)
def test_sums_by_equation_are_torchs(equation: str, shapes: list[tuple[int, ...]], macs: int) -> None:
    node = use("Einsum", *shapes, equation=equation)
    assert node.shape == torch.einsum(equation, *on_meta(*shapes)).shape
    assert node.macs == macs


def test_attention_is_torchs() -> None:
    query, key, value = (1, 2, 5, 4), (1, 2, 7, 4), (1, 2, 7, 3)
    node = use("Attention", query, key, value)
    assert node.shape == F.scaled_dot_product_attention(*(torch.ones(s) for s in (query, key, value))).shape
    assert node.macs == 2 * (5 * 7 * 4 + 5 * 7 * 3)
    assert node.params == 0
    x = torch.randn(3, 5, 4)
    weights = torch.softmax((x @ x.transpose(1, 2) * 0.25).masked_fill(torch.ones(5, 5).triu(1).bool(), -torch.inf), -1)
    torch.testing.assert_close(computed("Attention", x, x, x, is_causal=True, scale=0.25), weights @ x)
    with pytest.raises(GraphError, match=r"^PyTorch runs attention with a mask or a causal one, not with both$"):
        computed("Attention", x, x, x, torch.ones(5, 5), is_causal=True)


@pytest.mark.parametrize(
    ("a", "b", "axes", "expected"),
    [
        ((1, 3), (3, 2), (0, None), 0),
        ((2, 3), (3,), (0, None), 0),
        ((2, 3), (3, 2), (1, None), None),  # along what is summed
        ((4, 2, 3), (4, 3, 2), (0, 0), 0),
        ((4, 2, 3), (4, 3, 2), (0, None), 0),
        ((4, 2, 3), (4, 3, 2), (1, None), None),
        ((4, 2, 3), (4, 3, 2), (0, 2), None),
        ((4, 2, 3), (3, 2), (1, None), 1),
        ((2, 3), (1, 3, 2), (None, 0), None),
        ((1, 2, 3), (1, 3, 2), (0, 0), 0),
    ],
)
def test_batches_of_matrix_products(a: Any, b: Any, axes: tuple[int | None, ...], expected: int | None) -> None:
    inputs = [pair(*s) if axis is not None else torch.randn(s) for s, axis in zip((a, b), axes, strict=True)]
    assert batched("MatMul", lambda x, y, plan: x @ y, inputs, axes) == expected


@pytest.mark.parametrize(
    ("equation", "shapes", "axes", "expected"),
    [
        ("bi,ij->bj", [(2, 3), (3, 4)], (0, None), 0),
        ("bi,ij->jb", [(2, 3), (3, 4)], (0, None), 1),
        ("bi,bj->bij", [(2, 3), (2, 4)], (0, 0), 0),
        ("bi,bj->ij", [(2, 3), (2, 4)], (0, 0), None),  # summed over examples
        ("bi,bj->bij", [(2, 3), (2, 4)], (0, None), None),
        ("bi,cj->bcij", [(2, 3), (2, 4)], (0, 0), None),
        ("bb->b", [(2, 2)], (0,), None),
    ],
)
def test_batches_of_sums(equation: str, shapes: Any, axes: tuple[int | None, ...], expected: int | None) -> None:
    inputs = [pair(*s) if axis is not None else torch.randn(s) for s, axis in zip(shapes, axes, strict=True)]
    run = lambda *xs, plan: torch.einsum(equation, *xs)  # noqa: E731
    assert batched("Einsum", run, inputs, axes, equation=equation) == expected


@pytest.mark.parametrize(
    ("mask", "axes", "expected"),
    [
        (None, (0, 0, 0), 0),
        (None, (1, 1, 1), 1),
        (None, (2, 2, 2), None),
        (None, (0, 0, 1), None),
        (None, (0, 0, None), None),
        ((3, 3), (0, 0, 0, None), 0),
        ((1, 2, 3, 3), (0, 0, 0, None), 0),
        ((1, 2, 3, 3), (0, 0, 0, 0), 0),
        ((2, 3, 3), (1, 1, 1, None), 1),
        ((2, 3, 3), (1, 1, 1, 0), 1),
        ((2, 3, 3), (1, 1, 1, 1), None),
        ((1, 3, 3), (1, 1, 1, 0), None),
    ],
)
def test_batches_of_attention(mask: Any, axes: tuple[int | None, ...], expected: int | None) -> None:
    inputs: list[Any] = [pair(1, 2, 3, 4) if axis is not None else torch.randn(1, 2, 3, 4) for axis in axes[:3]]
    if mask is not None:
        inputs.append(torch.randn(mask) if axes[3] is None else pair(*mask))
    run = lambda *xs, plan: F.scaled_dot_product_attention(*xs[:3], attn_mask=xs[3] if len(xs) > 3 else None)  # noqa: E731
    assert batched("Attention", run, inputs, axes) == expected


def test_rows_and_their_experts_have_one_batch() -> None:
    plan, signature = (
        OPERATORS["ExpertGemm"].batch,
        use("ExpertGemm", (1, 5, 8), (1, 5), num_experts=2, channels=3).signature,
    )
    assert [plan(signature, (axis, axis)).axis for axis in (0, 1)] == [0, 1]
    assert all(plan(signature, axes).apart for axes in ((0, 1), (2, 2), (0, None), (None, None)))


@pytest.mark.parametrize(
    ("op", "shapes", "attrs", "message"),
    [
        ("Gemm", [()], {"channels": 3}, "the input of Gemm has no axis"),
        ("MatMul", [(), (3,)], {}, "MatMul takes no scalars"),
        ("MatMul", [(3,), ()], {}, "MatMul takes no scalars"),
        ("MatMul", [(2, 3), (4, 2)], {}, "inner axes of [2, 3] and [4, 2] differ"),
        ("ExpertGemm", [(1, 5, 8), (1, 4)], {"num_experts": 3, "channels": 2}, "there should be one expert for each row of [1, 5, 8], not [1, 4]"),
        ("ExpertGemm", [(), ()], {"num_experts": 3, "channels": 2}, "there should be one expert for each row of [], not []"),
        ("Einsum", [(2, 3)], {"equation": "ab"}, "equation 'ab' should be explicit and have 1 terms"),
        ("Einsum", [(2, 3)], {"equation": "ab,bc->ac"}, "equation 'ab,bc->ac' should be explicit and have 1 terms"),
        ("Einsum", [(2, 3)], {"equation": "abc->a"}, "term 'abc' does not name the axes of shape [2, 3]"),
        ("Einsum", [(2, 3), (4, 3)], {"equation": "ab,ab->a"}, "axis 'a' of 'ab,ab->a' has two sizes"),
        ("Einsum", [(2, 3)], {"equation": "ab->c"}, "the output of 'ab->c' names an unknown axis"),
        ("Attention", [(1, 5, 8), (1, 5, 6), (1, 5, 8)], {}, "query [1, 5, 8], key [1, 5, 6] and value [1, 5, 8] do not fit"),
        ("Attention", [(1, 5, 8), (1, 4, 8), (1, 5, 8)], {}, "query [1, 5, 8], key [1, 4, 8] and value [1, 5, 8] do not fit"),
        ("Attention", [(5,), (5,), (5,)], {}, "query [5], key [5] and value [5] do not fit"),
    ],
)  # fmt: skip
def test_uses_that_cannot_be_are_refused(
    op: str, shapes: list[tuple[int, ...]], attrs: dict[str, Any], message: str
) -> None:
    assert refusal(op, *shapes, **attrs) == message
