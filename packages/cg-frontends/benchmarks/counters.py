"""Multiply-accumulates by this project and by seven counters: small cases whose count is worked out by hand, and thirty networks.

    python counters.py run -o counters.jsonl       # appends, and skips what the file already has
    python counters.py table counters.jsonl -o ../../../docs/results/counters.md

A case is one class of difference. Its count is written beside it as the products that its definition has; element-by-element work
(normalisations, activations, additions, pooling) counts nothing. The counters are called as their documentation shows, and each number
is brought to multiply-accumulates: fvcore, thop, ptflops, torchinfo and onnx-tool give those; torch's FlopCounterMode and calflops count two FLOPs each
(calflops gives both).
"""

# ruff: noqa: E501 - a table with one network a line

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.conv import _ConvNd
from torch.utils.flop_counter import FlopCounterMode
from zoo import one_line, prepare

import cg_ir
from cg_frontends.pytorch import from_module
from cg_ir.operators import OPERATORS

_SECONDS = 120


# --- counters ---------------------------------------------------------------------------------------------------------


def ours(module: nn.Module, x: torch.Tensor) -> int:
    """This project's."""
    return from_module(module, x).macs


def torch_counter(module: nn.Module, x: torch.Tensor) -> int:
    """torch.utils.flop_counter."""
    with FlopCounterMode(display=False) as counter:
        module(x)
    return counter.get_total_flops() // 2


def fvcore(module: nn.Module, x: torch.Tensor) -> int:
    """fvcore.nn.FlopCountAnalysis."""
    from fvcore.nn import FlopCountAnalysis

    return int(FlopCountAnalysis(module, x).unsupported_ops_warnings(False).uncalled_modules_warnings(False).total())


def thop(module: nn.Module, x: torch.Tensor) -> int:
    """thop.profile."""
    from thop import profile

    return int(profile(module, (x,), verbose=False)[0])


def ptflops(module: nn.Module, x: torch.Tensor) -> int:
    """ptflops.get_model_complexity_info, as by default."""
    from ptflops import get_model_complexity_info

    found = get_model_complexity_info(
        module,
        tuple(x.shape[1:]),
        as_strings=False,
        print_per_layer_stat=False,
        input_constructor=lambda _: x,
        verbose=False,
    )
    return int(found[0])


def torchinfo(module: nn.Module, x: torch.Tensor) -> int:
    """torchinfo.summary."""
    from torchinfo import summary

    return int(summary(module, input_data=[x], verbose=0).total_mult_adds)


def calflops(module: nn.Module, x: torch.Tensor) -> int:
    """calflops.calculate_flops."""
    from calflops import calculate_flops

    found = calculate_flops(module, args=[x], print_results=False, output_as_string=False)
    return int(found[1])


def onnx_tool(module: nn.Module, x: torch.Tensor) -> int:
    """onnx_tool on the file that torch's script-based exporter writes."""
    import onnx_tool as tool

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "net.onnx")
        torch.onnx.export(module, (x,), path, dynamo=False)
        model = tool.Model(path, {"constant_folding": True, "verbose": False})
        model.graph.shape_infer()
        model.graph.profile()
        return int(model.graph.macs[0] if isinstance(model.graph.macs, (list, tuple)) else model.graph.macs)


COUNTERS: dict[str, Callable[[nn.Module, torch.Tensor], int]] = {
    "cg": ours, "torch": torch_counter, "fvcore": fvcore, "thop": thop, "ptflops": ptflops, "torchinfo": torchinfo, "calflops": calflops,
    "onnx-tool": onnx_tool,
}  # fmt: skip


# --- cases worked out by hand -----------------------------------------------------------------------------------------


class Functional(nn.Module):
    """A convolution whose weight is a bare parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 4, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.weight, padding=1)


class Products(nn.Module):
    """Attention spelled out: two batched products."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x @ x.transpose(1, 2)).softmax(-1) @ x


