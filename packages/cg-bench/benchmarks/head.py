"""One head over the encoder, without a label of the target and without descriptors, against the prior.

A head learns normal scores of labels from the encoder's vectors, standardised over each pool, on the tables of all families that are no relatives
of the target's, and ranks the target. The page is ``head.md``.

    python packages/cg-bench/benchmarks/head.py --data FOLDER -o FOLDER
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import RidgeCV

from cg_embed import shipped_encoder
from cg_ir.files import write_text
from cg_predict import Predictor
from cg_predict.metrics import spearman
from cg_predict.pool import PoolScale
from cg_predict.tables import family_named, read_family, relatives_of
from cg_predict.targets import normal_scores

TABLES = (
    "nb101", "nb201", "nb301", "mobilenetv3", "mnasnet", "natssize", "transnas micro", "transnas macro", "autoformer", "metaqnn", "naap440",
)  # fmt: skip
NETWORKS, SEEDS = 150, 2

Head = Callable[[NDArray[Any], NDArray[Any], NDArray[Any], int], NDArray[Any]]


def ridge(x: NDArray[Any], y: NDArray[Any], target: NDArray[Any], seed: int) -> NDArray[Any]:
    """Scores of ``target`` by a ridge regression, its penalty by generalised cross-validation."""
    found: NDArray[Any] = RidgeCV(np.logspace(1, 6, 11)).fit(x, y).predict(target)
    return found


def trees(x: NDArray[Any], y: NDArray[Any], target: NDArray[Any], seed: int) -> NDArray[Any]:
    """Scores of ``target`` by extremely randomised trees."""
    forest = ExtraTreesRegressor(40, max_features="sqrt", min_samples_leaf=5, random_state=seed)
    found: NDArray[Any] = forest.fit(x, y).predict(target)
    return found


HEADS: dict[str, Head] = {"ridge": ridge, "trees": trees}


@dataclass(eq=False)
class Pool:
    """Networks of a table: their family, vectors by encoder, labels, and the prior's score."""

    family: str
    vectors: dict[str, NDArray[np.float32]]
    labels: NDArray[Any]
    prior: NDArray[Any]


def read(table: str, data: Path) -> Pool:
    """A seeded sample of a table."""
    part = read_family(family_named(table), data).sample(NETWORKS, np.random.default_rng(0))
    graphs, family = part.graphs(), family_named(table).name
    encoders = {"as shipped": shipped_encoder(), "untrained": shipped_encoder(trained=False)}
    vectors = {}
    for name, encoder in encoders.items():
        x = np.asarray(encoder.encode(graphs))
        vectors[name] = PoolScale(x).standardise_all(x)
    return Pool(family, vectors, part.labels, Predictor((family,), warn=False).predict(graphs, pool=graphs))


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the label tables")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for head.md")
    arguments = parser.parse_args()
    pools = {table: read(table, arguments.data) for table in TABLES}
    rows: dict[str, list[float]] = {"prior": [spearman(p.prior, p.labels) for p in pools.values()]}
    for encoder in ("as shipped", "untrained"):
        for name, head in HEADS.items():
            rows[f"{name}, encoder {encoder}"] = [
                _judge(head, encoder, pool, list(pools.values())) for pool in pools.values()
            ]
            print(name, encoder, flush=True)
    title = [*pools, "mean"]
    lines = [
        "# One head over the encoder, without labels",
        "",
        "Written by `python packages/cg-bench/benchmarks/head.py`. Spearman's correlation without a label of the target's family and its relatives:",
        "a head on the vectors of the path-weighted encoder, which the labels of all other tables have trained, and the prior that ships. The heads see",
        f"no descriptors. {NETWORKS} networks of each table, normal scores; trees: mean of {SEEDS} seeds. The shipped encoder was trained on unlabelled",
        "graphs of nb101 and nb201.",
        "",
        "| | " + " | ".join(title) + " |",
        "|---" * (len(title) + 1) + "|",
    ]
    for row, values in rows.items():
        lines.append(f"| {row} | " + " | ".join(f"{v:.3f}" for v in [*values, np.mean(values)]) + " |")
    write_text(arguments.output / "head.md", "\n".join([*lines, ""]))


def _judge(head: Head, encoder: str, pool: Pool, pools: list[Pool]) -> float:
    kin = relatives_of((pool.family,))
    sources = [p for p in pools if p.family not in kin]
    x = np.concatenate([p.vectors[encoder] for p in sources])
    y = np.concatenate([normal_scores(p.labels) for p in sources])
    seeds = 1 if head is ridge else SEEDS
    return float(np.mean([spearman(head(x, y, pool.vectors[encoder], s), pool.labels) for s in range(seeds)]))


if __name__ == "__main__":
    main()
