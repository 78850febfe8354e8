"""Layers of sequence models: recurrent ones, and rows looked up by number."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.errors import GraphError
from cg_ir.operators import batch
from cg_ir.operators.attribute import Attribute
from cg_ir.operators.batch import APART, Axes, Plan, Use
from cg_ir.operators.operator import Emitter, Node, Operator
from cg_ir.operators.shapes import Attrs, CostRule, PartialShape, Shape, TensorRule
from cg_ir.operators.torch_text import Call, Number, Template, flag


def recurrent_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The sequence of the last layer's outputs, (batch, time, features) or (time, batch, features).

    States are (layers x directions, batch, features); a sequence without a batch has states without one.
    """
    if len(ins[0]) not in (2, 3):
        raise GraphError(f"a sequence should have 2 or 3 axes, not shape {list(ins[0])}")
    hidden, project = attrs["hidden_size"], attrs.get("proj_size", 0)
    if project >= hidden:
        raise GraphError(f"proj_size should be less than hidden_size {hidden}, not {project}")
    directions = 2 if attrs["bidirectional"] else 1
    states = _recurrent_states(ins[0], attrs, 2 if "proj_size" in attrs else 1)
    if len(ins) > 1 and list(ins[1:]) != states:
        raise GraphError(f"states should have shapes {[list(s) for s in states]}, not {[list(s) for s in ins[1:]]}")
    return (*ins[0][:-1], (project or hidden) * directions)


def _recurrent_states(sequence: Shape, attrs: Attrs, count: int) -> list[Shape]:
    hidden, project = attrs["hidden_size"], attrs.get("proj_size", 0)
    layers = attrs["num_layers"] * (2 if attrs["bidirectional"] else 1)
    batch = sequence[0 if attrs["batch_first"] else 1 : 1 if attrs["batch_first"] else 2] if len(sequence) == 3 else ()
    return [(layers, *batch, width) for width in (project or hidden, hidden)[:count]]


