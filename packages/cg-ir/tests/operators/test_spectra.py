"""Fourier transforms: numpy's values and shapes along every axis, products of a fast transform, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from operator_uses import batched, computed, refusal, use  # noqa: E402


def pairs(x: Any) -> Any:
    return np.stack([x.real, x.imag], -1)


REAL = np.random.default_rng(0).normal(size=(3, 4, 5))
COMPLEX = REAL + 1j * np.random.default_rng(1).normal(size=(3, 4, 5))
CASES = [
    (False, False, REAL[..., None], lambda axis: pairs(np.fft.fft(REAL, axis=axis))),
    (False, False, pairs(COMPLEX), lambda axis: pairs(np.fft.fft(COMPLEX, axis=axis))),
    (True, False, pairs(COMPLEX), lambda axis: pairs(np.fft.ifft(COMPLEX, axis=axis))),
    (False, True, REAL[..., None], lambda axis: pairs(np.fft.rfft(REAL, axis=axis))),
]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_transforms_are_numpys(case: int, axis: int) -> None:
    inverse, onesided, x, expected = CASES[case]
    node = use("DFT", x.shape, axis=axis, inverse=inverse, onesided=onesided)
    assert node.shape == expected(axis).shape
    assert node.params == 0
    found = computed("DFT", torch.from_numpy(x), axis=axis, inverse=inverse, onesided=onesided)
    np.testing.assert_allclose(found.numpy(), expected(axis), atol=1e-12)


@pytest.mark.parametrize("length", [6, 7])
def test_one_side_comes_back_in_the_length_that_is_stated(length: int) -> None:
    x = np.random.default_rng(2).normal(size=(2, length))
    half = torch.from_numpy(pairs(np.fft.rfft(x)))
    found = computed("DFT", half, axis=1, inverse=True, onesided=True, shape=(2, length, 1))
    np.testing.assert_allclose(found.numpy()[..., 0], x, atol=1e-12)


@pytest.mark.parametrize(("length", "stages"), [(1, 0), (2, 1), (5, 3), (8, 3), (9, 4)])
def test_products_are_those_of_a_fast_transform(length: int, stages: int) -> None:
    assert use("DFT", (3, length, 2, 2), axis=1).macs == 6 * 2 * length * stages
    assert use("DFT", (3, length, 2, 1), axis=1).macs == 6 * length * stages
    one = use("DFT", (3, length, 2, 1), axis=1, onesided=True)
    back = use("DFT", one.shape, axis=1, inverse=True, onesided=True, shape=(3, length, 2, 1))
    assert one.macs == back.macs == 6 * length * stages


def test_batches_stay_on_axes_that_are_not_transformed() -> None:
    pair = [torch.randn(2, 1, 3, 2), torch.randn(2, 1, 3, 2)]
    run = lambda x, plan: torch.view_as_real(torch.fft.fft(torch.view_as_complex(x), dim=2))  # noqa: E731
    assert [batched("DFT", run, [pair], [axis], axis=2) for axis in (0, 1)] == [0, 1]
    assert [batched("DFT", lambda x, plan: x, [pair], [axis], axis=2) for axis in (2, 3)] == [None, None]


@pytest.mark.parametrize(
    ("shape", "attrs", "message"),
    [
        ((2,), {"axis": 0}, "shape [2] has no axis 0 before the one of the pairs"),
        ((4, 2), {"axis": 1}, "shape [4, 2] has no axis 1 before the one of the pairs"),
        ((4, 3), {"axis": 0}, "the last axis of [4, 3] should have size 1 or 2"),
        ((4, 1), {"axis": 0, "inverse": True}, "the last axis of [4, 1] should have size 2"),
        ((4, 2), {"axis": 0, "onesided": True}, "the last axis of [4, 2] should have size 1"),
        ((4, 2), {"axis": 0, "inverse": True, "onesided": True}, "DFT needs its output channels or shape"),
        ((4, 2), {"axis": 0, "inverse": True, "onesided": True, "shape": (8, 1)}, "8 numbers do not come from 4 pairs of one side"),
    ],
)  # fmt: skip
def test_uses_that_cannot_be_are_refused(shape: tuple[int, ...], attrs: dict[str, Any], message: str) -> None:
    assert refusal("DFT", shape, **attrs) == message
