"""Shape, parameter and multiply-accumulate rules that operators share.

A shape rule takes the input shapes, the attributes (defaults filled) and the stated output shape or ``None``; it returns the output
shape, with ``None`` at places that only the statement can fill (the channels of a convolution). It raises ``GraphError`` where the
inputs do not fit. A cost rule takes the input shapes, the attributes and the output shape and returns an exact integer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from cg_ir.errors import GraphError

Shape = tuple[int, ...]
PartialShape = tuple["int | None", ...]
Attrs = Mapping[str, Any]
ShapeRule = Callable[[Sequence[Shape], Attrs, "Shape | None"], PartialShape]
CostRule = Callable[[Sequence[Shape], Attrs, Shape], int]
#: Shapes of the outputs after the first; None where they are not known.
FurtherRule = Callable[[Sequence[Shape], Attrs, Shape], "Sequence[Shape] | None"]


def _need_rank(shape: Shape, rank: int, what: str) -> None:
    if len(shape) != rank:
        raise GraphError(f"{what} should have {rank} axes, not shape {list(shape)}")


def _need_axis(axis: int, rank: int) -> None:
    if not 0 <= axis < rank:
        raise GraphError(f"axis {axis} is outside the {rank} axes of the input (axes count from 0)")


# --- shapes -----------------------------------------------------------------------------------------------------------


def stated(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The shape is what the node says."""
    if out is None:
        raise GraphError("this operator needs a stated shape")
    return out


