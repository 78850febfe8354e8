"""The zoo: converts every model of torchvision and timm and 40 transformers configurations, and checks what comes out.

    python zoo.py run --family timm --shard 0/2 -o timm-0.jsonl       # measure; appends, and skips what the file already has
    python zoo.py agree --family timm --every 20 -o agree.jsonl       # run models and their graphs with the same weights
    python zoo.py table timm-*.jsonl ... -o ../../../docs/zoo.md      # render the table of the docs

Every model is built on the meta device with random weights that are never drawn, so nothing is downloaded. A row says whether
the model converts, whether parameters agree exactly with ``sum(p.numel())``, MACs beside torch's ``FlopCounterMode`` on meta
(on every ``--count-every``-th model), operators
that became ``Custom``, and seconds of the conversion and, on every ``--time-every``-th model, of a bare forward pass on meta and of
``torch.export`` on meta. ``agree`` is the only part that computes: models are built on the CPU with random weights, which are copied into
the network that ``to_module`` makes of the graph, and both get the same random input.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

Build = Callable[[], "tuple[nn.Module, tuple[Any, ...], dict[str, Any]]"]


def define_torchvision_operators() -> None:
    """Make ``import torchvision`` work where its compiled operators do not fit the installed torch.

    The wheels on PyPI are built for one torch build; beside another, the import stops at the first operator that it wants to
    register a shape rule for. No model of the zoo runs these two operators before it is refused for its data-dependent results, so
    their schema is enough.
    """
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    define_torchvision_operators.library = library  # type: ignore[attr-defined]  # it undefines them when it is collected


def image(*sizes: int) -> torch.Tensor:
    """A meta tensor of batch size 1."""
    return torch.empty((1, *sizes), device="meta")


def torchvision_models() -> Iterator[tuple[str, Build]]:
    """Every name that torchvision registers, and the input that its documentation names."""
    import torchvision

    for module in ("", "segmentation", "video", "optical_flow", "detection", "quantization"):
        package = getattr(torchvision.models, module) if module else torchvision.models
        for name in torchvision.models.list_models(module=package):

            def build(name: str = name, module: str = module) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
                options = {"weights_backbone": None} if module in ("segmentation", "detection") else {}
                model = torchvision.models.get_model(name, weights=None, **options)
                size = {"inception_v3": 299, "vit_h_14": 224}.get(name.removeprefix("quantized_"), 224)
                if module == "video":
                    frames, size = (
                        (16, 224) if name.startswith(("mvit", "swin")) else (16, 112) if name != "s3d" else (16, 224)
                    )
                    return model, (image(3, frames, size, size),), {}
                if module == "optical_flow":
                    return model, (image(3, 128, 128), image(3, 128, 128)), {}
                if module == "detection":
                    return model, ([torch.empty((3, 320, 320), device="meta")],), {}
                return model, (image(3, size, size),), {}

            yield f"{module + '/' if module else ''}{name}", build


def timm_models() -> Iterator[tuple[str, Build]]:
    """Every name that timm registers, at the input size of its configuration."""
    import timm

    for name in timm.list_models():

        def build(name: str = name) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
            model = timm.create_model(name, pretrained=False)
            config = getattr(model, "pretrained_cfg", None) or model.default_cfg
            return model, (image(*config["input_size"]),), {}

        yield name, build


def transformers_models() -> Iterator[tuple[str, Build]]:
    """Configurations of Hugging Face transformers, as their config classes default, without a cache of keys."""
    from zoo_transformers import CONFIGURATIONS, build_model

    for name in CONFIGURATIONS:
        yield name, lambda name=name: build_model(name)


FAMILIES = {"torchvision": torchvision_models, "timm": timm_models, "transformers": transformers_models}


def build_on_meta(build: Build) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    """The model without elements; constructors that need elements run on the CPU, and the result is moved."""
    try:
        with torch.device("meta"):
            return build()
    except Exception:
        model, args, kwargs = build()
        return model.to("meta"), args, kwargs


def measure(name: str, build: Build, timed: bool, counted: bool) -> dict[str, Any]:
    """One row of the table."""
    from cg_frontends.pytorch import from_module

    row: dict[str, Any] = {"name": name}
    try:
        model, args, kwargs = build_on_meta(build)
    except Exception as error:
        return {**row, "built": False, "error": one_line(error)}
    row["parameters"] = sum(p.numel() for p in model.parameters())
    try:
        start = time.perf_counter()
        graph = from_module(model, *args, name=name, **kwargs)
        row["seconds"] = time.perf_counter() - start
    except Exception as error:
        return {**row, "converted": False, "error": one_line(error)}
    unused = graph.extras.get("unused_parameters", 0)
    customs: dict[str, int] = {}
    heavy: dict[str, int] = {}
    for node in graph.nodes:
        if node.op == "Custom":
            key = str(node.attrs["name"])
            customs[key] = customs.get(key, 0) + 1
            if node.params or node.macs:
                heavy[key] = heavy.get(key, 0) + node.params
    row.update(
        converted=True,
        nodes=len(graph),
        unused=unused,
        equal=graph.params + unused == row["parameters"],
        macs=graph.macs,
        custom=customs,
        heavy=heavy,
    )
    if counted and not customs:
        try:
            row["round_trip"] = round_trip(graph, args, kwargs)
        except Exception as error:
            row["round_trip_error"] = one_line(error)
    model.eval()
    if counted or timed:
        try:
            row["counted"] = count(model, args, kwargs)
        except Exception as error:
            row["counter_error"] = one_line(error)
    if timed:
        try:
            with torch.no_grad():
                if "counted" in row:
                    start = time.perf_counter()
                    model(*args, **kwargs)
                    row["forward"] = time.perf_counter() - start
                start = time.perf_counter()
                torch.export.export(model, args, kwargs, strict=False)
            row["export"] = time.perf_counter() - start
        except Exception as error:
            row["export_error"] = one_line(error)
    return row


def count(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """MACs as torch counts them.

    Some models stumble over the counter's module hooks unless gradients are on; some leave checks of elements, which meta tensors have
    not, out only under an export.
    """
    from cg_frontends.pytorch.convert import as_exporting

    failure: Exception | None = None
    for gradients, exporting in ((False, False), (True, False), (False, True)):
        try:
            with (
                torch.set_grad_enabled(gradients),
                as_exporting(exporting),
                FlopCounterMode(display=False) as counter,
            ):
                model(*args, **kwargs)
            return counter.get_total_flops() // 2
        except Exception as error:
            failure = failure or error
    assert failure is not None
    raise failure


def round_trip(graph: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the module that a graph becomes gives the same graph again."""
    from cg_frontends.pytorch import from_module
    from cg_frontends.pytorch.structure import tensors_of
    from cg_ir import to_module

    with torch.device("meta"):
        module = to_module(graph)
    return from_module(module, *tensors_of((args, kwargs))).hash == graph.hash


