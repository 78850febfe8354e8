"""Recurrent layers: ONNX has one layer a node, with an axis of directions."""

from __future__ import annotations

from typing import Any

from cg_frontends.lowering.tape import CONSTANT, Value
from cg_frontends.onnx_.importer import Importer, reads
from cg_frontends.onnx_.operation import Operation

#: The activations that the format's layers have.
_USUAL = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"]}


@reads("LSTM", "GRU", "RNN")
def recurrent(im: Importer, o: Operation) -> Any:
    a = o.attrs
    weight, recurrence, bias = o.input(1), o.input(2), o.input(3)
    directions, _, hidden = im.shape(recurrence)
    activations = [str(v).lower() for v in a.get("activations") or []]
    nonlinearity = _nonlinearity(o.op, activations, directions)
    lengths, peepholes = o.input(4), o.input(7)
    if nonlinearity is None:
        return o.refuse(f"activations {', '.join(activations)}")
    if peepholes is not None or a.get("clip") or a.get("input_forget", 0):
        return o.refuse("peepholes, clip or input_forget")
    if o.op == "GRU" and not a.get("linear_before_reset", 0):
        return o.refuse("linear_before_reset=0")  # torch's GRU, which is the format's, resets after the product
    a.get("linear_before_reset", 0), a.get("hidden_size")
    a.get("activation_alpha"), a.get("activation_beta")  # of activations that are refused
    if not (im.owned(weight) and im.owned(recurrence) and (bias is None or im.owned(bias))):
        return o.refuse("weights that are computed or shared")
    batchwise = bool(a.get("layout", 0))
    x = im.transpose(o.input(0), (1, 0, 2)) if batchwise else im.node(o.input(0))
    sequence, batch, _ = im.shape(x)
    if lengths is not None and not (isinstance(lengths, Value) and lengths.fill == sequence):
        return o.refuse("lengths of sequences")
    backwards = a.get("direction", "forward") == "reverse"
    attrs: dict[str, Any] = {
        "hidden_size": hidden,
        "bidirectional": directions == 2,
        "bias": bias is not None,
        **nonlinearity,
    }
    states = _states(im, o, batchwise, (batch, directions, hidden) if batchwise else (directions, batch, hidden))
    node = im.add(o.op, im.flipped(x, 0) if backwards else x, *states, slots=(weight, recurrence, bias), **attrs)
    state = (directions, batch, hidden)
    whole = im.flipped(node, 0) if backwards else node
    whole = im.reshape(whole, (sequence, batch, directions, hidden))
    outputs = [im.transpose(whole, (1, 0, 2, 3) if batchwise else (0, 2, 1, 3))]
    for index in range(1, o.outputs):
        part = im.add("Select", node, shape=state, index=index)
        outputs.append(im.transpose(part, (1, 0, 2)) if batchwise else part)
    return outputs


def _nonlinearity(op: str, activations: list[str], directions: int) -> dict[str, Any] | None:
    """What the attribute ``activations`` comes to; ``None`` where the format's layers have no such."""
    if op == "RNN":
        names = set(activations) or {"tanh"}
        return {"nonlinearity": names.pop()} if names in ({"tanh"}, {"relu"}) else None
    return {} if not activations or activations == _USUAL[op] * directions else None


def _states(im: Importer, o: Operation, batchwise: bool, shape: tuple[int, ...]) -> list[Any]:
    """The states at the beginning; of the two of an LSTM, one that is left out is zero."""
    states = [o.input(5), o.input(6)] if o.op == "LSTM" else [o.input(5)]
    if all(v is None or (isinstance(v, Value) and v.kind == CONSTANT and v.fill == 0.0) for v in states):
        return []
    states = [Value(CONSTANT, shape, "float32", fill=0.0) if v is None else v for v in states]
    return [im.transpose(v, (1, 0, 2)) for v in states] if batchwise else states