def constant(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """A stated shape, with as many elements as are recorded: all, one for all, or none."""
    shape = stated(ins, attrs, out)
    count = len(attrs["value"])
    if count > 1 and count != prod(out or ()):
        raise GraphError(f"{count} elements do not fill shape {list(out or ())}")
    return shape


def same(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The shape of the first input."""
    return ins[0]


def scalar_or_same(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The shape of the first input; an axis, where there is one, must exist."""
    _need_axis(attrs["axis"], len(ins[0]))
    return ins[0]


def broadcast(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> Shape:
    """Multidirectional broadcasting of all inputs, as in ONNX and numpy."""
    first = ins[0]
    if all(shape == first for shape in ins):
        return first
    rank = max(len(shape) for shape in ins)
    result = [1] * rank
    for shape in ins:
        for axis, size in enumerate(shape, rank - len(shape)):
            if size != 1:
                if result[axis] not in (1, size):
                    raise GraphError(f"inputs of shapes {[list(s) for s in ins]} do not broadcast")
                result[axis] = size
    return tuple(result)


def _window(size: int, kernel: int, stride: int, begin: int, end: int, dilation: int, ceil: bool) -> int:
    span = size + begin + end - dilation * (kernel - 1) - 1
    if span < 0:
        raise GraphError(
            f"a window of {dilation * (kernel - 1) + 1} does not fit an axis of {size} padded by {begin}+{end}"
        )
    if not ceil:
        return span // stride + 1
    count = -(-span // stride) + 1
    # the last window must start inside the input or its leading padding
    return count - 1 if (count - 1) * stride >= size + begin else count


def _windows(shape: Shape, attrs: Attrs) -> list[int]:
    kernel = attrs["kernel_shape"]
    dims = len(kernel)
    dilations = attrs.get("dilations", (1,) * dims)
    pads, ceil = attrs["pads"], attrs.get("ceil_mode", False)
    spatial = shape[-dims:]
    return [
        _window(spatial[i], kernel[i], attrs["strides"][i], pads[i], pads[dims + i], dilations[i], ceil)
        for i in range(dims)
    ]


def conv(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Convolution: spatial sizes follow from kernel, strides, pads and dilations; channels are stated."""
    dims = len(attrs["kernel_shape"])
    _need_rank(ins[0], dims + 2, "the input")
    group = attrs["group"]
    if ins[0][1] % group:
        raise GraphError(f"{ins[0][1]} input channels do not divide into group {group}")
    if out is not None and len(out) == dims + 2 and out[1] % group:
        raise GraphError(f"{out[1]} output channels do not divide into group {group}")
    channels = None
    if len(ins) > 1:
        channels = _computed_weights(ins[1], (None, ins[0][1] // group, *kernel_of(attrs)))[0]
    return (ins[0][0], channels, *_windows(ins[0], attrs))


def kernel_of(attrs: Attrs) -> Shape:
    """Window size of each spatial axis."""
    return tuple(attrs["kernel_shape"])


def _computed_weights(given: Shape, wanted: PartialShape) -> Shape:
    if len(given) != len(wanted) or any(w is not None and g != w for g, w in zip(given, wanted, strict=True)):
        sizes = ["any" if w is None else w for w in wanted]
        raise GraphError(f"weights should have shape {sizes}, not {list(given)}")
    return given


def conv_transpose(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Transposed convolution, with ``output_padding``."""
    kernel = attrs["kernel_shape"]
    dims = len(kernel)
    _need_rank(ins[0], dims + 2, "the input")
    group = attrs["group"]
    if ins[0][1] % group or (out is not None and len(out) == dims + 2 and out[1] % group):
        raise GraphError(f"channels do not divide into group {group}")
    sizes = []
    for i in range(dims):
        size = (
            (ins[0][2 + i] - 1) * attrs["strides"][i]
            - attrs["pads"][i]
            - attrs["pads"][dims + i]
            + attrs["dilations"][i] * (kernel[i] - 1)
            + attrs["output_padding"][i]
            + 1
        )
        if size < 1:
            raise GraphError("the output of the transposed convolution is empty")
        sizes.append(size)
    channels = None
    if len(ins) > 1:
        channels = _computed_weights(ins[1], (ins[0][1], None, *kernel_of(attrs)))[1] * group
    return (ins[0][0], channels, *sizes)


def pool(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Pooling over windows; leading axes are kept."""
    dims = len(attrs["kernel_shape"])
    if len(ins[0]) < dims + 1:
        raise GraphError(f"an input of shape {list(ins[0])} has no {dims} spatial axes")
    return (*ins[0][:-dims], *_windows(ins[0], attrs))


def global_pool(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Pooling over all spatial axes to size 1."""
    if len(ins[0]) < 3:
        raise GraphError(f"an input of shape {list(ins[0])} has no spatial axes")
    return (*ins[0][:2], *(1,) * (len(ins[0]) - 2))


def adaptive_pool(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Adaptive pooling to ``output_size``."""
    size = attrs["output_size"]
    if len(ins[0]) < len(size) + 1:
        raise GraphError(f"an input of shape {list(ins[0])} has no {len(size)} spatial axes")
    return (*ins[0][: len(ins[0]) - len(size)], *size)


def gemm(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Affine map of the last axis."""
    if not ins[0]:
        raise GraphError("the input of Gemm has no axis")
    return (*ins[0][:-1], None)


def expert_gemm(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Rows of features, and for each row the number of its matrix."""
    x, ids = ins
    if not x or x[:-1] != ids:
        raise GraphError(f"there should be one expert for each row of {list(x)}, not {list(ids)}")
    return (*x[:-1], None)


def matmul(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Batched matrix product, as numpy's ``matmul``."""
    a, b = ins
    if not a or not b:
        raise GraphError("MatMul takes no scalars")
    inner_b = b[-2] if len(b) > 1 else b[0]
    if a[-1] != inner_b:
        raise GraphError(f"inner axes of {list(a)} and {list(b)} differ")
    head = broadcast([a[:-2] or (1,), b[:-2] or (1,)], {}, None) if len(a) > 2 or len(b) > 2 else ()
    return (*head, *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))


def einsum_sizes(ins: Sequence[Shape], attrs: Attrs) -> tuple[dict[str, int], list[str], str]:
    """Sizes by letter, the inputs' terms and the output term; an ellipsis is spelled out in capitals beforehand by converters."""
    equation = attrs["equation"].replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if not arrow or len(terms) != len(ins):
        raise GraphError(f"equation {equation!r} should be explicit and have {len(ins)} terms")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, ins, strict=True):
        if len(term) != len(shape):
            raise GraphError(f"term {term!r} does not name the axes of shape {list(shape)}")
        for letter, size in zip(term, shape, strict=True):
            if sizes.setdefault(letter, size) not in (size, 1) and size != 1:
                raise GraphError(f"axis {letter!r} of {equation!r} has two sizes")
            sizes[letter] = max(sizes[letter], size)
    if any(letter not in sizes for letter in right):
        raise GraphError(f"the output of {equation!r} names an unknown axis")
    return sizes, terms, right


def einsum(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Einstein summation with an explicit equation."""
    sizes, _, right = einsum_sizes(ins, attrs)
    return tuple(sizes[letter] for letter in right)


def attention(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Scaled dot-product attention on query (..., l, e), key (..., s, e) and value (..., s, v)."""
    query, key, value = ins[:3]
    if min(len(query), len(key), len(value)) < 2 or query[-1] != key[-1] or key[-2] != value[-2]:
        raise GraphError(f"query {list(query)}, key {list(key)} and value {list(value)} do not fit")
    return (*query[:-1], value[-1])


def embedding(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """One row a number."""
    return (*ins[0], None)


def recurrent(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
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


def reduce(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Reduction over ``axes``; none means all."""
    rank = len(ins[0])
    axes = attrs["axes"] or tuple(range(rank))
    for axis in axes:
        _need_axis(axis, rank)
    if len(set(axes)) < len(axes):
        raise GraphError(f"axes {list(axes)} name one twice")
    if attrs["keepdims"]:
        return tuple(1 if i in axes else size for i, size in enumerate(ins[0]))
    return tuple(size for i, size in enumerate(ins[0]) if i not in axes)


def reduce_axis(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Reduction over one axis (ArgMax)."""
    axis = attrs["axis"]
    _need_axis(axis, len(ins[0]))
    middle = (1,) if attrs["keepdims"] else ()
    return (*ins[0][:axis], *middle, *ins[0][axis + 1 :])


def top_k(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """``k`` elements along ``axis``."""
    axis, k = attrs["axis"], attrs["k"]
    _need_axis(axis, len(ins[0]))
    if k > ins[0][axis]:
        raise GraphError(f"k {k} is more than the {ins[0][axis]} of axis {axis}")
    return (*ins[0][:axis], k, *ins[0][axis + 1 :])


def matrices(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The shape of an input whose last two axes are a matrix."""
    if len(ins[0]) < 2:
        raise GraphError(f"shape {list(ins[0])} has no matrix")
    return ins[0]


def prelu(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The input's shape; one slope, or one a channel of axis 1."""
    slopes = attrs["num_parameters"]
    if slopes != 1 and ins[0][1:2] != (slopes,):
        raise GraphError(f"num_parameters should be 1 or the channels of {list(ins[0])}, not {slopes}")
    return ins[0]


def concat(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Joined along ``axis``; the other axes agree."""
    axis, first = attrs["axis"], ins[0]
    _need_axis(axis, len(first))
    for shape in ins:
        if len(shape) != len(first) or shape[:axis] != first[:axis] or shape[axis + 1 :] != first[axis + 1 :]:
            raise GraphError(f"inputs of shapes {[list(s) for s in ins]} do not join along axis {axis}")
    return (*first[:axis], sum(shape[axis] for shape in ins), *first[axis + 1 :])


def split(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The first part."""
    axis, parts = attrs["axis"], attrs["split"]
    _need_axis(axis, len(ins[0]))
    if sum(parts) != ins[0][axis] or len(parts) < 2:
        raise GraphError(f"parts {list(parts)} should be two or more and add up to the {ins[0][axis]} of axis {axis}")
    return (*ins[0][:axis], parts[0], *ins[0][axis + 1 :])


def reshape(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """A stated shape with as many elements."""
    if out is None:
        raise GraphError("this operator needs a stated shape")
    if prod(out) != prod(ins[0]):
        raise GraphError(f"shape {list(ins[0])} cannot be read as {list(out)}: the number of elements differs")
    return out


def transpose(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Axes in the order ``perm``."""
    perm = attrs["perm"]
    if sorted(perm) != list(range(len(ins[0]))):
        raise GraphError(f"perm {list(perm)} is no permutation of the {len(ins[0])} axes")
    return tuple(ins[0][i] for i in perm)


def slice_(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """``starts``, ``ends`` and ``steps`` for every axis, already clamped; a negative step runs from start down to above end."""
    rank = len(ins[0])
    if not len(attrs["starts"]) == len(attrs["ends"]) == len(attrs["steps"]) == rank:
        raise GraphError(f"starts, ends and steps should each have {rank} numbers, one an axis")
    sizes = []
    for size, start, end, step in zip(ins[0], attrs["starts"], attrs["ends"], attrs["steps"], strict=True):
        if step == 0 or not (0 <= start < size and -1 <= end <= size):
            raise GraphError(f"slice {start}:{end}:{step} is outside an axis of {size}")
        count = len(range(start, end, step))
        if count == 0:
            raise GraphError(f"slice {start}:{end}:{step} is empty")
        sizes.append(count)
    return tuple(sizes)


def slice_scatter(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The first input's shape; the second has the shape of the slice."""
    part = slice_(ins[:1], attrs, None)
    if part != ins[1]:
        raise GraphError(f"the replacement should have shape {list(part)}, not {list(ins[1])}")
    return ins[0]


def roll(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The input's shape; ``shifts`` and ``axes`` belong together."""
    if len(attrs["shifts"]) != len(attrs["axes"]):
        raise GraphError(f"{len(attrs['shifts'])} shifts do not belong to {len(attrs['axes'])} axes")
    for axis in attrs["axes"]:
        _need_axis(axis, len(ins[0]))
    return ins[0]


def resize(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """A stated shape with as many axes."""
    shape = stated(ins, attrs, out)
    _need_rank(ins[0], len(shape), "the input")
    return shape


def pad(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """``pads``: begins of all axes, then ends; negative numbers crop."""
    rank, pads = len(ins[0]), attrs["pads"]
    if len(pads) != 2 * rank:
        raise GraphError(f"pads should have {2 * rank} numbers, not {len(pads)}")
    return tuple(size + pads[i] + pads[rank + i] for i, size in enumerate(ins[0]))


def expand(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """A stated shape to which the input broadcasts."""
    if out is None:
        raise GraphError("this operator needs a stated shape")
    if broadcast([ins[0], out], {}, None) != out:
        raise GraphError(f"shape {list(ins[0])} does not broadcast to {list(out)}")
    return out


def tile(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Each axis repeated."""
    repeats = attrs["repeats"]
    if len(repeats) != len(ins[0]):
        raise GraphError(f"repeats should have {len(ins[0])} numbers")
    return tuple(size * times for size, times in zip(ins[0], repeats, strict=True))


def gather(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """Rows of ``axis`` named by the second input."""
    axis = attrs["axis"]
    _need_axis(axis, len(ins[0]))
    return (*ins[0][:axis], *ins[1], *ins[0][axis + 1 :])


def gather_nd(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The index tensors broadcast together, then the axes that none of them names."""
    if len(ins) - 1 > len(ins[0]):
        raise GraphError(f"{len(ins) - 1} index tensors for the {len(ins[0])} axes of the input")
    return (*broadcast(ins[1:], {}, None), *ins[0][len(ins) - 1 :])


def scatter_nd(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The first input's shape; the last input fills what the index tensors name."""
    places = (*broadcast(ins[1:-1], {}, None), *ins[0][len(ins) - 2 :])
    if len(ins) - 2 > len(ins[0]) or broadcast([places, ins[-1]], {}, None) != places:
        raise GraphError(f"values of shape {list(ins[-1])} do not fill {list(places)}")
    return ins[0]


def scatter_elements(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The first input's shape; positions and new elements have one shape, no longer than it except along ``axis``."""
    data, index, updates = ins
    axis = attrs["axis"]
    _need_axis(axis, len(data))
    if len(index) != len(data) or any(i > s for a, (i, s) in enumerate(zip(index, data, strict=True)) if a != axis):
        raise GraphError(f"positions of shape {list(index)} are outside shape {list(data)}")
    if len(updates) != len(index) or any(i > u for i, u in zip(index, updates, strict=True)):
        raise GraphError(f"elements of shape {list(updates)} do not fill positions of shape {list(index)}")
    return data


def grid_sample(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """(n, c, h, w) sampled at (n, i, j, 2): (n, c, i, j); one axis more for volumes."""
    image, grid = ins
    if len(image) not in (4, 5) or len(grid) != len(image) or grid[-1] != len(image) - 2 or grid[0] != image[0]:
        raise GraphError(f"an image {list(image)} and a grid {list(grid)} do not fit")
    return (*image[:2], *grid[1:-1])


def _blocks(spatial: Shape, attrs: Attrs) -> int:
    return prod(_windows(spatial, {"ceil_mode": False, **attrs}))


def im2col(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """(n, c, spatial...) to (n, c prod(kernel), windows)."""
    _need_rank(ins[0], len(attrs["kernel_shape"]) + 2, "the input")
    return (ins[0][0], ins[0][1] * prod(attrs["kernel_shape"]), _blocks(ins[0], attrs))


def col2im(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """(n, c prod(kernel), windows) to a stated (n, c, spatial...)."""
    shape = stated(ins, attrs, out)
    dims = len(attrs["kernel_shape"])
    _need_rank(ins[0], 3, "the input")
    if out is None or len(out) != dims + 2:
        raise GraphError(f"the output should have {dims + 2} axes, not shape {list(shape)}")
    if ins[0] != (out[0], out[1] * prod(attrs["kernel_shape"]), _blocks(out, attrs)):
        raise GraphError(f"columns {list(ins[0])} do not come from shape {list(out)}")
    return shape


def second(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """The shape of the second input."""
    return ins[1]


def depth_to_space(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """(n, c b b, h, w) to (n, c, h b, w b)."""
    _need_rank(ins[0], 4, "the input")
    n, c, h, w = ins[0]
    b = attrs["blocksize"]
    if c % (b * b):
        raise GraphError(f"{c} channels do not divide by blocksize {b} squared")
    return (n, c // (b * b), h * b, w * b)


def space_to_depth(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """(n, c, h, w) to (n, c b b, h / b, w / b)."""
    _need_rank(ins[0], 4, "the input")
    n, c, h, w = ins[0]
    b = attrs["blocksize"]
    if h % b or w % b:
        raise GraphError(f"{h} x {w} does not divide by blocksize {b}")
    return (n, c * b * b, h // b, w // b)


def channels_first_norm(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """A normalisation over channels, axis 1."""
    if len(ins[0]) < 2:
        raise GraphError(f"an input of shape {list(ins[0])} has no channels")
    group = attrs.get("num_groups", 1)
    if ins[0][1] % group:
        raise GraphError(f"{ins[0][1]} channels do not divide into {group} groups")
    return ins[0]


# --- further outputs ---------------------------------------------------------------------------------------------------


def one_output(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> Sequence[Shape] | None:
    """There are none."""
    return ()


def unknown_outputs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> Sequence[Shape] | None:
    """Any."""
    return None


def positions(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> Sequence[Shape] | None:
    """Output 1 is the positions of output 0, in the same shape."""
    return (out,)


def parts(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> Sequence[Shape] | None:
    """The further parts."""
    axis = attrs["axis"]
    return [(*out[:axis], size, *out[axis + 1 :]) for size in attrs["split"][1:]]


def states(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> Sequence[Shape] | None:
    """Output 1 is the last state of every layer and direction, output 2 that of the cells of an LSTM."""
    return _recurrent_states(ins[0], attrs, 2 if "proj_size" in attrs else 1)


# --- costs ------------------------------------------------------------------------------------------------------------


def none(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """No parameters, or no multiply-accumulates."""
    return 0


def conv_params(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """c_out (c_in / group) prod(kernel) weights, unless they are an input, and c_out biases."""
    if len(ins) > 1:
        return out[1] * attrs["bias"]
    return out[1] * (ins[0][1] // attrs["group"]) * prod(attrs["kernel_shape"]) + out[1] * attrs["bias"]


def conv_macs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """One product for each weight that meets an output element."""
    return prod(out) * (ins[0][1] // attrs["group"]) * prod(attrs["kernel_shape"])


def conv_transpose_params(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """c_in (c_out / group) prod(kernel) weights, unless they are an input, and c_out biases."""
    if len(ins) > 1:
        return out[1] * attrs["bias"]
    return ins[0][1] * (out[1] // attrs["group"]) * prod(attrs["kernel_shape"]) + out[1] * attrs["bias"]


def conv_transpose_macs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """One product for each weight that meets an input element."""
    return prod(ins[0]) * (out[1] // attrs["group"]) * prod(attrs["kernel_shape"])


def gemm_params(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """in x out weights, and out biases."""
    return ins[0][-1] * out[-1] + out[-1] * attrs["bias"]


def gemm_macs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """in products for each output element."""
    return prod(out) * ins[0][-1]


def expert_gemm_params(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """One matrix in x out an expert."""
    return attrs["num_experts"] * ins[0][-1] * out[-1]


def matmul_macs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """The inner size for each output element."""
    return prod(out) * ins[0][-1]


def einsum_macs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """The product of all axis sizes where two or more inputs are contracted, as for a matrix product."""
    sizes, terms, right = einsum_sizes(ins, attrs)
    contracted = set("".join(terms)) - set(right)
    return prod(sizes.values()) if len(terms) > 1 and contracted else 0


def attention_macs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """Query times key and weights times value: prod(batch, heads) l s (e + v)."""
    query, key, value = ins[:3]
    return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def embedding_params(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """One row a number."""
    return attrs["num_embeddings"] * out[-1]


def channel_affine_params(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """Scale and shift for each channel."""
    return 2 * ins[0][1] if attrs["affine"] else 0


def trailing_affine_params(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """Scale, and shift where there is one, over the normalised axes."""
    if not attrs["affine"]:
        return 0
    return prod(ins[0][attrs["axis"] :]) * (2 if attrs.get("bias", False) else 1)


def trailing_norm(ins: Sequence[Shape], attrs: Attrs, out: Shape | None) -> PartialShape:
    """A normalisation over the axes from ``axis`` to the last."""
    _need_axis(attrs["axis"], len(ins[0]))
    return ins[0]


def recurrent_params(gates: int) -> CostRule:
    """torch's layout: per layer and direction gates x h x (in + out) weights and two bias vectors."""

    def params(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
        """Each layer and direction has g h (x + s) weights, 2 g h biases and, projected to s < h, s h more.

        g: gates (LSTM 4, GRU 3, RNN 1); h: hidden size; x: features of the layer's input; s: size of the state that is passed on.
        """
        hidden, project = attrs["hidden_size"], attrs.get("proj_size", 0)
        directions = 2 if attrs["bidirectional"] else 1
        state = project or hidden
        biases = 2 * gates * hidden if attrs["bias"] else 0
        first, other = (
            directions * (gates * hidden * (width + state) + biases + project * hidden)
            for width in (ins[0][-1], directions * state)
        )
        return int(first + (attrs["num_layers"] - 1) * other)

    return params


def recurrent_macs(gates: int) -> CostRule:
    """The matrix products of every gate at every time step."""

    def macs(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
        """The weights without biases, once for every time step and sequence."""
        hidden, project = attrs["hidden_size"], attrs.get("proj_size", 0)
        directions = 2 if attrs["bidirectional"] else 1
        state = project or hidden
        first, other = (
            directions * (gates * hidden * (width + state) + project * hidden)
            for width in (ins[0][-1], directions * state)
        )
        return int(first + (attrs["num_layers"] - 1) * other) * prod(ins[0][:-1])

    return macs


def prelu_params(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """One slope, or one a channel."""
    return attrs["num_parameters"]


def stated_params(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """What the converter counted."""
    return attrs["params"]


def elements(ins: Sequence[Shape], attrs: Attrs, out: Shape) -> int:
    """Every element of a bare parameter."""
    return prod(out)
