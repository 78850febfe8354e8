"""Joining and moving elements: torch's and numpy's results, the batch in other places, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from operator_uses import batched, computed, refusal, use  # noqa: E402

from cg_ir.operators import OPERATORS  # noqa: E402

X = torch.arange(24.0).reshape(2, 3, 4)
IMAGE = (1, 6, 8, 8)


def pair(*shape: int) -> list[Any]:
    return [torch.randn(shape), torch.randn(shape)]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_parts_are_joined_and_cut_along_an_axis(axis: int) -> None:
    expected = torch.cat([X, X, X], axis)
    torch.testing.assert_close(computed("Concat", X, X, X, axis=axis), expected)
    assert use("Concat", (2, 3, 4), (2, 3, 4), (2, 3, 4), axis=axis).shape == expected.shape
    sizes = (1, 2 * X.shape[axis], X.shape[axis] - 1)
    node = use("Split", tuple(expected.shape), axis=axis, split=sizes)
    parts = [tuple(part.shape) for part in expected.split(sizes, axis)]
    assert [node.shape, *OPERATORS["Split"].further([tuple(expected.shape)], node.attrs, node.shape)] == parts  # type: ignore[misc]


@pytest.mark.parametrize(
    ("op", "attrs", "expected"),
    [
        ("Transpose", {"perm": (2, 0, 1)}, X.permute(2, 0, 1)),
        ("Transpose", {"perm": (1, 0, 2)}, X.transpose(0, 1)),
        ("Tile", {"repeats": (1, 2, 3)}, X.tile(1, 2, 3)),
        ("Roll", {"shifts": (1, -2), "axes": (0, 2)}, X.roll((1, -2), (0, 2))),
        ("Reshape", {"shape": (4, 6)}, X.reshape(4, 6)),
        ("Flatten", {"shape": (2, 12)}, X.flatten(1)),
        ("Unsqueeze", {"shape": (2, 3, 1, 4)}, X[:, :, None]),
        ("Expand", {"shape": (5, 2, 3, 4)}, X.expand(5, 2, 3, 4)),
        ("Slice", {"starts": (0, 2, 3), "ends": (2, -1, 0), "steps": (1, -1, -2)}, X.flip(1)[..., [3, 1]]),
        ("Slice", {"starts": (1, 0, 0), "ends": (2, 3, 4), "steps": (1, 2, 3)}, X[1:2, ::2, ::3]),
        ("Slice", {"starts": (0, 0, 0), "ends": (2, 3, 4), "steps": (1, 1, 1)}, X),
    ],
)
def test_elements_are_moved_as_torch_moves_them(op: str, attrs: dict[str, Any], expected: Any) -> None:
    torch.testing.assert_close(computed(op, X, **attrs), expected)
    assert use(op, (2, 3, 4), **attrs).shape == expected.shape


@pytest.mark.parametrize("blocksize", [1, 2, 3])
def test_pixels_are_shuffled_as_torch_and_onnx_do(blocksize: int) -> None:
    b = blocksize
    x = torch.rand(2, 3 * b * b, 2, 5)
    n, c, h, w = x.shape
    wide = torch.nn.functional.pixel_shuffle(x, b)
    assert use("DepthToSpace", tuple(x.shape), blocksize=b).shape == wide.shape
    assert use("SpaceToDepth", tuple(wide.shape), blocksize=b).shape == x.shape
    torch.testing.assert_close(computed("DepthToSpace", x, blocksize=b, mode="CRD"), wide)
    torch.testing.assert_close(computed("SpaceToDepth", wide, blocksize=b, mode="CRD"), x)
    # the depth first: ONNX's reference of DCR
    deep = x.numpy().reshape(n, b, b, c // b**2, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(wide.shape)
    np.testing.assert_array_equal(computed("DepthToSpace", x, blocksize=b).numpy(), deep)
    torch.testing.assert_close(computed("SpaceToDepth", torch.from_numpy(deep), blocksize=b), x)


@pytest.mark.parametrize(
    ("shape", "to", "axis", "expected"),
    [
        ((1, 2, 3), (1, 6), 0, 0),
        ((2, 3), (6,), 0, 0),
        ((2, 3), (6,), 1, None),  # examples would alternate
        ((2, 3, 2), (6, 2), 1, None),
        ((2, 3, 4), (6, 4), 2, 1),
        ((2, 3, 4), (6, 2, 2), 2, 1),
        ((2, 3, 4), (2, 12), 1, 1),
        ((2, 3, 4), (2, 12), 2, None),
        ((6, 4), (2, 3, 4), 0, 0),
        ((6, 4), (2, 3, 4), 1, 2),
        ((4, 1), (2, 2), 1, None),
        ((4, 1), (4, 1, 1), 1, 1),
    ],
)
def test_batches_keep_to_axes_that_are_filled_whole(shape: Any, to: Any, axis: int, expected: int | None) -> None:
    def reshape(x: Any, plan: Any) -> Any:
        return x.reshape([-1 if plan and i == plan.axis else size for i, size in enumerate(to)])

    assert batched("Reshape", reshape, [pair(*shape)], [axis]) == expected


def test_batches_move_with_their_axis() -> None:
    for axis, expected in enumerate((1, 2, 0)):
        turn = lambda x, plan: x.permute(2, 0, 1)  # noqa: E731
        assert batched("Transpose", turn, [pair(1, 2, 3)], [axis], perm=(2, 0, 1)) == expected


@pytest.mark.parametrize(
    ("axes", "along", "expected"),
    [((0, 0), 1, 0), ((0, None), 1, 0), ((None, 1), 0, 1), ((0, 0), 0, None), ((0, 1), 2, None), ((1, 1), 0, 1)],
)
def test_batches_of_joined_parts(axes: Any, along: int, expected: int | None) -> None:
    inputs = [pair(2, 2, 2) if axis is not None else torch.randn(2, 2, 2) for axis in axes]
    assert batched("Concat", lambda x, y, plan: torch.cat([x, y], along), inputs, axes, axis=along) == expected


@pytest.mark.parametrize(
    ("op", "attrs", "function", "expected"),
    [
        ("Slice", {"starts": (0, 1), "ends": (2, 3), "steps": (1, 1)}, lambda x: x[:, 1:3], [0, None]),
        ("Slice", {"starts": (1, 0), "ends": (-1, 3), "steps": (-1, 1)}, lambda x: x.flip(0), [None, 1]),
        ("Roll", {"shifts": (1,), "axes": (1,)}, lambda x: x.roll(1, 1), [0, None]),
        ("Tile", {"repeats": (2, 1)}, lambda x: x.tile(2, 1), [None, 1]),
        ("Split", {"axis": 1, "split": (1, 2)}, lambda x: x[:, :1], [0, None]),
    ],
)  # fmt: skip
def test_batches_stay_where_nothing_is_moved(op: str, attrs: Any, function: Any, expected: list[int | None]) -> None:
    run = lambda x, plan: function(x)  # noqa: E731
    assert [batched(op, run, [pair(2, 3)], [axis], **attrs) for axis in (0, 1)] == expected


@pytest.mark.parametrize(
    ("op", "shapes", "attrs", "message"),
    [
        ("Concat", [(2, 3), (3, 4)], {"axis": 1}, "inputs of shapes [[2, 3], [3, 4]] do not join along axis 1"),
        ("Concat", [(2, 3), (2,)], {"axis": 1}, "inputs of shapes [[2, 3], [2]] do not join along axis 1"),
        ("Concat", [(2, 3)], {"axis": 2}, "axis 2 is outside the 2 axes of the input (axes count from 0)"),
        ("Split", [(2, 3)], {"axis": 1, "split": (1, 1)}, "parts [1, 1] should be two or more and add up to the 3 of axis 1"),
        ("Split", [(2, 3)], {"axis": 1, "split": (3,)}, "parts [3] should be two or more and add up to the 3 of axis 1"),
        ("Transpose", [(1, 4)], {"perm": (0, 0)}, "perm [0, 0] is no permutation of the 2 axes"),
        ("Transpose", [(1, 4)], {"perm": (0, 1, 2)}, "perm [0, 1, 2] is no permutation of the 2 axes"),
        ("Reshape", [(1, 4)], {}, "this operator needs a stated shape"),
        ("Reshape", [(1, 4)], {"shape": (1, 5)}, "shape [1, 4] cannot be read as [1, 5]: the number of elements differs"),
        ("Squeeze", [(1, 4)], {"shape": ()}, "shape [1, 4] cannot be read as []: the number of elements differs"),
        ("Expand", [(1, 4)], {}, "this operator needs a stated shape"),
        ("Expand", [(1, 4)], {"shape": (2, 3)}, "inputs of shapes [[1, 4], [2, 3]] do not broadcast"),
        ("Expand", [(2, 4)], {"shape": (1, 4)}, "shape [2, 4] does not broadcast to [1, 4]"),
        ("Tile", [(2, 4)], {"repeats": (2,)}, "repeats should have 2 numbers"),
        ("Roll", [(2, 4)], {"shifts": (1, 1), "axes": (0,)}, "2 shifts do not belong to 1 axes"),
        ("Roll", [(2, 4)], {"shifts": (1,), "axes": (2,)}, "axis 2 is outside the 2 axes of the input (axes count from 0)"),
        ("SpaceToDepth", [IMAGE], {"blocksize": 3}, "8 x 8 does not divide by blocksize 3"),
        ("SpaceToDepth", [(1, 4, 8, 9)], {"blocksize": 2}, "8 x 9 does not divide by blocksize 2"),
        ("SpaceToDepth", [(1, 8, 8)], {"blocksize": 2}, "the input should have 4 axes, not shape [1, 8, 8]"),
        ("DepthToSpace", [IMAGE], {"blocksize": 2}, "6 channels do not divide by blocksize 2 squared"),
    ],
)  # fmt: skip
def test_uses_that_cannot_be_are_refused(
    op: str, shapes: list[tuple[int, ...]], attrs: dict[str, Any], message: str
) -> None:
    assert refusal(op, *shapes, **attrs) == message
