"""Predicted peak memory against what PyTorch's allocator hands out, on thirty networks of timm of as many kinds.

A forward pass of the network itself, in evaluation mode at batch 1 on the CPU, runs under ``torch.profiler`` with its record of every allocation; the peak of what
is alive, inputs included and weights not, is compared with ``cg_ir.memory_of`` of the network's graph. Prints the table of docs/results/memory.md. ::

    python packages/cg-frontends/benchmarks/peak_memory.py > docs/results/memory.md
"""

from __future__ import annotations

import sys

import click
import numpy as np
import torch
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

Written by `packages/cg-frontends/benchmarks/peak_memory.py`: networks of timm at batch 1, float32, on a CPU. *Allocated* is the greatest sum of allocations alive during a
forward pass that `torch.profiler` recorded, scratch space inside operators included; *predicted* is what `cg info` calls activations in modules, from the graph alone. Both
hold inputs and no weights.

| network | allocated MB | predicted MB | difference |
|---|--:|--:|--:|"""


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
        found, predicted = allocated(module, x), memory_of(from_module(module, x)).in_modules
        differences.append(predicted / found - 1)
        click.echo(f"| {name} | {found / 1e6:.2f} | {predicted / 1e6:.2f} | {differences[-1]:+.1%} |")
        sys.stdout.flush()
    within = sum(abs(d) < 0.1 for d in differences)
    click.echo(f"\n{within} of {len(differences)} within 10 %; median difference {np.median(np.abs(differences)):.1%}, largest {max(np.abs(differences)):.1%}.")


if __name__ == "__main__":
    main()
