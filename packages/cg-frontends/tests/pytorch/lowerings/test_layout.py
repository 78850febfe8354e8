"""Operators that move elements: every axis from either end, every step, writes through views."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402
from torch_programs import Program, computes, normal  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402

X, IMAGE = normal(2, 3, 4), normal(2, 8, 4, 6)

PROGRAMS = {
    "shapes": lambda x: (x.reshape(len(x), -1), x.view(-1, 4, 3), x.flatten(1), x.flatten(-2, -1), x.unflatten(2, (2, 2)), x.unsqueeze(-1),
     x[:, None].squeeze(1)),
    "axes of one": lambda x: (x[:, :1].squeeze(1), x[:, :1].squeeze(-2), x[:, :1, :1].squeeze((1, 2))),
    "axes": lambda x: (x.transpose(1, 2), x.mT, x.permute(0, 2, 1), x.permute(0, -1, -2), x.movedim(-1, 1), x.swapaxes(-1, -2), x.mH),
    "copies": lambda x: (x[:, :1].expand(-1, 5, -1), x[:, :, :1].expand_as(x), x.repeat(1, 2, 1), x.tile(2), x.repeat_interleave(2, 1)),
    "slices": lambda x: (x[:, 1:], x[:, :-1], x[..., ::2], x[..., 1::3], x[:, -2:], x[:, 5:9:2] + x.narrow(1, 1, 2), x[:, 1], x[:, -1, 2:]),
    "parts": lambda x: (x.split(2, 1)[0], x.split([1, 3], -1)[1], x.chunk(2, 2)[1], x.chunk(3, -2)[2], torch.tensor_split(x, 3, 2)[0], x.unbind(1)[2]),
    "uneven parts": lambda x: x.split(3, dim=2),
    "a single part": lambda x: (x.split(9, 1)[0], x[:, :1].unbind(1)[0], x.chunk(1, 1)[0]),
    "turns": lambda x: (x.roll(1, 1), x.roll((1, -2), (1, 2)), x.roll(3, 1), x.flip(1), x.flip(-1, 1), torch.rot90(x, 1, (1, 2)), x.roll((1, 2), (2, -1))),
    "diagonals": lambda x: (x.diagonal(0, 1, 2), x.diagonal(1, -1, 1), x.diagonal(-2, 1, 2), torch.diag_embed(x, 1)[..., 0]),
}  # fmt: skip


@pytest.mark.parametrize("function", [lambda x: x.diagonal(0, -2, -1), lambda x: torch.diagonal(x, -2, 1, 3)])
def test_diagonals_of_images(function):
    computes(function, normal(2, 4, 6, 8))


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    computes(PROGRAMS[name], X if name != "slices" else normal(2, 9, 4))


def test_blocks_and_groups():
    computes(lambda x: (F.pixel_shuffle(x, 2), F.pixel_unshuffle(x, 2), F.channel_shuffle(x, 4)), IMAGE)


WRITES = {
    "row": lambda y, v: y.select(1, -1).copy_(v[:, 0]),
    "rows": lambda y, v: y[:, 1:].copy_(v[:, 1:]),
    "steps": lambda y, v: y[..., ::2].mul_(3),
    "from the end": lambda y, v: y[:, -2:].add_(v[:, :2]),
    "turned": lambda y, v: y.transpose(1, 2)[:, 1].fill_(2.5),
    "permuted": lambda y, v: y.permute(0, 2, 1)[:, :2].zero_(),
    "matrix": lambda y, v: y.mT[:, 0].add_(1),
    "reshaped": lambda y, v: y.view(2, 12)[:, 3:5].add_(1),
    "flat": lambda y, v: y.flatten(1)[:, -1:].sub_(1),
    "one more axis": lambda y, v: y.unsqueeze(1)[:, :, 0].mul_(0),
    "part": lambda y, v: y.split([1, 3], 2)[1].add_(5),
    "chunk": lambda y, v: y.chunk(2, -1)[1].add_(5),
    "unbound": lambda y, v: y.unbind(1)[1].add_(5),
    "narrow": lambda y, v: y.narrow(1, 1, 2).add_(5),
    "view of a view": lambda y, v: y[:, 1:][..., 1:3].copy_(v[:, 1:, :2]),
    "diagonal": lambda y, v: y[:, :, :3].diagonal(0, 1, 2).zero_(),
}


@pytest.mark.parametrize("name", [n for n in WRITES if n != "diagonal"])
def test_writes_through_views_are_seen_in_what_is_viewed(name):
    def forward(x, v):
        y = x * 1.0
        other = y[:, 0]  # a view made before the write sees it too
        WRITES[name](y, v)
        return y, other

    computes(forward, X, normal(2, 3, 4, seed=1))


def test_a_write_through_a_view_that_is_not_known_is_told():
    def forward(x):
        y = x * 1.0
        WRITES["diagonal"](y, x)
        return y

    with pytest.warns(UserWarning, match=r"became Custom: aten::diagonal_scatter \(1x\)"):
        from_module(Program(forward), X)
