"""What a single operator contributes: numbers that depend on a signature alone.

A signature is an operator with its attributes, input shapes and output shape, so everything here is computed once
for each distinct signature and looked up by code.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.operators import OPERATORS

CLASSES = (
    "conv1",  # convolution with a 1x1 kernel
    "convk",  # convolution with a larger kernel, grouped ones included
    "depthwise",  # convolution with one input channel a group
    "linear",  # affine map of an axis, embedding
    "mixer",  # attention, products of two data tensors, recurrent layers
    "norm",
    "activation",
    "gate",  # activations with bounded output: sigmoid, softmax, ...
    "pool",
    "global_pool",
    "add",
    "concat",
    "mul",
    "layout",
    "other",
    "io",  # input, output, parameter, constant
)
_CLASS = {name: i for i, name in enumerate(CLASSES)}

PAIR_CLASSES = ("conv1", "convk", "depthwise", "dense", "norm", "activation", "pool", "join")
"""Coarser classes, for pairs of neighbouring operators."""
_PAIR = {
    "conv1": 0, "convk": 1, "depthwise": 2, "linear": 3, "mixer": 3, "norm": 4, "activation": 5, "gate": 5, "pool": 6, "global_pool": 6,
}  # fmt: skip

PATH_COUNTS = (
    "conv1", "convk", "depthwise", "linear", "mixer", "norm", "activation", "pool", "weighted", "field", "macs", "params",
)  # fmt: skip
"""Quantities that add up along a path. ``weighted``: operators with a weight matrix; ``field``: growth of the
receptive field as a share of the extent of the operator's input, (kernel - 1) * dilation / extent; ``macs``, ``params``: of the operator."""

JOIN_RULES = ("sum", "concat", "product", "mean")
"""How an operator with several data inputs joins their signals."""

# bounded activations forget the scale of their input; the gain of others is the factor on the signal's variance
_GATES = {"Sigmoid", "HardSigmoid"}
_PRODUCTS = {"Mul", "Div", "MatMul", "Einsum", "Pow", "Mod", "And"}
_MEANS = {"Max", "Min", "Mean", "Where", "Attention", "LSTM", "GRU", "RNN"}
_SUMS = {"Add", "Sub"}
# class of an operator by the kind under which the operator table lists it; `_row` refines some
_CLASS_OF_KIND = {
    "source": "io", "sink": "io", "conv": "convk", "matmul": "mixer", "attention": "mixer", "recurrent": "mixer", "embedding": "linear",
    "norm": "norm", "activation": "activation", "pool": "pool", "reduce": "global_pool", "join": "concat", "layout": "layout",
    "pad": "layout", "gather": "layout",
}  # fmt: skip

_FIELDS = (
    "kind", "pair", "rule", "gain", "normalises", "saturates", "moment", "fan_in", "weighted", "extent", "width", "kernel",
    "stride", "dilation", "groups", "numel", "activation_elements", "params", "macs", "is_input", "is_layout", "is_io",
)  # fmt: skip


class SignatureFeatures:
    """Columns over the rows of a ``cg_ir.SignatureTable``, which keeps them; every attribute is a float64 array (rows,).

    ``kind``, ``pair``, ``rule``: indices into CLASSES, PAIR_CLASSES, JOIN_RULES. ``gain``: log factor on the signal variance.
    ``normalises``: output variance is 1 whatever the input. ``saturates``: output variance is ``exp(moment)`` whatever the input.
    ``fan_in``: log of the inputs to one output of a weighted operator. ``extent``: square root of the number of positions of the
    output (pixels, tokens), 1 without. ``width``: log channels. ``kernel``: log kernel area. ``stride``, ``dilation``, ``groups``:
    log2. ``numel``: elements of the output. ``path_counts``: (rows, PATH_COUNTS).
    """

    def __init__(self, table: Any) -> None:
        values = table.column(_row, np.float64)
        self._columns = {name: values[:, i] for i, name in enumerate(_FIELDS)}
        self.path_counts: NDArray[np.float64] = values[:, len(_FIELDS) :]

    def __getattr__(self, name: str) -> NDArray[np.float64]:
        try:
            return self.__dict__["_columns"][name]
        except KeyError:
            raise AttributeError(name) from None