def agreement(name: str, build: Build) -> dict[str, Any]:
    """How far the outputs of a model and of its graph's network, with the model's weights, lie apart."""
    from cg_frontends.pytorch import copy_weights, from_module
    from cg_frontends.pytorch.structure import map_tensors, tensors_of
    from cg_ir import to_module

    torch.manual_seed(0)
    model, args, kwargs = build()
    randomise(model.eval())
    args, kwargs = map_tensors((args, kwargs), random_like)
    try:
        network = to_module(from_module(model, *args, name=name, **kwargs)).eval()
        copy_weights(model, network, *args, **kwargs)
        with torch.no_grad():
            wanted = list(tensors_of(model(*args, **kwargs)))
            found = list(tensors_of(network(*tensors_of((args, kwargs)))))
        return {
            "difference": max(float((a - b).abs().max()) for a, b in zip(found, wanted, strict=True)),
            "magnitude": max(float(b.abs().max()) for b in wanted),
        }
    except Exception as error:
        return {"difference_error": one_line(error)}


def randomise(model: nn.Module) -> None:
    """Random running statistics, and random elements where initialisation leaves zeros: outputs must not agree for want of weights."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
                module.running_mean.normal_(std=0.1)
                assert module.running_var is not None
                module.running_var.uniform_(0.8, 1.2)
        for parameter in model.parameters():
            if not bool(parameter.any()):
                parameter.normal_(std=0.02)


def random_like(tensor: torch.Tensor) -> torch.Tensor:
    """Random elements: tokens, or numbers around zero; integers that are not all zero (edges, lengths) stay."""
    if tensor.dtype == torch.int64:
        return tensor if not tensor.is_meta and bool(tensor.any()) else torch.randint(5, 100, tensor.shape)
    return torch.randn(tensor.shape)


def prepare(output: Path) -> set[str]:
    """Set torch up for measuring; returns the names of the models that ``output`` has already."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    define_torchvision_operators()
    return {json.loads(line)["name"] for line in output.read_text().splitlines()} if output.exists() else set()


