"""Recurrent layers and embeddings: shapes, states, weights and products of torch's layers, and what is refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from operator_uses import batched, refusal, use  # noqa: E402

from cg_ir.operators import OPERATORS  # noqa: E402

RECURRENT = ("LSTM", "GRU", "RNN")


def options(op: str) -> list[dict[str, Any]]:
    grid = product((1, 2), (False, True), (False, True), (False, True), (0, 2) if op == "LSTM" else (0,))
    names = ("num_layers", "bidirectional", "batch_first", "bias", "proj_size")
    return [{n: v for n, v in zip(names, values, strict=True) if n != "proj_size" or op == "LSTM"} for values in grid]


@pytest.mark.parametrize("shape", [(5, 4), (2, 5, 4)])
@pytest.mark.parametrize("op", RECURRENT)
def test_recurrent_layers_are_torchs(op: str, shape: tuple[int, ...]) -> None:
    for attrs in options(op):
        layer = getattr(torch.nn, op)(4, 6, **attrs)
        with torch.no_grad():  # on meta tensors torch spells every step out, which takes longer
            outputs, states = layer(torch.zeros(shape))
        states = [tuple(s.shape) for s in (states if op == "LSTM" else [states])]
        node = use(op, shape, hidden_size=6, **attrs)
        assert node.shape == outputs.shape, attrs
        assert OPERATORS[op].further([shape], node.attrs, node.shape) == states
        held = {name: tuple(p.shape) for name, p in layer.named_parameters()}
        assert OPERATORS[op].tensors([shape], node.attrs, node.shape) == held
        assert node.params == sum(p.numel() for p in layer.parameters())
        steps = 5 * (2 if len(shape) == 3 else 1)
        assert node.macs == steps * sum(p.numel() for n, p in layer.named_parameters() if n.startswith("weight"))
        assert use(op, shape, *states, hidden_size=6, **attrs).shape == node.shape  # what comes out may go in again


def test_embeddings_are_torchs() -> None:
    layer = torch.nn.Embedding(11, 4)
    for shape in ((), (5,), (1, 5), (2, 3, 5)):
        node = use("Embedding", shape, num_embeddings=11, channels=4)
        assert node.shape == layer(torch.zeros(shape, dtype=torch.int64)).shape
        assert (node.params, node.macs) == (layer.weight.numel(), 0)


@pytest.mark.parametrize("batch_first", [False, True])
def test_batches_of_sequences_and_of_states(batch_first: bool) -> None:
    own, attrs = 0 if batch_first else 1, {"hidden_size": 3, "batch_first": batch_first}
    layer = torch.nn.GRU(4, 3, batch_first=batch_first).requires_grad_(False)
    shape = (1, 5, 4) if batch_first else (5, 1, 4)
    pair, states = [torch.randn(shape), torch.randn(shape)], [torch.randn(1, 1, 3), torch.randn(1, 1, 3)]
    run = lambda x, *s, plan: layer(x, *s)[0]  # noqa: E731
    assert batched("GRU", run, [pair], [own], **attrs) == own
    assert batched("GRU", run, [pair, states], [own, 1], **attrs) == own
    assert batched("GRU", run, [pair, states[0]], [own, None], **attrs) == own  # one state for all is repeated
    signature = use("GRU", shape, (1, 1, 3), **attrs).signature
    assert all(OPERATORS["GRU"].batch(signature, axes).apart for axes in ((1 - own, 1), (own, 0), (None, 1)))


@pytest.mark.parametrize(
    ("op", "shapes", "attrs", "message"),
    [
        ("LSTM", [(4,)], {"hidden_size": 3}, "a sequence should have 2 or 3 axes, not shape [4]"),
        ("GRU", [(1, 2, 3, 4)], {"hidden_size": 3}, "a sequence should have 2 or 3 axes, not shape [1, 2, 3, 4]"),
        ("LSTM", [(4, 1, 5)], {"hidden_size": 3, "proj_size": 3}, "proj_size should be less than hidden_size 3, not 3"),
        ("RNN", [(4, 1, 5)], {"hidden_size": 3, "nonlinearity": "gelu"}, "attribute 'nonlinearity' should be one of tanh, relu, not 'gelu'"),
        ("GRU", [(4, 1, 5), (1, 4, 3)], {"hidden_size": 3}, "states should have shapes [[1, 1, 3]], not [[1, 4, 3]]"),
        ("GRU", [(4, 5), (1, 1, 3)], {"hidden_size": 3}, "states should have shapes [[1, 3]], not [[1, 1, 3]]"),
        ("LSTM", [(4, 1, 5), (1, 1, 3)], {"hidden_size": 3}, "states should have shapes [[1, 1, 3], [1, 1, 3]], not [[1, 1, 3]]"),
        ("LSTM", [(4, 5), (2, 3), (2, 2)], {"hidden_size": 3, "num_layers": 2}, "states should have shapes [[2, 3], [2, 3]], not [[2, 3], [2, 2]]"),
        ("Embedding", [(1, 5)], {"num_embeddings": 11}, "Embedding needs its output channels or shape"),
        ("Embedding", [(1, 5)], {"num_embeddings": 0, "channels": 4}, "attribute 'num_embeddings' should be at least 1, not 0"),
    ],
)  # fmt: skip
def test_uses_that_cannot_be_are_refused(
    op: str, shapes: list[tuple[int, ...]], attrs: dict[str, Any], message: str
) -> None:
    assert refusal(op, *shapes, **attrs) == message
