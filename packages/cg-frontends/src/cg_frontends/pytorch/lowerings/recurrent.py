"""Recurrent layers, whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cg_frontends.lowering.lowering import Lowering, lowers
from cg_frontends.lowering.tape import CONSTANT, Value


def _layer(op: str, gates: int, **attrs: Any) -> Any:
    def lower(low: Lowering, out: Sequence[Any], x: Value, states: Any, params: Any, *rest: Any) -> Any:
        if not isinstance(params, (list, tuple)) or (op == "LSTM" and not isinstance(states, (list, tuple))):
            return NotImplemented  # a packed sequence
        if not all(low.owned(p) for p in params):
            return NotImplemented
        biases, layers, _dropout, _train, bidirectional, batch_first = rest
        given = [states] if isinstance(states, Value) else states
        hidden, width = params[0].shape[0] // gates, params[1].shape[1]
        how = {"hidden_size": hidden, "num_layers": layers, **({} if width == hidden else {"proj_size": width})}
        how |= {"bidirectional": bool(bidirectional), "batch_first": bool(batch_first), "bias": bool(biases)}
        states = [] if all(s.kind == CONSTANT and s.fill == 0.0 for s in given) else given
        return low.select(low.add(op, x, *states, shape=out[0].shape, slots=params, **attrs, **how), out)

    return lower


lowers("lstm")(_layer("LSTM", 4))
lowers("gru")(_layer("GRU", 3))
lowers("rnn_tanh")(_layer("RNN", 1, nonlinearity="tanh"))
lowers("rnn_relu")(_layer("RNN", 1, nonlinearity="relu"))
