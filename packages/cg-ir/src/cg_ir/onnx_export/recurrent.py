"""Recurrent layers: PyTorch stacks layers in one operator and orders gates otherwise than ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cg_ir.graph import Node
from cg_ir.onnx_export.emitter import Emitter

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["recurrent"]

#: Order of PyTorch's gates in ONNX: input, output, forget, cell; update, reset, hidden.
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}


def recurrent(e: Emitter, node: Node) -> list[str] | None:
    """Outputs sequence, state and, for LSTM, cell; None where states are projected, which ONNX cannot say."""
    a = node.attrs
    if a.get("proj_size", 0):
        return None
    hidden, directions = a["hidden_size"], 2 if a["bidirectional"] else 1
    shape = node.signature.input_shapes[0]
    x = e.source(node)
    if len(shape) == 2:
        x = e.reshape(x, (shape[0], 1, shape[1]))
        time, batch = shape[0], 1
    elif a["batch_first"]:
        x = e.op("Transpose", x, perm=[1, 0, 2])
        batch, time = shape[:2]
    else:
        time, batch = shape[:2]
    starts = [e.reshape(s, (-1, batch, hidden)) for s in e.sources(node)[1:]]
    finals: list[list[str]] = [[], []]
    for layer in range(a["num_layers"]):
        ends = [f"_l{layer}{'_reverse' if d else ''}" for d in range(directions)]
        inputs = [x, _stacked(e, node, "weight_ih", ends), _stacked(e, node, "weight_hh", ends)]
        inputs += [_biases(e, node, ends), ""]
        for state in starts:
            begin = e.ints([layer * directions])
            inputs.append(e.op("Slice", state, begin, e.ints([(layer + 1) * directions]), e.ints([0])))
        attrs: dict[str, Any] = {"hidden_size": hidden, "direction": "bidirectional" if directions == 2 else "forward"}
        if node.op == "GRU":
            attrs["linear_before_reset"] = 1
        if node.op == "RNN":
            attrs["activations"] = ["Relu" if a["nonlinearity"] == "relu" else "Tanh"] * directions
        made = e.op(node.op, *inputs, outputs=3 if node.op == "LSTM" else 2, **attrs)
        for place, name in enumerate(made[1:]):
            finals[place].append(name)
        # (time, directions, batch, hidden) to (time, batch, features)
        x = e.reshape(e.op("Transpose", made[0], perm=[0, 2, 1, 3]), (time, batch, directions * hidden))
    if len(shape) == 2 or a["batch_first"]:
        x = e.reshape(x, node.shape) if len(shape) == 2 else e.op("Transpose", x, perm=[1, 0, 2])
    states = [parts[0] if len(parts) == 1 else e.op("Concat", *parts, axis=0) for parts in finals if parts]
    if len(shape) == 2:
        states = [e.reshape(s, (-1, hidden)) for s in states]
    return [x, *states]


def _reordered(op: str, weights: NDArray[Any]) -> NDArray[Any]:
    gates = np.split(weights, len(_GATES[op]), axis=0)
    return np.concatenate([gates[i] for i in _GATES[op]], axis=0)


def _stacked(e: Emitter, node: Node, name: str, ends: list[str]) -> str:
    own = e.weights[node.index]
    return e.tensor(np.stack([_reordered(node.op, own[name + end]) for end in ends]), name + ends[0], node)


def _biases(e: Emitter, node: Node, ends: list[str]) -> str:
    own = e.weights[node.index]
    if not node.attrs["bias"]:
        return ""
    both = [
        np.concatenate([_reordered(node.op, own[f"{name}{end}"]) for name in ("bias_ih", "bias_hh")]) for end in ends
    ]
    return e.tensor(np.stack(both), "bias" + ends[0], node)
