"""Small uses of every operator of the table, for tests that must not forget one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cg_ir.builder import GraphBuilder
from cg_ir.graph import Graph
from cg_ir.operators import OPERATORS

__all__ = ["SAMPLES", "OperatorSample", "samples"]

Shape = tuple[int, ...]


@dataclass(frozen=True)
class OperatorSample:
    """One use of an operator.

    Attributes:
        op: the operator.
        inputs: shapes of its inputs, each an ``Input`` of the graph.
        attrs: its attributes.
        shape: output shape, where the rule leaves it open.
        channels: output channels, where the rule leaves them open.
        dtypes: element types of the inputs, float32 where absent; ``index9`` are int64 below 9.
        learned: positions of inputs that are bare parameters instead of inputs of the graph.
        select: further outputs that are read, as number and shape.
    """

    op: str
    inputs: tuple[Shape, ...] = ()
    attrs: dict[str, Any] = field(default_factory=dict)
    shape: Shape | None = None
    channels: int | None = None
    dtypes: tuple[str, ...] = ()
    learned: tuple[int, ...] = ()
    select: tuple[tuple[int, Shape], ...] = ()

    def given(self) -> list[tuple[Shape, str]]:
        """Shape and element type of each ``Input``."""
        if self.op == "Input":
            return [(self.shape or (1, 3), "float32")]
        dtypes = [*self.dtypes, *("float32",) * (len(self.inputs) - len(self.dtypes))]
        return [(s, d) for i, (s, d) in enumerate(zip(self.inputs, dtypes, strict=True)) if i not in self.learned]

    def graph(self) -> Graph:
        """The operator between inputs and outputs, not canonicalised; a dimension of batch leads every input."""
        builder = GraphBuilder(self.op, canonical=False)
        if self.op == "Input":
            builder.output(builder.input(self.shape or (1, 3)))
            return builder.build()
        dtypes = [*self.dtypes, *("float32",) * (len(self.inputs) - len(self.dtypes))]
        ins = [
            builder.parameter(shape)
            if i in self.learned
            else builder.input(shape, dtype="int64" if dtype.startswith("index") else dtype)
            for i, (shape, dtype) in enumerate(zip(self.inputs, dtypes, strict=True))
        ]
        if self.op == "Output":
            builder.output(ins[0])
            return builder.build()
        node = builder.add(self.op, *ins, shape=self.shape, channels=self.channels, **self.attrs)
        builder.output(node)
        for index, shape in self.select:
            builder.output(builder.add("Select", node, index=index, shape=shape))
        return builder.build()


def _lstm() -> dict[str, Any]:
    return {"hidden_size": 6, "proj_size": 2, "bidirectional": True, "batch_first": True}


def _added() -> dict[str, Any]:
    return {"reduction": "add"}


def _whole(shape: Shape, cut: dict[int, tuple[int, int, int]]) -> dict[str, Any]:
    bounds = [cut.get(axis, (0, size, 1)) for axis, size in enumerate(shape)]
    return {name: tuple(b[i] for b in bounds) for i, name in enumerate(("starts", "ends", "steps"))}


def _average(**attrs: Any) -> dict[str, Any]:
    return {"kernel_shape": (3, 3), **attrs}


_S = OperatorSample
_IMAGE: Shape = (1, 4, 6, 8)
_TOKENS: Shape = (1, 5, 8)
_HEADS: Shape = (1, 2, 5, 4)
_LISTED = [
    _S("Input", shape=_IMAGE),
    _S("Output", (_IMAGE,)),
    _S("Parameter", shape=(1, 5, 8)),
    _S("Constant", attrs={"value": (1.0, 2.0, 3.0)}, shape=(1, 3)),
    _S("Constant", attrs={"value": (0.5,)}, shape=()),
    _S("Constant", attrs={"value": (2.0,), "dtype": "int64"}, shape=(1, 2)),
    _S("Constant", shape=(1, 2)),
    _S("Custom", (_IMAGE,), {"name": "org.example.Fft", "params": 7}, shape=_IMAGE),
    # products
    _S("Conv", (_IMAGE,), {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}, channels=6),
    _S("Conv", (_IMAGE,), {"kernel_shape": (3, 3), "pads": (0, 1, 1, 0), "strides": (2, 2), "bias": True}, channels=6),
    _S("Conv", (_IMAGE,), {"kernel_shape": (3, 3), "pads": (2, 2, 2, 2), "dilations": (2, 2), "group": 2}, channels=6),
    _S("Conv", ((1, 4, 9),), {"kernel_shape": (3,)}, channels=2),
    _S("Conv", ((1, 2, 4, 4, 4),), {"kernel_shape": (2, 2, 2), "strides": (2, 2, 2)}, channels=3),
    _S("ConvTranspose", (_IMAGE,), {"kernel_shape": (3, 3), "strides": (2, 2), "output_padding": (1, 1)}, channels=2),
    _S("ConvTranspose", (_IMAGE,), {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (0, 0, 1, 1)}, channels=2),
    _S("ConvTranspose", ((1, 4, 7),), {"kernel_shape": (4,), "pads": (1, 1), "bias": True, "group": 2}, channels=2),
    _S("Conv", (_IMAGE, (6, 2, 3, 3)), {"kernel_shape": (3, 3), "group": 2, "bias": True}, learned=(1,)),
    _S("Conv", (_IMAGE, (6, 4, 1, 1)), {"kernel_shape": (1, 1)}),
    _S("ConvTranspose", (_IMAGE, (4, 3, 2, 2)), {"kernel_shape": (2, 2), "strides": (2, 2), "bias": True}, learned=(1,)),
    _S("Gemm", ((1, 8),), {"bias": True}, channels=3),
    _S("Gemm", (_TOKENS,), channels=3),
    _S("ExpertGemm", ((1, 5, 8), (1, 5)), {"num_experts": 9}, channels=3, dtypes=("float32", "index9")),
    _S("MatMul", (_HEADS, (1, 2, 4, 5))),
    _S("MatMul", (_TOKENS, (8, 3)), learned=(1,)),
    _S("MatMul", ((3, 5), (1, 5, 2)), learned=(0,)),
    _S("MatMul", ((1, 5), (5,)), learned=(1,)),
    _S("Einsum", (_HEADS, _HEADS), {"equation": "bhqe,bhke->bhqk"}),
    _S("Einsum", (_TOKENS, (8, 2)), {"equation": "btc,cd->dbt"}, learned=(1,)),
    _S("Einsum", (_TOKENS,), {"equation": "btc->tbc"}),
    _S("Einsum", ((1, 5), (1, 5)), {"equation": "bi,bj->ij"}),
    _S("Attention", (_HEADS, _HEADS, _HEADS)),
    _S("Attention", (_HEADS, _HEADS, _HEADS), {"is_causal": True, "scale": 0.5}),
    _S("Attention", (_HEADS, (1, 2, 7, 4), (1, 2, 7, 3), (1, 2, 5, 7)), learned=(3,)),
    _S("Attention", ((6, 5, 4), (6, 5, 4), (6, 5, 4), (6, 5, 5)), learned=(3,)),
    _S("Attention", ((1, 2, 3, 4), _HEADS, _HEADS), learned=(0,)),
    _S("LSTM", (_TOKENS,), {"hidden_size": 3, "batch_first": True}, select=((1, (1, 1, 3)), (2, (1, 1, 3)))),
    _S("LSTM", (_TOKENS, (2, 1, 2), (2, 1, 6)), _lstm(), learned=(1, 2), select=((2, (2, 1, 6)),)),
    _S("GRU", (_TOKENS,), {"hidden_size": 3, "batch_first": True, "num_layers": 2, "bidirectional": True}),
    _S("RNN", (_TOKENS,), {"hidden_size": 3, "batch_first": True, "nonlinearity": "relu", "bias": False}),
    _S("RNN", ((5, 8),), {"hidden_size": 3}),
    _S("Embedding", ((1, 5),), {"num_embeddings": 11}, channels=4, dtypes=("int64",)),
    # normalisations
    _S("BatchNormalization", (_IMAGE,)),
    _S("BatchNormalization", ((1, 8),), {"affine": False, "epsilon": 1e-3}),
    _S("BatchNormalization", ((1, 4, 9),)),
    _S("BatchNormalization", ((1, 2, 3, 4, 5),)),
    _S("InstanceNormalization", (_IMAGE,)),
    _S("InstanceNormalization", ((1, 4, 9),), {"affine": False}),
    _S("GroupNormalization", (_IMAGE,), {"num_groups": 2}),
    _S("LayerNormalization", (_TOKENS,), {"axis": 2, "epsilon": 1e-6}),
    _S("LayerNormalization", (_IMAGE,), {"axis": 1, "bias": False}),
    _S("LayerNormalization", (_IMAGE,), {"axis": 2, "affine": False}),
    _S("RMSNormalization", (_TOKENS,), {"axis": 2}),
    _S("LRN", (_IMAGE,), {"size": 3, "alpha": 0.1}),
    _S("LRN", ((1, 8),), {"size": 5, "beta": 0.5, "k": 2.0}),
    _S("LpNormalization", (_TOKENS,), {"axis": 2}),
    _S("LpNormalization", (_TOKENS,), {"axis": 1, "p": 1, "epsilon": 1e-6}),
    # activations
    _S("LeakyRelu", (_IMAGE,), {"alpha": 0.2}),
    _S("Elu", (_IMAGE,), {"alpha": 0.5}),
    _S("Celu", (_IMAGE,), {"alpha": 0.5}),
    _S("Gelu", (_IMAGE,)),
    _S("Gelu", (_IMAGE,), {"approximate": "tanh"}),
    _S("Softplus", (_IMAGE,), {"beta": 2.0}),
    _S("PRelu", (_IMAGE,)),
    _S("PRelu", (_IMAGE,), {"num_parameters": 4}),
    _S("Clip", (_IMAGE,), {"min": 0.0, "max": 6.0}),
    _S("Clip", (_IMAGE,), {"max": 0.5}),
    _S("Softmax", (_TOKENS,), {"axis": 2}),
    _S("Softmax", ((3, 4),), {"axis": 0}),
    _S("LogSoftmax", (_TOKENS,), {"axis": 1}),
    # pooling
    _S("MaxPool", (_IMAGE,), {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)}),
    _S("MaxPool", (_IMAGE,), {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (0, 0, 1, 1)}),
    _S("MaxPool", (_IMAGE,), {"kernel_shape": (2, 2), "dilations": (2, 2), "ceil_mode": True, "strides": (2, 2)}),
    _S("MaxPool", ((1, 4, 9),), {"kernel_shape": (3,)}, select=((1, (1, 4, 7)),)),
    _S("MaxPool", ((1, 2, 2, 6, 6),), {"kernel_shape": (2, 2)}),
    _S("MaxPool", ((1, 2, 2, 6, 6),), {"kernel_shape": (2, 2)}, select=((1, (1, 2, 2, 5, 5)),)),
    _S("AveragePool", (_IMAGE,), _average(pads=(1, 1, 1, 1), count_include_pad=True)),
    _S("AveragePool", (_IMAGE,), _average(pads=(1, 1, 1, 1), count_include_pad=False)),
    _S("AveragePool", (_IMAGE,), _average(pads=(0, 1, 1, 2), count_include_pad=False, strides=(2, 2))),
    _S("AveragePool", (_IMAGE,), _average(count_include_pad=True, ceil_mode=True, strides=(2, 2))),
    _S("AveragePool", ((4, 6, 8),), _average(count_include_pad=True)),
    _S("LpPool", (_IMAGE,), {"kernel_shape": (2, 2), "strides": (2, 2)}),
    _S("LpPool", ((1, 4, 9),), {"kernel_shape": (3,), "p": 3, "pads": (1, 0)}),
    _S("GlobalAveragePool", (_IMAGE,)),
    _S("GlobalAveragePool", ((1, 4, 9),)),
    _S("GlobalMaxPool", (_IMAGE,)),
    _S("GlobalMaxPool", ((1, 4, 2, 3, 4),)),
    _S("AdaptiveAveragePool", (_IMAGE,), {"output_size": (3, 5)}),
    _S("AdaptiveMaxPool", (_IMAGE,), {"output_size": (2, 2)}, select=((1, (1, 4, 2, 2)),)),
    # elementwise
    _S("Add", (_IMAGE, _IMAGE, (1, 4, 1, 1))),
    _S("Add", (_TOKENS, (5, 8)), learned=(1,)),
    _S("Add", ((6, 5, 8), (6, 5, 8)), learned=(1,)),
    _S("Add", ((1, 8), (3, 8)), learned=(1,)),
    _S("Mul", (_IMAGE, (1, 4, 1, 1))),
    _S("Mul", ((5, 1), (1, 8)), learned=(0,)),
    _S("Sub", (_IMAGE, _IMAGE)),
    _S("Div", (_IMAGE, _IMAGE)),
    _S("Pow", (_IMAGE, _IMAGE)),
    _S("Mod", (_IMAGE, _IMAGE)),
    _S("Mod", (_IMAGE, _IMAGE), {"fmod": True}),
    _S("Div", (_IMAGE, _IMAGE), {"rounding": "trunc"}),
    _S("Atan2", (_IMAGE, (1, 1, 6, 8))),
    _S("BitwiseAnd", (_IMAGE, _IMAGE), dtypes=("index9", "index9")),
    _S("BitwiseOr", (_IMAGE, _IMAGE), dtypes=("index9", "index9")),
    _S("BitwiseXor", (_IMAGE, _IMAGE), dtypes=("index9", "index9")),
    _S("BitwiseNot", (_IMAGE,), dtypes=("index9",)),
    _S("BitShift", (_IMAGE, _IMAGE), {"direction": "right"}, dtypes=("index9", "index4")),
    _S("IsInf", (_IMAGE,)),
    _S("IsInf", (_IMAGE,), {"detect_negative": False}),
    _S("Max", (_IMAGE, _IMAGE, _IMAGE)),
    _S("Min", (_IMAGE, (1, 1, 6, 8))),
    _S("Equal", (_IMAGE, _IMAGE)),
    _S("And", (_IMAGE, _IMAGE), dtypes=("bool", "bool")),
    _S("Or", (_IMAGE, _IMAGE), dtypes=("bool", "bool")),
    _S("Xor", (_IMAGE, _IMAGE), dtypes=("bool", "bool")),
    _S("Not", (_IMAGE,), dtypes=("bool",)),
    _S("Greater", (_IMAGE, _IMAGE)),
    _S("GreaterOrEqual", (_IMAGE, _IMAGE)),
    _S("Less", (_IMAGE, _IMAGE)),
    _S("LessOrEqual", (_IMAGE, _IMAGE)),
    _S("Where", (_IMAGE, _IMAGE, (1, 1, 1, 1)), dtypes=("bool",)),
    _S("Cast", (_IMAGE,), {"to": "float64"}),
    _S("CumSum", (_TOKENS,), {"axis": 1}),
    _S("Trilu", (_TOKENS,), {"upper": False, "k": 1}),
    _S("Trilu", ((5, 8),)),
    # reductions
    _S("ReduceMean", (_IMAGE,), {"axes": (1,), "keepdims": False}),
    _S("ReduceMean", (_IMAGE,)),
    _S("ReduceSum", ((3, 4),), {"axes": (0,), "keepdims": False}),
    _S("ReduceSum", (_TOKENS,), {"axes": (1, 2)}),
    _S("ReduceMax", (_TOKENS,), {"axes": (1,)}),
    _S("ReduceMin", (_TOKENS,), {"axes": (2,), "keepdims": False}),
    _S("ReduceProd", (_IMAGE,), {"axes": (1, 3)}),
    _S("ReduceL1", (_TOKENS,), {"axes": (2,)}),
    _S("ReduceL2", (_TOKENS,), {"axes": (1, 2), "keepdims": False}),
    _S("ReduceLogSumExp", (_TOKENS,), {"axes": (2,)}),
    _S("ReduceVariance", (_TOKENS,), {"axes": (2,)}),
    _S("ReduceVariance", (_TOKENS,), {"axes": (2,), "correction": 0, "keepdims": False}),
    _S("ArgMax", (_TOKENS,), {"axis": 2}),
    _S("ArgMin", (_TOKENS,), {"axis": 1, "keepdims": False}),
    _S("TopK", (_TOKENS,), {"axis": 2, "k": 3}, shape=(1, 5, 3), select=((1, (1, 5, 3)),)),
    _S("TopK", (_TOKENS,), {"axis": 1, "k": 5, "largest": False}, shape=_TOKENS, select=((1, _TOKENS),)),
    # joining and moving
    _S("Concat", (_IMAGE, (1, 2, 6, 8)), {"axis": 1}),
    _S("Concat", ((1, 1, 8), _TOKENS), {"axis": 1}, learned=(0,)),
    _S("Concat", ((2, 3), (1, 3)), {"axis": 0}),
    _S("Split", (_IMAGE,), {"axis": 1, "split": (1, 3)}, select=((1, (1, 3, 6, 8)),)),
    _S("Reshape", (_IMAGE,), shape=(1, 2, 2, 48)),
    _S("Reshape", (_IMAGE,), shape=(4, 6, 8)),
    _S("Flatten", (_IMAGE,), shape=(1, 192)),
    _S("Squeeze", ((1, 4, 1, 1),), shape=(1, 4)),
    _S("Unsqueeze", ((1, 4),), shape=(1, 4, 1, 1)),
    _S("Transpose", (_IMAGE,), {"perm": (2, 0, 3, 1)}),
    _S("Slice", (_IMAGE,), {"starts": (0, 1, 0, 7), "ends": (1, 3, 6, -1), "steps": (1, 1, 2, -3)}),
    _S("SliceScatter", (_IMAGE, (1, 2, 3, 3)), {"starts": (0, 1, 0, 7), "ends": (1, 3, 6, -1), "steps": (1, 1, 2, -3)}),
    _S("SliceScatter", (_IMAGE, (1, 1, 6, 8)), _whole(_IMAGE, {1: (2, 3, 1)}), learned=(1,)),
    _S("SliceScatter", (_IMAGE, _IMAGE), _whole(_IMAGE, {})),
    _S("Slice", ((4, 6),), {"starts": (1, 0), "ends": (3, 6), "steps": (1, 1)}),
    _S("Expand", ((1, 4, 1),), shape=(1, 4, 5)),
    _S("Expand", ((1, 4),), shape=(3, 4)),
    _S("Tile", (_TOKENS,), {"repeats": (1, 2, 1)}),
    _S("Roll", (_IMAGE,), {"shifts": (1, -2), "axes": (2, 3)}),
    _S("DepthToSpace", (_IMAGE,), {"blocksize": 2}),
    _S("DepthToSpace", (_IMAGE,), {"blocksize": 2, "mode": "CRD"}),
    _S("SpaceToDepth", (_IMAGE,), {"blocksize": 2}),
    _S("SpaceToDepth", (_IMAGE,), {"blocksize": 2, "mode": "CRD"}),
    _S("Pad", (_IMAGE,), {"pads": (0, 1, 2, 0, 0, 0, 1, -2), "value": 0.5}),
    _S("Pad", (_IMAGE,), {"pads": (0, 0, 2, 1, 0, 0, 0, 1), "mode": "reflect"}),
    _S("Pad", ((1, 8),), {"pads": (0, 2, 0, 1), "mode": "edge"}),
    _S("Pad", (_TOKENS,), {"pads": (0, 0, 2, 0, 0, 1), "mode": "wrap"}),
    _S("Resize", (_IMAGE,), shape=(1, 4, 12, 16)),
    _S("Resize", (_IMAGE,), {"mode": "nearest-exact"}, shape=(1, 4, 9, 12)),
    _S("Resize", (_IMAGE,), {"mode": "linear", "align_corners": True}, shape=(1, 4, 9, 5)),
    _S("Resize", (_IMAGE,), {"mode": "cubic"}, shape=(1, 4, 12, 16)),
    _S("Resize", (_IMAGE,), {"mode": "linear", "antialias": True}, shape=(1, 4, 3, 4)),
    _S("Resize", (_IMAGE,), {"mode": "cubic", "antialias": True}, shape=(1, 4, 4, 5)),
    _S("Resize", ((1, 4, 9),), {"mode": "area"}, shape=(1, 4, 4)),
    _S("Gather", (_TOKENS, (3,)), {"axis": 1}, dtypes=("float32", "index3"), learned=()),
    _S("Gather", ((9, 4), (1, 5)), dtypes=("float32", "index5"), learned=(0,)),
    _S("GatherElements", (_TOKENS, (1, 3, 8)), {"axis": 1}, dtypes=("float32", "index5")),
    _S("GatherND", (_IMAGE, (1, 3), (1, 3)), shape=(1, 3, 6, 8), dtypes=("float32", "index1", "index4")),
    _S("ScatterND", (_IMAGE, (1,), (1,), (1, 6, 8)), dtypes=("float32", "index1", "index4")),
    _S("ScatterND", (_IMAGE, (1, 3), (1, 3), (1, 3, 6, 8)), _added(), dtypes=("float32", "index1", "index4")),
    _S("ScatterND", (_IMAGE, (1, 3), (1, 3), (1, 3, 6, 8)), {"reduction": "max"}, dtypes=("float32", "index1", "index4")),
    _S("ScatterND", ((1, 5), (1, 4), (1, 4), (1, 4)), {"reduction": "mul"}, dtypes=("float32", "index1", "index5")),
    _S("ScatterElements", (_TOKENS, (1, 3, 8), (1, 3, 8)), {"axis": 1}, dtypes=("float32", "index1")),
    _S("ScatterElements", (_TOKENS, (1, 5, 2), (1, 5, 2)), {"axis": 2, **_added()}, dtypes=("float32", "index8")),
    _S("GridSample", (_IMAGE, (1, 3, 3, 2)), shape=(1, 4, 3, 3)),
    _S("GridSample", (_IMAGE, (1, 3, 3, 2)), {"mode": "nearest", "padding_mode": "border"}, shape=(1, 4, 3, 3)),
    _S("Im2Col", (_IMAGE,), {"kernel_shape": (2, 2), "strides": (2, 2)}, shape=(1, 16, 12)),
    _S("Im2Col", (_IMAGE,), {"kernel_shape": (2, 2), "pads": (0, 1, 0, 0)}, shape=(1, 16, 40)),
    _S("Col2Im", ((1, 16, 12),), {"kernel_shape": (2, 2), "strides": (2, 2)}, shape=(1, 4, 6, 8)),
    _S("OneHot", ((1, 5),), shape=(1, 5, 7), dtypes=("index7",)),
    # spectra
    _S("DFT", ((1, 5, 8, 2),), {"axis": 2}),
    _S("DFT", ((1, 5, 8, 1),), {"axis": 1}),
    _S("DFT", ((1, 5, 8, 2),), {"axis": 1, "inverse": True}),
    _S("DFT", ((1, 5, 8, 1),), {"axis": 2, "onesided": True}),
    _S("DFT", ((1, 5, 5, 2),), {"axis": 2, "inverse": True, "onesided": True}, shape=(1, 5, 8, 1)),
    _S("DFT", ((1, 4, 3, 2),), {"axis": 1, "inverse": True, "onesided": True}, shape=(1, 7, 3, 1)),
]  # fmt: skip


def _plain() -> Iterator[OperatorSample]:
    """Functions of one tensor without attributes, on an image."""
    listed = {sample.op for sample in _LISTED}
    for operator in OPERATORS.values():
        if operator.name not in listed and operator.kind in ("activation", "elementwise"):
            yield OperatorSample(operator.name, (_IMAGE,))


SAMPLES: tuple[OperatorSample, ...] = (*_LISTED, *_plain())


def samples(op: str) -> list[OperatorSample]:
    """The samples of one operator."""
    return [sample for sample in SAMPLES if sample.op == op]
