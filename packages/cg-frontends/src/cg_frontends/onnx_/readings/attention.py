"""Attention (opset 23): heads in an axis of their own or side by side, shared by several queries, with a cache of keys and values."""

from __future__ import annotations

from math import isclose
from typing import Any

import numpy as np

from cg_frontends.lowering.heads import repeat_heads
from cg_frontends.onnx_.importer import Importer, reads
from cg_frontends.onnx_.operation import Operation
from cg_ir import SourceError

_LARGEST = 2**24  # elements of a mask that is written out


@reads("Attention")
def attention(im: Importer, o: Operation) -> Any:
    if o.input(6) is not None or o.attrs.get("softmax_precision"):
        return NotImplemented
    a = o.attrs
    query, key, value = (_heads(im, o, i) for i in range(3))
    joined = len(im.shape(o.input(0))) == 3
    for cache, fresh in ((o.input(4), "key"), (o.input(5), "value")):
        if cache is None:
            continue
        if fresh == "key":
            key = im.add("Concat", cache, key, axis=2)
        else:
            value = im.add("Concat", cache, value, axis=2)
    present = [key, value]
    past = im.shape(key)[2] - im.shape(o.input(1))[1 if joined else 2]
    heads = im.shape(query)[1]
    key, value = repeat_heads(im.low, key, heads), repeat_heads(im.low, value, heads)
    windows = [int(a.get(f"{side}_window_size", -1)) for side in ("left", "right")]
    if windows != [-1, -1]:
        return NotImplemented
    scale = float(a.get("scale") or im.shape(query)[-1] ** -0.5)
    cap, mode = float(a.get("softcap", 0.0)), int(a.get("qk_matmul_output_mode", 0))
    causal = bool(a.get("is_causal", 0))
    mask, causal = _mask(im, o, im.shape(query)[2], im.shape(key)[2], past, causal)
    if o.wants(3) and mode == 2 and a.get("is_causal", 0):
        return NotImplemented  # what is hidden would be minus infinity, which a graph cannot record
    if cap or o.wants(3):
        result, scores = _written_out(im, query, key, value, mask, causal, scale, cap, mode)
    else:
        usual = isclose(scale, im.shape(query)[-1] ** -0.5, rel_tol=1e-6)
        how: dict[str, Any] = {"is_causal": causal, **({} if usual else {"scale": scale})}
        result, scores = im.add("Attention", query, key, value, *([] if mask is None else [mask]), **how), None
    if joined:
        n, h, length, width = im.shape(result)
        result = im.reshape(im.transpose(result, (0, 2, 1, 3)), (n, length, h * width))
    return [result, *present, scores]


def _heads(im: Importer, o: Operation, position: int) -> int:
    """Query, key or value as (batch, heads, length, width)."""
    node = im.node(o.input(position))
    shape = im.shape(node)
    count = int(o.attrs.get("q_num_heads" if position == 0 else "kv_num_heads") or 0)
    if len(shape) == 4:
        return node
    if len(shape) != 3 or count < 1 or shape[2] % count:
        raise SourceError(f"input {position} of shape {list(shape)} has no {count} heads")
    n, length, width = shape
    return im.transpose(im.reshape(node, (n, length, count, width // count)), (0, 2, 1, 3))


def _mask(im: Importer, o: Operation, length: int, other: int, past: int, causal: bool) -> tuple[int | None, bool]:
    """The mask, with later positions hidden in it where that cannot be said by an attribute."""
    mask = None if o.input(3) is None else im.node(o.input(3))
    if mask is not None and im.shape(mask)[-1] < other:  # what a mask does not reach is hidden
        rank, short = len(im.shape(mask)), other - im.shape(mask)[-1]
        boolean = o.dtype(3) == "bool"
        if boolean:
            mask = im.add("Cast", mask, to="float32")
        mask = im.add(
            "Pad", mask, pads=(*(0,) * (2 * rank - 1), short), value=0.0 if boolean else im.low.finite(-np.inf)
        )
        if boolean:
            mask = im.add("Cast", mask, to="bool")
    if not causal or (mask is None and past == 0):
        return mask, causal
    if length * other > _LARGEST:
        raise SourceError(f"a causal mask of {length} x {other} is beyond the limit of this reader")
    ones = im.add("Constant", shape=(length, other), value=(1.0,))
    shown = im.add("Trilu", ones, upper=False, k=past)
    if mask is None:
        return im.add("Cast", shown, to="bool"), False
    if o.dtype(3) == "bool":
        return im.add("And", mask, im.add("Cast", shown, to="bool")), False
    hidden = im.add("Where", im.add("Cast", shown, to="bool"), im.scalar(0.0), im.scalar(im.low.finite(-np.inf)))
    return im.add("Add", mask, hidden), False


def _written_out(
    im: Importer, query: int, key: int, value: int, mask: int | None, causal: bool, scale: float, cap: float, mode: int
) -> tuple[int, int]:
    """Attention as the products that it is made of, and the scores at the stage that ``mode`` names."""
    turned = im.transpose(key, (0, 1, 3, 2))
    stages = [im.add("MatMul", im.add("Mul", query, im.scalar(scale)), turned)]
    scores = stages[0]
    if cap:
        scores = im.add("Mul", im.add("Tanh", im.add("Div", scores, im.scalar(cap))), im.scalar(cap))
    capped = scores
    if causal:
        ones = im.add("Constant", shape=im.shape(scores)[2:], value=(1.0,))
        shown = im.add("Cast", im.add("Trilu", ones, upper=False), to="bool")
        scores = im.add("Where", shown, scores, im.scalar(im.low.finite(-np.inf)))
    if mask is not None:
        source = im.low.specs[mask]
        boolean = source.op in ("And",) or source.attrs.get("to") == "bool" or source.attrs.get("dtype") == "bool"
        if boolean:
            mask = im.add("Where", mask, im.scalar(0.0), im.scalar(im.low.finite(-np.inf)))
        scores = im.add("Add", scores, mask)
    stages += [capped, scores]
    weights = im.add("Softmax", scores, axis=3)
    if mask is not None:  # a query that may look at nothing gets nothing
        seen = im.add("Greater", im.add("ReduceMax", scores, axes=(3,)), im.scalar(-1e38))
        weights = im.add("Where", seen, weights, im.scalar(0.0))
    stages.append(weights)
    return im.add("MatMul", weights, value), stages[mode]
