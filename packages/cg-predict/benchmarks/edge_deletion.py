"""Whether what is said to matter does: edges of NAS-Bench-201 cells are deleted, and the table tells the accuracy of what is left.

The score of a cell with six edges is shared out among them (`cg_predict.explain.explain_parts`; deleting is `none`). Deleting the three that are said to matter
most together should lower the accuracy more than deleting three random ones; so should, less often, deleting the three with the largest contributions: edges
that stand in for each other have small ones. The predictor has learned from no cell of the kind, and sees no label unless ``--labels`` says so. ::

    python packages/cg-predict/benchmarks/edge_deletion.py --data DIR
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from cg_ir import get_space
from cg_predict import Predictor
from cg_predict.explain import explain_parts
from cg_predict.tables import family_named, read_family

#: Edges that are deleted.
DELETED = 3


def edges_of(arch: str) -> list[str]:
    """The operators of a cell's edges, in the order of the notation."""
    return [edge for group in arch.split("+") for edge in group.strip("|").split("|")]


def joined(edges: list[str]) -> str:
    """The notation of six edges."""
    return "+".join(f"|{'|'.join(edges[i:j])}|" for i, j in ((0, 1), (1, 3), (3, 6)))


def without(arch: str, gone: list[int]) -> str:
    """The cell without the edges of these numbers."""
    edges = edges_of(arch)
    for i in gone:
        edges[i] = f"none~{edges[i].partition('~')[2]}"
    return joined(edges)


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--cells", default=500, show_default=True, help="Cells, a seeded sample of those with six edges.")
@click.option("--labels", default=0, show_default=True, help="Labels of other cells that the predictor is fitted to.")
@click.option("--pool", default=500, show_default=True, help="Cells among which is ranked; 0 scores each alone.")
@click.option("--seed", default=0, show_default=True)
def main(data: Path, cells: int, labels: int, pool: int, seed: int) -> None:
    """Print the share of cells whose accuracy falls more, and as much, without what is said to matter most."""
    labelled = read_family(family_named("nb201"), data)
    accuracy = dict(zip(labelled.archs, labelled.labels.tolist(), strict=True))
    rng, space = np.random.default_rng(seed), get_space("nb201")
    order = rng.permutation(len(labelled))
    among = [space.graph(labelled.archs[i]) for i in order[:pool]] or None
    predictor = Predictor(("nb201",), warn=False, seed=seed)
    if labels:
        chosen = order[pool : pool + labels]
        predictor.fit([space.graph(labelled.archs[i]) for i in chosen], labelled.labels[chosen], pool=among)
    asked = [arch for arch in (labelled.archs[i] for i in order[pool + labels :]) if "none" not in arch]
    lower: dict[str, list[float]] = {"together": [], "contributions": []}
    same: dict[str, list[bool]] = {"together": [], "contributions": []}
    for arch in asked[:cells]:
        names = [f"{i}: {edge}" for i, edge in enumerate(edges_of(arch))]
        found = explain_parts(predictor, names, lambda gone, arch=arch: space.graph(without(arch, gone)), pool=among)
        chosen = {
            "together": [names.index(name) for name in found.together],
            "contributions": np.argsort(-found.contributions, kind="stable")[:DELETED].tolist(),
        }
        drawn = accuracy[without(arch, rng.choice(6, DELETED, replace=False).tolist())]
        for way, gone in chosen.items():
            lower[way].append(accuracy[without(arch, gone)] < drawn)
            same[way].append(accuracy[without(arch, gone)] == drawn)
    for way in lower:
        click.echo(
            f"{len(lower[way])} cells of six edges, {labels} labels, by {way}: lower than without three random edges {np.mean(lower[way]):.1%}, "
            f"the same {np.mean(same[way]):.1%}"
        )


if __name__ == "__main__":
    main()
