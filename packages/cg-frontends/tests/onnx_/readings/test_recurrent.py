"""Recurrent layers of ONNX: directions, states, which of them are left out, layouts."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
from onnx_models import agree, numbers, one, told

from cg_frontends.onnx_ import from_onnx

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
LENGTH, BATCH, WIDTH, HIDDEN = 5, 2, 4, 3


def weights_of(op, directions, biased=True):
    gates = GATES[op] * HIDDEN
    made = {"w": numbers(directions, gates, WIDTH), "r": numbers(directions, gates, HIDDEN, seed=1)}
    return made | ({"b": numbers(directions, 2 * gates, seed=2)} if biased else {})


def attrs_of(op, direction="forward"):
    return {"hidden_size": HIDDEN, "direction": direction, **({"linear_before_reset": 1} if op == "GRU" else {})}


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("biased", [True, False])
def test_directions(op, direction, biased):
    directions = 2 if direction == "bidirectional" else 1
    x, weights = numbers(LENGTH, BATCH, WIDTH, seed=3), weights_of(op, directions, biased)
    outputs = ["y", "h", "c"][: 3 if op == "LSTM" else 2]
    graph = agree(one(op, [x], weights, outputs=outputs, **attrs_of(op, direction)), x)
    assert graph.params == sum(w.size for w in weights.values())
    gates = GATES[op] * HIDDEN
    assert graph.macs == LENGTH * BATCH * directions * gates * (WIDTH + HIDDEN)


@pytest.mark.parametrize("given", [("h",), ("c",), ("h", "c"), ()])
@pytest.mark.parametrize("held", [False, True])
def test_states_of_an_lstm_may_be_left_out(given, held):
    """One that is left out is zero, whichever it is."""
    x, states = (
        numbers(LENGTH, BATCH, WIDTH, seed=3),
        {n: numbers(1, BATCH, HIDDEN, seed=i + 4) for i, n in enumerate(given)},
    )
    weights = weights_of("LSTM", 1) | (states if held else {})
    inputs = [x, *([] if held else states.values())]
    places = {n: n if held else f"x{i + 1}" for i, n in enumerate(states)}
    names = ["x0", "w", "r", "b", "", places.get("h", ""), places.get("c", "")]
    agree(one("LSTM", inputs, weights, names=names, outputs=("y", "h1", "c1"), **attrs_of("LSTM")), *inputs)


@pytest.mark.parametrize("op", ["GRU", "RNN"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_states_of_the_others(op, direction):
    directions = 2 if direction == "bidirectional" else 1
    x, state = numbers(LENGTH, BATCH, WIDTH, seed=3), numbers(directions, BATCH, HIDDEN, seed=4)
    names = ["x0", "w", "r", "b", "", "x1"]
    agree(
        one(op, [x, state], weights_of(op, directions), names=names, outputs=("y", "h"), **attrs_of(op, direction)),
        x,
        state,
    )


@pytest.mark.parametrize("activation", ["Relu", "Tanh"])
def test_a_plain_layer_with_either_activation(activation):
    x = numbers(LENGTH, BATCH, WIDTH, seed=3)
    agree(one("RNN", [x], weights_of("RNN", 2), activations=[activation] * 2, **attrs_of("RNN", "bidirectional")), x)


def test_the_usual_activations_may_be_written_out():
    x = numbers(LENGTH, BATCH, WIDTH, seed=3)
    agree(
        one(
            "LSTM",
            [x],
            weights_of("LSTM", 2),
            activations=["Sigmoid", "Tanh", "Tanh"] * 2,
            **attrs_of("LSTM", "bidirectional"),
        ),
        x,
    )
    agree(one("GRU", [x], weights_of("GRU", 1), activations=["sigmoid", "TANH"], **attrs_of("GRU")), x)


@pytest.mark.parametrize("op", GATES)
def test_the_batch_in_front(op):
    """ONNX Runtime has no such layout: the same layer with its inputs and outputs turned."""
    from onnx_models import expected

    x, state = numbers(BATCH, LENGTH, WIDTH, seed=3), numbers(BATCH, 2, HIDDEN, seed=4)
    states = ["x1", "x1"] if op == "LSTM" else ["x1"]
    outputs = ["y", "h", "c"][: 3 if op == "LSTM" else 2]
    names, attrs = ["x0", "w", "r", "b", "", *states], attrs_of(op, "bidirectional")
    usual = one(
        op, [x.transpose(1, 0, 2), state.transpose(1, 0, 2)], weights_of(op, 2), names=names, outputs=outputs, **attrs
    )
    y, *last = expected(usual, [np.ascontiguousarray(a.transpose(1, 0, 2)) for a in (x, state)])
    wanted = [y.transpose(2, 0, 1, 3), *(a.transpose(1, 0, 2) for a in last)]
    agree(
        one(op, [x, state], weights_of(op, 2), names=names, outputs=outputs, layout=1, **attrs), x, state, wanted=wanted
    )


def test_lengths():
    x, names = numbers(LENGTH, BATCH, WIDTH, seed=3), ["x0", "w", "r", "b", "n"]
    whole = {"n": np.full(BATCH, LENGTH, np.int32)}
    agree(one("LSTM", [x], weights_of("LSTM", 1) | whole, names=names, **attrs_of("LSTM")), x)
    short = {"n": np.array([5, 3], np.int32)}
    told(
        one("LSTM", [x], weights_of("LSTM", 1) | short, names=names, **attrs_of("LSTM")),
        "LSTM with lengths of sequences",
    )


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(
    ("op", "more", "why"),
    [
        ("LSTM", {"clip": 0.5}, "peepholes, clip or input_forget"), ("LSTM", {"activations": ["Sigmoid", "Relu", "Tanh"]}, "activations sigmoid, relu, tanh"),
        ("RNN", {"activations": ["Sigmoid"]}, "activations sigmoid"), ("GRU", {"linear_before_reset": 0}, "linear_before_reset=0"),
        ("RNN", {"direction": "bidirectional", "activations": ["Relu", "Tanh"]}, "activations relu, tanh"),
        ("LSTM", {"input_forget": 1}, "peepholes, clip or input_forget"), ("LSTM", {"activations": ["Tanh", "Tanh", "Tanh"]}, "activations tanh, tanh, tanh"),
    ],
)  # fmt: skip
def test_what_the_vocabulary_lacks_is_told(op, more, why, biased):
    x, attrs = numbers(LENGTH, BATCH, WIDTH), {**attrs_of(op), **more}
    model = one(op, [x], weights_of(op, 2 if attrs["direction"] == "bidirectional" else 1, biased), **attrs)
    told(model, f"{op} with {why}")


def test_peepholes_are_told():
    x, weights = numbers(LENGTH, BATCH, WIDTH), weights_of("LSTM", 1) | {"p": numbers(1, 3 * HIDDEN)}
    model = one("LSTM", [x], weights, names=["x0", "w", "r", "b", "", "", "", "p"], **attrs_of("LSTM"))
    told(model, "LSTM with peepholes")


def test_a_sequence_keeps_its_length():
    weights = {"w": numbers(1, 32, 8), "r": numbers(1, 32, 8, seed=1)}
    graph = from_onnx(one("LSTM", [numbers(35, 1, 8)], weights, hidden_size=8))
    assert graph.macs == 35 * 2 * 32 * 8 == 17920
    assert graph.nodes[0].shape == (35, 1, 8)
