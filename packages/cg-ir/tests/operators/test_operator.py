"""Records of the catalogue: attributes read and filled in, shapes inferred and checked, further outputs, text."""

from __future__ import annotations

from typing import Any

import pytest
from operator_uses import refusal

from cg_ir import GraphError
from cg_ir.operators import OPERATORS, Operator
from cg_ir.operators.attribute import KERNEL, PADS, Attribute
from cg_ir.operators.torch_text import Call

TOY = Operator(
    "Toy", "toy", (1, 2), lambda ins, attrs, out: (*ins[0][:-1], None), "A toy.",
    tensors=lambda ins, attrs, out: {"weight": (out[-1], 3), "running_mean": (7,), "bias": (2,)},
    further=lambda ins, attrs, out: [(4, 5), (6,)],
    attributes={"size": Attribute("int"), "kernel_shape": KERNEL, "pads": PADS, "low": Attribute("float", None), "on": Attribute("bool", True)},
    torch="toy({x}, {1}, {size}, {on})",
)  # fmt: skip
GIVEN = {"size": 2, "kernel_shape": (3, 3)}


def test_attributes_that_differ_from_their_defaults_are_kept_by_name() -> None:
    read = TOY.read_attrs({**GIVEN, "pads": [0, 0, 0, 0], "on": 1, "low": None})
    assert read == (("kernel_shape", (3, 3)), ("size", 2))
    read = TOY.read_attrs({**GIVEN, "pads": (0, 1, 0, 0), "on": False, "low": 0})
    assert read == (("kernel_shape", (3, 3)), ("low", 0.0), ("on", False), ("pads", (0, 1, 0, 0)), ("size", 2))


def test_defaults_are_filled_in_for_as_many_axes_as_the_window_has() -> None:
    for kernel in ((3,), (3, 3), (3, 3, 3)):
        filled = TOY.fill_attrs(TOY.read_attrs({**GIVEN, "kernel_shape": kernel}))
        assert list(filled) == list(TOY.attributes)
        assert filled == {"size": 2, "kernel_shape": kernel, "pads": (0, 0) * len(kernel), "low": None, "on": True}


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({}, "Toy lacks its attribute 'size'"),
        ({"size": 2}, "Toy lacks its attribute 'kernel_shape'"),
        ({**GIVEN, "sise": 2}, "Toy has no attribute 'sise' (it has size, kernel_shape, pads, low, on)"),
        ({**GIVEN, "kernel_shape": ()}, "attribute 'kernel_shape' should have 1 to 3 numbers, not 0"),
        ({**GIVEN, "kernel_shape": (1,) * 4}, "attribute 'kernel_shape' should have 1 to 3 numbers, not 4"),
        ({**GIVEN, "on": None}, "attribute 'on' should be true or false, not None"),
        ({**GIVEN, "pads": (0, 0)}, "attribute 'pads' should have 4 numbers, not 2"),
    ],
)
def test_attributes_that_do_not_fit_are_refused(attrs: dict[str, Any], message: str) -> None:
    with pytest.raises(GraphError) as error:
        TOY.read_attrs(attrs)
    assert str(error.value) == message


def test_an_operator_without_attributes_says_so() -> None:
    assert refusal("Tanh", (1, 4), alpha=1.0) == "Tanh has no attribute 'alpha' (it has none)"


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        ("Relu", [], "Relu takes 1 inputs, not 0"),
        ("Relu", [(1, 4)] * 2, "Relu takes 1 inputs, not 2"),
        ("Add", [(1, 4)], "Add takes 2 or more inputs, not 1"),
        ("Attention", [(1, 4, 4)] * 5, "Attention takes 3 to 4 inputs, not 5"),
    ],
)
def test_too_few_and_too_many_inputs_are_refused(op: str, shapes: list[tuple[int, ...]], message: str) -> None:
    assert refusal(op, *shapes) == message


def test_what_a_rule_leaves_open_is_stated_and_what_it_says_is_checked() -> None:
    attrs = TOY.fill_attrs(TOY.read_attrs(GIVEN))
    assert TOY.infer([(4, 5)], attrs, None, channels=7) == TOY.infer([(4, 5)], attrs, (4, 7)) == (4, 7)
    for out, message in (
        (None, "Toy needs its output channels or shape"),
        ((5, 7), "shape should be [4, any] by the rule of Toy, not [5, 7]"),
        ((4, 7, 1), "shape should be [4, any] by the rule of Toy, not [4, 7, 1]"),
    ):
        with pytest.raises(GraphError) as error:
            TOY.infer([(4, 5)], attrs, out)
        assert str(error.value) == message


def test_what_is_learned_is_counted_and_running_statistics_are_not() -> None:
    assert TOY.params([(4, 5)], {}, (4, 7)) == 7 * 3 + 2
    assert TOY.macs([(4, 5)], {}, (4, 7)) == 0


@pytest.mark.parametrize(
    ("operator", "index", "shape", "message"),
    [
        (TOY, 3, (6,), "output 3 cannot be read, Toy has outputs 0 to 2"),
        (TOY, 1, (6,), "output 1 of Toy has shape [4, 5], not [6]"),
        (OPERATORS["Relu"], 1, (4, 7), "output 1 cannot be read, Relu has one output"),
        (OPERATORS["MaxPool"], 1, (4, 6), "output 1 of MaxPool has shape [4, 7], not [4, 6]"),
    ],
)
def test_further_outputs_are_those_that_there_are(
    operator: Operator, index: int, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(GraphError) as error:
        operator.check_select([(4, 5)], {}, (4, 7), index, shape)
    assert str(error.value) == message


def test_further_outputs_may_be_read() -> None:
    TOY.check_select([(4, 5)], {}, (4, 7), 1, (4, 5))
    TOY.check_select([(4, 5)], {}, (4, 7), 2, (6,))
    OPERATORS["Custom"].check_select([(4, 5)], {}, (4, 7), 9, (1, 2, 3))  # of what is unknown, any


def test_text_is_the_template_filled_in() -> None:
    call = Call("Toy", {"size": 2, "on": True}, (4, 7), ((4, 5), (1,)), ["a", "b"])
    assert TOY.expression(call) == "toy(a, b, 2, True)"


def test_what_torch_cannot_say_is_refused() -> None:
    call = Call("Custom", {}, (1,), ((1,),), ["a"], several=True)
    with pytest.raises(GraphError, match=r"^is outside the vocabulary and cannot be written as PyTorch$"):
        OPERATORS["Custom"].expression(call)
    with pytest.raises(GraphError, match=r"^PyTorch gives no further outputs of this use$"):
        OPERATORS["Relu"].expression(call)


def test_names_of_records_are_their_keys_and_defaults_can_be_read() -> None:
    for name, operator in OPERATORS.items():
        assert operator.name == name
        for axes in (1, 2, 3):
            for key, value in operator.defaults[axes].items():
                if key not in operator.required and value is not None:
                    assert operator.attributes[key].read(value, key, axes) == value, (name, key)
