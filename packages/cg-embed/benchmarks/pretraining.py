"""Throughput of pre-training against a plain torch-geometric loop on the same model: same weights, losses, batches and optimiser.

Both train on the same batches in turn, so that whatever else the machine does slows both; the ratio is the median over pairs of steps. What is made
once for a graph (features, positions, eigenvalues, levels) is made before, for both.

    python packages/cg-embed/benchmarks/pretraining.py [--encoder path|contrastive] [--space NAME ...] [--steps N] [--batch N] [-o FILE.md]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from plain_pretraining import PlainContrastive, PlainPath, contrastive_data, path_data
from torch import Tensor, nn

from cg_embed.contrastive import POSITIVES, contrastive_loss, soft_targets
from cg_embed.pretrain import (
    TrainingConfig,
    _ContrastiveLearner,
    _distances,
    _PathLearner,
    optimizer_of,
    sample_families,
)
from cg_ir.files import atomic_path

SPACES = ("nb101", "nb201", "nb301", "mobilenetv3", "mnasnet", "natssize")
#: How many times faster pre-training should be.
ASKED = 3.0


class PlainLearner(nn.Module):
    """The plain model, followed by what a learner of `cg_embed.pretrain` puts on top."""

    def __init__(self, learner: _PathLearner | _ContrastiveLearner) -> None:
        super().__init__()
        if isinstance(learner, _PathLearner):
            self.body: nn.Module = PlainPath(learner.body)
            self.top: nn.Module = nn.Sequential(learner.standardise, learner.head)
        else:
            self.body, self.top = PlainContrastive(learner.body), nn.Identity()

    def forward(self, data: Sequence[Any]) -> Tensor:
        z: Tensor = self.top(self.body(data))
        return z


@dataclass
class Side:
    """One of the two loops."""

    learner: nn.Module
    graphs: Sequence[Any]
    optimizer: torch.optim.Optimizer

    def step(self, chosen: Sequence[int], targets: Tensor, temperature: float) -> tuple[float, float]:
        """Seconds and loss of one step."""
        begin = time.perf_counter()
        loss = contrastive_loss(self.learner([self.graphs[i] for i in chosen]), targets, temperature)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.learner.parameters(), 1.0)
        self.optimizer.step()
        return time.perf_counter() - begin, float(loss.detach())


def sides(config: TrainingConfig, graphs: Sequence[Any]) -> tuple[Side, Side]:
    """The loop of `cg_embed.pretrain` and the plain one, with the same weights and Adam, but parameters of their own."""
    kind = _PathLearner if config.encoder == "path" else _ContrastiveLearner
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        ours, theirs = kind(config), kind(config)
    theirs.load_state_dict(ours.state_dict())
    if config.encoder == "path":
        data = [path_data(graph) for graph in graphs]
    else:
        ours.prepare(graphs)
        data = [contrastive_data(graph, ours.config.positions) for graph in graphs]
    plain = PlainLearner(theirs)
    ours.train()
    plain.train()
    adam = torch.optim.Adam(plain.parameters(), lr=config.learning_rate)
    return Side(ours, graphs, optimizer_of(ours, config)), Side(plain, data, adam)


def compare(
    config: TrainingConfig, graphs: Sequence[Any], progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Train both on the same batches.

    Returns:
        ``ours``, ``plain``: seconds of every step but the first; ``losses``: (steps, 2).
    """
    ours, plain = sides(config, graphs)
    places = POSITIVES[config.positives](graphs)
    losses, seconds = [], []
    rng = np.random.default_rng(config.seed)
    for step in range(config.steps + 1):
        chosen = rng.choice(len(graphs), min(config.batch, len(graphs)), replace=False).tolist()
        targets = soft_targets(_distances(places[chosen]), config.sharpness)
        pairs = [side.step(chosen, targets, config.temperature) for side in (ours, plain)]
        if step:  # caches are filled, modules are loaded
            seconds.append([p[0] for p in pairs])
        losses.append([p[1] for p in pairs])
        progress(
            f"step {step}: {pairs[1][0] / pairs[0][0]:.1f} times faster, losses {pairs[0][1]:.6f} {pairs[1][1]:.6f}"
        )
    return {
        "ours": np.array(seconds)[:, 0],
        "plain": np.array(seconds)[:, 1],
        "losses": np.array(losses),
        "batch": len(chosen),
        "nodes": float(np.mean([len(graph) for graph in graphs])),
    }


def measure(encoder: str, space: str, steps: int, batch: int) -> dict[str, Any]:
    """One row of the table."""
    config = TrainingConfig(
        encoder=encoder, spaces=(space,), graphs=2 * batch, steps=steps, batch=batch, frozen=0.0,
        positives="functional" if encoder == "path" else "spectral",
    )  # fmt: skip
    found = compare(config, sample_families(config)[space])
    ratios = found["plain"] / found["ours"]
    return {
        "encoder": encoder,
        "space": space,
        "nodes": found["nodes"],
        "ours": found["batch"] / float(np.median(found["ours"])),
        "plain": found["batch"] / float(np.median(found["plain"])),
        "ratio": float(np.median(ratios)),
        "difference": float(np.abs(found["losses"][:, 0] - found["losses"][:, 1]).max()),
    }


def page(rows: Sequence[dict[str, Any]], batch: int, steps: int) -> str:
    """The table as Markdown."""
    lines = [
        "# Throughput of pre-training",
        "",
        "Written by `python packages/cg-embed/benchmarks/pretraining.py`, which `nox -s bench` runs. Graphs a second of one training step (forward,",
        "backward, optimiser) of `cg pretrain` and of a plain torch-geometric loop on the same model, with the same weights, losses",
        f"and batches; on one thread, in turn: the ratio is the median over {steps} pairs of steps. Batches of {batch} graphs. What is computed once for a",
        "graph is left out on both sides. The last column is the largest difference of the losses: both compute the same.",
        "",
        "| encoder | space | nodes a graph | graphs/s | plain, graphs/s | times faster | largest difference of losses |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['encoder']} | {r['space']} | {r['nodes']:.0f} | {r['ours']:,.0f} | {r['plain']:,.0f} | {r['ratio']:.1f} | {r['difference']:.1e} |"
        for r in rows
    ]
    for encoder in dict.fromkeys(r["encoder"] for r in rows):
        ratios = [r["ratio"] for r in rows if r["encoder"] == encoder]
        mean = float(np.exp(np.mean(np.log(ratios))))
        verdict = "holds" if mean >= ASKED else "does not hold"
        lines += [
            "",
            f"`{encoder}`: {mean:.1f} times faster, the geometric mean over spaces (asked: {ASKED:.0f}, which {verdict}); {min(ratios):.1f} at least.",
        ]
    lines += [
        "",
        "[What was tried](embedding/record.md#throughput-of-the-papers-encoder) to make the paper's encoder faster.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", action="append", choices=("path", "contrastive"), help="both if absent")
    parser.add_argument("--space", action="append", help="all six families if absent")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("-o", "--output", type=Path, help="Markdown file for the table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for encoder in arguments.encoder or ("path", "contrastive"):
        for space in arguments.space or SPACES:
            rows.append(measure(encoder, space, arguments.steps, arguments.batch))
            row = rows[-1]
            print(
                f"{encoder}, {space}: {row['ours']:,.0f} graphs/s, plain {row['plain']:,.0f}, {row['ratio']:.1f} times",
                flush=True,
            )
    text = page(rows, arguments.batch, arguments.steps)
    if arguments.output is None:
        print(text)
    else:
        with atomic_path(arguments.output) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
