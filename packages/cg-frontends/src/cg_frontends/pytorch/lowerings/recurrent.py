"""Recurrent layers, whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cg_frontends.lowering.lowering import Lowering, lowers
from cg_frontends.lowering.tape import CONSTANT, Value


def _layer(
    low: Lowering,
    out: Sequence[Any],
    op: str,
    gates: int,
    x: Value,
    states: Sequence[Value],
    params: Sequence[Value],
    biases: bool,
    layers: int,
    bidirectional: bool,
    batch_first: bool,
    **attrs: Any,
) -> Any:
    if not all(low.owned(p) for p in params):
        return NotImplemented
    hidden = params[0].shape[0] // gates
    width = params[1].shape[1]
    if width != hidden:
        attrs["proj_size"] = width
    zero = all(s.kind == CONSTANT and s.fill == 0.0 for s in states)
    node = low.add(
        op,
        x,
        *([] if zero else states),
        shape=out[0].shape,
        slots=params,
        hidden_size=hidden,
        num_layers=layers,
        bidirectional=bool(bidirectional),
        batch_first=bool(batch_first),
        bias=bool(biases),
        **attrs,
    )
    return low.select(node, out)


@lowers("lstm")
def lstm(low: Lowering, out: Sequence[Any], x: Value, states: Any, params: Any, *rest: Any) -> Any:
    if not isinstance(states, (list, tuple)) or not isinstance(params, (list, tuple)):
        return NotImplemented  # a packed sequence
    biases, layers, _dropout, _train, bidirectional, batch_first = rest
    return _layer(low, out, "LSTM", 4, x, states, params, biases, layers, bidirectional, batch_first)


@lowers("gru")
def gru(low: Lowering, out: Sequence[Any], x: Value, state: Any, params: Any, *rest: Any) -> Any:
    if not isinstance(params, (list, tuple)):
        return NotImplemented
    biases, layers, _dropout, _train, bidirectional, batch_first = rest
    return _layer(low, out, "GRU", 3, x, [state], params, biases, layers, bidirectional, batch_first)


@lowers("rnn_tanh")
def rnn_tanh(low: Lowering, out: Sequence[Any], x: Value, state: Any, params: Any, *rest: Any) -> Any:
    return _elman(low, out, "tanh", x, state, params, rest)


@lowers("rnn_relu")
def rnn_relu(low: Lowering, out: Sequence[Any], x: Value, state: Any, params: Any, *rest: Any) -> Any:
    return _elman(low, out, "relu", x, state, params, rest)


def _elman(
    low: Lowering, out: Sequence[Any], nonlinearity: str, x: Value, state: Any, params: Any, rest: tuple[Any, ...]
) -> Any:
    if not isinstance(params, (list, tuple)):
        return NotImplemented
    biases, layers, _dropout, _train, bidirectional, batch_first = rest
    return _layer(
        low, out, "RNN", 1, x, [state], params, biases, layers, bidirectional, batch_first, nonlinearity=nonlinearity
    )
