"""Networks exported to ONNX by the routes that the documentation names, against the modules themselves.

    python exports.py run -o exports.jsonl       # appends, and skips what the file already has

Each network is exported with torch's exporter without optimisation and with the older, script-based one under ``PRESERVE``, for one image, for
four, and with an open batch: parameters and MACs of the file should be those of the module. The script-based exporter by default folds batch
normalisations into convolutions; that file, unfolded, should be the module's graph.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import logging
import sys
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from rows import command_line, limited, write
from torch import nn
from zoo import one_line, prepare, randomise

import cg_ir
from cg_frontends.onnx_ import from_onnx
from cg_frontends.pytorch import from_module

_SECONDS = 240
#: Library and size of the image.
NETWORKS = {
    "torchvision": (
        "resnet18", "resnet50", "vgg11_bn", "mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x1_0", "squeezenet1_1", "densenet121",
        "efficientnet_b0", "mnasnet0_5", "regnet_y_400mf", "convnext_tiny", "swin_t", "vit_b_32",
    ),
    "timm": ("ghostnet_100", "res2net50_26w_4s", "deit_tiny_patch16_224", "mixer_s32_224"),
}  # fmt: skip
ROUTES = ("dynamo", "script")
BATCHES = ("1", "4", "open")


@lru_cache(maxsize=1)
def network(library: str, name: str) -> tuple[nn.Module, cg_ir.Graph]:
    """A network with random weights, and its graph."""
    import timm
    import torchvision

    torch.manual_seed(0)
    made: nn.Module = (
        torchvision.models.get_model(name, weights=None) if library == "torchvision" else timm.create_model(name)
    )
    return made.eval(), from_module(made, torch.zeros(1, 3, 224, 224))


def export(module: nn.Module, x: torch.Tensor, path: str, route: str, batch: str) -> None:
    """Write the file."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        if route == "dynamo":
            axes: Any = {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} if batch == "open" else {}
            torch.onnx.export(module, (x,), path, dynamo=True, optimize=False, **axes)
            return
        axes = {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}} if batch == "open" else {}
        if route == "script":
            axes |= {"do_constant_folding": False, "training": torch.onnx.TrainingMode.PRESERVE}
        torch.onnx.export(module, (x,), path, dynamo=False, **axes)


def examine(library: str, name: str, route: str, batch: str) -> dict[str, Any]:
    """One row: costs of the file beside those of the module."""
    module, traced = network(library, name)
    if route == "folded":  # equal elements of a network that was not trained would be stored once
        module = copy.deepcopy(module)
        randomise(module)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = str(Path(folder) / "net.onnx")
        export(module, torch.zeros(1 if batch == "1" else 4 if batch == "4" else 2, 3, 224, 224), path, route, batch)
        if route == "folded":
            return unfolded(path, traced)
        return costs(from_onnx(path), traced, 4 if batch == "4" else 1)


def unfolded(path: str, traced: cg_ir.Graph) -> dict[str, Any]:
    """What reading a folded file says, and the file, as it is and unfolded, beside the module: costs, hash and predicted score."""
    normalised = any(node.op == "BatchNormalization" for node in traced.nodes)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        folded = from_onnx(path)
    said = any("unfold=True" in str(warning.message) for warning in told)
    graph = from_onnx(path, unfold=True) if said and normalised else folded
    own, there, back = cg_ir.get_scorer("predictor", warn=False).predict([traced, folded, graph]).tolist()
    return {
        "normalised": normalised, "said": said, "same_hash": graph.hash == traced.hash, "score": own, "score_folded": there, "score_unfolded": back,
        **costs(graph, traced, 1),
    }  # fmt: skip


def costs(graph: cg_ir.Graph, traced: cg_ir.Graph, examples: int) -> dict[str, Any]:
    """Whether parameters and MACs are those of the module."""
    return {
        "parameters": graph.params, "macs": graph.macs, "same_parameters": graph.params == traced.params,
        "same_macs": graph.macs == examples * traced.macs, "custom": sorted({str(node.attrs["name"]) for node in graph.nodes if node.op == "Custom"}),
    }  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Export and read everything; append a JSON line a file."""
    done = prepare(arguments.output)
    logging.disable(logging.WARNING)
    with arguments.output.open("a") as file:
        for library, names in NETWORKS.items():
            for name in names:
                for route, batch in [*((r, b) for r in ROUTES for b in BATCHES), ("folded", "1")]:
                    key = f"{library}/{name} {route} {batch}"
                    if key in done:
                        continue
                    try:
                        with limited(_SECONDS):
                            row = examine(library, name, route, batch)
                    except Exception as error:
                        row = {"error": one_line(error)}
                    write(file, {"name": key, "network": f"{library}/{name}", "route": route, "batch": batch, **row})
                    print(key, row, file=sys.stderr)


if __name__ == "__main__":
    command_line(__doc__, run)
