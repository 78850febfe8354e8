"""Reductions with every argument that PyTorch documents."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch_programs import Program, below, computes, normal, random  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402

TOKENS = random(2, 5, 8)
X, ONE, WHOLE = normal(2, 3, 4), normal(1, 3, 4), below(9, 2, 3, 4) - 4
MANY = torch.randperm(24, generator=torch.Generator().manual_seed(0)).reshape(2, 3, 4).float()  # no two are equal


@pytest.mark.parametrize("name", ["mean", "sum", "amax", "amin", "logsumexp", "std", "var", "norm"])
@pytest.mark.parametrize(("dim", "keepdim"), [(1, False), (-1, True), ((1, 2), False), ((-1, -2), True)])
def test_axes_and_whether_they_stay(name, dim, keepdim):
    computes(lambda x: getattr(torch, name)(x, dim=dim, keepdim=keepdim), X)


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (lambda x: x.mean() + x.sum() + x.amax() + x.amin() + x.std() + x.var() + x.norm() + x.max() - x.min() + x.prod(), ONE),
        (lambda x: x.sum([]) + x.sum(()), ONE),
        (lambda x: x.prod(1) + x.prod(-1).sum(1, keepdim=True), X),
        # the type that elements are first brought to
        (lambda x: (2 * x).sum(1, dtype=torch.int64), X),
        (lambda x: x.sum(1, dtype=torch.float32) / 7, WHOLE),
        (lambda x: x.mean(-1, dtype=torch.float32), WHOLE),
        (lambda x: x.prod(1, dtype=torch.float32) / 7, WHOLE),
        # what is subtracted from the count
        (lambda x: x.var(1, unbiased=False) + x.std(1, False), X),
        (lambda x: x.var(1, correction=2) + torch.std(x, 1, correction=0), X),
        (lambda x: x.var(False) + x.std(True), ONE),
        (lambda x: torch.var_mean(x, 1, unbiased=False), X),
        (lambda x: torch.var_mean(x, dim=(1, 2), correction=0, keepdim=True), X),
        (lambda x: torch.std_mean(x, -1), X),
        # which, and where
        (lambda x: x.max(1), MANY),
        (lambda x: x.min(-1, keepdim=True), MANY),
        (lambda x: torch.max(x, x.flip(1)) + x.min(x.flip(1)), MANY),
        (lambda x: (x.argmax(1), x.argmin(-1, keepdim=True)), MANY),
        (lambda x: x.argmax() + x.argmin(), MANY[:1]),
        (lambda x: x.sort(1, descending=True), MANY),
        (lambda x: torch.sort(x, stable=True, dim=1), MANY),
        (lambda x: torch.sort(x, dim=-1, descending=True, stable=True)[1], MANY),
        (lambda x: x.argsort(1, True), MANY),
        (lambda x: x.transpose(0, 1).msort().transpose(0, 1), MANY),
        (lambda x: x.topk(2, 1), MANY),
        (lambda x: x.topk(3, largest=False, sorted=True), MANY),
        (lambda x: x.kthvalue(2), MANY),
        (lambda x: x.kthvalue(1, 1, True), MANY),
        (lambda x: x.median(1), MANY),
        (lambda x: x.median(-1, keepdim=True), MANY),
        (lambda x: x.median(), MANY[:1]),
        (lambda x: (x > 0).any(1), X),
        (lambda x: (x > -2).all(-1, keepdim=True), X),
        (lambda x: x.any(1) | x.all(1), WHOLE),
        (lambda x: (x > 0).any(), ONE),
        # norms
        (lambda x: x.norm(1, 1) + x.norm(p=float("inf"), dim=1) + x.norm(float("-inf"), 1) + x.norm(3, 1) + x.norm(-2.5, 1), X),
        (lambda x: torch.linalg.vector_norm(x, 3, (1, 2), True), X),
        (lambda x: torch.linalg.vector_norm(x, dim=-1) + torch.linalg.norm(x, 1, dim=-1), X),
        (lambda x: torch.cdist(x, x.flip(1), 1) + torch.cdist(x, x.flip(1), 2) + torch.cdist(x, x, p=0.5), X),
        (lambda x: torch.dist(x, x.flip(1), 3), ONE),
        (lambda x: torch.dist(x.sum(), x.amin(), 2) + x.mean().norm(), -ONE.abs()),
        (lambda x: torch.nn.functional.normalize(x, 1.5, 1, 0.1), X),
        (lambda x: torch.sort(x, -1), TOKENS),
        (lambda x: torch.sort(x, 1, True)[1], TOKENS),
        (lambda x: x.argsort(-1), TOKENS),
        (lambda x: torch.topk(x, 2, largest=False)[0], TOKENS),
        (lambda x: (x > 0.5).any(-1), TOKENS),
        (lambda x: (x > 0.5).all(1, keepdim=True), TOKENS),
        (lambda x: torch.cdist(x, x.flip(1)), TOKENS),
        (lambda x: torch.cdist(x, x.flip(1), p=3.0) + torch.cdist(x, x, p=float("inf")), TOKENS),
        (lambda x: x.norm(3, -1) + torch.median(x, 1, keepdim=True)[0][..., 0] + x.kthvalue(2)[0], TOKENS),
        (lambda x: torch.nn.functional.cosine_similarity(x, x.flip(1), dim=-1), TOKENS),
        (lambda x: x.sum(), TOKENS[:1]),
    ],
)  # fmt: skip
def test_programs(function, x):
    computes(function, x)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: x.var(1, correction=1.5), "var"),
        (lambda x: torch.var_mean(x, 1, correction=0.5)[1], "var_mean"),
        (lambda x: x.std(1, correction=0.25), "std"),
        (lambda x: x.norm(0, 1), "linalg_vector_norm"),
    ],
)
def test_what_the_vocabulary_lacks_is_told(function, name):
    with pytest.warns(UserWarning, match=rf"became Custom: aten::{name} \(1x\)"):
        from_module(Program(function), X)
