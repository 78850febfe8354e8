"""The operator table, opset 1: the one place where an operator is defined.

To add an operator, add a row here; format reference, validation, costs, hashing and drawing follow from it. Its runnable meaning
lies beside it in :mod:`cg_ir.module`.
"""

from __future__ import annotations

from cg_ir.operators import rules as r
from cg_ir.operators.attribute import Attribute
from cg_ir.operators.operator import Operator

__all__ = ["OPERATORS", "OPERATOR_NAMES", "OPSET", "operator_code"]

#: The version of this table; a document states the one it was written for.
OPSET = 1

_A = Attribute
_KERNEL = _A("ints", minimum=1, doc="window size of each spatial axis")
_STRIDES = _A("ints", 1, length=1, minimum=1, doc="step of each spatial axis")
_PADS = _A("ints", 0, length=2, minimum=0, doc="padding at the begin of each spatial axis, then at the ends")
_DILATIONS = _A("ints", 1, length=1, minimum=1, doc="spacing of the window's elements")
_GROUP = _A("int", 1, minimum=1, doc="number of channel groups")
_BIAS = _A("bool", False, doc="whether a bias is added")
_CEIL = _A("bool", False, doc="round the output size up")
_EPSILON = _A("float", 1e-5, doc="added to the variance")
_AXIS = _A("int", minimum=0, doc="the axis, counted from 0 with the batch")
_KEEPDIMS = _A("bool", True, doc="keep reduced axes with size 1")
_AXES = _A("ints", (), minimum=0, doc="the axes, counted from 0 with the batch; none means all")
_AFFINE = _A("bool", True, doc="whether scale and shift are learned")
_DTYPES = (
    *("float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "complex64", "complex128"),
    *("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool"),
)
_DTYPE = _A("string", "float32", choices=_DTYPES, doc="element type")
_REDUCTION = _A(
    "string", "none", choices=("none", "add", "mul", "max", "min"), doc="how a new element meets the one that is there"
)
_INDEX = _A("int", 0, minimum=0, doc="position among its kind")

OPERATORS: dict[str, Operator] = {}


def _add(name: str, kind: str, arity: tuple[int, int | None], shape: r.ShapeRule, doc: str, **fields: object) -> None:
    attributes = fields.pop("attributes", {})
    OPERATORS[name] = Operator(name, kind, arity, shape, doc=doc, attributes=attributes, **fields)  # type: ignore[arg-type]


# --- sources and sinks ------------------------------------------------------------------------------------------------
_add(
    "Input",
    "source",
    (0, 0),
    r.stated,
    "What the network is given.",
    attributes={"index": _INDEX, "dtype": _DTYPE},
    onnx=False,
)
_add("Output", "sink", (1, 1), r.same, "What the network returns.", attributes={"index": _INDEX}, onnx=False)
_add(
    "Parameter",
    "source",
    (0, 0),
    r.stated,
    "A bare learned tensor: class token, position embedding, layer scale.",
    params=r.elements,
    onnx=False,
)
_add(
    "Constant",
    "source",
    (0, 0),
    r.constant,
    "A tensor that is not learned; small ones carry their elements in row-major order.",
    attributes={
        "value": _A("floats", (), doc="elements, or one that fills the shape; none where they are not recorded"),
        "dtype": _DTYPE,
    },
)
_add(
    "Select",
    "layout",
    (1, 1),
    r.stated,
    "Reads output `index` of an operator that has several.",
    attributes={"index": _A("int", minimum=1, doc="which output")},
    onnx=False,
)
_add(
    "Custom",
    "custom",
    (0, None),
    r.stated,
    "An operator outside the vocabulary, with its original name.",
    params=r.stated_params,
    further=r.unknown_outputs,
    attributes={
        "name": _A("string", doc="the original name"),
        "params": _A("int", 0, minimum=0, doc="parameter count"),
    },
    onnx=False,
)

# --- matrix products and convolutions ---------------------------------------------------------------------------------
_CONV = {
    "kernel_shape": _KERNEL,
    "strides": _STRIDES,
    "pads": _PADS,
    "dilations": _DILATIONS,
    "group": _GROUP,
    "bias": _BIAS,
}
_add(
    "Conv",
    "conv",
    (1, 2),
    r.conv,
    "Convolution; channels are those of the shapes. A second input holds weights that are computed, not learned.",
    params=r.conv_params,
    macs=r.conv_macs,
    attributes=_CONV,
)
_add(
    "ConvTranspose",
    "conv",
    (1, 2),
    r.conv_transpose,
    "Transposed convolution. A second input holds weights that are computed, not learned.",
    params=r.conv_transpose_params,
    macs=r.conv_transpose_macs,
    attributes={**_CONV, "output_padding": _A("ints", 0, length=1, minimum=0, doc="added to one side of the output")},
)
_add(
    "Gemm",
    "matmul",
    (1, 1),
    r.gemm,
    "Affine map of the last axis by a learned matrix.",
    params=r.gemm_params,
    macs=r.gemm_macs,
    attributes={"bias": _BIAS},
)
_add(
    "ExpertGemm",
    "matmul",
    (2, 2),
    r.expert_gemm,
    "Linear map of each row by the one of several learned matrices that the second input names: what a mixture of experts routes to. "
    "Multiply-accumulates are those of the experts named, parameters those of all.",
    params=r.expert_gemm_params,
    macs=r.gemm_macs,
    attributes={"num_experts": _A("int", minimum=1, doc="number of matrices")},
    onnx=False,
)
_add("MatMul", "matmul", (2, 2), r.matmul, "Batched product of two matrices.", macs=r.matmul_macs)
_add(
    "Einsum",
    "matmul",
    (1, None),
    r.einsum,
    "Einstein summation.",
    macs=r.einsum_macs,
    attributes={"equation": _A("string", doc="explicit equation, one letter an axis")},
)
_add(
    "Attention",
    "attention",
    (3, 4),
    r.attention,
    "Scaled dot-product attention of query, key, value and an optional mask.",
    macs=r.attention_macs,
    attributes={
        "is_causal": _A("bool", False, doc="mask out later positions"),
        "scale": _A("float", None, doc="factor of the products; 1 / sqrt(e) where absent"),
    },
)
_RECURRENT = {
    "hidden_size": _A("int", minimum=1, doc="features of the state"),
    "num_layers": _A("int", 1, minimum=1, doc="stacked layers"),
    "bidirectional": _A("bool", False, doc="both directions, joined"),
    "batch_first": _A("bool", False, doc="axes are batch, time, features"),
    "bias": _A("bool", True, doc="two biases a gate"),
}
_add(
    "LSTM",
    "recurrent",
    (1, 3),
    r.recurrent,
    "Long short-term memory; inputs sequence, state, cell. Outputs sequence, state, cell.",
    params=r.recurrent_params(4),
    macs=r.recurrent_macs(4),
    further=r.states,
    attributes={**_RECURRENT, "proj_size": _A("int", 0, minimum=0, doc="size of the projected state, 0 for none")},
)
_add(
    "GRU",
    "recurrent",
    (1, 2),
    r.recurrent,
    "Gated recurrent unit; inputs sequence, state. Outputs sequence, state.",
    params=r.recurrent_params(3),
    macs=r.recurrent_macs(3),
    further=r.states,
    attributes=_RECURRENT,
)
_add(
    "RNN",
    "recurrent",
    (1, 2),
    r.recurrent,
    "Elman network; inputs sequence, state. Outputs sequence, state.",
    params=r.recurrent_params(1),
    macs=r.recurrent_macs(1),
    further=r.states,
    attributes={**_RECURRENT, "nonlinearity": _A("string", "tanh", choices=("tanh", "relu"), doc="activation")},
)
_add(
    "Embedding",
    "embedding",
    (1, 1),
    r.embedding,
    "Learned rows looked up by number.",
    params=r.embedding_params,
    attributes={"num_embeddings": _A("int", minimum=1, doc="number of rows")},
    onnx=False,
)

# --- normalisations ---------------------------------------------------------------------------------------------------
_add(
    "BatchNormalization",
    "norm",
    (1, 1),
    r.channels_first_norm,
    "Normalisation of each channel by running statistics.",
    params=r.channel_affine_params,
    attributes={"epsilon": _EPSILON, "affine": _AFFINE},
)
_add(
    "InstanceNormalization",
    "norm",
    (1, 1),
    r.channels_first_norm,
    "Normalisation of each channel of each example.",
    params=r.channel_affine_params,
    attributes={"epsilon": _EPSILON, "affine": _AFFINE},
)
_add(
    "GroupNormalization",
    "norm",
    (1, 1),
    r.channels_first_norm,
    "Normalisation of groups of channels.",
    params=r.channel_affine_params,
    attributes={"num_groups": _A("int", minimum=1, doc="number of groups"), "epsilon": _EPSILON, "affine": _AFFINE},
)
_add(
    "LayerNormalization",
    "norm",
    (1, 1),
    r.trailing_norm,
    "Normalisation over the axes from `axis` to the last.",
    params=r.trailing_affine_params,
    attributes={
        "axis": _AXIS,
        "epsilon": _EPSILON,
        "affine": _AFFINE,
        "bias": _A("bool", True, doc="whether a shift is learned beside the scale"),
    },
)
_add(
    "RMSNormalization",
    "norm",
    (1, 1),
    r.trailing_norm,
    "Division by the root mean square over the axes from `axis` to the last.",
    params=r.trailing_affine_params,
    attributes={"axis": _AXIS, "epsilon": _EPSILON, "affine": _AFFINE},
)
_add(
    "LRN",
    "norm",
    (1, 1),
    r.channels_first_norm,
    "Local response normalisation over channels.",
    attributes={
        "size": _A("int", minimum=1, doc="channels in a window"),
        "alpha": _A("float", 1e-4, doc="scale"),
        "beta": _A("float", 0.75, doc="exponent"),
        "k": _A("float", 1.0, doc="added to the sum"),
    },
)
_add(
    "LpNormalization",
    "norm",
    (1, 1),
    r.scalar_or_same,
    "Division by the p-norm along an axis.",
    attributes={
        "axis": _AXIS,
        "p": _A("int", 2, minimum=1, doc="the norm"),
        "epsilon": _A("float", 1e-12, doc="least divisor"),
    },
)

# --- activations ------------------------------------------------------------------------------------------------------
_ALPHA = {"alpha": _A("float", 1.0, doc="slope or scale of the negative side")}
for _name, _doc in {
    "Relu": "max(x, 0).",
    "Sigmoid": "1 / (1 + exp(-x)).",
    "Tanh": "Hyperbolic tangent.",
    "Silu": "x sigmoid(x).",
    "Mish": "x tanh(softplus(x)).",
    "HardSwish": "x clip(x + 3, 0, 6) / 6.",
    "HardSigmoid": "clip(x + 3, 0, 6) / 6.",
    "Softsign": "x / (1 + |x|).",
    "Selu": "Scaled exponential linear unit.",
    "LogSigmoid": "log(sigmoid(x)).",
}.items():
    _add(_name, "activation", (1, 1), r.same, _doc, onnx=_name not in ("Silu", "LogSigmoid"))
_add(
    "LeakyRelu",
    "activation",
    (1, 1),
    r.same,
    "x, or alpha x below zero.",
    attributes={"alpha": _A("float", 0.01, doc="slope of the negative side")},
)
_add("Elu", "activation", (1, 1), r.same, "x, or alpha (exp(x) - 1) below zero.", attributes=_ALPHA)
_add("Celu", "activation", (1, 1), r.same, "Continuously differentiable Elu.", attributes=_ALPHA)
_add(
    "Gelu",
    "activation",
    (1, 1),
    r.same,
    "Gaussian error linear unit.",
    attributes={"approximate": _A("string", "none", choices=("none", "tanh"), doc="exact or by tanh")},
)
_add(
    "Softplus",
    "activation",
    (1, 1),
    r.same,
    "log(1 + exp(beta x)) / beta.",
    attributes={"beta": _A("float", 1.0, doc="sharpness")},
)
_add(
    "PRelu",
    "activation",
    (1, 1),
    r.prelu,
    "LeakyRelu with learned slopes.",
    params=r.prelu_params,
    attributes={"num_parameters": _A("int", 1, minimum=1, doc="1, or one a channel")},
)
_add(
    "Clip",
    "activation",
    (1, 1),
    r.same,
    "Bounded below and above; Relu6 is Clip(0, 6).",
    attributes={"min": _A("float", None, doc="lower bound"), "max": _A("float", None, doc="upper bound")},
)
_add(
    "Softmax",
    "activation",
    (1, 1),
    r.scalar_or_same,
    "Exponentials that add up to 1 along an axis.",
    attributes={"axis": _AXIS},
)
_add("LogSoftmax", "activation", (1, 1), r.scalar_or_same, "Logarithm of Softmax.", attributes={"axis": _AXIS})

# --- pooling ----------------------------------------------------------------------------------------------------------
_POOL = {"kernel_shape": _KERNEL, "strides": _STRIDES, "pads": _PADS, "ceil_mode": _CEIL}
_add(
    "MaxPool",
    "pool",
    (1, 1),
    r.pool,
    "Greatest element of each window; output 1 is its position.",
    further=r.positions,
    attributes={**_POOL, "dilations": _DILATIONS},
)
_add(
    "AveragePool",
    "pool",
    (1, 1),
    r.pool,
    "Mean of each window.",
    attributes={**_POOL, "count_include_pad": _A("bool", doc="whether padding counts as elements; always stated")},
)
_add(
    "LpPool",
    "pool",
    (1, 1),
    r.pool,
    "p-norm of each window.",
    attributes={**_POOL, "p": _A("int", 2, minimum=1, doc="the norm")},
)
_add("GlobalAveragePool", "pool", (1, 1), r.global_pool, "Mean over all spatial axes, to size 1.")
_add("GlobalMaxPool", "pool", (1, 1), r.global_pool, "Greatest element over all spatial axes, to size 1.")
_SIZE = {"output_size": _A("ints", minimum=1, doc="spatial size of the output")}
_add(
    "AdaptiveAveragePool",
    "pool",
    (1, 1),
    r.adaptive_pool,
    "Mean over windows chosen for the output size.",
    attributes=_SIZE,
    onnx=False,
)
_add(
    "AdaptiveMaxPool",
    "pool",
    (1, 1),
    r.adaptive_pool,
    "Greatest element of windows chosen for the output size.",
    further=r.positions,
    attributes=_SIZE,
    onnx=False,
)

# --- elementwise arithmetic -------------------------------------------------------------------------------------------
_add("Add", "elementwise", (2, None), r.broadcast, "Sum of two or more.", commutes=True)
_add("Mul", "elementwise", (2, 2), r.broadcast, "Product.", commutes=True)
for _name, _doc in {
    "Sub": "First minus second.",
    "Pow": "First to the power of the second.",
    "Atan2": "Angle of the point whose height is the first and whose width is the second.",
}.items():
    _add(_name, "elementwise", (2, 2), r.broadcast, _doc, onnx=_name != "Atan2")
_add(
    "Div",
    "elementwise",
    (2, 2),
    r.broadcast,
    "First over second.",
    attributes={"rounding": _A("string", "none", choices=("none", "trunc"), doc="towards zero, as integers divide")},
)
_add(
    "Mod",
    "elementwise",
    (2, 2),
    r.broadcast,
    "Remainder of the first by the second.",
    attributes={"fmod": _A("bool", False, doc="with the sign of the first, not of the second")},
)
for _name, _doc in {"Max": "Greatest of two or more.", "Min": "Least of two or more."}.items():
    _add(_name, "elementwise", (2, None), r.broadcast, _doc, commutes=True)
for _name in ("Equal", "And", "Or", "Xor"):
    _add(_name, "elementwise", (2, 2), r.broadcast, f"Logical {_name.lower()} of each element.", commutes=True)
for _name in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
    _add(_name, "elementwise", (2, 2), r.broadcast, f"{_name[7:]} of the bits of integers.", commutes=True)
_add(
    "BitShift",
    "elementwise",
    (2, 2),
    r.broadcast,
    "Bits of the first moved by as many places as the second says.",
    attributes={"direction": _A("string", choices=("left", "right"), doc="where to")},
)
for _name, _doc in {"Greater": ">", "GreaterOrEqual": ">=", "Less": "<", "LessOrEqual": "<="}.items():
    _add(_name, "elementwise", (2, 2), r.broadcast, f"Whether first {_doc} second.")
_add("Where", "elementwise", (3, 3), r.broadcast, "Second where the first holds, third elsewhere.")
for _name in (
    "Abs",
    "Neg",
    "Exp",
    "Log",
    "Sqrt",
    "Reciprocal",
    "Erf",
    "Sin",
    "Cos",
    "Tan",
    "Asin",
    "Acos",
    "Atan",
    "Sinh",
    "Cosh",
    "Asinh",
    "Acosh",
    "Atanh",
    "Floor",
    "Ceil",
    "Round",
    "Sign",
    "Not",
    "IsNaN",
    "BitwiseNot",
):
    _add(_name, "elementwise", (1, 1), r.same, f"{_name} of each element.")
_add(
    "IsInf",
    "elementwise",
    (1, 1),
    r.same,
    "Whether each element is infinite.",
    attributes={
        "detect_negative": _A("bool", True, doc="whether minus infinity counts"),
        "detect_positive": _A("bool", True, doc="whether infinity counts"),
    },
)
_add(
    "Cast",
    "elementwise",
    (1, 1),
    r.same,
    "Another element type.",
    attributes={"to": _A("string", choices=_DTYPES, doc="element type")},
)
_add("CumSum", "elementwise", (1, 1), r.scalar_or_same, "Running sum along an axis.", attributes={"axis": _AXIS})
_add(
    "Trilu",
    "elementwise",
    (1, 1),
    r.matrices,
    "One triangle of each matrix.",
    attributes={"upper": _A("bool", True, doc="which triangle"), "k": _A("int", 0, doc="diagonal")},
)

# --- reductions -------------------------------------------------------------------------------------------------------
for _name in (
    "ReduceMean",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSumExp",
):
    _add(
        _name, "reduce", (1, 1), r.reduce, f"{_name[6:]} over axes.", attributes={"axes": _AXES, "keepdims": _KEEPDIMS}
    )
_add(
    "ReduceVariance",
    "reduce",
    (1, 1),
    r.reduce,
    "Variance over axes.",
    attributes={
        "axes": _AXES,
        "keepdims": _KEEPDIMS,
        "correction": _A("int", 1, minimum=0, doc="subtracted from the count"),
    },
    onnx=False,
)
for _name in ("ArgMax", "ArgMin"):
    _add(
        _name,
        "reduce",
        (1, 1),
        r.reduce_axis,
        "Position of the extreme along an axis.",
        attributes={"axis": _AXIS, "keepdims": _KEEPDIMS},
    )
_add(
    "TopK",
    "reduce",
    (1, 1),
    r.top_k,
    "The k greatest along an axis, in order, of equal ones the earlier first; output 1 is their position. Sorting is to take all.",
    further=r.positions,
    attributes={
        "axis": _AXIS,
        "k": _A("int", minimum=1, doc="how many"),
        "largest": _A("bool", True, doc="the greatest, not the least"),
    },
)

# --- joining and moving elements --------------------------------------------------------------------------------------
_add("Concat", "join", (1, None), r.concat, "Joined along an axis.", attributes={"axis": _AXIS})
_add(
    "Split",
    "layout",
    (1, 1),
    r.split,
    "Cut along an axis; the further parts are read by Select.",
    further=r.parts,
    attributes={"axis": _AXIS, "split": _A("ints", minimum=1, doc="sizes of the parts")},
    layout=True,
)
for _name, _doc in {
    "Reshape": "The same elements in another shape.",
    "Flatten": "All axes after the batch in one.",
    "Squeeze": "Axes of size 1 left out.",
    "Unsqueeze": "Axes of size 1 put in.",
}.items():
    _add(_name, "layout", (1, 1), r.reshape, _doc, layout=True)
_add(
    "Transpose",
    "layout",
    (1, 1),
    r.transpose,
    "Axes in another order.",
    attributes={"perm": _A("ints", minimum=0, doc="the input's axis for each of the output")},
    layout=True,
)
_add(
    "Slice",
    "layout",
    (1, 1),
    r.slice_,
    "A range of every axis.",
    attributes={k: _A("ints", doc=f"{k[:-1]} of every axis") for k in ("starts", "ends", "steps")},
    layout=True,
)
_add("Expand", "layout", (1, 1), r.expand, "Repeated to a broadcast shape.", layout=True)
_add(
    "Tile",
    "layout",
    (1, 1),
    r.tile,
    "Repeated along axes.",
    attributes={"repeats": _A("ints", minimum=1, doc="how often, each axis")},
    layout=True,
)
_add(
    "Roll",
    "layout",
    (1, 1),
    r.roll,
    "Shifted around axes.",
    attributes={"shifts": _A("ints", doc="by how much"), "axes": _A("ints", minimum=0, doc="the axes")},
    layout=True,
    onnx=False,
)
_add(
    "DepthToSpace",
    "layout",
    (1, 1),
    r.depth_to_space,
    "Channels to pixels.",
    attributes={
        "blocksize": _A("int", minimum=1, doc="block edge"),
        "mode": _A("string", "DCR", choices=("DCR", "CRD"), doc="order of the channels"),
    },
    layout=True,
)
_add(
    "SpaceToDepth",
    "layout",
    (1, 1),
    r.space_to_depth,
    "Pixels to channels.",
    attributes={
        "blocksize": _A("int", minimum=1, doc="block edge"),
        "mode": _A("string", "DCR", choices=("DCR", "CRD"), doc="order of the channels"),
    },
    layout=True,
)
_add(
    "Pad",
    "pad",
    (1, 1),
    r.pad,
    "Padded or cropped.",
    attributes={
        "pads": _A("ints", doc="begins of all axes, then ends; negative numbers crop"),
        "mode": _A("string", "constant", choices=("constant", "reflect", "edge", "wrap"), doc="what fills"),
        "value": _A("float", 0.0, doc="the constant"),
    },
)
_add(
    "Resize",
    "resize",
    (1, 1),
    r.resize,
    "Interpolated to the stated shape.",
    attributes={
        "mode": _A(
            "string", "nearest", choices=("nearest", "nearest-exact", "linear", "cubic", "area"), doc="interpolation"
        ),
        "align_corners": _A("bool", False, doc="corner pixels keep their values"),
        "antialias": _A("bool", False, doc="filtered when shrinking"),
    },
)
_add(
    "Gather",
    "gather",
    (2, 2),
    r.gather,
    "Parts of an axis named by the second input.",
    attributes={"axis": _A("int", 0, minimum=0, doc="the axis")},
)
_add(
    "GatherElements",
    "gather",
    (2, 2),
    r.second,
    "One element a position, named by the second input along an axis.",
    attributes={"axis": _A("int", 0, minimum=0, doc="the axis")},
)
_add(
    "GatherND",
    "gather",
    (2, None),
    r.gather_nd,
    "Elements of the first input; each further input names places along one axis, from the first on.",
)
_add(
    "SliceScatter",
    "gather",
    (2, 2),
    r.slice_scatter,
    "The first input with a range of every axis replaced by the second.",
    attributes={k: _A("ints", doc=f"{k[:-1]} of every axis") for k in ("starts", "ends", "steps")},
    onnx=False,
)
_add(
    "ScatterND",
    "gather",
    (3, None),
    r.scatter_nd,
    "The first input with places, named as for GatherND by the inputs between, replaced by the last.",
    attributes={"reduction": _REDUCTION},
)
_add(
    "ScatterElements",
    "gather",
    (3, 3),
    r.scatter_elements,
    "The first input with one element a position, named by the second along an axis, replaced by those of the third.",
    attributes={"axis": _A("int", 0, minimum=0, doc="the axis"), "reduction": _REDUCTION},
)
_add(
    "GridSample",
    "gather",
    (2, 2),
    r.grid_sample,
    "Samples at places given by a grid.",
    attributes={
        "mode": _A("string", "linear", choices=("linear", "nearest", "cubic"), doc="interpolation"),
        "padding_mode": _A("string", "zeros", choices=("zeros", "border", "reflection"), doc="outside"),
        "align_corners": _A("bool", False, doc="corner pixels keep their values"),
    },
)
_add(
    "Im2Col",
    "gather",
    (1, 1),
    r.im2col,
    "Windows as columns (torch's unfold).",
    attributes={"kernel_shape": _KERNEL, "strides": _STRIDES, "pads": _PADS, "dilations": _DILATIONS},
    onnx=False,
)
_add(
    "Col2Im",
    "gather",
    (1, 1),
    r.col2im,
    "Columns added up as windows (torch's fold).",
    attributes={"kernel_shape": _KERNEL, "strides": _STRIDES, "pads": _PADS, "dilations": _DILATIONS},
)
_add("OneHot", "gather", (1, 1), r.embedding, "A one at the place that each number names.")

#: Names in table order; the position is the operator's code inside arrays (not part of the format).
OPERATOR_NAMES: tuple[str, ...] = tuple(OPERATORS)
_CODES = {name: code for code, name in enumerate(OPERATOR_NAMES)}


def operator_code(name: str) -> int:
    """The array code of an operator; KeyError for an unknown one."""
    return _CODES[name]
