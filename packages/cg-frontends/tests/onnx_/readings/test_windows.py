"""Kernels, strides and paddings of ONNX's window operators: paddings that are worked out are those of the standard's formula."""

from __future__ import annotations

import itertools
import math

import pytest

pytest.importorskip("onnx")
from cg_frontends.onnx_.readings.windows import window_attrs
from cg_ir import SourceError

WINDOWS = list(itertools.product((5, 8), (1, 2, 3, 4), (1, 2, 3), (1, 2)))


def outputs(size, kernel, stride, dilation, pads):
    return (size + sum(pads) - dilation * (kernel - 1) - 1) // stride + 1


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER"])
def test_same_paddings_give_as_many_windows_as_strides_and_are_the_smallest_that_do(mode):
    for size, kernel, stride, dilation in WINDOWS:
        given = {"auto_pad": mode, "strides": [stride], "dilations": [dilation]}
        begin, end = window_attrs(given, (1, 3, size), (kernel,))["pads"]
        wanted = math.ceil(size / stride)
        assert outputs(size, kernel, stride, dilation, (begin, end)) == wanted
        if begin + end:
            assert outputs(size, kernel, stride, dilation, (begin, end - 1)) < wanted
        assert (end - begin if mode == "SAME_UPPER" else begin - end) in (0, 1)


def test_axes_are_those_at_the_end_and_begins_come_before_ends():
    found = window_attrs({"auto_pad": "SAME_UPPER", "strides": [2, 1]}, (9, 9, 8, 5), (3, 4))
    assert found == {"kernel_shape": (3, 4), "strides": [2, 1], "dilations": [1, 1], "pads": [0, 1, 1, 2]}


def test_what_is_not_stated_is_one_or_nothing():
    found = window_attrs({}, (1, 1, 8, 8, 8), (3, 3, 3))
    assert found == {"kernel_shape": (3, 3, 3), "strides": [1, 1, 1], "dilations": [1, 1, 1], "pads": [0] * 6}


@pytest.mark.parametrize(("mode", "pads"), [("NOTSET", [1, 2, 3, 4]), ("VALID", [0, 0, 0, 0])])
def test_stated_paddings_count_unless_there_are_to_be_none(mode, pads):
    found = window_attrs({"auto_pad": mode, "pads": [1, 2, 3, 4], "dilations": [2, 3]}, (1, 1, 8, 8), (3, 3))
    assert (found["pads"], found["dilations"]) == (pads, [2, 3])


@pytest.mark.parametrize("mode", ["SAME", "same_upper", ""])
def test_an_unknown_padding_is_refused(mode):
    with pytest.raises(
        SourceError, match=f"^auto_pad should be NOTSET, VALID, SAME_UPPER or SAME_LOWER, not '{mode}'$"
    ):
        window_attrs({"auto_pad": mode}, (1, 1, 8, 8), (3, 3))
