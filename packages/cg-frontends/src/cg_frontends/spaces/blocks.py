"""Building blocks that the search spaces share, written against :class:`cg_ir.GraphBuilder`.

Each function adds nodes to a builder and returns the number of the block's last node.
"""

from __future__ import annotations

from cg_ir import GraphBuilder

__all__ = [
    "average_pool",
    "classifier",
    "conv",
    "conv_bn",
    "conv_bn_relu",
    "max_pool",
    "relu_conv_bn",
    "truncate",
    "zero",
]


def conv(
    b: GraphBuilder,
    x: int,
    channels: int,
    kernel: int,
    stride: int = 1,
    *,
    dilation: int = 1,
    group: int = 1,
    bias: bool = False,
) -> int:
    """A square convolution padded by ``dilation * (kernel - 1) / 2``, so that stride 1 keeps the resolution."""
    pad = dilation * (kernel - 1) // 2
    return b.add(
        "Conv",
        x,
        channels=channels,
        kernel_shape=(kernel, kernel),
        strides=(stride, stride),
        pads=(pad,) * 4,
        dilations=(dilation, dilation),
        group=group,
        bias=bias,
    )


def conv_bn(b: GraphBuilder, x: int, channels: int, kernel: int, stride: int = 1, *, group: int = 1) -> int:
    """Convolution, batch normalisation."""
    return b.add("BatchNormalization", conv(b, x, channels, kernel, stride, group=group))


def conv_bn_relu(b: GraphBuilder, x: int, channels: int, kernel: int, stride: int = 1) -> int:
    """Convolution, batch normalisation, ReLU."""
    return b.add("Relu", conv_bn(b, x, channels, kernel, stride))


def relu_conv_bn(b: GraphBuilder, x: int, channels: int, kernel: int, stride: int = 1) -> int:
    """ReLU, convolution, batch normalisation."""
    return conv_bn(b, b.add("Relu", x), channels, kernel, stride)


def max_pool(b: GraphBuilder, x: int, kernel: int, stride: int, pad: int) -> int:
    """Square max pooling."""
    return b.add("MaxPool", x, kernel_shape=(kernel, kernel), strides=(stride, stride), pads=(pad,) * 4)


def average_pool(b: GraphBuilder, x: int, kernel: int, stride: int, pad: int) -> int:
    """Square average pooling; padding does not count."""
    return b.add(
        "AveragePool",
        x,
        kernel_shape=(kernel, kernel),
        strides=(stride, stride),
        pads=(pad,) * 4,
        count_include_pad=False,
    )


def truncate(b: GraphBuilder, x: int, channels: int) -> int:
    """The first ``channels`` channels; nothing where there are no more."""
    shape = b.shape(x)
    if shape[1] == channels:
        return x
    return b.add("Slice", x, starts=(0,) * 4, ends=(shape[0], channels, *shape[2:]), steps=(1,) * 4)


def zero(b: GraphBuilder, x: int) -> int:
    """The input times 0."""
    return b.add("Mul", x, b.constant((), (0.0,)))


def classifier(b: GraphBuilder, x: int, classes: int) -> int:
    """Global average pooling, an affine map with bias, and the network's output."""
    x = b.add("GlobalAveragePool", x)
    x = b.add("Flatten", x, shape=b.shape(x)[:2])
    return b.output(b.add("Gemm", x, channels=classes, bias=True))