class Einsum(nn.Module):
    """The same products as Einstein sums."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bij,bjd->bid", torch.einsum("bid,bjd->bij", x, x).softmax(-1), x)


class Fourier(nn.Module):
    """The lengths of a spectrum."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.rfft(x).abs()


class Fused(nn.Module):
    """The same products in one function."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(x, x, x)


class Heads(nn.Module):
    """PyTorch's attention layer."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class Twice(nn.Module):
    """One layer, used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(self.layer(x))


class Pair(nn.Module):
    """Two modules that hold one layer."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.Linear(16, 16)
        self.first, self.second = nn.Sequential(layer), nn.Sequential(layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))


class Written(nn.Module):
    """A map, and the product of what it gives: by ``torch.matmul`` or by the operator."""

    def __init__(self, operator: bool) -> None:
        super().__init__()
        self.layer, self.operator = nn.Linear(16, 16, bias=False), operator

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer(x)
        return x @ x.transpose(1, 2) if self.operator else torch.matmul(x, x.transpose(1, 2))


class First(nn.Module):
    """The output sequence of a recurrent layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]


class Experts(nn.Module):
    """Two of six experts a token."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(8, 6, bias=False)
        self.up, self.down = nn.Parameter(torch.randn(6, 8, 16)), nn.Parameter(torch.randn(6, 16, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights, ids = self.router(x).softmax(-1).topk(2, -1)
        y = (x[:, :, None, None, :] @ self.up[ids]).relu() @ self.down[ids]
        return (y.squeeze(-2) * weights[..., None]).sum(2)


class Standardised(nn.Conv2d):
    """A convolution that standardises its weights."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        w = self.weight
        return F.conv2d(
            x, (w - w.mean((1, 2, 3), keepdim=True)) / (w.std((1, 2, 3), keepdim=True) + 1e-5), self.bias, padding=1
        )


class Joined(nn.Module):
    """An LSTM cell over eight steps."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(8, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = (x.new_zeros(x.shape[0], 16),) * 2
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
        return state[0]


#: Case, network, input, and the products by hand.
CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int, str]] = {
    "convolution": (lambda: nn.Conv2d(4, 8, 3, padding=1, bias=False), (1, 4, 10, 10), 8 * 4 * 9 * 100, "8 x 4 x 9 weights at 100 places"),
    "its bias": (lambda: nn.Conv2d(4, 8, 3, padding=1), (1, 4, 10, 10), 8 * 4 * 9 * 100, "a bias is an addition"),
    "grouped convolution": (lambda: nn.Conv2d(8, 8, 3, padding=1, groups=8), (1, 8, 10, 10), 8 * 9 * 100, "8 x 1 x 9 weights at 100 places"),
    "transposed convolution": (lambda: nn.ConvTranspose2d(4, 8, 2, 2), (1, 4, 10, 10), 4 * 8 * 4 * 100, "4 x 8 x 4 weights at each of 100 inputs"),
    "linear layer on tokens": (lambda: nn.Linear(16, 32), (1, 10, 16), 10 * 16 * 32, "16 x 32 weights for 10 tokens"),
    "batch normalisation": (lambda: nn.BatchNorm2d(8), (1, 8, 10, 10), 0, "element by element"),
    "layer normalisation": (lambda: nn.LayerNorm(16), (1, 10, 16), 0, "element by element"),
    "activations": (lambda: nn.Sequential(nn.ReLU(), nn.GELU(), nn.Softmax(-1)), (1, 10, 16), 0, "element by element"),
    "pooling": (lambda: nn.Sequential(nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)), (1, 8, 8, 8), 0, "no weights, no products"),
    "interpolation": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (1, 4, 8, 8), 0, "counted as element by element"),
    "function instead of layer": (Functional, (1, 4, 10, 10), 8 * 4 * 9 * 100, "as the convolution"),
    "weights computed first": (lambda: Standardised(4, 8, 3), (1, 4, 10, 10), 8 * 4 * 9 * 100, "as the convolution"),
    "layer used twice": (Twice, (1, 10, 16), 2 * 10 * 16 * 16, "both uses"),
    "layer of two modules": (Pair, (1, 10, 16), 2 * 10 * 16 * 16, "both uses"),
    "product by torch.matmul": (lambda: Written(False), (1, 10, 16), 10 * 16 * 16 + 10 * 10 * 16, "a map, and 10 x 10 scores of 16"),
    "product by @": (lambda: Written(True), (1, 10, 16), 10 * 16 * 16 + 10 * 10 * 16, "the same"),
    "products of activations": (Products, (1, 10, 16), 2 * 10 * 10 * 16, "10 x 10 scores of 16, and back"),
    "Einstein sums": (Einsum, (1, 10, 16), 2 * 10 * 10 * 16, "the same"),
    "Fourier transform": (Fourier, (1, 10, 16), 10 * 16 * 4, "10 lines, 4 stages of 8 complex products of four, half for real ones"),
    "fused attention": (Fused, (1, 4, 10, 16), 2 * 4 * 10 * 10 * 16, "4 heads of the same"),
    "attention layer": (Heads, (1, 10, 32), 10 * 4 * 32 * 32 + 2 * 10 * 10 * 32, "four maps of 32 x 32, and the products"),
    "transformer layer": (lambda: nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), (1, 10, 32), 10 * (4 * 32 * 32 + 2 * 32 * 64) + 2 * 10 * 10 * 32, "attention, and two maps of 32 x 64"),
    "LSTM": (lambda: First(nn.LSTM(8, 16, batch_first=True)), (1, 12, 8), 12 * 4 * 16 * (8 + 16), "4 gates x 16 x (8 + 16), 12 steps"),
    "two-way GRU": (lambda: First(nn.GRU(8, 16, 2, bidirectional=True, batch_first=True)), (1, 12, 8), 12 * 2 * 3 * 16 * ((8 + 16) + (32 + 16)), "3 gates, two ways, two layers"),
    "recurrent cell": (Joined, (1, 8, 8), 8 * 4 * 16 * (8 + 16), "the LSTM, step by step"),
    "mixture of experts": (Experts, (1, 5, 8), 5 * (8 * 6 + 2 * 2 * 8 * 16), "the router, and two of six experts"),
}  # fmt: skip

