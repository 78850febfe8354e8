"""Seconds of a conversion beside those of a bare forward pass: networks on the meta device, and a recurrent layer of many steps.

    python conversion_time.py run -o times.jsonl       # appends, and skips what the file already has

Processor time, the median of three after a first conversion. On meta PyTorch computes no elements, so the pass is the work of its Python and of its shape
rules alone. The recurrent layer runs on the CPU with its elements, where PyTorch has one operator for all steps; on meta it takes them one by one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from exports import NETWORKS
from rows import command_line, write
from torch import nn
from zoo import from_module_warmup, prepare

from cg_frontends.pytorch import from_module

_STEPS = 2000


def networks() -> Iterator[tuple[str, nn.Module, torch.Tensor]]:
    """Name, network and input."""
    import timm
    import torchvision

    for library, names in NETWORKS.items():
        for name in names:
            made = torchvision.models.get_model(name) if library == "torchvision" else timm.create_model(name)
            yield f"{library}/{name}", made.to("meta").eval(), torch.empty((1, 3, 224, 224), device="meta")
    yield f"LSTM of {_STEPS:,} steps", nn.LSTM(64, 128, 2, batch_first=True).eval(), torch.zeros(1, _STEPS, 64)


def seconds(call: Callable[[], Any]) -> float:
    """Processor time of a call, the median of three after one that is not counted."""
    found = []
    for _ in range(4):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return statistics.median(found[1:])


def run(arguments: argparse.Namespace) -> None:
    """Measure every network; append a JSON line each."""
    done = prepare(arguments.output)
    from_module_warmup()
    with arguments.output.open("a") as file, torch.no_grad():
        for name, module, x in networks():
            if name in done:
                continue
            row = {
                "name": name,
                "convert": seconds(lambda m=module, t=x: from_module(m, t)),
                "forward": seconds(lambda m=module, t=x: m(t)),
            }
            write(file, row)
            print(row, file=sys.stderr)


if __name__ == "__main__":
    command_line(__doc__, run)
