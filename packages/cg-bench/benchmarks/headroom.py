"""How near a search on a predictor comes to the best network of a space, beyond the labels that the predictor saw.

A `Predictor` without knowledge of MobileNetV3 is fitted to 100 labels; regularised evolution looks for the network under a bound on
multiply-accumulates that it likes best, by its mean or by its mean less one standard deviation. A judge says how good that network is: a
ridge regression of all accuracies of the table on the choices that make up an architecture, whose effects are nearly additive. 0 % is the
median of random networks near the bound, 100 % the best that the same evolution finds by the judge itself.

    python packages/cg-bench/benchmarks/headroom.py --data FOLDER [--draws 5] -o headroom.md
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_predict

from cg_evolve.algorithms import ALGORITHMS
from cg_evolve.search import Search
from cg_ir import Graph, get_space
from cg_ir.files import write_text
from cg_predict import Predictor
from cg_predict.metrics import spearman
from cg_predict.tables import LabelledFamily, family_named, read_family

#: At the resolution of the table: other ones nobody has measured.
FAMILY, SPACE = "mobilenetv3", "mobilenetv3?resolution=224"
BOUND, LABELS, BUDGET, POOL = 300e6, 100, 2000, 1500


Score = Callable[[list[str], list[Graph]], NDArray[Any]]


def choices(arch: str) -> NDArray[np.float64]:
    """Depth of each stage, kernel and expansion of each layer that is there."""
    kernels, expansions, depths = arch.partition("@")[0].split(":")
    row: list[float] = []
    for stage, depth in enumerate(map(int, depths)):
        row += [depth == 3, depth == 4]
        for layer in range(4 * stage, 4 * stage + 4):
            there = layer % 4 < depth
            row += [there and kernels[layer] == k for k in "57"] + [there and expansions[layer] == e for e in "46"]
    return np.array(row, dtype=float)


class Judge:
    """Accuracies of all architectures of the space, from those of the table."""

    def __init__(self, archs: list[str], labels: NDArray[Any]) -> None:
        x = np.stack([choices(arch) for arch in archs])
        self.model = RidgeCV(np.logspace(-3, 3, 13)).fit(x, labels)
        self.correlation = spearman(cross_val_predict(self.model, x, labels, cv=10), labels)

    def __call__(self, archs: list[str], graphs: list[Graph]) -> NDArray[Any]:
        return np.asarray(self.model.predict(np.stack([choices(arch) for arch in archs])))


def best_by(score: Score, seed: int) -> str:
    """What regularised evolution finds within the bound."""
    search = Search(SPACE, ALGORITHMS["regularized"](), seed=seed, constraints=(f"macs<{BOUND:g}",))
    while len(search.history) < BUDGET:
        candidates = search.ask(min(50, BUDGET - len(search.history)))
        values = score([c.arch for c in candidates], [c.graph for c in candidates])
        search.tell(candidates, values.tolist())
    assert search.best is not None
    return search.best.arch


def draw(number: int, family: LabelledFamily, graphs: list[Graph], judge: Judge) -> dict[str, float]:
    """The judge's accuracies of one draw of labels."""
    rng = np.random.default_rng([number, 1])
    chosen = np.sort(rng.choice(len(graphs), LABELS, replace=False))
    space: Any = get_space(SPACE)
    random = [space.sample(rng) for _ in range(POOL)]
    pool = [space.graph(arch) for arch in random]
    predictor = Predictor((FAMILY,), warn=False, seed=number)
    predictor.fit([graphs[i] for i in chosen], family.labels[chosen], pool=pool)

    def less(times: float) -> Score:
        def score(archs: list[str], networks: list[Graph]) -> NDArray[Any]:
            mean, std = predictor.predict(networks, return_std=True, pool=pool)
            return np.asarray(mean - times * std)

        return score

    near = [a for a, g in zip(random, pool, strict=True) if 0.8 * BOUND < g.macs < BOUND]
    within = [i for i in chosen if graphs[i].macs < BOUND]
    labelled = family.archs[max(within, key=lambda i: family.labels[i])]
    found = [labelled, best_by(less(0.0), number), best_by(less(1.0), number), best_by(judge, number)]
    values = [float(np.median(judge(near, []))), *judge(found, []).tolist()]
    return dict(zip(("median", "labelled", "mean", "lower", "best"), values, strict=True))


def main() -> None:
    """Run all draws and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the label tables")
    parser.add_argument("--draws", type=int, default=5, help="of labels, at least 2")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    family = read_family(family_named(FAMILY), arguments.data)
    graphs = family.graphs()
    judge = Judge(family.archs, family.labels)
    rows = []
    for number in range(arguments.draws):
        rows.append(draw(number, family, graphs, judge))
        print(f"draw {number}: {rows[-1]}", flush=True)
    shares = {
        kind: np.array([(r[kind] - r["median"]) / (r["best"] - r["median"]) for r in rows])
        for kind in ("labelled", "mean", "lower")
    }
    closed = (f"{part.mean():.0%} ± {part.std(ddof=1) / np.sqrt(len(part)):.0%}" for part in shares.values())
    lines = [
        "# A search beyond its labels",
        "",
        "Written by `python packages/cg-bench/benchmarks/headroom.py`. MobileNetV3 at 224 pixels under "
        f"{BOUND / 1e6:.0f} M multiply-accumulates: a predictor",
        f"that knows other families and {LABELS} labels, and regularised evolution of {BUDGET:,} networks on its mean, or on its mean less one",
        f"standard deviation. The judge is a ridge regression of all {len(graphs):,} measured accuracies on the choices that make up an architecture",
        f"(rank correlation with accuracies left out {judge.correlation:.3f}). Judged, in % top-1: the median of random networks of 80 to 100 % of the",
        "bound, the best labelled network within it (the table holds what another search found), the two found ones, the best by the judge.",
        "",
        "| draw | random, median | best labelled | by the mean | by the mean less the deviation | best by the judge |",
        "|---|---|---|---|---|---|",
        *(f"| {n} | " + " | ".join(f"{value:.2f}" for value in row.values()) + " |" for n, row in enumerate(rows)),
        "| way from the median to the best | | " + " | ".join(closed) + " | |",
    ]
    write_text(arguments.output, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