#: Networks, at 224 x 224.
NETWORKS = {
    "torchvision": (
        "alexnet", "vgg11", "vgg16_bn", "resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2", "densenet121", "googlenet",
        "squeezenet1_0", "mobilenet_v2", "mobilenet_v3_large", "shufflenet_v2_x1_0", "mnasnet1_0", "efficientnet_b0", "efficientnet_v2_s",
        "regnet_y_400mf", "convnext_tiny", "swin_t", "swin_v2_t", "vit_b_16", "maxvit_t",
    ),
    "timm": (
        "deit_tiny_patch16_224", "mixer_s32_224", "resnetv2_50x1_bit", "nf_regnet_b0", "ghostnet_100", "coat_lite_tiny",
        "convit_tiny", "poolformer_s12",
    ),
}  # fmt: skip


def networks() -> Iterator[tuple[str, Callable[[], nn.Module], torch.Tensor, int | None]]:
    """Name, network, input, and the count by hand where there is one."""
    for name, (build, shape, count, _) in CASES.items():
        yield f"case {name}", build, torch.zeros(shape), count
    import timm
    import torchvision

    image = torch.zeros(1, 3, 224, 224)
    for name in NETWORKS["torchvision"]:
        options = {"init_weights": False} if name == "googlenet" else {}
        yield name, lambda n=name, o=options: torchvision.models.get_model(n, weights=None, **o), image, None
    for name in NETWORKS["timm"]:
        yield name, lambda n=name: timm.create_model(n), image, None


