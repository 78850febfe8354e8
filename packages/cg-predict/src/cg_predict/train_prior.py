"""Training the prior: ``python -m cg_predict.train_prior --data DIR --seed 0`` rebuilds the shipped checkpoint.

Per family a random sample of its labelled networks is described, labels become normal scores and descriptors ranks within the family; every family
counts the same. Trees are trained on all families and on all but each one; second moments are stored by family.
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
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor

from cg_ir import get_space
from cg_ir.errors import CgError
from cg_predict.features import descriptors, fingerprint, path_vectors
from cg_predict.metrics import kendall, spearman
from cg_predict.pool import PoolScale
from cg_predict.prior import (
    ALL,
    PENALTY,
    FamilyReference,
    Moments,
    Prior,
    family_distance,
    pack_symmetric,
    shipped_directory,
)
from cg_predict.relevance import relevance
from cg_predict.tables import FAMILIES, Family, read_family
from cg_predict.targets import normal_scores
from cg_predict.trees import Forest

__all__ = ["Source", "train"]

#: Weights of the components, the same whatever is ranked.
WEIGHTS = {"ranked/extra": 1.0, "ranked/boosted": 1.0, "raw/extra": 0.25, "linear": 1.0, "size": 0.7}
#: Descriptor groups that the trees read; the linear part reads all but pairs of operators.
TREE_GROUPS = ("plain", "paths", "signal")
SAMPLE = 1200
#: Penalties of the two sets of feature weights, see `cg_predict.relevance`.
PENALTIES = {"sharp": 0.02, "soft": 0.2}
#: Unlabelled networks of each family that are remembered.
KNOWN = 24
_SPREAD = np.sqrt(12.0)


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


def train_forests(sources: Sequence[Source], columns: NDArray[np.bool_], seed: int) -> dict[str, Forest]:
    """The tree components from some families, equally weighted."""
    ranks = np.concatenate([np.where(columns, s.ranks, 0) for s in sources])
    raw = np.concatenate([np.where(columns, s.x, 0) for s in sources])
    y = np.concatenate([s.scores for s in sources])
    weight = np.concatenate([np.full(len(s.scores), 1.0 / len(s.scores)) for s in sources])
    weight /= weight.mean()
    extra = ExtraTreesRegressor(32, min_samples_leaf=5, max_features=0.25, random_state=seed)
    extra.fit(ranks, y, sample_weight=weight)
    boosted = GradientBoostingRegressor(
        n_estimators=100, learning_rate=0.07, subsample=0.5, max_leaf_nodes=8, max_depth=None, max_features=0.15,
        min_samples_leaf=30, random_state=seed,
    ).fit(ranks, y, sample_weight=weight)  # fmt: skip
    plain = ExtraTreesRegressor(16, min_samples_leaf=8, max_features=0.25, random_state=seed)
    plain.fit(raw, y, sample_weight=weight)
    return {
        "ranked/extra": _averaged(extra),
        "ranked/boosted": Forest.from_trees(
            [stage[0].tree_ for stage in boosted.estimators_],
            [boosted.learning_rate] * len(boosted.estimators_),
            float(np.ravel(boosted.init_.constant_)[0]),
        ),
        "raw/extra": _averaged(plain),
    }


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


def _averaged(model: ExtraTreesRegressor) -> Forest:
    trees = [e.tree_ for e in model.estimators_]
    return Forest.from_trees(trees, [1.0 / len(trees)] * len(trees))


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
    linear_columns = np.array(groups) != "pairs"
    arrays: dict[str, NDArray[Any]] = {}
    radius = {}
    means = np.array([s.x.mean(axis=0, dtype=np.float64) for s in sources])
    deviations = np.array([s.x.std(axis=0, dtype=np.float64) for s in sources])
    together = np.maximum(np.sqrt((deviations**2).mean(axis=0) + means.var(axis=0)), 1e-6)
    for s, mean, deviation in zip(sources, means, deviations, strict=True):
        z = np.where(linear_columns, s.ranks * _SPREAD, 0.0).astype(np.float64)
        arrays[f"moments/{s.name}"] = pack_symmetric(z.T @ z / len(z))
        arrays[f"labels/{s.name}"] = (z.T @ s.scores / len(z)).astype(np.float32)
        arrays[f"mean/{s.name}"] = mean.astype(np.float32)
        arrays[f"deviation/{s.name}"] = deviation.astype(np.float32)
        arrays[f"known/{s.name}"] = np.clip(s.known, -6e4, 6e4).astype(np.float16)
        radius[s.name] = float(np.quantile(family_distance(s.x, mean, deviation, together), 0.99))
    variants = {ALL: list(sources)}
    if len(sources) > 1:
        variants |= {s.name: [other for other in sources if other is not s] for s in sources}
    transfer = {}
    for variant, members in variants.items():
        forests = train_forests(members, tree_columns, seed)
        for name, weights in train_relevance(members, seed).items():
            arrays[f"relevance/{variant}/{name}"] = weights.astype(np.float16)
        for component, forest in forests.items():
            arrays |= {f"forest/{variant}/{component}/{key}": value for key, value in forest.to_arrays().items()}
        if variant != ALL:
            # What the stored arrays say, not what was stored from.
            stored = {
                c: Forest.from_arrays(
                    {
                        k: arrays[f"forest/{variant}/{c}/{k}"]
                        for k in ("roots", "feature", "step", "number", "offset", "depth")
                    }
                )
                for c in forests
            }
            target = next(s for s in sources if s.name == variant)
            transfer[variant] = _transfer(target, members, linear_columns, names, stored)
    expected = float(np.mean([row["spearman"] for row in transfer.values()])) if transfer else 0.7
    config: dict[str, Any] = {
        "families": [s.name for s in sources],
        "descriptors": list(names),
        "components": list(forests),
        "weights": WEIGHTS,
        "radius": radius,
        "vectors": fingerprint(path_vectors().encoder),
        "known": {s.name: list(s.known_names) for s in sources},
        "card": {
            "expected_correlation": round(expected, 4),
            "left_out": transfer,
            "seed": seed,
            "sample": {s.name: len(s.x) for s in sources},
        },
    }
    digest = hashlib.blake2b(json.dumps(config, sort_keys=True).encode(), digest_size=16)
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].tobytes())
    config["card"]["digest"] = digest.hexdigest()
    return config, arrays


def _transfer(
    target: Source,
    members: Sequence[Source],
    linear: NDArray[np.bool_],
    names: Sequence[str],
    forests: Mapping[str, Forest],
) -> dict[str, float]:
    """How the prior from ``members`` ranks the training sample of a family that it has not seen."""
    moments = {}
    for s in members:
        z = np.where(linear, s.ranks * _SPREAD, 0.0).astype(np.float64)
        moments[s.name] = Moments(z.T @ z / len(z), z.T @ s.scores / len(z))
    references = {s.name: FamilyReference(np.zeros(1), np.ones(1), 1.0) for s in members}
    prior = Prior(tuple(names), moments, references, dict(forests), WEIGHTS)
    score = prior.score(target.x, target.x, PoolScale(target.x))
    row = {"spearman": spearman(score, target.scores), "kendall": kendall(score, target.scores)}
    row |= {
        f"spearman, {name}": spearman(value, target.scores)
        for name, value in prior.components(target.x, PoolScale(target.x)).items()
    }
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
        "second moments of descriptor ranks and labels, and means and spreads of descriptors.",
        "",
        "| family | networks | label | file |",
        "|---|---|---|---|",
    ]
    known = {f.name: f for f in FAMILIES}
    lines += [f"| {n} | {card['sample'][n]} | `{known[n].metric}` | `{known[n].file}` |" for n in config["families"]]
    lines += ["", "## Families left out", ""]
    lines += [
        "Rank correlation on each family of the prior that has not seen it, on the training sample of that family as pool.",
        "",
    ]
    lines += ["| family | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for family, row in card["left_out"].items():
        lines.append(f"| {family} | " + " | ".join(f"{row.get(c, float('nan')):.3f}" for c in columns) + " |")
    weights = ", ".join(f"{k} {v}" for k, v in config["weights"].items())
    lines += ["", f"Component weights: {weights}; ridge penalty {PENALTY}. Digest `{card['digest']}`.", ""]
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
