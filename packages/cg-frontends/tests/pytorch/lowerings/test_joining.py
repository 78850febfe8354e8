"""Concatenation and padding."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402
from torch_programs import below, computes, normal  # noqa: E402

X, Y, IMAGE = normal(2, 3, 4), normal(2, 5, 4, seed=1), normal(2, 3, 6, 5)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (lambda x, y: torch.cat([x, y, x], 1), [X, Y]),
        (lambda x, y: torch.cat((x, y), dim=-2), [X, Y]),
        (lambda x: torch.concat([x, x + 1], -1), [X]),
        (lambda x: torch.cat([x], 1) + torch.cat([x, x[:, :0]], 1), [X]),
        (lambda x: torch.stack([x, 2 * x], 1), [X]),
        (lambda x: torch.stack([x, 2 * x], -1), [X]),
        (lambda x: torch.stack([x], 2), [X]),
        (lambda x: torch.hstack([x, x]) + torch.hstack((x, x)), [X]),
        (lambda x: torch.dstack([x, -x]), [X]),
        (lambda x: torch.vstack([x.sum((1, 2)), x.amax((1, 2))]).t(), [X]),
        (lambda x: torch.column_stack([x, x + 1]), [X]),
        (lambda x: torch.atleast_3d([x[:, 0], x[:, 1]]), [X]),
        (lambda x: torch.atleast_2d(x.sum()) + torch.atleast_1d(x.sum()), [X[:1]]),
    ],
)
def test_joining(function, inputs):
    computes(function, *inputs)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize(
    "pads", [(1, 2), (0, 3, 2, 1), (1, 0, 0, 2), (-1, 2, 1, -2), (-1, -1, -2, 0), (2, -1), (0, 0, 1, 1), (2, 1, 0, 0)]
)
def test_pads(mode, pads):
    x = X if len(pads) == 2 else IMAGE
    computes(lambda x: F.pad(x, pads, mode), x)


@pytest.mark.parametrize("value", [None, 0.0, -1.5, float("-inf")])
def test_what_is_filled(value):
    computes(lambda x: F.pad(x, (1, 0, 0, 2), value=value).relu(), IMAGE)


def test_integers_and_any_axis():
    computes(lambda x: F.pad(x, (0, 0, 1, 2), value=7), below(9, 2, 3, 4))
    computes(lambda x: F.pad(x, (0, 1, 2, 0, 1, 1)), IMAGE)
    computes(lambda x: F.pad(x, (1, 1, 0, 2, 2, 0), "replicate"), normal(2, 2, 3, 4, 3))