def count(counter: str, module: nn.Module, x: torch.Tensor) -> int | str:
    """What a counter says, or why it fails; in a process of its own, because some leave torch's functions patched behind."""
    receive, send = multiprocessing.get_context("fork").Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_count, args=(counter, module, x, send))
    child.start()
    answered = receive.poll(_SECONDS)
    found: int | str = receive.recv() if answered else f"longer than {_SECONDS} s"
    child.kill()
    child.join()
    return found


def _count(counter: str, module: nn.Module, x: torch.Tensor, send: Any) -> None:
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
        try:
            found: int | str = COUNTERS[counter](module, x)
        except Exception as error:
            found = one_line(error)[:150]
    send.send(found)


def run(output: Path) -> None:
    """Ask every counter about every network; append a JSON line a network."""
    done = prepare(output)
    for library in ("calflops", "fvcore.nn", "onnx_tool", "ptflops", "thop", "torchinfo"):
        import_module(library)
    with output.open("a") as file:
        for name, build, x, by_hand in networks():
            if name in done:
                continue
            torch.manual_seed(0)
            module = build().eval()
            own = classes(module, from_module(module, x))
            row = {"name": name, "hand": by_hand, "classes": own, **{c: count(c, module, x) for c in COUNTERS}}
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(row, file=sys.stderr)


# --- the page ---------------------------------------------------------------------------------------------------------

#: What was found where a counter differs, one sentence each.
FINDINGS = {
    "additions": "ptflops, torchinfo and onnx-tool count the addition of a bias as a multiply-accumulate.",
    "elements": "fvcore, thop, ptflops and onnx-tool add work of normalisations, activations, pooling and interpolation, each by a rule of its own "
    "(a batch normalisation of 800 elements is 0, 16, 1,600, 3,200 or 24,800); that is most of the difference on convolutional networks.",
    "transposed": "thop and torchinfo multiply the weights of a transposed convolution by the places of its output, and onnx-tool counts twice that; each input element meets each weight once.",
    "tokens": "torchinfo counts a linear layer once for an example, however many tokens pass through it, and once however often it is used.",
    "functions": "Counters that hang on layers (thop, ptflops, torchinfo) do not see what `forward` computes with bare parameters or tensors: products of activations, Einstein sums, experts; "
    "thop and ptflops not even a class of one's own that is derived from a convolution. ptflops and calflops see `torch.matmul` and not `@`; calflops fails on a network without parameters.",
    "shared": "thop, ptflops and calflops count a layer that two modules hold once more for each of them.",
    "attention": "In evaluation mode on a CPU torch's counter and fvcore do not see fused attention, nor what `nn.MultiheadAttention` and `nn.TransformerEncoderLayer` do in one call "
    "(fvcore sees half of the latter); thop, calflops and torchinfo miss all or most of it, too. ptflops has a rule for timm's attention that counts its products "
    "and leaves out its maps. onnx-tool works on the exported file, and the exporter refuses these two layers.",
    "spectra": "No other counter counts Fourier transforms, and the exporter that onnx-tool needs refuses them.",
    "recurrent": "fvcore and calflops count nothing for whole recurrent layers, torch's counter nothing for the LSTM; thop, ptflops, torchinfo and onnx-tool give more: biases, and the gates' "
    "work element by element.",
}


