"""The paper's recipe, stage by stage: contrastive pre-training, labelled sources, labels of the target.

For every family, the others' labels (200 networks each) are the sources and their graphs what the encoder is pre-trained on. Compared are the
recipe, the same encoder without the contrastive stage, an encoder without attention whose messages flow both ways, and the plain k-GNN; the
target's labels train all weights, as in the paper, or a Gaussian process on the readout, or both. What the networks make of the target's graphs
is kept: a run that was stopped goes on, and ways to use labels cost no training.

    python packages/cg-bench/benchmarks/recipe.py --data FOLDER -o FOLDER [--seeds 3] [--family NAME ...] [--kind KIND ...] [--no-tuning]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from recipe_report import LABELS, write_page

from cg_bench.ranking.methods import random_labels
from cg_embed import ContrastiveConfig, ContrastiveEncoder
from cg_ir import Graph
from cg_ir.files import atomic_path
from cg_predict.finetuned import FineTunedPredictor, KGNNPredictor
from cg_predict.tables import SPACES, Family, family_named, read_family

#: Labelled networks of a source, and networks that are ranked.
SOURCE, RANKED = 200, 500
STEPS, BATCH = 100, 32
#: Families on which the authors report, and on which all weights are trained, too: one draw of labels for each seed.
REPORTED = ("nb101", "nb201", "nb301")
CONTRASTIVE, WITHOUT, NO_ATTENTION, K_GNN = (
    "contrastive", "without the contrastive stage", "contrastive, both ways, no attention", "k-GNN",
)  # fmt: skip
KINDS = (CONTRASTIVE, K_GNN, WITHOUT, NO_ATTENTION)
#: Those of which the target's labels train all weights.
TUNED = (CONTRASTIVE, K_GNN)

Sources = Mapping[str, tuple[list[Graph], NDArray[Any]]]


def make(kind: str, sources: Sources, seed: int) -> Any:
    """A predictor that the sources have trained."""
    if kind == K_GNN:
        return KGNNPredictor(seed=seed).pretrain(sources)
    config = ContrastiveConfig(seed=seed)
    if kind == NO_ATTENTION:
        config = replace(config, attention_layers=0, positions=0, both_ways=True, rich=True)
    encoder = ContrastiveEncoder(config)
    if kind != WITHOUT:
        graphs = {name: networks for name, (networks, _) in sources.items()}
        encoder = ContrastiveEncoder.pretrain(graphs, config, steps=STEPS, batch=BATCH, seed=seed)
    return FineTunedPredictor(encoder, seed=seed).pretrain(sources)


def run(
    target: Family, kinds: Sequence[str], tune: bool, data: Path, folder: Path, seed: int, say: Callable[[str], None]
) -> None:
    """What a target lacks: readouts of its networks, and the scores of networks whose weights its labels have tuned."""
    wanted = {kind: [folder / f"{target.name}-{kind}-{seed}.npz"] for kind in kinds}
    for kind in [k for k in kinds if tune and k in TUNED and target.name in REPORTED]:
        wanted[kind].append(folder / f"{target.name}-{kind}-{seed}-tuned.npz")
    if all(path.exists() for paths in wanted.values() for path in paths):
        return
    sources = {}
    for family in SPACES:
        if family.name != target.name:
            part = read_family(family, data).sample(SOURCE, np.random.default_rng(0))
            sources[family.name] = (part.graphs(), part.labels)
    pool = read_family(target, data).sample(RANKED, np.random.default_rng(1))
    graphs = pool.graphs()
    for kind, paths in wanted.items():
        if all(path.exists() for path in paths):
            continue
        predictor = make(kind, sources, seed)
        readout, score = predictor.readouts(graphs), predictor.predict(graphs, pool=graphs)
        _keep(paths[0], {"readout": readout, "score": score, "labels": pool.labels})
        for path in paths[1:]:
            chosen = random_labels(len(graphs), LABELS, seed)
            predictor.fit([graphs[i] for i in chosen], pool.labels[chosen], pool=graphs)
            _keep(path, {"score": predictor.predict(graphs, pool=graphs)})
        say(f"{target.name}, seed {seed}: {kind}")


def _keep(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the label tables")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="folder for recipe.md, and for what it rests on"
    )
    parser.add_argument("--seeds", type=int, default=3, help="of the weights")
    parser.add_argument("--family", action="append", help="only these targets")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only these networks")
    parser.add_argument("--no-tuning", dest="tune", action="store_false", help="the target's labels train no weights")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    folder = arguments.output / "recipe"
    folder.mkdir(parents=True, exist_ok=True)
    targets: Sequence[Family] = [family_named(name) for name in arguments.family or []] or SPACES
    for seed in range(arguments.seeds):  # every family once, then once more
        for target in targets:
            kinds, tune = arguments.kind or KINDS, arguments.tune
            run(target, kinds, tune, arguments.data, folder, seed, lambda line: print(line, flush=True))
    settings = (
        f"{SOURCE} labelled networks of each source, {STEPS} contrastive steps of {BATCH} graphs, {LABELS} labels of the target, "
        f"{RANKED} networks of it."
    )
    write_page(folder, arguments.output / "recipe.md", [f.name for f in SPACES], KINDS, settings)


if __name__ == "__main__":
    main()
