"""Arithmetic, comparisons and conversions: every argument that PyTorch documents changes what the network computes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch_programs import Program, below, computes, normal, random  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402

X, Y = normal(2, 3, 4), normal(2, 3, 4, seed=1)
ROW, FIXED, WHOLE, OTHER = normal(2, 1, 4, seed=2), normal(4), below(9, 2, 3, 4) - 4, below(5, 2, 3, 4, seed=1) + 1
TRUE, TOKENS = below(2, 2, 3, 4).bool(), random(2, 5, 8)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        # the scale of the second operand, whatever the operands are
        (lambda x, y: torch.add(x, y, alpha=-2.5), [X, Y]),
        (lambda x: torch.add(x, 3, alpha=2), [X]),
        (lambda x, y: torch.sub(x, y, alpha=0.5), [X, ROW]),
        (lambda x: torch.sub(x, 3, alpha=-2), [X]),
        (lambda x, y: torch.rsub(x, y, alpha=3), [X, ROW]),
        (lambda x: torch.rsub(x, 2.5, alpha=3) + (1 - x), [X]),
        (lambda x, a, b: torch.addcmul(x, a, b, value=0.5), [X, Y, ROW]),
        (lambda x, a, b: torch.addcdiv(x, a, b, value=-2), [X, Y, ROW]),
        (lambda x, a, b: torch.addcmul(x, a, b), [ROW, X, Y]),
        (lambda x: torch.addcdiv(FIXED, x, x + 9, value=2), [X]),
        (lambda x, y: torch.lerp(x, y, 0.25), [X, Y]),
        (lambda x, y, w: torch.lerp(x, y, w), [X, ROW, Y]),
        # how a quotient is rounded, and whose sign a remainder has
        (lambda x, y: torch.div(x, y, rounding_mode="floor") + torch.floor_divide(x, 0.75), [X, Y]),
        (lambda x, y: torch.div(x, y, rounding_mode="trunc"), [X, Y]),
        (lambda x, y: torch.div(x, y, rounding_mode=None), [WHOLE, OTHER]),
        (lambda x, y: torch.div(x, y, rounding_mode="floor"), [WHOLE, OTHER]),
        (lambda x, y: torch.div(x, y, rounding_mode="trunc"), [WHOLE, OTHER]),
        (lambda x, y: x // y + x % y, [WHOLE, OTHER]),
        (lambda x: torch.remainder(x, -0.75) + torch.fmod(x, -0.75), [X]),
        (lambda x, y: torch.fmod(x, y), [WHOLE, OTHER]),
        (lambda x: torch.trunc(3 * x) + torch.frac(3 * x) + torch.fix(x), [X]),
        (lambda x: 2 / x.abs().add(1) + 2**x, [X]),
        (lambda x, y: torch.hypot(x, y) + torch.atan2(x, y), [X, ROW]),
        (lambda x: torch.log1p(x) + torch.expm1(x) + torch.log2(x) + torch.log10(x) + torch.rsqrt(x) + torch.square(x), [random(2, 3, 4) + 0.1]),
        # what is chosen
        (lambda c, x: torch.where(c, x, -1.5) + torch.where(c, 0.0, x), [TRUE, X]),
        (lambda c, x, y: torch.where(c, x, y), [TRUE, X, ROW]),
        (lambda x, m: x.masked_fill(m, -1e9).softmax(-1), [X, TRUE]),
        (lambda x, m, v: x.masked_fill(m, v), [X[:1], TRUE[:1], torch.tensor(2.0)]),
        (lambda x, y: (x != y) & (x < 1) | ~(y >= 0) ^ (x > y), [WHOLE, OTHER]),
        (lambda x, y: torch.maximum(x, y) + torch.minimum(x, FIXED), [X, Y]),
        # bits
        (lambda x, y: (x << 2) + (x >> 1) + (x & y) + (x | 3) + (x ^ y) + ~x, [below(90, 2, 3), below(9, 2, 3, seed=1)]),
        # order matters in running sums and triangles
        (lambda x: x.cumsum(1) + x.cumsum(-1), [X]),
        (lambda x: x.cumsum(1, dtype=torch.int64), [3 * X]),
        (lambda x: torch.cumsum(x, 1, dtype=torch.float32) / 3, [WHOLE]),
        (lambda x: x.tril() + x.tril(-1) + x.triu(2) + torch.triu(x, diagonal=-1), [X]),
        # conversions
        (lambda x: (x * 3).to(torch.int64), [X]),
        (lambda x: (x * 3).to(torch.int32).to(torch.float32) / 2, [X]),
        (lambda x: x.bool().float() + x.type_as(FIXED), [WHOLE]),
        (lambda x, y: x.to(y) * 0.5, [WHOLE, X]),
        (lambda x, y: x.copy_(y) + y, [X.clone(), ROW]),
        (lambda x: torch.log1p(x) + torch.expm1(x) + torch.log2(x + 1), [TOKENS]),
        (lambda x, y: torch.atan2(x - 0.5, y - 0.5), [TOKENS, random(2, 5, 8, seed=2)]),
        (lambda i: (i & 3) | ((i << 1) ^ (i >> 1)) + ~i, [below(5, 2, 3, 8)]),
        (lambda x: torch.div(x * 9 - 4, 1.5, rounding_mode="trunc") + torch.fmod(x * 5 - 3, 2) + torch.trunc(3 * x), [TOKENS]),
        (lambda x: torch.tan(x) + torch.sinh(x) + torch.asin(x) + torch.atanh(0.9 * x) + torch.isinf(x), [TOKENS]),
        (lambda x: x + torch.zeros(1, 5, 8).masked_fill(x > 0.5, -0.5), [TOKENS[:1]]),
        (lambda x: torch.heaviside(x - 0.5, x), [TOKENS]),
        (lambda x: x.logit(1e-3) + torch.logaddexp(x, x.flip(1)) + torch.nan_to_num(x / x), [TOKENS]),
        (lambda x: x * (torch.arange(8).type_as(x) + 0.5), [TOKENS]),
        (lambda x: x * torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8], device=x.device), [TOKENS]),
        (lambda x: x * x.new_tensor(2.5), [TOKENS]),
    ],
)  # fmt: skip
def test_programs(function, inputs):
    computes(function, *inputs)


def test_in_place_writes_leave_what_was_read_before():
    def forward(x, y):
        before = x * 1.0
        z = x.clone()
        z.add_(y, alpha=2).mul_(0.5)
        z[:, 1:].sub_(1)
        return z, before

    computes(forward, X, Y)


def test_what_a_program_fills_with_a_computed_number():
    computes(lambda x: torch.zeros(2, 3).fill_(x.sum()) + x, X[:1, 0, :3])


def test_dropout_of_a_network_in_evaluation_is_none():
    with_dropout = from_module(Program(lambda x: torch.dropout(x.relu(), 0.5, False)), X)
    assert with_dropout.hash == from_module(Program(torch.relu), X).hash