def classes(module: nn.Module, graph: cg_ir.Graph) -> list[str]:
    """Which of `FINDINGS` a network has to do with, by its operators and modules."""
    derived = any(isinstance(m, _ConvNd) and not type(m).__module__.startswith("torch.") for m in module.modules())
    found = {
        "additions": any(
            node.attrs.get("bias") for node in graph.nodes if node.op in ("Conv", "Gemm", "ConvTranspose")
        ),
        "elements": any(OPERATORS[node.op].kind in ("norm", "activation", "pool", "resize") for node in graph.nodes),
        "transposed": any(node.op == "ConvTranspose" for node in graph.nodes),
        "tokens": any(node.op == "Gemm" and prod(node.shape[1:-1]) > 1 for node in graph.nodes),
        "functions": derived or any(node.op in ("MatMul", "Einsum", "ExpertGemm") for node in graph.nodes),
        "shared": len(list(module.named_modules())) < len(list(module.named_modules(remove_duplicate=False))),
        "attention": any(node.op == "Attention" for node in graph.nodes),
        "spectra": any(node.op == "DFT" for node in graph.nodes),
        "recurrent": any(OPERATORS[node.op].kind == "recurrent" for node in graph.nodes),
    }
    return [name for name, there in found.items() if there]


def table(rows: list[dict[str, Any]]) -> str:
    """The page of the documentation."""
    others = [c for c in COUNTERS if c != "cg"]
    cases = [row for row in rows if row["hand"] is not None]
    nets = [row for row in rows if row["hand"] is None]
    right = {c: sum(row[c] == row["hand"] for row in cases) for c in COUNTERS}
    lines = [
        "# Counters", "",
        "Multiply-accumulates by this project (*cg*) and by seven counters, each as its documentation shows it, brought to multiply-accumulates. `nox -s conformance` writes this page.", "",
        "## Classes of differences, worked out by hand", "",
        "Small networks whose products can be counted on paper. A multiply-accumulate is a product of a weight or an activation that is summed with others: convolutions, matrix products, "
        "attention, recurrent layers. What works element by element has none.", "",
        "| case | by hand | " + " | ".join(COUNTERS) + " | how |", "|---|" + "--:|" * (len(COUNTERS) + 1) + "---|",
    ]  # fmt: skip
    for row in cases:
        name = row["name"].removeprefix("case ")
        cells = (f"**{row[c]:,}**" if row[c] == row["hand"] else _cell(row[c]) for c in COUNTERS)
        lines.append(f"| {name} | {row['hand']:,} | {' | '.join(cells)} | {CASES[name][3]} |")
    lines.append(f"| right, of {len(cases)} | | " + " | ".join(str(right[c]) for c in COUNTERS) + " | |")
    lines += ["", *(f"- *{name}*: {sentence}" for name, sentence in FINDINGS.items()), ""]
    lines += [
        f"## {len(nets)} networks", "",
        "At 224 x 224, untrained. Of the other counters the difference from *cg* in percent; *equal* is equal to the last digit. *Classes* are those above that "
        "the network's operators belong to.", "",
        "| network | cg | " + " | ".join(others) + " | classes |", "|---|" + "--:|" * (len(others) + 1) + "---|",
    ]  # fmt: skip
    for row in nets:
        told = " | ".join(_percent(row[c], row["cg"]) for c in others)
        lines.append(f"| {row['name']} | {row['cg']:,} | {told} | {', '.join(row['classes'])} |")
    equal = (sum(row[c] == row["cg"] for row in nets) for c in others)
    lines.append(f"| equal, of {len(nets)} | | " + " | ".join(map(str, equal)) + " | |")
    return "\n".join([*lines, ""])


def _cell(found: int | str) -> str:
    return "fails" if isinstance(found, str) else f"{found:,}"


def _percent(found: int | str, of: int) -> str:
    if isinstance(found, str):
        return "fails"
    difference = 100 * (found - of) / of
    return "equal" if found == of else f"{difference:+.0f}" if abs(difference) >= 10 else f"{difference:+.2g}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run").add_argument("-o", "--output", type=Path, required=True)
    rendering = commands.add_parser("table")
    rendering.add_argument("results", type=Path)
    rendering.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    if given.command == "run":
        run(given.output)
    else:
        given.output.write_text(table([json.loads(line) for line in given.results.read_text().splitlines()]))


if __name__ == "__main__":
    main()
