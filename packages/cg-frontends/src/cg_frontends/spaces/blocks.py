"""Building blocks that the search spaces share, written against :class:`cg_ir.GraphBuilder`.

Each function adds nodes to a builder and returns the number of the block's last node.
"""

from __future__ import annotations

from cg_ir import GraphBuilder


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


def batchnorm_relu(b: GraphBuilder, x: int) -> int:
    """Batch normalisation, ReLU."""
    return b.add("Relu", b.add("BatchNormalization", x))


def residual_block(b: GraphBuilder, x: int, channels: int) -> int:
    """Basic block of stride 2 whose shortcut is average pooling and a 1x1 convolution, as between the stages of NAS-Bench-201."""
    y = relu_conv_bn(b, relu_conv_bn(b, x, channels, 3, 2), channels, 3)
    return b.add("Add", conv(b, average_pool(b, x, 2, 2, 0), channels, 1), y)


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


def squeeze_excitation(b: GraphBuilder, x: int, width: int, activation: str, gate: str) -> int:
    """Channels scaled by a gate that two 1x1 convolutions with biases compute from their means (Hu et al., 2018)."""
    channels = b.shape(x)[1]
    y = b.add(activation, conv(b, b.add("GlobalAveragePool", x), width, 1, bias=True))
    return b.add("Mul", x, b.add(gate, conv(b, y, channels, 1, bias=True)))


def mbconv(
    b: GraphBuilder,
    x: int,
    channels: int,
    kernel: int,
    stride: int,
    expanded: int,
    activation: str,
    *,
    squeeze: int = 0,
    gate: str = "Sigmoid",
    squeeze_activation: str = "Relu",
) -> int:
    """Inverted residual block: 1x1 expansion, depthwise convolution, squeeze-excitation, 1x1 projection (Sandler et al., 2018; Tan et al., 2019).

    Args:
        b: the builder.
        x: the input.
        channels: output channels.
        kernel: window size of the depthwise convolution.
        stride: its stride.
        expanded: channels inside; no expansion where they are the input's.
        activation: operator after the first two convolutions.
        squeeze: channels inside the squeeze-excitation; 0 for none.
        gate: operator of its gate.
        squeeze_activation: operator between its convolutions.
    """
    before = b.shape(x)[1]
    y = x
    if expanded != before:
        y = b.add(activation, conv_bn(b, y, expanded, 1))
    y = b.add(activation, conv_bn(b, y, expanded, kernel, stride, group=expanded))
    if squeeze:
        y = squeeze_excitation(b, y, squeeze, squeeze_activation, gate)
    y = conv_bn(b, y, channels, 1)
    return b.add("Add", x, y) if stride == 1 and channels == before else y


def separable_conv(b: GraphBuilder, x: int, kernel: int, stride: int, *, dilation: int = 1) -> int:
    """ReLU, depthwise and pointwise convolution, batch normalisation; channels are kept."""
    channels = b.shape(x)[1]
    y = conv(b, b.add("Relu", x), channels, kernel, stride, dilation=dilation, group=channels)
    return conv_bn(b, y, channels, 1)


def factorized_reduce(b: GraphBuilder, x: int, channels: int) -> int:
    """Half the resolution by two 1x1 convolutions of stride 2, the second one shifted by a pixel (Liu et al., 2019)."""
    x = b.add("Relu", x)
    shape = b.shape(x)
    shifted = b.add("Slice", x, starts=(0, 0, 1, 1), ends=shape, steps=(1, 1, 1, 1))
    halves = (conv(b, x, channels // 2, 1, 2), conv(b, shifted, channels - channels // 2, 1, 2))
    return b.add("BatchNormalization", b.add("Concat", *halves, axis=1))


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
