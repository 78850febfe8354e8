"""Which tensors of an ONNX file are learned, told by where its operators read them.

A file has initializers and ``Constant`` nodes, and says of neither whether it was learned. Floats that are initializers are taken for
parameters, except those that operators read only as arguments (scales of a Resize, bounds of a Clip, running statistics, quantisation
scales). Beside them, what stands where an operator has its weights is a parameter, whether it is written as a ``Constant`` node or, in
quantised files, as integers behind a ``DequantizeLinear``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import onnx

#: Inputs that hold learned tensors.
_WEIGHTS = {
    "Conv": (1, 2), "ConvTranspose": (1, 2), "ConvInteger": (1,), "QLinearConv": (3, 8), "QLinearMatMul": (3,), "MatMulInteger": (1,),
    "Gemm": (1, 2), "MatMul": (1,), "BatchNormalization": (1, 2), "InstanceNormalization": (1, 2), "GroupNormalization": (1, 2),
    "LayerNormalization": (1, 2), "RMSNormalization": (1,), "PRelu": (1,), "LSTM": (1, 2, 3, 7), "GRU": (1, 2, 3), "RNN": (1, 2, 3),
    "DeformConv": (1, 3), "Gather": (0,),
}  # fmt: skip
#: Inputs that tell an operator what to do; all of them where none is listed.
_ARGUMENTS: dict[str, tuple[int, ...]] = {
    "Resize": (1, 2, 3), "Clip": (1, 2), "Pad": (1, 2, 3), "Dropout": (1, 2), "BatchNormalization": (3, 4),
    "QuantizeLinear": (1, 2), "DequantizeLinear": (1, 2), "QLinearConv": (1, 2, 4, 5, 6, 7), "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "ConvInteger": (2, 3), "MatMulInteger": (2, 3), "OneHot": (1, 2), "Range": (0, 1, 2), "CastLike": (1,), "STFT": (1, 2, 3),
}  # fmt: skip
#: Operators through which a learned tensor stays one.
_THROUGH = frozenset(
    {"Identity", "Cast", "Transpose", "Reshape", "Unsqueeze", "Squeeze", "DequantizeLinear", "QuantizeLinear"}
)
_ARGUMENT, _OTHER = "argument", "other"


class Roles:
    """What the tensors of a graph are to its operators.

    Attributes:
        learned: names of tensors that stand where an operator has its weights.
        quantised: those of them that are integers in the place of floats.
    """

    def __init__(self, nodes: Iterable[onnx.NodeProto], outputs: Iterable[str]) -> None:
        self.learned: set[str] = set()
        self.quantised: set[str] = set()
        self._roles: dict[str, set[str]] = defaultdict(set)
        given = list(nodes)
        self._scales = {name for node in given if node.op_type == "DynamicQuantizeLinear" for name in node.output[1:]}
        for name in outputs:
            self._roles[name].add(_OTHER)
        for node in reversed(given):
            self._node(node)

    def is_argument(self, name: str) -> bool:
        """Whether operators read a tensor only to know what to do."""
        return self._roles.get(name) == {_ARGUMENT}

    def _node(self, node: onnx.NodeProto) -> None:
        through = node.op_type in _THROUGH
        weights = _WEIGHTS.get(node.op_type, ())
        arguments = _ARGUMENTS.get(node.op_type, ())
        if node.op_type == "Mul" and self._scales & set(node.input):  # undoes a dynamic quantisation
            arguments = (0, 1)
        for position, name in enumerate(node.input):
            if position in weights or (through and position == 0 and node.output and node.output[0] in self.learned):
                self.learned.add(name)
            if through and position == 0 and node.output:
                self._roles[name] |= self._roles.get(node.output[0], set())
            else:
                self._roles[name].add(_ARGUMENT if position in arguments else _OTHER)
        if (
            node.input and node.input[0] in self.learned and node.op_type in ("DequantizeLinear", "QuantizeLinear")
        ) or (through and node.output and node.output[0] in self.quantised):
            self.quantised.add(node.input[0])
        if node.op_type in ("ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"):
            self.quantised |= {node.input[p] for p in weights if p < len(node.input)}
