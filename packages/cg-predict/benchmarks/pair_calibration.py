"""Whether probabilities that one network is better than another come true: pairs of every table, the table's family left out.

Without labels and with some, the probability of `cg_predict.comparison` is compared with what the labels of pairs say that neither was labelled. The expected
calibration error is the mean over pairs of the difference between the mean probability of ten bins and the share of pairs in which it came true. ::

    python packages/cg-predict/benchmarks/pair_calibration.py --data DIR
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from cg_predict import Predictor
from cg_predict.comparison import _independent, probabilities_better
from cg_predict.metrics import calibration_error
from cg_predict.tables import FAMILIES, family_named, read_family


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--networks", default=600, show_default=True, help="Networks of each table, a seeded sample.")
@click.option("--pairs", default=3000, show_default=True, help="Pairs of each table and draw.")
@click.option("--labels", "counts", multiple=True, type=int, default=(0, 50), show_default=True)
@click.option("--draws", default=2, show_default=True, help="Draws of labelled networks.")
@click.option("--table", "tables", multiple=True, help="Only these.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File (.npz) for all probabilities.")
def main(
    data: Path,
    networks: int,
    pairs: int,
    counts: tuple[int, ...],
    draws: int,
    tables: tuple[str, ...],
    output: Path | None,
) -> None:
    """Print the expected calibration error of every table, and of all pairs together."""
    kept: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {count: [] for count in counts}
    arrays = {}
    for family in (family_named(name) for name in (tables or [f.table for f in FAMILIES if f.name != "timm"])):
        labelled = read_family(family, data).sample(networks, np.random.default_rng(0))
        graphs = labelled.graphs()
        predictor = Predictor((family.name,), warn=False)
        for count in counts:
            found = []
            for draw in range(draws if count else 1):
                rng = np.random.default_rng([2023, draw])
                order = rng.permutation(len(labelled))
                predictor.set_params(seed=draw).reset()
                if count:
                    predictor.fit([graphs[i] for i in order[:count]], labelled.labels[order[:count]], pool=graphs)
                rest = order[count:]
                asked = rng.choice(len(rest), size=(2 * pairs, 2))
                told = labelled.labels[rest]
                asked = asked[told[asked[:, 0]] != told[asked[:, 1]]][:pairs]
                probability = probabilities_better(predictor, [graphs[i] for i in rest], asked, graphs)
                found.append((probability, told[asked[:, 0]] > told[asked[:, 1]]))
                mean, deviation = predictor.predict([graphs[i] for i in rest], return_std=True, pool=graphs)
                arrays[f"{family.table}/{count}/{draw}"] = np.stack([*found[-1], _independent(mean, deviation, asked)])
            probability, true = (np.concatenate(part) for part in zip(*found, strict=True))
            kept[count].append((probability, true))
            right = np.mean((probability > 0.5) == true)
            click.echo(
                f"{family.table}, {count} labels: error {calibration_error(probability, true):.3f}, {right:.1%} of {len(true):,} pairs right, "
                f"{np.abs(probability - 0.5).mean() + 0.5:.1%} expected"
            )
    for count, parts in kept.items():
        probability, true = (np.concatenate(part) for part in zip(*parts, strict=True))
        each = np.mean([calibration_error(*part) for part in parts])
        click.echo(
            f"all tables, {count} labels: error {calibration_error(probability, true):.3f}; mean of tables {each:.3f}"
        )
    if output:
        np.savez(output, **arrays)


if __name__ == "__main__":
    main()
