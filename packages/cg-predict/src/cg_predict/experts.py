"""What the labels of one family taught, and how it is learned and stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_predict.effects import Effects, family_effects
from cg_predict.halves import Halves
from cg_predict.pool import Levels, PoolScale
from cg_predict.relevance import relevance
from cg_predict.support_vectors import SupportVectors
from cg_predict.targets import normal_scores
from cg_predict.trees import Forest

__all__ = ["Expert", "Source", "rank_correlations", "train_expert"]

Floats = NDArray[np.float64]
#: Descriptor groups that trees on ranks read.
TREE_GROUPS = ("plain", "paths", "signal")
#: Networks of a family that remain known, by which newcomers are told what they resemble.
KNOWN, KNOWN_OF_A_ZOO = 64, 384
#: Parts of a family that are ranked by themselves besides the whole, and networks taken from each.
SLICES, SLICE = 9, 150
#: Networks, or rows of slices, that smooth functions are held up by at most; a zoo's by all of its networks.
HELD_UP, HELD_UP_ON_RANKS = 500, 300
#: Rate and penalty of smooth functions of descriptors and of ranks.
SMOOTH, SMOOTH_ON_RANKS = (0.1, 2.0), (0.3, 3.0)


@dataclass(frozen=True)
class Source:
    """One table's training data.

    Args:
        name: of the table.
        family: that ``exclude`` names.
        x: descriptors, float32 (n, d).
        scores: normal scores of the labels, (n,), the mean of all tasks.
        vectors: of the path-weighted encoder, float32 (n, e).
        names: SOURCE strings of the networks.
        metric: what the labels are.
        zoo: the labels as they are, (n,), where networks of many kinds make up the table, as published ones do.
    """

    name: str
    family: str
    x: NDArray[np.float32]
    scores: Floats
    vectors: NDArray[np.float32]
    names: tuple[str, ...] = ()
    metric: str = ""
    zoo: Floats | None = None

    def part(self, rows: NDArray[Any]) -> Source:
        """The networks of these rows."""
        names = tuple(np.array(self.names, dtype=object)[rows]) if self.names else ()
        zoo = None if self.zoo is None else self.zoo[rows]
        return replace(self, x=self.x[rows], scores=self.scores[rows], vectors=self.vectors[rows], names=names, zoo=zoo)


@dataclass(frozen=True)
class Expert:
    """What the labels of one table taught.

    Args:
        family: that ``exclude`` names.
        relative: of ranks of descriptors, within a pool or among known networks of the family.
        absolute: of descriptors as they are.
        effects: of descriptors standardised over a pool.
        correlations: of ranks of descriptors with each other in the family, (d, d).
        known: descriptors of some of its networks, (m, d).
        names: their SOURCE strings.
        relevance: logarithms of how much each feature mattered to a Gaussian process, by kind of feature.
        zoo: whether networks of many kinds make up the table, so that ``absolute`` knows most kinds of networks.
    """

    family: str
    relative: Halves
    absolute: Halves
    effects: Effects
    correlations: NDArray[np.floating[Any]]
    known: NDArray[np.floating[Any]]
    names: tuple[str, ...]
    relevance: Mapping[str, NDArray[np.floating[Any]]]
    zoo: bool = False

    @cached_property
    def scale(self) -> PoolScale:
        """Of the known networks."""
        return PoolScale(self.known)

    def anchored(self, x: NDArray[np.floating[Any]] | Levels) -> Floats:
        """What is said of networks, (n,), by their ranks among the known ones of the family.

        Args:
            x: descriptors, (n, d).
        """
        return self.relative.predict(self.scale.ranks(x))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Compact arrays by name; the inverse of `from_arrays`."""
        functions = {"relative": self.relative, "absolute": self.absolute}
        arrays = {f"{kind}/{key}": value for kind, f in functions.items() for key, value in f.to_arrays().items()}
        arrays |= {f"relevance/{kind}": value.astype(np.float16) for kind, value in self.relevance.items()}
        return arrays | {
            "precision": _pack(self.effects.precision),
            "information": self.effects.information.astype(np.float32),
            "correlations": _pack(self.correlations),
            "known": np.clip(self.known, -6e4, 6e4).astype(np.float16),
            "zoo": np.array([self.zoo]),
        }

    @classmethod
    def from_arrays(cls, family: str, names: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> Expert:
        """What `to_arrays` gave.

        Raises:
            KeyError: something is missing.
        """

        def under(prefix: str) -> dict[str, NDArray[Any]]:
            return {key[len(prefix) :]: value for key, value in arrays.items() if key.startswith(prefix)}

        return cls(
            family, Halves.from_arrays(under("relative/")), Halves.from_arrays(under("absolute/")),
            Effects(_unpack(arrays["precision"]), arrays["information"]), _unpack(arrays["correlations"]),
            arrays["known"].astype(np.float32), tuple(names),
            {kind: value.astype(np.float32) for kind, value in under("relevance/").items()}, bool(arrays["zoo"][0]),
        )  # fmt: skip


def train_expert(source: Source, groups: Sequence[str], seed: int) -> Expert:
    """Learn from one table.

    Trees on ranks see the family as a whole and slices of it, networks between two values of one descriptor: what holds within every part carries over
    better than what holds in the whole alone. A zoo has parts of every kind in it, and its labels mean the same in each: trees on descriptors learn them as
    they are, and are extremely randomised ones (Geurts, Ernst and Wehenkel 2006), which go less astray between its kinds. Beside the trees stand smooth
    functions of the same (`Halves`), of fewer networks, for each of which they take time.

    Args:
        source: the table.
        groups: of each descriptor.
        seed: of slices and trees.
    """
    from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor

    rng = np.random.default_rng(seed)
    ranks, scores = _slices(source, rng)
    ranks *= np.isin(np.array(groups), TREE_GROUPS).astype(np.float32)
    least = int(np.clip(len(source.x) // 12, 5, 30))
    relative = GradientBoostingRegressor(
        n_estimators=120, learning_rate=0.07, max_leaf_nodes=8, max_depth=None, max_features=0.1, min_samples_leaf=least,
        random_state=seed,
    ).fit(ranks, scores)  # fmt: skip
    labels = source.scores if source.zoo is None else source.zoo
    labels = (labels - labels.mean()) / max(float(labels.std()), 1e-9)
    if source.zoo is None:
        absolute = _boosted(
            GradientBoostingRegressor(
                n_estimators=300, learning_rate=0.05, max_leaf_nodes=8, max_depth=None, max_features=0.1, min_samples_leaf=least,
                subsample=0.7, random_state=seed,
            ).fit(source.x, source.scores)
        )  # fmt: skip
    else:
        forest = ExtraTreesRegressor(60, min_samples_leaf=4, max_features=1 / 3, random_state=seed)
        forest.fit(source.x, labels)
        absolute = Forest.from_trees([tree.tree_ for tree in forest.estimators_], [1 / len(forest)] * len(forest))
    held = rng.permutation(len(ranks))[:HELD_UP_ON_RANKS]
    smooth_on_ranks = SupportVectors.fitted(ranks[held], scores[held], *SMOOTH_ON_RANKS)
    held = rng.permutation(len(source.x))[: HELD_UP if source.zoo is None else None]
    smooth = SupportVectors.fitted(source.x[held], labels[held], *SMOOTH)
    z = PoolScale(source.x).standardise_all(source.x)
    compared = np.array(groups) != "pairs"
    chosen = representatives(source.x, KNOWN if source.zoo is None else KNOWN_OF_A_ZOO)
    weights = {
        kind: np.log(relevance(PoolScale(x).standardise_all(x), source.scores, seed))
        for kind, x in (("descriptors", source.x), ("embedding", source.vectors))
    }
    return Expert(
        source.family, Halves(_boosted(relative), smooth_on_ranks), Halves(absolute, smooth), family_effects(z, source.scores),
        rank_correlations(np.where(compared, PoolScale(source.x).ranks(source.x), np.float32(0))),
        source.x[chosen], tuple(source.names[i] for i in chosen) if source.names else (), weights,
        source.zoo is not None,
    )  # fmt: skip


def _boosted(model: Any) -> Forest:
    stages = [stage[0].tree_ for stage in model.estimators_]
    return Forest.from_trees(stages, [model.learning_rate] * len(stages), float(np.ravel(model.init_.constant_)[0]))


def _slices(source: Source, rng: np.random.Generator) -> tuple[NDArray[np.float32], Floats]:
    """Ranks within the whole table and within slices of it, and normal scores likewise."""
    parts = [np.arange(len(source.x))]
    parts += [slice_of(source.x, 0.12, rng) for _ in range(SLICES if source.zoo is None else 0)]
    ranks: list[NDArray[np.float32]] = []
    scores: list[Floats] = []
    for number, rows in enumerate(parts):
        kept = rng.permutation(len(rows))[: SLICE if number else 1000]
        ranks.append(PoolScale(source.x[rows]).ranks(source.x[rows][kept]))
        scores.append(normal_scores(source.scores[rows])[kept])
    return np.concatenate(ranks), np.concatenate(scores)


def slice_of(x: NDArray[np.floating[Any]], least: float, rng: np.random.Generator) -> NDArray[np.intp]:
    """Random rows of ``x``, (n, d), between two values of one column: a share of them from ``least`` on, and sixty where there are so many."""
    size = max(int(np.exp(rng.uniform(np.log(least), 0.0)) * len(x)), min(60, len(x)))
    column = int(rng.choice(np.flatnonzero(x.std(axis=0) > 0)))
    order = np.lexsort((rng.random(len(x)), x[:, column]))
    begin = int(rng.integers(len(order) - size + 1))
    return order[begin : begin + size]


def representatives(x: NDArray[np.floating[Any]], count: int) -> NDArray[np.intp]:
    """Rows that leave none of ``x``, (n, d), far from all of them: each next one is the farthest from those before (Gonzalez 1985)."""
    z = PoolScale(x).standardise_all(x).astype(np.float64)
    chosen = [int((z**2).sum(axis=1).argmin())]
    distance = ((z - z[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < min(count, len(z)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, ((z - z[chosen[-1]]) ** 2).sum(axis=1))
    return np.array(chosen, dtype=np.intp)


def rank_correlations(ranks: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Correlations of rank features about the middle of those ranked among, (d, d): cosines. Of features that are in the middle throughout they are zero.

    Args:
        ranks: from -1/2 to 1/2 within a family or pool, (n, d); 0 where a feature is constant.
    """
    z = np.asarray(ranks, dtype=np.float32)
    length = np.sqrt(np.mean(z**2, axis=0))
    scaled = np.asarray(z / np.where(length > 0, length, 1.0), dtype=np.float32)
    return np.asarray(scaled.T @ scaled / np.float32(len(z)), dtype=np.float32)


def _pack(matrix: NDArray[np.floating[Any]]) -> NDArray[np.float16]:
    """The upper triangle in half precision, row by row; the entries are between -1 and 1."""
    return matrix[np.triu_indices(len(matrix))].astype(np.float16)


def _unpack(packed: NDArray[np.float16]) -> NDArray[np.float32]:
    size = int((np.sqrt(8 * len(packed) + 1) - 1) / 2)
    upper = np.zeros((size, size), dtype=np.float32)
    upper[np.triu_indices(size)] = packed
    return upper + np.triu(upper, 1).T
