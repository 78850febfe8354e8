"""The paper's recipe, stage by stage: contrastive pre-training, labelled sources, labels of the target.

For every family, the others' labels (200 networks each) are the sources and their graphs what the encoder is pre-trained on. Compared are the recipe, the same
encoder without the contrastive stage, and the plain k-GNN; the target's labels train all weights, as in the paper, or a
Gaussian process on the readout, or both.

    python packages/cg-bench/benchmarks/recipe.py --data FOLDER -o FOLDER [--seeds 5]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cg_bench.ranking.methods import random_labels
from cg_bench.rows import ResultRows
from cg_embed import ContrastiveConfig, ContrastiveEncoder
from cg_ir import Graph
from cg_ir.files import write_text
from cg_predict.finetuned import FineTunedPredictor, KGNNPredictor
from cg_predict.metrics import spearman
from cg_predict.tables import SPACES, Family, read_family

#: Labelled networks of a source, networks that are ranked, labels of the target and draws of them; draws where all weights are trained, which takes minutes.
SOURCE, RANKED, LABELS, DRAWS, DRAWS_OF_ALL = 200, 500, 50, 4, 1
STEPS, BATCH = 100, 32
#: Families on which the authors report, and on which all weights are trained, too.
REPORTED = ("nb101", "nb201", "nb301")
KINDS = ("contrastive", "without the contrastive stage", "k-GNN")

Sources = Mapping[str, tuple[list[Graph], NDArray[Any]]]


def make(kind: str, tuning: str, sources: Sources, seed: int) -> Any:
    """A predictor that the sources have trained."""
    if kind == "k-GNN":
        return KGNNPredictor(tuning=tuning, seed=seed).pretrain(sources)
    encoder = ContrastiveEncoder(ContrastiveConfig(seed=seed))
    if kind == "contrastive":
        graphs = {name: networks for name, (networks, _) in sources.items()}
        encoder = ContrastiveEncoder.pretrain(graphs, encoder.config, steps=STEPS, batch=BATCH, seed=seed)
    return FineTunedPredictor(encoder, tuning=tuning, seed=seed).pretrain(sources)


def run(target: Family, data: Path, rows: ResultRows, seeds: int, say: Callable[[str], None]) -> None:
    """All rows of a target that are missing."""
    sources = {}
    for family in SPACES:
        if family.name != target.name:
            part = read_family(family, data).sample(SOURCE, np.random.default_rng(0))
            sources[family.name] = (part.graphs(), part.labels)
    pool = read_family(target, data).sample(RANKED, np.random.default_rng(1))
    graphs = pool.graphs()
    for seed in range(seeds):
        for kind in KINDS:
            wanted = [("none", 0)] + [("process", draw) for draw in range(DRAWS)]
            wanted += [
                (tuning, draw)
                for tuning in ("all", "both")
                for draw in range(DRAWS_OF_ALL if seed == 0 and target.name in REPORTED else 0)
            ]
            wanted = [w for w in wanted if (target.name, kind, w[0], seed, w[1]) not in rows.done]
            made = make(kind, "process", sources, seed) if wanted else None
            for tuning, draw in wanted:
                score, chosen = _ranked(made, tuning, draw, graphs, pool.labels)
                rest = np.setdiff1d(np.arange(len(graphs)), chosen)
                key = {"family": target.name, "kind": kind, "tuning": tuning, "seed": seed, "draw": draw}
                rows.add({**key, "spearman": spearman(score[rest], pool.labels[rest])})
            say(f"{target.name}, seed {seed}: {kind}")


def _ranked(
    predictor: Any, tuning: str, draw: int, graphs: Sequence[Graph], labels: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    if tuning == "none":
        return predictor.predict(graphs, pool=graphs), np.zeros(0, dtype=int)
    chosen = random_labels(len(graphs), LABELS, draw)
    predictor.tuning = tuning
    predictor.fit([graphs[i] for i in chosen], labels[chosen], pool=graphs)
    score = predictor.predict(graphs, pool=graphs)
    predictor.tuning = "process"
    return score, chosen


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """Means over draws and seeds, with standard errors over seeds."""
    families = [f.name for f in SPACES if any(r["family"] == f.name for r in rows)]
    lines = [
        "# The paper's recipe, stage by stage",
        "",
        "Written by `python packages/cg-bench/benchmarks/recipe.py`. Spearman's correlation over networks without label; the target's family is in no",
        f"stage before its own labels. {SOURCE} labelled networks of each source, {STEPS} contrastive steps of {BATCH} graphs, {LABELS} labels of the target,",
        f"{DRAWS} draws. Mean ± standard error over seeds of the weights. *all*: the target's labels train all weights, as in the paper (one seed,",
        f"{DRAWS_OF_ALL} draw); *process*: a Gaussian process on the readout of the encoder that the sources have trained; *both*: their mean.",
        "",
    ]
    for title, tuning in (
        ("no label", "none"),
        (f"{LABELS} labels, process", "process"),
        (f"{LABELS} labels, all", "all"),
        (f"{LABELS} labels, both", "both"),
    ):
        named = [f for f in families if f in REPORTED] if tuning in ("all", "both") else families
        lines += [f"| {title} | " + " | ".join([*named, "mean"]) + " |", "|---" * (len(named) + 2) + "|"]
        for kind in KINDS:
            found = [_by_seed(rows, family, kind, tuning) for family in named]
            if all(len(f) for f in found):
                mean = f"{np.mean([f.mean() for f in found]):.3f}"
                lines.append(f"| {kind} | " + " | ".join([*map(_cell, found), mean]) + " |")
        lines.append("")
    return "\n".join(lines)


def _by_seed(rows: Sequence[Mapping[str, Any]], family: str, kind: str, tuning: str) -> NDArray[np.float64]:
    own = [r for r in rows if (r["family"], r["kind"], r["tuning"]) == (family, kind, tuning)]
    return np.array([np.mean([r["spearman"] for r in own if r["seed"] == s]) for s in sorted({r["seed"] for r in own})])


def _cell(values: NDArray[np.float64]) -> str:
    if len(values) < 2:
        return f"{values.mean():.3f}"
    return f"{values.mean():.3f} ± {values.std(ddof=1) / np.sqrt(len(values)):.3f}"


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the label tables")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for recipe.md and recipe.csv")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.output.mkdir(parents=True, exist_ok=True)
    keys = {"family": str, "kind": str, "tuning": str, "seed": int, "draw": int}
    rows = ResultRows(arguments.output / "recipe.csv", keys, {"spearman": float})
    for seeds in range(1, arguments.seeds + 1):  # every family once, then once more
        for target in SPACES:
            run(target, arguments.data, rows, seeds, lambda line: print(line, flush=True))
        write_text(arguments.output / "recipe.md", page(rows.rows))


if __name__ == "__main__":
    main()