def agree(arguments: argparse.Namespace) -> None:
    """Compare outputs over a family, or every n-th model of it, and append a JSON line a model."""
    output = Path(arguments.output)
    done = prepare(output)
    with output.open("a") as file:
        for number, (name, build) in enumerate(FAMILIES[arguments.family]()):
            wanted = number % arguments.every == 0 and arguments.only in name and "detection/" not in name
            if not wanted or name in done or not small(build, arguments.most_macs):
                continue
            sampled = {"agree_every": arguments.every, "most_macs": arguments.most_macs}
            row = {"family": arguments.family, "name": name, **agreement(name, build), **sampled}
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(f"{name}: {row.get('difference', row.get('difference_error'))}", file=sys.stderr)


def small(build: Build, most: float) -> bool:
    """Whether a model converts without Custom operators and has at most so many MACs."""
    from cg_frontends.pytorch import from_module

    try:
        model, args, kwargs = build_on_meta(build)
        graph = from_module(model, *args, **kwargs)
    except Exception:
        return False
    return graph.macs <= most and all(node.op != "Custom" for node in graph.nodes)


def one_line(error: BaseException) -> str:
    """An error as one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def run(arguments: argparse.Namespace) -> None:
    """Measure a family and append a JSON line a model."""
    output = Path(arguments.output)
    done = prepare(output)
    index, count = map(int, arguments.shard.split("/"))
    from_module_warmup()
    with output.open("a") as file:
        for number, (name, build) in enumerate(FAMILIES[arguments.family]()):
            if number % count != index or name in done or (arguments.only and arguments.only not in name):
                continue
            turn = number // count
            timed = bool(arguments.time_every) and turn % arguments.time_every == 0
            row = measure(name, build, timed, turn % arguments.count_every == 0)
            sampled = {"time_every": arguments.time_every, "count_every": arguments.count_every}
            file.write(json.dumps({"family": arguments.family, **row, **sampled}) + "\n")
            file.flush()
            state = "ok" if row.get("converted") and row.get("equal") else row.get("error", "parameters differ")
            print(f"{name}: {state}", file=sys.stderr)


def from_module_warmup() -> None:
    """Import and initialise what the first conversion of a process would."""
    from cg_frontends.pytorch import from_module

    layers = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 8)
    )
    from_module(layers, image(3, 8, 8))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    runs = commands.add_parser("run")
    runs.add_argument("--family", choices=FAMILIES, required=True)
    runs.add_argument("--shard", default="0/1")
    runs.add_argument("--only", default="")
    runs.add_argument("--time-every", type=int, default=0)
    runs.add_argument("--count-every", type=int, default=1)
    runs.add_argument("-o", "--output", required=True)
    runs.set_defaults(call=run)
    agrees = commands.add_parser("agree")
    agrees.add_argument("--family", choices=FAMILIES, required=True)
    agrees.add_argument("--only", default="")
    agrees.add_argument("--every", type=int, default=1)
    agrees.add_argument("--most-macs", type=float, default=2e10)
    agrees.add_argument("-o", "--output", required=True)
    agrees.set_defaults(call=agree)
    tables = commands.add_parser("table")
    tables.add_argument("results", nargs="+")
    tables.add_argument("-o", "--output", required=True)
    tables.set_defaults(call=table)
    arguments = parser.parse_args()
    arguments.call(arguments)


def table(arguments: argparse.Namespace) -> None:
    """Render the documentation page."""
    from zoo_table import render

    rows = [json.loads(line) for path in arguments.results for line in Path(path).read_text().splitlines()]
    Path(arguments.output).write_text(render(rows))


if __name__ == "__main__":
    main()
