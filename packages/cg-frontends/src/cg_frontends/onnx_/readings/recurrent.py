"""Recurrent layers: ONNX has one layer a node, with an axis of directions."""

from __future__ import annotations

from typing import Any

from cg_frontends.lowering.tape import CONSTANT, Value
from cg_frontends.onnx_.importer import Importer, Operation, reads


@reads("LSTM", "GRU", "RNN")
def recurrent(im: Importer, o: Operation) -> Any:
    x, weight, recurrence, bias = o.input(0), o.input(1), o.input(2), o.input(3)
    plain = (
        o.attrs.get("layout", 0) == 0
        and o.input(4) is None
        and o.input(7) is None
        and o.attrs.get("direction", "forward") != "reverse"
    )
    if o.op == "GRU" and bias is not None and not o.attrs.get("linear_before_reset", 0):
        plain = False  # torch's GRU, which is the format's, resets after the product
    if not (plain and im.owned(weight) and im.owned(recurrence) and (bias is None or im.owned(bias))):
        return NotImplemented
    sequence, batch, _ = im.shape(x)
    directions, _, hidden = im.shape(recurrence)
    attrs: dict[str, Any] = {"hidden_size": hidden, "bidirectional": directions == 2, "bias": bias is not None}
    if o.op == "RNN":
        activations = {
            a.lower() if isinstance(a, str) else a.decode().lower() for a in o.attrs.get("activations", ["Tanh"])
        }
        if activations not in ({"tanh"}, {"relu"}):
            return NotImplemented
        attrs["nonlinearity"] = activations.pop()
    states = [v for v in (o.input(5), o.input(6)) if v is not None]
    if all(isinstance(v, Value) and v.kind == CONSTANT and v.fill == 0.0 for v in states):
        states = []
    node = im.add(o.op, x, *states, slots=(weight, recurrence, bias), **attrs)
    state = (directions, batch, hidden)
    outputs = [im.transpose(im.reshape(node, (sequence, batch, directions, hidden)), (0, 2, 1, 3))]
    for index in range(1, o.outputs):
        outputs.append(im.add("Select", node, shape=state, index=index))
    return outputs
