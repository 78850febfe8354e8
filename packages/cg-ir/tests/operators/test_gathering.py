"""Gathering and scattering: torch's and numpy's elements, positions that do not fit, batches of data and of positions."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from operator_uses import batched, computed, refusal, use  # noqa: E402

from cg_ir.operators import OPERATORS  # noqa: E402

F = torch.nn.functional
IMAGE = (1, 2, 6, 8)
VOLUME = (1, 2, 3, 4, 5)


@pytest.mark.parametrize("index", [(), (4,), (2, 3), (1, 1, 1)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rows_are_numpys(axis: int, index: tuple[int, ...]) -> None:
    x, rows = np.random.default_rng(0).normal(size=(3, 4, 5)), np.random.default_rng(1).integers(0, 3, index)
    expected = np.take(x, rows, axis)
    assert use("Gather", x.shape, rows.shape, axis=axis).shape == expected.shape
    np.testing.assert_array_equal(
        computed("Gather", torch.from_numpy(x), torch.tensor(rows), axis=axis).numpy(), expected
    )


@pytest.mark.parametrize("axis", [0, 1])
def test_elements_along_an_axis_are_numpys(axis: int) -> None:
    x, places = np.arange(12.0).reshape(3, 4), np.array([[2, 0, 1, 1], [0, 0, 2, 2], [1, 2, 0, 1]])
    found = computed("GatherElements", torch.from_numpy(x), torch.from_numpy(places), axis=axis)
    np.testing.assert_array_equal(found.numpy(), np.take_along_axis(x, places, axis))


@pytest.mark.parametrize("shapes", [[(3,)], [(2, 1), (3,)], [(3,), (3,), (3,)], [()]])
def test_places_broadcast_as_numpys(shapes: list[tuple[int, ...]]) -> None:
    x, places = np.random.default_rng(0).normal(size=(3, 4, 5)), [np.ones(s, dtype=np.int64) for s in shapes]
    assert use("GatherND", x.shape, *shapes).shape == x[tuple(places)].shape
    found = computed("GatherND", torch.from_numpy(x), *map(torch.from_numpy, places))
    np.testing.assert_array_equal(found.numpy(), x[tuple(places)])


METHODS = {"none": None, "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


@pytest.mark.parametrize("reduction", METHODS)
def test_scattered_elements_meet_those_that_are_there(reduction: str) -> None:
    x, places, values = (
        np.arange(12.0).reshape(3, 4),
        (np.array([[0], [2]]), np.array([1, 3])),
        np.array([[5.0, -1], [2, 9]]),
    )
    expected = x.copy()
    if METHODS[reduction] is None:
        expected[places] = values
    else:
        METHODS[reduction].at(expected, places, values)
    given = [torch.from_numpy(a) for a in (x, *places, values)]
    np.testing.assert_array_equal(computed("ScatterND", *given, reduction=reduction).numpy(), expected)
    rows = torch.from_numpy(x[:2])
    twice = computed(
        "ScatterElements",
        rows,
        torch.tensor([[3, 3]]),
        torch.tensor([[5.0, 2.0]], dtype=torch.float64),
        axis=1,
        reduction=reduction,
    )
    there = {"none": 2, "add": 10, "mul": 30, "max": 5, "min": 2}
    assert twice.tolist() == [[0, 1, 2, there[reduction]], [4, 5, 6, 7]]  # fmt: skip


def test_a_slice_is_replaced() -> None:
    x = np.arange(24.0).reshape(4, 6)
    expected, part = x.copy(), -np.ones((2, 3)).cumsum(1)
    expected[0:4:3, 5:0:-2] = part
    found = computed(
        "SliceScatter", torch.from_numpy(x), torch.from_numpy(part), starts=(0, 5), ends=(4, 0), steps=(3, -2)
    )
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_samples_are_torchs(mode: str, padding: str) -> None:
    image, grid = torch.rand(1, 2, 6, 8), torch.rand(1, 3, 5, 2) * 3 - 1.5
    name = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
    found = computed("GridSample", image, grid, mode=mode, padding_mode=padding, align_corners=True)
    torch.testing.assert_close(found, F.grid_sample(image, grid, name, padding, True))
    assert use("GridSample", VOLUME, (1, 6, 7, 8, 3)).shape == (1, 2, 6, 7, 8)


def test_columns_are_torchs_and_fold_back() -> None:
    x = torch.rand(IMAGE)
    for kernel, stride, pad, dilation in product(((2, 3), (1, 1)), (1, 2), (0, 1), (1, 2)):
        attrs: dict[str, Any] = {
            "kernel_shape": kernel,
            "strides": (stride,) * 2,
            "pads": (pad,) * 4,
            "dilations": (dilation,) * 2,
        }
        columns = F.unfold(x, kernel, dilation, pad, stride)
        assert use("Im2Col", IMAGE, **attrs).shape == columns.shape
        torch.testing.assert_close(computed("Im2Col", x, **attrs), columns)
        assert use("Col2Im", tuple(columns.shape), shape=IMAGE, **attrs).shape == IMAGE
        folded = F.fold(columns, IMAGE[2:], kernel, dilation, pad, stride)
        torch.testing.assert_close(computed("Col2Im", columns, shape=IMAGE, **attrs), folded)
    assert use("Im2Col", (1, 2, 9), kernel_shape=(3,), pads=(1, 0)).shape == (1, 6, 8)
    assert use("Col2Im", (1, 6, 8), shape=(1, 2, 9), kernel_shape=(3,), pads=(1, 0)).shape == (1, 2, 9)


def test_ones_stand_at_the_places_named() -> None:
    assert computed("OneHot", torch.tensor([[2, 0]]), shape=(1, 2, 3)).tolist() == [[[0, 0, 1], [1, 0, 0]]]


def indices(*shape: int) -> list[Any]:
    return [torch.randint(0, 2, shape), torch.randint(0, 2, shape)]


def pair(*shape: int) -> list[Any]:
    return [torch.randn(shape), torch.randn(shape)]


@pytest.mark.parametrize(
    ("data", "index", "axes", "along", "expected"),
    [
        ((2, 3), (1, 4), (None, 0), 0, 0),
        ((2, 2), (4, 1), (None, 1), 1, 2),
        ((1, 2, 3), (4,), (0, None), 1, 0),
        ((2, 2, 3), (4, 5), (2, None), 0, 3),
        ((2, 2, 3), (4, 5), (2, None), 1, 3),
        ((2, 3), (4,), (0, None), 0, None),
        ((2, 3), (1, 4), (1, 0), 0, None),
    ],
)
def test_batches_of_rows(data: Any, index: Any, axes: Any, along: int, expected: int | None) -> None:
    inputs = [
        pair(*data) if axes[0] is not None else torch.randn(data),
        indices(*index) if axes[1] is not None else indices(*index)[0],
    ]

    def take(x: Any, i: Any, plan: Any) -> Any:
        return x[(slice(None),) * along + (i,)]

    assert batched("Gather", take, inputs, axes, axis=along) == expected


@pytest.mark.parametrize(("axes", "expected"), [((0, 0), 0), ((1, 1), None), ((0, None), None), ((None, 0), None), ((2, 2), 2)])  # fmt: skip
def test_batches_of_elements(axes: Any, expected: int | None) -> None:
    inputs = [
        pair(1, 2, 3) if axes[0] is not None else torch.randn(1, 2, 3),
        indices(1, 2, 3) if axes[1] is not None else indices(1, 2, 3)[0],
    ]
    assert batched("GatherElements", lambda x, i, plan: x.gather(1, i), inputs, axes, axis=1) == expected


def test_fewer_positions_than_data_along_the_batch_run_apart() -> None:
    node = use("GatherElements", (2, 3), (1, 3), axis=1)
    assert OPERATORS["GatherElements"].batch(node.signature, (0, 0)).apart


@pytest.mark.parametrize(
    ("axes", "cut", "expected"),
    [((0, 0), 1, 0), ((0, None), 1, 0), ((None, 0), 1, 0), ((0, 0), 0, None), ((0, 1), 1, None), ((1, 1), 0, 1)],
)
def test_batches_of_replaced_slices(axes: Any, cut: int, expected: int | None) -> None:
    part = [2, 2]
    part[cut] = 1
    inputs = [pair(*s) if a is not None else torch.randn(*s) for s, a in zip(((2, 2), part), axes, strict=True)]
    put = lambda x, y, plan: torch.slice_scatter(x, y, cut, 1, x.shape[cut] if cut in axes else 2)  # noqa: E731
    attrs = {"starts": (1 - cut, cut), "ends": (2, 2), "steps": (1, 1)}
    assert batched("SliceScatter", put, inputs, axes, **attrs) == expected


@pytest.mark.parametrize(
    ("op", "shapes", "attrs", "message"),
    [
        ("Gather", [(2, 3), (4,)], {"axis": 2}, "axis 2 is outside the 2 axes of the input (axes count from 0)"),
        ("GatherND", [(2, 3), (4,), (4,), (4,)], {}, "3 index tensors for the 2 axes of the input"),
        ("GatherND", [(2, 3), (4,), (3,)], {}, "inputs of shapes [[4], [3]] do not broadcast"),
        ("SliceScatter", [(4, 6), (2, 6)], {"starts": (0, 0), "ends": (1, 6), "steps": (1, 1)}, "the replacement should have shape [1, 6], not [2, 6]"),
        ("ScatterND", [(3, 4), (2,), (3, 4)], {}, "inputs of shapes [[2, 4], [3, 4]] do not broadcast"),
        ("ScatterND", [(3, 4), (1,), (2, 4)], {}, "values of shape [2, 4] do not fill [1, 4]"),
        ("ScatterND", [(3,), (2,), (2,), (2,)], {}, "values of shape [2] do not fill [2]"),
        ("ScatterElements", [(3, 4), (3, 5), (3, 5)], {"axis": 0}, "positions of shape [3, 5] are outside shape [3, 4]"),
        ("ScatterElements", [(3, 4), (4,), (4,)], {"axis": 0}, "positions of shape [4] are outside shape [3, 4]"),
        ("ScatterElements", [(3, 4), (5, 4), (5, 3)], {"axis": 0}, "elements of shape [5, 3] do not fill positions of shape [5, 4]"),
        ("GridSample", [IMAGE, (1, 3, 3, 3)], {}, "an image [1, 2, 6, 8] and a grid [1, 3, 3, 3] do not fit"),
        ("GridSample", [IMAGE, (2, 3, 3, 2)], {}, "an image [1, 2, 6, 8] and a grid [2, 3, 3, 2] do not fit"),
        ("GridSample", [(1, 2, 6), (1, 3, 1)], {}, "an image [1, 2, 6] and a grid [1, 3, 1] do not fit"),
        ("Im2Col", [(1, 6, 8)], {"kernel_shape": (2, 2)}, "the input should have 4 axes, not shape [1, 6, 8]"),
        ("Col2Im", [(1, 8, 12)], {"kernel_shape": (2, 2)}, "this operator needs a stated shape"),
        ("Col2Im", [(1, 8, 12)], {"kernel_shape": (2, 2), "shape": (2, 4, 5)}, "the output should have 4 axes, not shape [2, 4, 5]"),
        ("Col2Im", [(8, 12)], {"kernel_shape": (2, 2), "shape": (1, 2, 4, 5)}, "the input should have 3 axes, not shape [8, 12]"),
        ("Col2Im", [(1, 8, 13)], {"kernel_shape": (2, 2), "shape": (1, 2, 4, 5)}, "columns [1, 8, 13] do not come from shape [1, 2, 4, 5]"),
    ],
)  # fmt: skip
def test_uses_that_cannot_be_are_refused(
    op: str, shapes: list[tuple[int, ...]], attrs: dict[str, Any], message: str
) -> None:
    assert refusal(op, *shapes, **attrs) == message