def extent_and_width(shape: tuple[int, ...]) -> tuple[float, int]:
    """Extent (square root of the positions) and channels of a tensor.

    Rank 4 or more is (batch, channels, space...); rank 3 is (batch, tokens, channels); lower ranks have one position.
    """
    if len(shape) >= 4:
        return math.sqrt(max(1, math.prod(shape[2:]))), max(1, shape[1])
    if len(shape) == 3:
        return math.sqrt(max(1, shape[1])), max(1, shape[2])
    return 1.0, max(1, shape[-1]) if shape else 1


def _row(signature: Any) -> tuple[float, ...]:
    op, attrs, shape = signature.op, signature.attrs, tuple(signature.shape)
    inputs = [tuple(s) for s in signature.input_shapes]
    params, macs = int(signature.params), int(signature.macs)
    extent, width = extent_and_width(shape)
    in_extent, in_width = extent_and_width(inputs[0]) if inputs else (extent, width)
    kernel = [int(k) for k in attrs.get("kernel_shape") or ()] or [1]
    area = math.prod(kernel)
    side = area ** (1 / len(kernel))
    strides = [int(k) for k in attrs.get("strides") or ()] or [1]
    dilations = [int(k) for k in attrs.get("dilations") or ()] or [1]
    groups = int(attrs.get("group", 1) or 1)
    numel = max(1, math.prod(shape))

    gain, moment, fan_in = 0.0, 0.0, 0.0
    kind = _CLASS_OF_KIND.get(OPERATORS[op].kind, "other")
    if OPERATORS[op].kind == "conv":
        kind = "depthwise" if groups > 1 and groups == in_width else "conv1" if area == 1 else "convk"
        fan_in = math.log(max(1.0, area * in_width / groups))
    elif op == "Gemm" or (params and kind == "mixer"):
        kind = "linear" if op == "Gemm" else kind
        fan_in = math.log(max(1.0, float(in_width)))
    elif op in _GATES:
        kind, moment = "gate", math.log(OPERATORS[op].gain or 1.0)
    elif op in ("Softmax", "LogSoftmax"):  # as if all entries were equal
        kind, moment = "gate", -2 * math.log(max(2, width))
    elif (factor := OPERATORS[op].gain) is not None:
        kind, gain = "activation", math.log(factor)
    elif kind == "pool":
        if not op.startswith(("MaxPool", "AveragePool", "LpPool")):
            side = max(1.0, in_extent / extent)
            kind = "global_pool" if extent == 1.0 else "pool"
        gain = -math.log(side) if "Average" in op else 0.0
    elif op == "ReduceMean":
        gain = -math.log(max(1.0, in_extent / extent))
    elif op in _SUMS:
        kind = "add"
    elif op in _PRODUCTS:
        kind = "mul" if op not in ("MatMul", "Einsum") else "mixer"
    elif kind == "other" and params:
        fan_in = math.log(max(1.0, params / width))
    weighted = float(
        fan_in > 0.0 or (params > 0 and kind in ("conv1", "convk", "depthwise", "linear", "mixer", "other"))
    )
    normalises, saturates = float(kind == "norm"), float(kind == "gate")
    acts = float(kind in ("activation", "gate"))
    rule = "concat" if op == "Concat" else "product" if op in _PRODUCTS else "mean" if op in _MEANS else "sum"
    field = sum((k - 1) * d for k, d in zip(kernel, dilations * len(kernel), strict=False)) / len(kernel) / in_extent
    counts = [float(kind == c) for c in PATH_COUNTS[:6]]
    counts += [acts, float(kind == "pool"), weighted, min(field, 4.0), float(macs), float(params)]
    return (
        _CLASS[kind], _PAIR.get(kind, 7), JOIN_RULES.index(rule), gain, normalises, saturates, moment, fan_in, weighted, extent,
        math.log(width), math.log(area), math.log2(max(strides)), math.log2(max(dilations)), math.log2(groups), numel,
        acts * numel, params, macs, op == "Input", kind == "layout", kind == "io", *counts,
    )  # fmt: skip