def recurrent_states(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> Sequence[Shape] | None:
    """Output 1 is the last state of every layer and direction, output 2 that of the cells of an LSTM."""
    return _recurrent_states(ins[0], attrs, 2 if "proj_size" in attrs else 1)


def recurrent_tensors(gates: int) -> TensorRule:
    """torch's layout: for each layer and direction weights of input and state, two bias vectors, and the projection."""

    def tensors(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> dict[str, Shape]:
        hidden, project = attrs["hidden_size"], attrs.get("proj_size", 0)
        width, state = ins[0][-1], project or hidden
        directions = ("", "_reverse") if attrs["bidirectional"] else ("",)
        result: dict[str, Shape] = {}
        for layer in range(attrs["num_layers"]):
            for end in (f"_l{layer}{direction}" for direction in directions):
                result[f"weight_ih{end}"] = (gates * hidden, width)
                result[f"weight_hh{end}"] = (gates * hidden, state)
                if attrs["bias"]:
                    result[f"bias_ih{end}"] = result[f"bias_hh{end}"] = (gates * hidden,)
                if project:
                    result[f"weight_hr{end}"] = (project, hidden)
            width = state * len(directions)
        return result

    return tensors


def _matrices(gates: int, ins: Sequence[Shape], attrs: Attrs, biases: int) -> int:
    """The numbers in the matrices of all layers and directions, and ``biases`` more for each."""
    hidden, project = attrs["hidden_size"], attrs.get("proj_size", 0)
    directions = 2 if attrs["bidirectional"] else 1
    state = project or hidden
    first, other = (
        directions * (gates * hidden * (width + state) + biases + project * hidden)
        for width in (ins[0][-1], directions * state)
    )
    return int(first + (attrs["num_layers"] - 1) * other)


def recurrent_params(gates: int) -> CostRule:
    def params(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
        """Each layer and direction has g h (x + s) weights, 2 g h biases and, projected to s < h, s h more.

        g: gates (LSTM 4, GRU 3, RNN 1); h: hidden size; x: features of the layer's input; s: size of the state that is passed on.
        """
        return _matrices(gates, ins, attrs, 2 * gates * attrs["hidden_size"] if attrs["bias"] else 0)

    return params


def recurrent_macs(gates: int) -> CostRule:
    def macs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
        """The weights without biases, once for every time step and sequence."""
        return _matrices(gates, ins, attrs, 0) * prod(ins[0][:-1])

    return macs


def embedding_shape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """One row a number."""
    return (*ins[0], None)


def embedding_tensors(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> dict[str, Shape]:
    """One row a number."""
    return {"weight": (attrs["num_embeddings"], out[-1])}


def recurrent_batch(use: Use, axes: Axes) -> Plan:
    if len(use.shape) != 3 or axes[0] != (0 if use.attrs["batch_first"] else 1):
        return APART
    if any(axis not in (None, 1) for axis in axes[1:]):
        return APART
    return Plan(axes[0], repeat=(None, *(1 if axis is None else None for axis in axes[1:])))


def recurrent_layer(use: Use) -> Template:
    a = use.attrs
    ends: Template = (*flag("num_layers", a["num_layers"], 1), *flag("bias", a["bias"], True))
    for name in ("batch_first", "bidirectional"):
        ends += flag(name, a[name], False)
    ends += flag("proj_size", a.get("proj_size", 0), 0) + flag("nonlinearity", a.get("nonlinearity", "tanh"), "tanh")
    width, hidden = Number("input_size", use.input_shapes[0][-1]), Number("hidden_size", a["hidden_size"])
    return (f"nn.{use.op}(", width, ", ", hidden, *ends, ")")


def recurrent_torch(call: Call) -> str:
    states = f", ({', '.join(call.xs[1:])})" if len(call.xs) > 2 else f", {call.xs[1]}" if len(call.xs) > 1 else ""
    return f"{call.own}({call.x}{states})" + ("" if call.several else "[0]")


#: Order of PyTorch's gates in ONNX: input, output, forget, cell; update, reset, hidden.
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}


def recurrent_onnx(e: Emitter, node: Node) -> list[str] | None:
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
        made = e.ops(node.op, *inputs, outputs=3 if node.op == "LSTM" else 2, **attrs)
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


def embedding_onnx(e: Emitter, node: Node) -> str:
    index = e.source(node)
    if e.dtype(node) not in ("int64", "int32"):
        index = e.cast(index, "int64")
    return e.op("Gather", e.weight(node, "weight") or "", index, axis=0)


_RECURRENT = {
    "hidden_size": Attribute("int", minimum=1, doc="features of the state"),
    "num_layers": Attribute("int", 1, minimum=1, doc="stacked layers"),
    "bidirectional": Attribute("bool", False, doc="both directions, joined"),
    "batch_first": Attribute("bool", False, doc="axes are batch, time, features"),
    "bias": Attribute("bool", True, doc="two biases a gate"),
}


def _recurrent_operator(name: str, gates: int, states: int, doc: str, **further: Attribute) -> Operator:
    return Operator(
        name, "recurrent", (1, 1 + states), recurrent_shape, doc,
        tensors=recurrent_tensors(gates), params=recurrent_params(gates), macs=recurrent_macs(gates), further=recurrent_states,
        attributes={**_RECURRENT, **further},
        batch=recurrent_batch, owns=recurrent_layer, owned=name.lower(), torch=recurrent_torch, to_onnx=recurrent_onnx,
    )  # fmt: skip


SEQUENCES = [
    _recurrent_operator(
        "LSTM", 4, 2, "Long short-term memory; inputs sequence, state, cell. Outputs sequence, state, cell.",
        proj_size=Attribute("int", 0, minimum=0, doc="size of the projected state, 0 for none"),
    ),
    _recurrent_operator("GRU", 3, 1, "Gated recurrent unit; inputs sequence, state. Outputs sequence, state."),
    _recurrent_operator(
        "RNN", 1, 1, "Elman network; inputs sequence, state. Outputs sequence, state.",
        nonlinearity=Attribute("string", "tanh", choices=("tanh", "relu"), doc="activation"),
    ),
    Operator(
        "Embedding", "embedding", (1, 1), embedding_shape, "Learned rows looked up by number.", onnx=False, tensors=embedding_tensors,
        attributes={"num_embeddings": Attribute("int", minimum=1, doc="number of rows")}, batch=batch.keeps,
        owns=lambda use: ("nn.Embedding(", Number("num_embeddings", use.attrs["num_embeddings"]), ", ", Number("embedding_dim", use.shape[-1]), ")"),
        owned="embedding", ids=0, torch="{own}({x})", result="float32", to_onnx=embedding_onnx,
    ),
]  # fmt: skip
