"""Small uses of every operator of the table, for tests that must not forget one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cg_ir.builder import GraphBuilder
from cg_ir.graph import Graph

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


def _samples() -> list[OperatorSample]:
    s = OperatorSample
    image: Shape = (1, 4, 6, 8)
    tokens: Shape = (1, 5, 8)
    heads: Shape = (1, 2, 5, 4)
    found = [
        s("Input", shape=image),
        s("Output", (image,)),
        s("Parameter", shape=(1, 5, 8)),
        s("Constant", attrs={"value": (1.0, 2.0, 3.0)}, shape=(1, 3)),
        s("Constant", attrs={"value": (0.5,)}, shape=()),
        s("Constant", attrs={"value": (2.0,), "dtype": "int64"}, shape=(1, 2)),
        s("Constant", shape=(1, 2)),
        s("Custom", (image,), {"name": "org.example.Fft", "params": 7}, shape=image),
        # products
        s("Conv", (image,), {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}, channels=6),
        s(
            "Conv",
            (image,),
            {"kernel_shape": (3, 3), "pads": (0, 1, 1, 0), "strides": (2, 2), "bias": True},
            channels=6,
        ),
        s(
            "Conv",
            (image,),
            {"kernel_shape": (3, 3), "pads": (2, 2, 2, 2), "dilations": (2, 2), "group": 2},
            channels=6,
        ),
        s("Conv", ((1, 4, 9),), {"kernel_shape": (3,)}, channels=2),
        s("Conv", ((1, 2, 4, 4, 4),), {"kernel_shape": (2, 2, 2), "strides": (2, 2, 2)}, channels=3),
        s("ConvTranspose", (image,), {"kernel_shape": (3, 3), "strides": (2, 2), "output_padding": (1, 1)}, channels=2),
        s("ConvTranspose", (image,), {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (0, 0, 1, 1)}, channels=2),
        s("ConvTranspose", ((1, 4, 7),), {"kernel_shape": (4,), "pads": (1, 1), "bias": True, "group": 2}, channels=2),
        s("Conv", (image, (6, 2, 3, 3)), {"kernel_shape": (3, 3), "group": 2, "bias": True}, learned=(1,)),
        s("Conv", (image, (6, 4, 1, 1)), {"kernel_shape": (1, 1)}),
        s(
            "ConvTranspose",
            (image, (4, 3, 2, 2)),
            {"kernel_shape": (2, 2), "strides": (2, 2), "bias": True},
            learned=(1,),
        ),
        s("Gemm", ((1, 8),), {"bias": True}, channels=3),
        s("Gemm", (tokens,), channels=3),
        s("ExpertGemm", ((1, 5, 8), (1, 5)), {"num_experts": 9}, channels=3, dtypes=("float32", "index9")),
        s("MatMul", (heads, (1, 2, 4, 5))),
        s("MatMul", (tokens, (8, 3)), learned=(1,)),
        s("MatMul", ((3, 5), (1, 5, 2)), learned=(0,)),
        s("MatMul", ((1, 5), (5,)), learned=(1,)),
        s("Einsum", (heads, heads), {"equation": "bhqe,bhke->bhqk"}),
        s("Einsum", (tokens, (8, 2)), {"equation": "btc,cd->dbt"}, learned=(1,)),
        s("Einsum", (tokens,), {"equation": "btc->tbc"}),
        s("Einsum", ((1, 5), (1, 5)), {"equation": "bi,bj->ij"}),
        s("Attention", (heads, heads, heads)),
        s("Attention", (heads, heads, heads), {"is_causal": True, "scale": 0.5}),
        s("Attention", (heads, (1, 2, 7, 4), (1, 2, 7, 3), (1, 2, 5, 7)), learned=(3,)),
        s("Attention", ((6, 5, 4), (6, 5, 4), (6, 5, 4), (6, 5, 5)), learned=(3,)),
        s("Attention", ((1, 2, 3, 4), heads, heads), learned=(0,)),
        s("LSTM", (tokens,), {"hidden_size": 3, "batch_first": True}, select=((1, (1, 1, 3)), (2, (1, 1, 3)))),
        s("LSTM", (tokens, (2, 1, 2), (2, 1, 6)), _lstm(), learned=(1, 2), select=((2, (2, 1, 6)),)),
        s("GRU", (tokens,), {"hidden_size": 3, "batch_first": True, "num_layers": 2, "bidirectional": True}),
        s("RNN", (tokens,), {"hidden_size": 3, "batch_first": True, "nonlinearity": "relu", "bias": False}),
        s("RNN", ((5, 8),), {"hidden_size": 3}),
        s("Embedding", ((1, 5),), {"num_embeddings": 11}, channels=4, dtypes=("int64",)),
        # normalisations
        s("BatchNormalization", (image,)),
        s("BatchNormalization", ((1, 8),), {"affine": False, "epsilon": 1e-3}),
        s("BatchNormalization", ((1, 4, 9),)),
        s("BatchNormalization", ((1, 2, 3, 4, 5),)),
        s("InstanceNormalization", (image,)),
        s("InstanceNormalization", ((1, 4, 9),), {"affine": False}),
        s("GroupNormalization", (image,), {"num_groups": 2}),
        s("LayerNormalization", (tokens,), {"axis": 2, "epsilon": 1e-6}),
        s("LayerNormalization", (image,), {"axis": 1, "bias": False}),
        s("LayerNormalization", (image,), {"axis": 2, "affine": False}),
        s("RMSNormalization", (tokens,), {"axis": 2}),
        s("LRN", (image,), {"size": 3, "alpha": 0.1}),
        s("LRN", ((1, 8),), {"size": 5, "beta": 0.5, "k": 2.0}),
        s("LpNormalization", (tokens,), {"axis": 2}),
        s("LpNormalization", (tokens,), {"axis": 1, "p": 1, "epsilon": 1e-6}),
        # activations
        s("LeakyRelu", (image,), {"alpha": 0.2}),
        s("Elu", (image,), {"alpha": 0.5}),
        s("Celu", (image,), {"alpha": 0.5}),
        s("Gelu", (image,)),
        s("Gelu", (image,), {"approximate": "tanh"}),
        s("Softplus", (image,), {"beta": 2.0}),
        s("PRelu", (image,)),
        s("PRelu", (image,), {"num_parameters": 4}),
        s("Clip", (image,), {"min": 0.0, "max": 6.0}),
        s("Clip", (image,), {"max": 0.5}),
        s("Softmax", (tokens,), {"axis": 2}),
        s("Softmax", ((3, 4),), {"axis": 0}),
        s("LogSoftmax", (tokens,), {"axis": 1}),
        # pooling
        s("MaxPool", (image,), {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)}),
        s("MaxPool", (image,), {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (0, 0, 1, 1)}),
        s("MaxPool", (image,), {"kernel_shape": (2, 2), "dilations": (2, 2), "ceil_mode": True, "strides": (2, 2)}),
        s("MaxPool", ((1, 4, 9),), {"kernel_shape": (3,)}, select=((1, (1, 4, 7)),)),
        s("MaxPool", ((1, 2, 2, 6, 6),), {"kernel_shape": (2, 2)}),
        s("AveragePool", (image,), _average(pads=(1, 1, 1, 1), count_include_pad=True)),
        s("AveragePool", (image,), _average(pads=(1, 1, 1, 1), count_include_pad=False)),
        s("AveragePool", (image,), _average(pads=(0, 1, 1, 2), count_include_pad=False, strides=(2, 2))),
        s("AveragePool", (image,), _average(count_include_pad=True, ceil_mode=True, strides=(2, 2))),
        s("AveragePool", ((4, 6, 8),), _average(count_include_pad=True)),
        s("LpPool", (image,), {"kernel_shape": (2, 2), "strides": (2, 2)}),
        s("LpPool", ((1, 4, 9),), {"kernel_shape": (3,), "p": 3, "pads": (1, 0)}),
        s("GlobalAveragePool", (image,)),
        s("GlobalAveragePool", ((1, 4, 9),)),
        s("GlobalMaxPool", (image,)),
        s("GlobalMaxPool", ((1, 4, 2, 3, 4),)),
        s("AdaptiveAveragePool", (image,), {"output_size": (3, 5)}),
        s("AdaptiveMaxPool", (image,), {"output_size": (2, 2)}, select=((1, (1, 4, 2, 2)),)),
        # elementwise
        s("Add", (image, image, (1, 4, 1, 1))),
        s("Add", (tokens, (5, 8)), learned=(1,)),
        s("Add", ((6, 5, 8), (6, 5, 8)), learned=(1,)),
        s("Add", ((1, 8), (3, 8)), learned=(1,)),
        s("Mul", (image, (1, 4, 1, 1))),
        s("Mul", ((5, 1), (1, 8)), learned=(0,)),
        s("Sub", (image, image)),
        s("Div", (image, image)),
        s("Pow", (image, image)),
        s("Mod", (image, image)),
        s("Mod", (image, image), {"fmod": True}),
        s("Div", (image, image), {"rounding": "trunc"}),
        s("Atan2", (image, (1, 1, 6, 8))),
        s("BitwiseAnd", (image, image), dtypes=("index9", "index9")),
        s("BitwiseOr", (image, image), dtypes=("index9", "index9")),
        s("BitwiseXor", (image, image), dtypes=("index9", "index9")),
        s("BitwiseNot", (image,), dtypes=("index9",)),
        s("BitShift", (image, image), {"direction": "right"}, dtypes=("index9", "index4")),
        s("IsInf", (image,)),
        s("IsInf", (image,), {"detect_negative": False}),
        s("Max", (image, image, image)),
        s("Min", (image, (1, 1, 6, 8))),
        s("Equal", (image, image)),
        s("And", (image, image), dtypes=("bool", "bool")),
        s("Or", (image, image), dtypes=("bool", "bool")),
        s("Xor", (image, image), dtypes=("bool", "bool")),
        s("Not", (image,), dtypes=("bool",)),
        s("Greater", (image, image)),
        s("GreaterOrEqual", (image, image)),
        s("Less", (image, image)),
        s("LessOrEqual", (image, image)),
        s("Where", (image, image, (1, 1, 1, 1)), dtypes=("bool",)),
        s("Cast", (image,), {"to": "float64"}),
        s("CumSum", (tokens,), {"axis": 1}),
        s("Trilu", (tokens,), {"upper": False, "k": 1}),
        s("Trilu", ((5, 8),)),
        # reductions
        s("ReduceMean", (image,), {"axes": (1,), "keepdims": False}),
        s("ReduceMean", (image,)),
        s("ReduceSum", ((3, 4),), {"axes": (0,), "keepdims": False}),
        s("ReduceSum", (tokens,), {"axes": (1, 2)}),
        s("ReduceMax", (tokens,), {"axes": (1,)}),
        s("ReduceMin", (tokens,), {"axes": (2,), "keepdims": False}),
        s("ReduceProd", (image,), {"axes": (1, 3)}),
        s("ReduceL1", (tokens,), {"axes": (2,)}),
        s("ReduceL2", (tokens,), {"axes": (1, 2), "keepdims": False}),
        s("ReduceLogSumExp", (tokens,), {"axes": (2,)}),
        s("ReduceVariance", (tokens,), {"axes": (2,)}),
        s("ReduceVariance", (tokens,), {"axes": (2,), "correction": 0, "keepdims": False}),
        s("ArgMax", (tokens,), {"axis": 2}),
        s("ArgMin", (tokens,), {"axis": 1, "keepdims": False}),
        s("TopK", (tokens,), {"axis": 2, "k": 3}, shape=(1, 5, 3), select=((1, (1, 5, 3)),)),
        s("TopK", (tokens,), {"axis": 1, "k": 5, "largest": False}, shape=tokens, select=((1, tokens),)),
        # joining and moving
        s("Concat", (image, (1, 2, 6, 8)), {"axis": 1}),
        s("Concat", ((1, 1, 8), tokens), {"axis": 1}, learned=(0,)),
        s("Concat", ((2, 3), (1, 3)), {"axis": 0}),
        s("Split", (image,), {"axis": 1, "split": (1, 3)}, select=((1, (1, 3, 6, 8)),)),
        s("Reshape", (image,), shape=(1, 2, 2, 48)),
        s("Reshape", (image,), shape=(4, 6, 8)),
        s("Flatten", (image,), shape=(1, 192)),
        s("Squeeze", ((1, 4, 1, 1),), shape=(1, 4)),
        s("Unsqueeze", ((1, 4),), shape=(1, 4, 1, 1)),
        s("Transpose", (image,), {"perm": (2, 0, 3, 1)}),
        s("Slice", (image,), {"starts": (0, 1, 0, 7), "ends": (1, 3, 6, -1), "steps": (1, 1, 2, -3)}),
        s(
            "SliceScatter",
            (image, (1, 2, 3, 3)),
            {"starts": (0, 1, 0, 7), "ends": (1, 3, 6, -1), "steps": (1, 1, 2, -3)},
        ),
        s("SliceScatter", (image, (1, 1, 6, 8)), _whole(image, {1: (2, 3, 1)}), learned=(1,)),
        s("SliceScatter", (image, image), _whole(image, {})),
        s("Slice", ((4, 6),), {"starts": (1, 0), "ends": (3, 6), "steps": (1, 1)}),
        s("Expand", ((1, 4, 1),), shape=(1, 4, 5)),
        s("Expand", ((1, 4),), shape=(3, 4)),
        s("Tile", (tokens,), {"repeats": (1, 2, 1)}),
        s("Roll", (image,), {"shifts": (1, -2), "axes": (2, 3)}),
        s("DepthToSpace", (image,), {"blocksize": 2}),
        s("DepthToSpace", (image,), {"blocksize": 2, "mode": "CRD"}),
        s("SpaceToDepth", (image,), {"blocksize": 2}),
        s("SpaceToDepth", (image,), {"blocksize": 2, "mode": "CRD"}),
        s("Pad", (image,), {"pads": (0, 1, 2, 0, 0, 0, 1, -2), "value": 0.5}),
        s("Pad", (image,), {"pads": (0, 0, 2, 1, 0, 0, 0, 1), "mode": "reflect"}),
        s("Pad", ((1, 8),), {"pads": (0, 2, 0, 1), "mode": "edge"}),
        s("Pad", (tokens,), {"pads": (0, 0, 2, 0, 0, 1), "mode": "wrap"}),
        s("Resize", (image,), shape=(1, 4, 12, 16)),
        s("Resize", (image,), {"mode": "nearest-exact"}, shape=(1, 4, 9, 12)),
        s("Resize", (image,), {"mode": "linear", "align_corners": True}, shape=(1, 4, 9, 5)),
        s("Resize", (image,), {"mode": "cubic"}, shape=(1, 4, 12, 16)),
        s("Resize", (image,), {"mode": "linear", "antialias": True}, shape=(1, 4, 3, 4)),
        s("Resize", (image,), {"mode": "cubic", "antialias": True}, shape=(1, 4, 4, 5)),
        s("Resize", ((1, 4, 9),), {"mode": "area"}, shape=(1, 4, 4)),
        s("Gather", (tokens, (3,)), {"axis": 1}, dtypes=("float32", "index3"), learned=()),
        s("Gather", ((9, 4), (1, 5)), dtypes=("float32", "index5"), learned=(0,)),
        s("GatherElements", (tokens, (1, 3, 8)), {"axis": 1}, dtypes=("float32", "index5")),
        s("GatherND", (image, (1, 3), (1, 3)), shape=(1, 3, 6, 8), dtypes=("float32", "index1", "index4")),
        s("ScatterND", (image, (1,), (1,), (1, 6, 8)), dtypes=("float32", "index1", "index4")),
        s("ScatterND", (image, (1, 3), (1, 3), (1, 3, 6, 8)), _added(), dtypes=("float32", "index1", "index4")),
        s("ScatterElements", (tokens, (1, 3, 8), (1, 3, 8)), {"axis": 1}, dtypes=("float32", "index1")),
        s("ScatterElements", (tokens, (1, 5, 2), (1, 5, 2)), {"axis": 2, **_added()}, dtypes=("float32", "index8")),
        s("GridSample", (image, (1, 3, 3, 2)), shape=(1, 4, 3, 3)),
        s("GridSample", (image, (1, 3, 3, 2)), {"mode": "nearest", "padding_mode": "border"}, shape=(1, 4, 3, 3)),
        s("Im2Col", (image,), {"kernel_shape": (2, 2), "strides": (2, 2)}, shape=(1, 16, 12)),
        s("Im2Col", (image,), {"kernel_shape": (2, 2), "pads": (0, 1, 0, 0)}, shape=(1, 16, 40)),
        s("Col2Im", ((1, 16, 12),), {"kernel_shape": (2, 2), "strides": (2, 2)}, shape=(1, 4, 6, 8)),
        s("OneHot", ((1, 5),), shape=(1, 5, 7), dtypes=("index7",)),
    ]
    plain = "Relu Sigmoid Tanh Silu Mish HardSwish HardSigmoid Softsign Selu LogSigmoid"
    plain += " Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh"
    plain += " Abs Neg Exp Log Sqrt Reciprocal Erf Sin Cos Floor Ceil Round Sign IsNaN"
    return [*found, *(s(name, (image,)) for name in plain.split())]


def _lstm() -> dict[str, Any]:
    return {"hidden_size": 6, "proj_size": 2, "bidirectional": True, "batch_first": True}


def _added() -> dict[str, Any]:
    return {"reduction": "add"}


def _whole(shape: Shape, cut: dict[int, tuple[int, int, int]]) -> dict[str, Any]:
    bounds = [cut.get(axis, (0, size, 1)) for axis, size in enumerate(shape)]
    return {name: tuple(b[i] for b in bounds) for i, name in enumerate(("starts", "ends", "steps"))}


def _average(**attrs: Any) -> dict[str, Any]:
    return {"kernel_shape": (3, 3), **attrs}


SAMPLES: tuple[OperatorSample, ...] = tuple(_samples())


def samples(op: str) -> list[OperatorSample]:
    """The samples of one operator."""
    return [sample for sample in SAMPLES if sample.op == op]
