"""Training the prior: ``python -m cg_predict.train_prior --data DIR --seed 0`` rebuilds the shipped checkpoint.

Per family a random sample of its labelled networks is described, labels become normal scores and descriptors ranks within the family. Every family has
trees of its own. What is learned from several families together, the weights of features for kernels, is learned from all and from all but each one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingRegressor

from cg_ir import get_space
from cg_ir.errors import CgError
from cg_predict.effects import family_effects
from cg_predict.features import descriptors, fingerprint, path_vectors
from cg_predict.metrics import kendall, spearman
from cg_predict.pool import PoolScale
from cg_predict.pooled_prior import ACCORD, AGREEMENT, DISCORD, GENERAL, NEARNESS, SIMILARITY
from cg_predict.prior import (
    ALL,
    ALONE,
    Prior,
    correlations,
    family_distance,
    pack_symmetric,
    prior_from,
    shipped_directory,
)
from cg_predict.relevance import relevance
from cg_predict.tables import FAMILIES, Family, read_family
from cg_predict.targets import normal_scores
from cg_predict.trees import Forest

__all__ = ["Source", "train"]

#: Descriptor groups that the trees read; similarity looks at all but pairs of operators.
TREE_GROUPS = ("plain", "paths", "signal")
SAMPLE = 1200
#: Penalties of the two sets of feature weights, see `cg_predict.relevance`.
PENALTIES = {"sharp": 0.02, "soft": 0.2}
#: Unlabelled networks of each family that are remembered.
KNOWN = 24


@dataclass(frozen=True)
class Source:
    """One family's training data.

    Args:
        name: of the family.
        x: descriptors, float32 (n, d).
        ranks: their ranks within the family, float32 (n, d).
        scores: normal scores of the labels, (n,).
        vectors: of the path-weighted encoder, float32 (n, e).
        known: descriptors of unlabelled networks sampled from the family's space, by which newcomers are told what they resemble, (m, d).
        known_names: their SOURCE strings.
    """

    name: str
    x: NDArray[np.float32]
    ranks: NDArray[np.float32]
    scores: NDArray[np.float64]
    vectors: NDArray[np.float32]
    known: NDArray[np.float32]
    known_names: tuple[str, ...]


def source_from(
    name: str,
    x: NDArray[np.float32],
    labels: NDArray[np.floating[Any]],
    vectors: NDArray[np.float32],
    known: NDArray[np.float32] | None = None,
    known_names: Sequence[str] = (),
) -> Source:
    """Training data from descriptors and labels."""
    nothing = np.zeros((0, x.shape[1]), dtype=np.float32)
    return Source(
        name,
        x,
        PoolScale(x).ranks(x),
        normal_scores(labels),
        vectors,
        nothing if known is None else known,
        tuple(known_names),
    )


def read_source(family: Family, data: Path, seed: int) -> Source:
    """Describe a sample of a family's labelled networks, and some networks drawn from its space."""
    encoder = descriptors().encoder
    position = [f.name for f in FAMILIES].index(family.name)
    labelled = read_family(family, data).sample(SAMPLE, np.random.default_rng([seed, position]))
    space, rng = get_space(family.name), np.random.default_rng([seed, position, 1])
    archs = [space.sample(rng) for _ in range(KNOWN)]
    graphs = labelled.graphs()
    return source_from(
        family.name, encoder.encode(graphs), labelled.labels, path_vectors().encoder.encode(graphs),
        encoder.encode([space.graph(a) for a in archs]),
        [f"{family.name}:{a}" for a in archs],
    )  # fmt: skip


def train_forest(x: NDArray[np.float32], scores: NDArray[np.float64], seed: int) -> Forest:
    """Boosted trees from features, (n, d), to normal scores, (n,).

    Small trees, each split looking at a fifth of the features: what they learn is nearly additive and carries over better than larger ones.
    """
    model = GradientBoostingRegressor(
        n_estimators=120, learning_rate=0.06, max_leaf_nodes=8, max_depth=None, max_features=0.2, min_samples_leaf=30,
        random_state=seed,
    ).fit(x, scores)  # fmt: skip
    stages = [stage[0].tree_ for stage in model.estimators_]
    return Forest.from_trees(stages, [model.learning_rate] * len(stages), float(np.ravel(model.init_.constant_)[0]))


def train_relevance(sources: Sequence[Source], seed: int) -> dict[str, NDArray[np.float32]]:
    """Weights of descriptors and of encoder vectors for kernels, sharp and soft."""
    result = {}
    for feature in ("descriptors", "embedding"):
        families = []
        for s in sources:
            x = s.x if feature == "descriptors" else s.vectors
            families.append((PoolScale(x).standardise_all(x), s.scores))
        for kind, penalty in PENALTIES.items():
            result[f"{feature}_{kind}"] = relevance(families, penalty=penalty, seed=seed)
    return result


