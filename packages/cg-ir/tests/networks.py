"""Networks that several tests draw, compare, convert and run."""

from __future__ import annotations

from cg_ir import Graph, GraphBuilder

__all__ = ["attention_block", "cells", "unet"]


def unit(
    b: GraphBuilder, x: int, channels: int, kernel: int = 3, stride: int = 1, group: int = 1, region: str = ""
) -> int:
    """Convolution, normalisation, activation."""
    x = b.add(
        "Conv",
        x,
        channels=channels,
        kernel_shape=(kernel, kernel),
        pads=(kernel // 2,) * 4,
        strides=(stride, stride),
        group=group,
        region=region,
    )
    return b.add("Relu", b.add("BatchNormalization", x, region=region), region=region)


def cells(kernel: int = 3, repeats: int = 2) -> Graph:
    """A chain of residual cells with a pooled branch, in three stages."""
    b = GraphBuilder("cells")
    x = unit(b, b.input((1, 3, 16, 16)), 8, region="stem")
    channels = 8
    for stage in range(3):
        for cell in range(repeats):
            region = f"stage_{stage}.cell_{cell}"
            y = unit(b, x, channels, kernel, region=region)
            z = b.add("AveragePool", x, kernel_shape=(3, 3), pads=(1, 1, 1, 1), count_include_pad=False, region=region)
            x = b.add("Add", y, z, x, region=region)
        if stage < 2:
            channels *= 2
            x = unit(b, x, channels, 3, 2, region=f"stage_{stage}.reduction")
    x = b.add("Flatten", b.add("GlobalAveragePool", x, region="head"), shape=(1, channels), region="head")
    b.output(b.add("Gemm", x, channels=10, bias=True, region="head"))
    return b.build()


def unet() -> Graph:
    """Long skips across regions."""
    b = GraphBuilder("U-Net")
    x = b.input((1, 3, 32, 32))
    skips = []
    channels = 8
    for i in range(2):
        x = unit(b, x, channels, region=f"down_{i}")
        skips.append(x)
        x = b.add("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2), region=f"down_{i}")
        channels *= 2
    x = unit(b, x, channels, region="middle")
    for i in (1, 0):
        channels //= 2
        region = f"up_{i}"
        x = b.add("ConvTranspose", x, channels=channels, kernel_shape=(2, 2), strides=(2, 2), region=region)
        x = unit(b, b.add("Concat", x, skips[i], axis=1, region=region), channels, region=region)
    b.output(b.add("Conv", x, channels=2, kernel_shape=(1, 1)))
    return b.build()


def attention_block() -> Graph:
    """A transformer block on patches, with a class token."""
    b = GraphBuilder("attention")
    x = b.add("Conv", b.input((1, 3, 16, 16)), channels=12, kernel_shape=(4, 4), strides=(4, 4), region="patch")
    x = b.add("Transpose", b.add("Reshape", x, shape=(1, 12, 16)), perm=(0, 2, 1))
    x = b.add("Add", b.add("Concat", b.parameter((1, 1, 12)), x, axis=1), b.parameter((1, 17, 12)))
    y = b.add("LayerNormalization", x, axis=2, region="block.norm1")
    qkv = b.add("Gemm", y, channels=36, bias=True, region="block.attn.qkv")
    qkv = b.add("Transpose", b.add("Reshape", qkv, shape=(1, 17, 3, 2, 6)), perm=(2, 0, 3, 1, 4), region="block.attn")
    parts = []
    for i in range(3):
        part = b.add("Slice", qkv, starts=(i, 0, 0, 0, 0), ends=(i + 1, 1, 2, 17, 6), steps=(1,) * 5)
        parts.append(b.add("Squeeze", part, shape=(1, 2, 17, 6)))
    y = b.add("Transpose", b.add("Attention", *parts, region="block.attn"), perm=(0, 2, 1, 3))
    y = b.add("Gemm", b.add("Reshape", y, shape=(1, 17, 12)), channels=12, bias=True, region="block.attn.proj")
    x = b.add("Add", x, y, region="block")
    y = b.add("Gemm", b.add("LayerNormalization", x, axis=2, region="block.norm2"), channels=24, region="block.mlp")
    y = b.add("Gemm", b.add("Gelu", y, region="block.mlp"), channels=12, region="block.mlp")
    x = b.add("Mul", b.add("Add", x, y), b.constant((), [0.5]))
    x = b.add("Squeeze", b.add("Slice", x, starts=(0, 0, 0), ends=(1, 1, 12), steps=(1, 1, 1)), shape=(1, 12))
    b.output(b.add("Gemm", x, channels=5, bias=True, region="head"))
    return b.build()
