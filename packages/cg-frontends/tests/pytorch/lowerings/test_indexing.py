"""Indexing by tensors: places known and computed, in front and amid, gathered, added and written."""

from __future__ import annotations

import warnings

import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402
from torch_programs import Program, below, computes, normal, random  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402

X, WIDE = normal(2, 3, 4), normal(2, 3, 4, 5)
ROW, BLOCK = torch.tensor([2, 0, 1, 1]), torch.tensor([[0, 1], [3, 2]])
PLACES, ROWS = below(3, 2, 2, 4), normal(2, 2, 4, seed=1)

PROGRAMS = {
    "one axis": lambda x: (
        x[:, ROW[:2]],
        x[:, :, BLOCK],
        x.index_select(2, BLOCK[0]),
        x.index_select(-1, ROW),
        x[..., ROW],
    ),
    "negative": lambda x: (x[:, torch.tensor([-1, 0])], x[..., torch.tensor([-4, -1])]),
    "lists": lambda x: (x[:, [2, 0]], x[..., [-1, 0, 1]], x[:, [[0], [1]], [3, 2]], x[:, [1]]),
    "neighbours amid": lambda x: x[:, ROW[:2], ROW[2:]],
    "neighbours and a matrix": lambda x: x[:, BLOCK[:1] % 3, BLOCK],
    "take along": lambda x: torch.take_along_dim(x, x.argsort(1), 1),
    "windows": lambda x: (x.unfold(1, 2, 1), x.unfold(-1, 3, 1), x.unfold(2, 2, 2)),
    "columns": lambda x: F.unfold(x[:, None], (2, 3), dilation=(1, 1), padding=(1, 0), stride=(2, 1)),
    "columns back": lambda x: F.fold(F.unfold(x[:, None], 2, padding=1, stride=2), (3, 4), 2, padding=1, stride=2),
    "dilated": lambda x: F.unfold(x[:, None], 2, dilation=(2, 3)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    computes(PROGRAMS[name], X)


def test_two_indices_with_an_axis_between():
    computes(lambda x: x[:, ROW[:2], :, BLOCK[0]], WIDE[:1])
    computes(lambda x: x[:, ROW[:2], BLOCK[0]], WIDE)
    computes(lambda x: x[:, :, BLOCK, BLOCK], WIDE)


TRACED = {
    "gather": lambda x, i, r: x.gather(1, i),
    "gather from the end": lambda x, i, r: x.gather(-2, i),
    "scatter": lambda x, i, r: x.scatter(1, torch.arange(2)[None, :, None].expand(2, 2, 4), r),
    "scatter a number": lambda x, i, r: x.scatter(1, i, -2.5),
    "scatter and add": lambda x, i, r: x.scatter(1, i, r, reduce="add"),
    "scatter and multiply": lambda x, i, r: x.scatter(1, i, r, reduce="multiply"),
    "add": lambda x, i, r: x.scatter_add(-2, i, r),
    "sum": lambda x, i, r: x.scatter_reduce(1, i, r, "sum"),
    "product": lambda x, i, r: x.scatter_reduce(1, i, r, reduce="prod", include_self=True),
    "greatest": lambda x, i, r: x.scatter_reduce(1, i, r, "amax"),
    "least": lambda x, i, r: x.scatter_reduce(1, i, r, "amin"),
}


@pytest.mark.parametrize("name", TRACED)
def test_places_that_are_computed(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, once, of an argument that it will drop
        TRACED[name](X, PLACES, ROWS)
    computes(TRACED[name], X, PLACES, ROWS)


@pytest.mark.parametrize(("reduce", "own"), [("mean", True), ("sum", False), ("amax", False)])
def test_reductions_that_the_vocabulary_lacks_are_told(reduce, own):
    with pytest.warns(UserWarning, match=r"became Custom: aten::scatter_reduce \(1x\)"):
        from_module(Program(lambda x, i, r: x.scatter_reduce(1, i, r, reduce, include_self=own)), X, PLACES, ROWS)


def test_rows_of_an_axis():
    places = torch.tensor([2, 0])
    computes(
        lambda x, r: (x.index_add(1, places, r), x.index_add(1, places, r, alpha=-2), x.index_copy(1, places, r)),
        X,
        ROWS,
    )
    computes(lambda x: x.index_fill(2, places, 7.0), X)


def test_places_that_are_put():
    def put(x, v):
        y = x[0].clone()
        y[ROW[:2]] = v[0, 0]
        y[torch.tensor([0, 1]), torch.tensor([3, 3])] = 9.0
        y.index_put_((torch.tensor([1, 1]),), v[0], accumulate=True)
        return y

    computes(put, X[:1], ROWS[:1])


def test_truth_values_as_places_are_told():
    def put(x):
        y = x * 1.0
        y[:, torch.tensor([True, False, True])] = 0
        return y

    with pytest.warns(UserWarning, match="became Custom: aten::index_put"):
        from_module(Program(put), X)


def test_classes_as_vectors():
    computes(lambda i: F.one_hot(i, 5) * 2, below(5, 2, 3))


TOKENS, TAKEN, WHERE = random(2, 5, 8), random(2, 3, 8, seed=1), below(5, 2, 3, 8)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (lambda x, i, s: x.scatter_add(1, i, s), [TOKENS, WHERE, TAKEN]),
        (lambda x, i, s: x.scatter(1, i, s), [TOKENS, torch.arange(3)[None, :, None].expand(2, 3, 8).contiguous(), TAKEN]),
        (lambda x, i, s: x.scatter_reduce(1, i, s, "amax"), [TOKENS, WHERE, TAKEN]),
        (lambda x: torch.zeros_like(x).scatter(-1, x.argmax(-1, keepdim=True), 1.0), [TOKENS]),
        (lambda x: torch.zeros_like(x).index_add(1, torch.tensor([0, 1, 1, 2, 4]), x), [TOKENS]),
        (lambda x: torch.diag_embed(x).sum(-1) + x.index_fill(1, torch.tensor([0, 2]), 3.0), [TOKENS]),
        (lambda x: x.unfold(1, 3, 2), [TOKENS]),
        (lambda x: x[:, torch.tensor([0, 2], device=x.device)], [TOKENS]),
        (lambda x, i, s: x.index_add(1, i, s), [TOKENS[:1], below(5, 3), TAKEN[:1]]),
    ],
)  # fmt: skip
def test_places_among_tokens(function, inputs):
    computes(function, *inputs)
