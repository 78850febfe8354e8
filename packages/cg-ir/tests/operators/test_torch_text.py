"""Texts of PyTorch: templates filled in, arguments left out where they are defaults, pads in PyTorch's order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cg_ir import GraphError
from cg_ir.operators.torch_text import (
    Call,
    Elements,
    Number,
    axis_count,
    flag,
    is_even,
    is_number,
    listed,
    optional,
    padded,
    tensor,
    torch_pads,
    tuple_text,
)


def text(template: tuple[Any, ...]) -> str:
    return "".join(map(str, template))


def test_fields_are_inputs_and_attributes_as_python_writes_them() -> None:
    call = Call("Op", {"mode": "a'b", "size": (2,), "scale": 0.5}, (1,), ((1,), (1,)), ["p", "q"], "self.m", "-1, 4")
    assert call.fill("{own}({x}, {1}, {mode}, {size}, {scale}).reshape({wanted})") == (
        'self.m(p, q, "a\'b", (2,), 0.5).reshape(-1, 4)'
    )
    assert Call("Op", {}, (1,), (), [], "self.m").fill("{own}()") == "self.m()"


def test_one_number_stands_for_equal_ones() -> None:
    assert listed((3, 3), "kernel_size") == (Number("kernel_size", 3),)
    assert listed((3, 1), "kernel_size") == ("(3, 1)",)
    assert text(listed((3,), "kernel_size")) == "3"


def test_defaults_are_left_out() -> None:
    assert optional("stride", (1, 1), 1) == ()
    assert text(optional("stride", (2, 2), 1)) == ", stride=2"
    assert text(optional("stride", (1, 2), 1)) == ", stride=(1, 2)"
    assert flag("mode", "x", "x") == ()
    assert text(flag("mode", "x", "y")) == ", mode='x'"


@pytest.mark.parametrize("values", [(), (3,), (3, 4)])
def test_tuples_and_lists_read_back(values: tuple[int, ...]) -> None:
    assert eval(tuple_text(values)) == values
    assert eval(str(Elements(values))) == list(values)


def test_numbers_are_told_from_names() -> None:
    assert [t for t in ("3", "-0.5", "x", "self.a3", "(2)") if is_number(t)] == ["3", "-0.5"]
    assert tensor("-0.5", "x") == "torch.as_tensor(-0.5, device=x.device)"
    assert tensor("y", "x") == "y"


def test_pads_are_even_where_begins_are_ends() -> None:
    assert is_even((1, 2, 1, 2))
    assert is_even(())
    assert not is_even((1, 1, 2, 2))


@pytest.mark.parametrize("pads", [(0, 0, 0, 0, 0, 0), (0, 1, 2, 0, 3, 4), (0, 0, 1, 0, 0, 0), (2, 0, 0, 0, 0, 0)])
def test_pads_mean_what_numpys_do(pads: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    x = torch.arange(24.0).reshape(2, 3, 4)
    run = eval(padded("x", pads, "7.0"), {"F": torch.nn.functional, "x": x})
    np.testing.assert_array_equal(
        run.numpy(), np.pad(x.numpy(), list(zip(pads[:3], pads[3:], strict=True)), constant_values=7)
    )


def test_pads_that_are_none_add_no_text() -> None:
    assert padded("x", (0, 0)) == "x"
    assert torch_pads((0, 1, 0, 0)) == [1, 0]
    assert padded("x", (0, -1, 0, 2)) == "F.pad(x, (-1, 2))"


def test_torch_has_an_operator_for_some_numbers_of_axes() -> None:
    assert axis_count(3, (1, 2, 3), "Op") == 3
    with pytest.raises(GraphError, match=r"^PyTorch has no Op for 4 axes \(1, 2, 3 are possible\)$"):
        axis_count(4, (1, 2, 3), "Op")