def train(
    sources: Sequence[Source], names: Sequence[str], groups: Sequence[str], seed: int
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Config and arrays of a checkpoint.

    Args:
        sources: the families.
        names: of the descriptors.
        groups: of each descriptor.
        seed: of the trees.
    """
    tree_columns = np.isin(np.array(groups), TREE_GROUPS)
    compared = np.array(groups) != "pairs"
    arrays: dict[str, NDArray[Any]] = {}
    radius = {}
    means = np.array([s.x.mean(axis=0, dtype=np.float64) for s in sources])
    deviations = np.array([s.x.std(axis=0, dtype=np.float64) for s in sources])
    together = np.maximum(np.sqrt((deviations**2).mean(axis=0) + means.var(axis=0)), 1e-6)
    for s, mean, deviation in zip(sources, means, deviations, strict=True):
        arrays[f"correlations/{s.name}"] = pack_symmetric(correlations(np.where(compared, s.ranks, 0.0)))
        arrays[f"mean/{s.name}"] = mean.astype(np.float32)
        arrays[f"deviation/{s.name}"] = deviation.astype(np.float32)
        arrays[f"known/{s.name}"] = np.clip(s.known, -6e4, 6e4).astype(np.float16)
        radius[s.name] = float(np.quantile(family_distance(s.x, mean, deviation, together), 0.99))
        effects = family_effects(PoolScale(s.x).standardise_all(s.x), s.scores)
        arrays[f"precision/{s.name}"] = pack_symmetric(effects.precision)
        arrays[f"information/{s.name}"] = effects.information.astype(np.float32)
        for kind, x in (("ranked", s.ranks), ("raw", s.x)):
            forest = train_forest(np.where(tree_columns, x, np.float32(0)), s.scores, seed)
            arrays |= {f"{kind}/{s.name}/{key}": value for key, value in forest.to_arrays().items()}
    variants = {ALL: list(sources)}
    if len(sources) > 1:
        variants |= {s.name: [other for other in sources if other is not s] for s in sources}
    for variant, members in variants.items():
        for name, weights in train_relevance(members, seed).items():
            arrays[f"relevance/{variant}/{name}"] = weights.astype(np.float16)
    config: dict[str, Any] = {
        "families": [s.name for s in sources],
        "descriptors": list(names),
        "radius": radius,
        "vectors": fingerprint(path_vectors().encoder),
        "known": {s.name: list(s.known_names) for s in sources},
        "card": {"seed": seed, "sample": {s.name: len(s.x) for s in sources}},
    }
    # What the stored arrays say, not what was stored from.
    transfer = {s.name: _transfer(s, prior_from(config, arrays, (s.name,))) for s in sources if len(sources) > 1}
    expected = float(np.mean([row["spearman"] for row in transfer.values()])) if transfer else 0.7
    config["card"] |= {"expected_correlation": round(expected, 4), "left_out": transfer}
    digest = hashlib.blake2b(json.dumps(config, sort_keys=True).encode(), digest_size=16)
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].tobytes())
    config["card"]["digest"] = digest.hexdigest()
    return config, arrays


def _transfer(target: Source, prior: Prior) -> dict[str, float]:
    """How a prior that has not seen a family ranks its training sample."""
    among = prior.among(target.x, PoolScale(target.x))
    score = among.score(target.x)
    row = {"spearman": spearman(score, target.scores), "kendall": kendall(score, target.scores)}
    row |= {f"spearman, {name}": spearman(value, target.scores) for name, value in among.parts(target.x).items()}
    row["spearman, no pool"] = spearman(prior.score(target.x), target.scores)
    return {key: round(value, 4) for key, value in row.items()}


def model_card(config: Mapping[str, Any]) -> str:
    """The text that goes with the checkpoint; every number is from the training run."""
    card = config["card"]
    columns = list(next(iter(card["left_out"].values()), {}))
    lines = [
        "# Prior of cg-predict",
        "",
        "Ranks networks without labels, from labels of other families. Licence: Apache-2.0. Written by",
        f"`python -m cg_predict.train_prior --data DIR --seed {card['seed']}`; see that module for the method.",
        "",
        "## Data",
        "",
        "Labels of public benchmarks (the file names are those of the data directory); none of their rows is in the checkpoint, which holds trees,",
        "linear effects, rank correlations of descriptors with each other, and their means and spreads.",
        "",
        "| family | networks | label | file |",
        "|---|---|---|---|",
    ]
    known = {f.name: f for f in FAMILIES}
    lines += [f"| {n} | {card['sample'][n]} | `{known[n].metric}` | `{known[n].file}` |" for n in config["families"]]
    lines += ["", "## Families left out", ""]
    lines += [
        "Rank correlation on each family of the prior that has not seen it, on the training sample of that family as pool. `Predictor` smooths the",
        "prior's scores over the pool, which is not in this table.",
        "",
    ]
    lines += ["| family | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for family, row in card["left_out"].items():
        lines.append(f"| {family} | " + " | ".join(f"{row.get(c, float('nan')):.3f}" for c in columns) + " |")
    lines += [
        "",
        f"Constants, the same for every family: similarity {SIMILARITY}, agreement {AGREEMENT}, nearness {NEARNESS}, general {GENERAL}, accord {ACCORD}, "
        f"discord {DISCORD}, alone {ALONE} (see `cg_predict.prior`). They were",
        "chosen by the mean over the families of this table, which therefore flatters a little.",
        "",
        f"Digest `{card['digest']}`.",
        "",
    ]
    return "\n".join(lines)


@click.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the label tables.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the samples and trees.")
@click.option(
    "--family", "families", multiple=True, help="Only these families; all that the folder has labels for if absent."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder to write; the package's own checkpoint if absent."
)
def main(data: Path, seed: int, families: tuple[str, ...], output: Path | None) -> None:
    """Train the prior and write its checkpoint."""
    from cg_embed.checkpoint import write_checkpoint

    encoder = descriptors().encoder
    sources = []
    for family in FAMILIES:
        if not families or family.name in families:
            sources.append(read_source(family, data, seed))
            click.echo(f"{family.name}: {len(sources[-1].x)} networks described", err=True)
    if not sources:
        raise CgError(f"no family is left to learn from; there are {', '.join(f.name for f in FAMILIES)}")
    config, arrays = train(sources, encoder.names, encoder.groups, seed)  # type: ignore[attr-defined]
    folder = output or shipped_directory()
    write_checkpoint(folder, "prior", config, arrays, model_card(config))
    click.echo(model_card(config))
    click.echo(f"{folder}: {sum(a.nbytes for a in arrays.values()) / 1e6:.2f} MB", err=True)


if __name__ == "__main__":
    main()
