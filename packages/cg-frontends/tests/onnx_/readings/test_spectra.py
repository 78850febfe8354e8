"""Fourier transforms of ONNX against numpy: axes of either opset, lengths, sides, windows."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
from onnx import helper
from onnx_models import agree, model_of, numbers, one, operators

from cg_frontends.onnx_ import from_onnx
from cg_ir import SourceError

X = numbers(2, 6, 5, 1)
Z = numbers(2, 6, 5, 2)


def pairs(z):
    return np.stack([z.real, z.imag], -1).astype(np.float32)


def plain(x):
    return x[..., 0] if x.shape[-1] == 1 else x[..., 0] + 1j * x[..., 1]


@pytest.mark.parametrize("axis", [None, 1, 2, -2, -3])
@pytest.mark.parametrize("opset", [17, 20])
@pytest.mark.parametrize("inverse", [0, 1])
@pytest.mark.parametrize("length", [None, 9])
def test_transforms(axis, opset, inverse, length):
    x = Z if inverse else X
    weights = {} if length is None else {"n": np.array(length)}
    names = ["x0", "n" if length else ""]
    attrs = {"inverse": inverse}
    if opset == 17:
        attrs |= {} if axis is None else {"axis": axis}
        where = 1 if axis is None else axis % 4
    else:
        weights |= {} if axis is None else {"a": np.array(axis)}
        names += ["a"] if axis is not None else []
        where = 2 if axis is None else axis % 4
    wanted = (np.fft.ifft if inverse else np.fft.fft)(plain(x), length, axis=where)
    agree(one("DFT", [x], weights, names=names, opset=opset, **attrs), x, wanted=[pairs(wanted)])


@pytest.mark.parametrize("length", [None, 4, 5, 9])
def test_one_side(length):
    weights = {"n": np.array(length)} if length else {}
    wanted = np.fft.rfft(plain(X), length, axis=1)
    agree(one("DFT", [X], weights, opset=17, onesided=1), X, wanted=[pairs(wanted)])


def test_one_side_and_back():
    x = numbers(2, 9, 1)
    there = helper.make_node("DFT", ["x0", "", "a"], ["s"], onesided=1)
    back = helper.make_node("DFT", ["s", "n", "a"], ["y"], onesided=1, inverse=1)
    graph = agree(model_of([there, back], [x], {"n": np.array(9), "a": np.array(1)}), x, wanted=[x])
    assert operators(graph) == ["DFT", "DFT"]


def test_one_side_of_complex_numbers_is_refused():
    with pytest.raises(SourceError, match="one side of a spectrum whose numbers are not real"):
        from_onnx(one("DFT", [numbers(1, 8, 2)], opset=17, axis=1, onesided=1))


@pytest.mark.parametrize("length", [0, -3])
def test_lengths_that_are_none(length):
    with pytest.raises(SourceError, match=f"a transform of {length} numbers"):
        from_onnx(one("DFT", [X], {"n": np.array(length)}, opset=17))
    with pytest.raises(SourceError, match=r"the last axis of \[2, 6\] should have size 1 or 2"):
        from_onnx(one("DFT", [numbers(2, 6)], opset=17))


@pytest.mark.parametrize("onesided", [None, 0, 1])
@pytest.mark.parametrize("window", [None, np.hanning(6).astype(np.float32)])
@pytest.mark.parametrize("step", [2, 3, 7])
def test_windows(onesided, window, step):
    x = numbers(2, 20, 1)
    weights = {"step": np.array(step)} | ({"w": window} if window is not None else {}) | {"size": np.array(6)}
    names = ["x0", "step", "w" if window is not None else "", "size"]
    rows = np.stack([x[:, i : i + 6, 0] for i in range(0, 15, step)], 1) * (1 if window is None else window)
    wanted = (np.fft.fft if onesided == 0 else np.fft.rfft)(rows, axis=2)
    attrs = {} if onesided is None else {"onesided": onesided}
    agree(one("STFT", [x], weights, names=names, opset=17, **attrs), x, wanted=[pairs(wanted)])


def test_windows_longer_than_the_signal_are_refused():
    with pytest.raises(SourceError, match="windows of 30, 2 apart, of 20 numbers"):
        from_onnx(
            one(
                "STFT",
                [numbers(2, 20, 1)],
                {"step": np.array(2), "size": np.array(30)},
                names=["x0", "step", "", "size"],
                opset=17,
            )
        )
