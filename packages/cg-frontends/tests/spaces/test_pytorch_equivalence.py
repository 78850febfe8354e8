"""The networks of the spaces compute what independent PyTorch implementations of the papers' descriptions compute.

Each implementation is traced: its graph has the hash of the space's. Then its weights, moved along the isomorphism, make the space's runnable graph
give the same outputs.
"""

from __future__ import annotations

import json
from typing import Any

import networkx as nx
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402
from cg_ir import Graph, get_space  # noqa: E402
from cg_ir.equality import _labelled  # noqa: E402
from cg_ir.module import to_module  # noqa: E402


def conv(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1, dilation: int = 1) -> nn.Conv2d:
    pad = dilation * (kernel // 2)
    return nn.Conv2d(before, after, kernel, stride, pad, dilation=dilation, groups=groups, bias=False)


class ReluConvBn(nn.Sequential):
    def __init__(self, before: int, after: int, kernel: int, stride: int = 1) -> None:
        super().__init__(nn.ReLU(), conv(before, after, kernel, stride), nn.BatchNorm2d(after))


class ConvBnRelu(nn.Sequential):
    def __init__(self, before: int, after: int, kernel: int) -> None:
        super().__init__(conv(before, after, kernel), nn.BatchNorm2d(after), nn.ReLU())


class Residual201(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.a, self.b = ReluConvBn(before, after, 3, 2), ReluConvBn(after, after, 3)
        self.short = nn.Sequential(nn.AvgPool2d(2), conv(before, after, 1))

    def forward(self, x: Any) -> Any:
        return self.short(x) + self.b(self.a(x))


class Zero(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.mul(0.0)


class Cell201(nn.Module):
    def __init__(self, arch: str, before: int, width: int) -> None:
        super().__init__()
        self.nodes = [[edge.split("~") for edge in node.strip("|").split("|")] for node in arch.split("+")]
        self.edges = nn.ModuleDict()
        for target, node in enumerate(self.nodes, 1):
            for op, source in node:
                c = before if source == "0" else width
                skip = (
                    nn.Identity() if c == width else nn.Sequential(nn.ReLU(), conv(c, width, 1), nn.BatchNorm2d(width))
                )
                made = {
                    "none": Zero(), "skip_connect": skip, "nor_conv_1x1": ReluConvBn(c, width, 1),
                    "nor_conv_3x3": ReluConvBn(c, width, 3),
                    "avg_pool_3x3": nn.AvgPool2d(3, 1, 1, count_include_pad=False),
                }[op]  # fmt: skip
                self.edges[f"{source}_{target}"] = made

    def forward(self, x: Any) -> Any:
        values = [x]
        for target, node in enumerate(self.nodes, 1):
            values.append(sum(self.edges[f"{source}_{target}"](values[int(source)]) for _, source in node))
        return values[-1]


class Head(nn.Sequential):
    def __init__(self, width: int) -> None:
        super().__init__(nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def net_201(arch: str) -> nn.Module:
    layers: list[nn.Module] = [conv(3, 16, 3), nn.BatchNorm2d(16)]
    for width in (16, 32, 64):
        if width > 16:
            layers.append(Residual201(width // 2, width))
        layers += [Cell201(arch, width, width) for _ in range(5)]
    return nn.Sequential(*layers, Head(64))


def net_size(arch: str) -> nn.Module:
    cell = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    a, b, c, d, e = map(int, arch.split(":"))
    return nn.Sequential(
        conv(3, a, 3), nn.BatchNorm2d(a), Cell201(cell, a, a), Residual201(a, b), Cell201(cell, b, c),
        Residual201(c, d), Cell201(cell, d, e), Head(e),
    )  # fmt: skip


class Module101(nn.Module):
    def __init__(self, matrix: Any, ops: list[int], before: int, width: int) -> None:
        super().__init__()
        self.matrix, self.last = matrix, len(matrix) - 1
        feeding = [v for v in range(1, self.last) if matrix[v][self.last]]
        self.feeding = feeding
        self.width = {self.last: width}
        for v in reversed(range(1, self.last)):
            if v in feeding:
                self.width[v] = width // len(feeding) + (feeding.index(v) < width % len(feeding))
            else:
                self.width[v] = max(self.width[w] for w in range(v + 1, self.last) if matrix[v][w])
        self.project = nn.ModuleDict(
            {
                str(v): ConvBnRelu(before, self.width[v], 1)
                for v in range(1, self.last + 1)
                if matrix[0][v] or not feeding
            }
        )
        self.ops = nn.ModuleDict()
        for v in range(1, self.last):
            c = self.width[v]
            self.ops[str(v)] = [ConvBnRelu(c, c, 3), ConvBnRelu(c, c, 1), nn.MaxPool2d(3, 1, 1)][ops[v - 1]]

    def forward(self, x: Any) -> Any:
        values = {0: x}
        for v in range(1, self.last):
            terms = [values[s][:, : self.width[v]] for s in range(1, v) if self.matrix[s][v]]
            if self.matrix[0][v]:
                terms.append(self.project[str(v)](x))
            values[v] = self.ops[str(v)](sum(terms[1:], terms[0]))
        if not self.feeding:
            return self.project[str(self.last)](x)
        out = torch.cat([values[v] for v in self.feeding], 1) if len(self.feeding) > 1 else values[self.feeding[0]]
        return out + self.project[str(self.last)](x) if self.matrix[0][self.last] else out


def net_101(arch: str) -> nn.Module:
    cell = get_space("nb101").parse(arch).generated()  # type: ignore[attr-defined]
    layers: list[nn.Module] = [ConvBnRelu(3, 128, 3)]
    before = 128
    for width in (128, 256, 512):
        if width > 128:
            layers.append(nn.MaxPool2d(2))
        for _ in range(3):
            layers.append(Module101(cell.matrix(), [int(op) for op in cell.ops], before, width))
            before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


class FactorizedReduce(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.a, self.b = conv(before, after // 2, 1, 2), conv(before, after // 2, 1, 2)
        self.bn = nn.BatchNorm2d(after)

    def forward(self, x: Any) -> Any:
        x = functional.relu(x)
        return self.bn(torch.cat([self.a(x), self.b(x[:, :, 1:, 1:])], 1))


def separable(c: int, kernel: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    return [nn.ReLU(), conv(c, c, kernel, stride, c, dilation), conv(c, c, 1), nn.BatchNorm2d(c)]


def darts_operator(op: int, c: int, stride: int) -> nn.Module:
    if op == 2:
        return nn.Identity() if stride == 1 else FactorizedReduce(c, c)
    if op < 2:
        return nn.MaxPool2d(3, stride, 1) if op == 0 else nn.AvgPool2d(3, stride, 1, count_include_pad=False)
    kernel = 3 if op in (3, 5) else 5
    if op < 5:
        return nn.Sequential(*separable(c, kernel, stride), *separable(c, kernel, 1))
    return nn.Sequential(*separable(c, kernel, stride, 2))


class DartsCell(nn.Module):
    def __init__(self, edges: Any, first: int, second: int, c: int, reduction: bool, reduced: bool) -> None:
        super().__init__()
        self.edges = edges
        self.p0 = FactorizedReduce(first, c) if reduced else ReluConvBn(first, c, 1)
        self.p1 = ReluConvBn(second, c, 1)
        self.ops = nn.ModuleList(darts_operator(op, c, 2 if reduction and i < 2 else 1) for i, op in edges)

    def forward(self, s0: Any, s1: Any) -> Any:
        states = [self.p0(s0), self.p1(s1)]
        for node in range(4):
            (i, _), (j, _) = self.edges[2 * node : 2 * node + 2]
            states.append(self.ops[2 * node](states[i]) + self.ops[2 * node + 1](states[j]))
        return torch.cat(states[2:], 1)


class Net301(nn.Module):
    def __init__(self, arch: str) -> None:
        super().__init__()
        normal, reduce = json.loads(arch)
        self.stem = nn.Sequential(conv(3, 96, 3), nn.BatchNorm2d(96))
        self.cells = nn.ModuleList()
        first, second, c, reduced = 96, 96, 32, False
        for layer in range(8):
            reduction = layer in (2, 5)
            c *= 1 + reduction
            self.cells.append(DartsCell(reduce if reduction else normal, first, second, c, reduction, reduced))
            first, second, reduced = second, 4 * c, reduction
        self.classifier = nn.Linear(second, 10)

    def forward(self, x: Any) -> Any:
        s0 = s1 = self.stem(x)
        for cell in self.cells:
            s0, s1 = s1, cell(s0, s1)
        return self.classifier(s1.mean((2, 3)))


class SqueezeExcite(nn.Module):
    def __init__(self, c: int, inner: int, act: type[nn.Module], gate: type[nn.Module]) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, inner, 1), act(), nn.Conv2d(inner, c, 1), gate()
        )

    def forward(self, x: Any) -> Any:
        return x * self.body(x)


class MBConv(nn.Module):
    def __init__(self, before: int, after: int, kernel: int, stride: int, inner: int, act: Any, squeeze: Any) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if inner != before:
            layers += [conv(before, inner, 1), nn.BatchNorm2d(inner), act()]
        layers += [conv(inner, inner, kernel, stride, inner), nn.BatchNorm2d(inner), act()]
        if squeeze:
            layers.append(SqueezeExcite(inner, *squeeze))
        self.body = nn.Sequential(*layers, conv(inner, after, 1), nn.BatchNorm2d(after))
        self.short = stride == 1 and before == after

    def forward(self, x: Any) -> Any:
        return x + self.body(x) if self.short else self.body(x)


def net_mnasnet(arch: str) -> nn.Module:
    expand, kernel, layers, squeeze = ([int(c) for c in part] for part in arch.split(":"))
    body: list[nn.Module] = [conv(3, 32, 3, 2), nn.BatchNorm2d(32), nn.SiLU()]
    c = 32
    for s, (width, stride) in enumerate(zip((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 2, 1, 2, 1), strict=True)):
        for i in range(layers[s]):
            gate = (c // 4, nn.SiLU, nn.Sigmoid) if squeeze[s] else None
            body.append(MBConv(c, width, kernel[s], stride if i == 0 else 1, c * expand[s], nn.SiLU, gate))
            c = width
    body += [conv(320, 1280, 1), nn.BatchNorm2d(1280), nn.SiLU()]
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000))


def net_mobilenet(arch: str) -> nn.Module:
    kernel, expand, depth = ([int(c) for c in part] for part in arch.split("@")[0].split(":"))
    body: list[nn.Module] = [
        conv(3, 16, 3, 2),
        nn.BatchNorm2d(16),
        nn.Hardswish(),
        MBConv(16, 16, 3, 1, 16, nn.ReLU, None),
    ]
    c = 16
    for s, (width, stride) in enumerate(zip((24, 40, 80, 112, 160), (2, 2, 2, 1, 2), strict=True)):
        for i in range(depth[s]):
            inner = c * expand[4 * s + i]
            # nearest multiple of 8, and none that is more than a tenth too small
            near = max(8, (inner // 4 + 4) // 8 * 8)
            near += 8 if near < 0.9 * (inner // 4) else 0
            gate = (near, nn.ReLU, nn.Hardsigmoid) if s in (1, 3, 4) else None
            act = nn.ReLU if s < 2 else nn.Hardswish
            body.append(MBConv(c, width, kernel[4 * s + i], stride if i == 0 else 1, inner, act, gate))
            c = width
    body += [conv(160, 960, 1), nn.BatchNorm2d(960), nn.Hardswish(), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*body, conv(960, 1280, 1), nn.Hardswish(), nn.Flatten(), nn.Linear(1280, 1000))


class CellTransNas(nn.Module):
    """Edges without operator are absent; without any the cell is its input, thinned out and doubled to the right shape, times 0."""

    def __init__(self, cell: str, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.nodes = cell.split("_")
        self.width, self.stride = width, stride
        self.edges = nn.ModuleDict()
        for target, digits in enumerate(self.nodes, 1):
            for source, digit in enumerate(digits):
                if digit != "0":
                    self.edges[f"{source}_{target}"] = (
                        self._edge(digit, before, width, stride) if source == 0 else self._edge(digit, width, width, 1)
                    )

    @staticmethod
    def _edge(digit: str, before: int, width: int, stride: int) -> nn.Module:
        if digit == "1" and before == width and stride == 1:
            return nn.Identity()
        return ReluConvBn(before, width, 3 if digit == "3" else 1, stride)

    def forward(self, x: Any) -> Any:
        if not len(self.edges):
            x = x[:, :, :: self.stride, :: self.stride] * 0.0 if self.stride > 1 else x * 0.0
            return x if x.shape[1] == self.width else torch.cat([x, x], 1)
        values = [x]
        for target in range(1, 4):
            terms = [self.edges[f"{s}_{target}"](values[s]) for s in range(target) if f"{s}_{target}" in self.edges]
            values.append(sum(terms[1:], terms[0]))
        return values[-1]


class BasicBlock(nn.Module):
    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(before, width, 3, stride),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            conv(width, width, 3),
            nn.BatchNorm2d(width),
        )
        changed = stride > 1 or before != width
        self.short = nn.Sequential(conv(before, width, 1, stride), nn.BatchNorm2d(width)) if changed else nn.Identity()

    def forward(self, x: Any) -> Any:
        return functional.relu(self.body(x) + self.short(x))


def net_transnas(arch: str) -> nn.Module:
    _, modules, cell = arch.split("-")
    layers: list[nn.Module] = [conv(3, 32, 3, 2), nn.BatchNorm2d(32), nn.ReLU(), conv(32, 64, 3, 2), nn.BatchNorm2d(64)]
    c = 64
    for digit in modules:
        width, stride = c * 2 if digit in "24" else c, 2 if digit in "34" else 1
        for before, step in ((c, stride), (width, 1)):
            block = BasicBlock(before, width, step) if cell == "basic" else CellTransNas(cell, before, width, step)
            layers.append(block)
        c = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 75))


class SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Any) -> Any:
        batch, tokens, width = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        x = functional.scaled_dot_product_attention(*qkv.unbind(0))
        return self.proj(x.transpose(1, 2).reshape(batch, tokens, width))


class EncoderBlock(nn.Module):
    def __init__(self, width: int, heads: int, ratio: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        inner = int(width * ratio)
        self.mlp = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))

    def forward(self, x: Any) -> Any:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class NetAutoFormer(nn.Module):
    def __init__(self, arch: str) -> None:
        super().__init__()
        width, heads, ratios = arch.split(":")
        c = int(width)
        self.patches = nn.Conv2d(3, c, 16, 16)
        self.token = nn.Parameter(torch.randn(1, 1, c))
        self.positions = nn.Parameter(torch.randn(1, 197, c))
        blocks = [EncoderBlock(c, int(h), int(r) / 2) for h, r in zip(heads, ratios, strict=True)]
        self.blocks = nn.Sequential(*blocks, nn.LayerNorm(c))
        self.head = nn.Linear(c, 1000)

    def forward(self, x: Any) -> Any:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.head(self.blocks(x)[:, 1:].mean(1))


def net_metaqnn(arch: str) -> nn.Module:
    layers: list[nn.Module] = []
    c, side = 3, 32
    for token in arch[1:-1].split(", "):
        kind, _, settings = token[:-1].partition("(")
        size, *rest = map(int, settings.split(","))
        if kind == "C":
            layers += [nn.Conv2d(c, size, rest[0], rest[1], rest[0] // 2), nn.ReLU()]
            c = size
        elif kind == "P":
            layers.append(nn.MaxPool2d(size, rest[0]))
            side = (side - size) // rest[0] + 1
        elif kind == "GAP":
            return nn.Sequential(*layers, nn.Conv2d(c, size, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        else:
            layers += [nn.Flatten()] if side else []
            layers += [nn.Linear(c * side * side if side else c, size), nn.ReLU()]
            c, side = size, 0
    return nn.Sequential(*layers[:-1])


class Residual440(nn.Sequential):
    def forward(self, x: Any) -> Any:
        return functional.relu(super().forward(x) + x)


def net_440(arch: str) -> nn.Module:
    layers: list[nn.Module] = []
    c = 3
    for token in arch.split(";"):
        kernel, width, stride, residual = map(
            int, token.replace("k", "").translate(str.maketrans("wsr", "   ")).split()
        )
        body = conv(c, width, kernel, stride), nn.BatchNorm2d(width)
        layers.append(Residual440(*body) if residual else nn.Sequential(*body, nn.ReLU()))
        c = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 10))


MAKERS = {
    "nb201?pruned=false": net_201,
    "nb101": net_101,
    "nb301": Net301,
    "natssize": net_size,
    "mnasnet?resolution=64": net_mnasnet,
    "mobilenetv3?resolution=128": net_mobilenet,
    "transnas": net_transnas,
    "autoformer": NetAutoFormer,
    "metaqnn": net_metaqnn,
    "naap440": net_440,
}

#: The networks to compare; two samples of the other spaces.
ARCHS = {
    "transnas": [
        "64-41414-1_02_333",
        "64-41414-3_11_201",
        "64-41414-1_11_111",
        "64-41414-0_00_000",
        "64-1234-basic",
        "64-431122-basic",
    ],
    "metaqnn": [
        "[C(64,3,1), P(5,3), C(128,5,1), P(2,2), FC(256), FC(128), SM(10)]",
        "[C(64,1,1), P(3,2), C(128,3,1), SM(10)]",
        "[C(64,5,1), GAP(10), SM(10)]",
    ],
    "naap440": ["k3w12s2r0;k3w16s2r0;k1w16s1r1", "k3w16s2r0;k3w24s2r0;k3w32s1r0;k3w32s1r1"],
}


def isomorphism(a: Graph, b: Graph) -> dict[int, int]:
    """Nodes of the second graph by nodes of the first."""
    left, right = _labelled(a, a.colours()), _labelled(b, b.colours())
    mapping = nx.vf2pp_isomorphism(left, right, node_label="label")
    assert mapping is not None
    return {i: j for i, j in mapping.items() if isinstance(i, int)}


def randomised(net: nn.Module) -> nn.Module:
    """The network with random statistics of its batch normalisations, in evaluation mode."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.8, 1.2)
            for tensor in (module.bias, module.running_mean):
                nn.init.uniform_(tensor, -0.1, 0.1)
    return net.eval()


@pytest.mark.parametrize("name", list(MAKERS))
def test_same_graph_and_same_outputs(name: str) -> None:
    space = get_space(name)
    rng = np.random.default_rng(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for arch in ARCHS.get(name) or [space.sample(rng) for _ in range(2)]:
            net = randomised(MAKERS[name](arch))
            graph = space.graph(arch)
            image = torch.randn(graph.nodes[0].shape)
            traced = from_module(net, image)
            assert traced.hash == graph.hash, arch
            assert traced.params == graph.params == sum(p.numel() for p in net.parameters())
            built = to_module(graph).eval()
            paths = {step.index: step.path for step in built._steps if step.path}
            for there, here in isomorphism(traced, graph).items():
                if traced.nodes[there].op == "Parameter":
                    (tensor,) = (p for p in net.parameters(recurse=False) if p.shape == traced.nodes[there].shape)
                    built.get_parameter(paths[here]).data = tensor.data
                elif traced.nodes[there].params:
                    source = net.get_submodule(traced.nodes[there].region)
                    built.get_submodule(paths[here]).load_state_dict(source.state_dict())
            with torch.no_grad():
                assert torch.allclose(built(image), net(image), rtol=1e-3, atol=1e-4), arch
