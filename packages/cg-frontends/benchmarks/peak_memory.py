"""Predicted peak memory against what PyTorch's allocator hands out, on thirty networks of timm of as many kinds.

A forward pass of the network itself runs in evaluation mode at batch 1 on the CPU, once with every storage traced that an operator returns, from when it
appears to when it is freed, and once under ``torch.profiler`` with its record of every allocation, scratch space inside operators included. The peaks,
inputs included and weights not, stand beside ``cg_ir.memory_of`` of the network's graph. Prints the table of docs/results/memory.md. ::

    python packages/cg-frontends/benchmarks/peak_memory.py > docs/results/memory.md
"""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterable
from typing import Any

import click
import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from zoo import define_torchvision_operators

from cg_frontends.pytorch import from_module
from cg_ir import memory_of

MODELS = (
    "resnet50", "resnext50_32x4d", "seresnet50", "res2net50_26w_4s", "densenet121", "vgg16_bn", "dpn68", "dla34", "hrnet_w18", "inception_v3", "xception41",
    "repvgg_a2", "regnety_016", "mobilenetv2_100", "mobilenetv3_large_100", "efficientnet_b0", "ghostnet_100", "convnext_tiny", "dm_nfnet_f0", "edgenext_small",
    "vit_small_patch16_224", "deit3_small_patch16_224", "swin_tiny_patch4_window7_224", "mixer_b16_224", "resmlp_12_224", "poolformer_s12", "pit_s_224",
    "coatnet_0_rw_224", "levit_192", "cait_xxs24_224",
)  # fmt: skip
HEAD = """# Peak memory

Written by `packages/cg-frontends/benchmarks/peak_memory.py`: networks of timm at batch 1, float32, on a CPU. *Traced* is the greatest sum of the storages alive
during a forward pass after a first one, which fills the caches that some networks keep (LeViT's tables of attention biases); *predicted* is what `cg info` says
of the activations in modules, from the graph alone; both hold inputs and no weights. *Allocated* is what `torch.profiler` recorded of the allocator, with the
scratch space inside operators: mostly copies of weights in the layout of the machine's library, which a graph cannot tell.

| network | traced MB | predicted MB | difference | allocated MB |
|---|--:|--:|--:|--:|"""
#: What the trace shows at the peak of the one that is further off, and what was learned from others that were.
TAIL = """What `dm_nfnet_f0` holds at its peak that a graph does not tell: it standardises its weights in every pass, those of the last convolution alone are
18.9 MB. The graph's convolution owns its weights.

Four more were further off before: results that a block's `forward` names around a concatenation live until it returns (`res2net50_26w_4s`, `densenet121`), a
linear layer on transposed axes holds its product a second time (`cait_xxs24_224`), which are counted now; and `levit_192` was judged in its first pass."""


class TracedStorages(TorchDispatchMode):
    """Adds up the storages that operators return, from when they appear to when they are freed."""

    def __init__(self, held: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self.alive = self.peak = 0
        self.known = {tensor.untyped_storage()._cdata for tensor in held}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator, and count what it returns."""
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                key, size = storage._cdata, storage.nbytes()
                if key not in self.known:
                    self.known.add(key)
                    self.alive += size
                    self.peak = max(self.peak, self.alive)
                    weakref.finalize(storage, self._free, key, size)
        return result

    def _free(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.alive -= size


def traced(module: torch.nn.Module, x: torch.Tensor) -> int:
    """Bytes of storages alive at the peak of a forward pass after the first one, which fills a network's own caches; the input included."""
    with torch.no_grad():
        module(x)
    gc.collect()
    held = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)]
    with torch.no_grad(), TracedStorages(held) as storages:
        module(x)
    return storages.peak + x.numel() * x.element_size()


def allocated(module: torch.nn.Module, x: torch.Tensor) -> int:
    """Bytes alive at the peak of a forward pass, the input included."""
    with torch.no_grad():
        module(x)  # weights are laid out for the machine once
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
            module(x)
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    steps = np.cumsum([event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())])
    return int(steps.max()) + x.numel() * x.element_size()


@click.command()
@click.option("--model", "models", multiple=True, default=MODELS, help="Only these.")
def main(models: tuple[str, ...]) -> None:
    """Print the table as Markdown."""
    define_torchvision_operators()
    import timm

    click.echo(HEAD)
    differences = []
    for name in models:
        module = timm.create_model(name).eval()
        x = torch.zeros(1, *timm.get_pretrained_cfg(name).input_size)
        found, predicted = traced(module, x), memory_of(from_module(module, x)).in_modules
        differences.append(predicted / found - 1)
        told = f"{found / 1e6:.2f} | {predicted / 1e6:.2f} | {differences[-1]:+.1%} | {allocated(module, x) / 1e6:.2f}"
        click.echo(f"| {name} | {told} |")
        sys.stdout.flush()
    within = sum(abs(d) < 0.1 for d in differences)
    click.echo(
        f"\n{within} of {len(differences)} within 10 % of what was traced; median difference {np.median(np.abs(differences)):.1%}, "
        f"largest {max(np.abs(differences)):.1%}.\n"
    )
    click.echo(TAIL)


if __name__ == "__main__":
    main()
