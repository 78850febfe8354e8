"""What labels of other families say about networks of a family without labels.

Each source family has boosted trees of its own, on the ranks of descriptors within the family and on the descriptors themselves. What they
say of networks of another family is averaged:

- the trees on *ranks* (where a network stands in its pool) by how similar the families are: by the correlation of their descriptors' rank
  correlations, which needs no label;
- the trees on *raw* descriptors by how near the networks are to the family: such trees see absolute sizes, and go astray far from home;
- *size*, the ranks of the number of parameters and of the flow of signal: the larger network is the better one in every family so far. It counts for
  more the less any source resembles the pool, and the better the two agree in it;
- *effects*, linear effects of standardised descriptors that families share (see `cg_predict.effects`), weighted by similarity too.

So any set of families can be left out by not reading what they said. Labels were turned into normal scores within their family. A checkpoint holds node
arrays, matrices of effects, correlations and means: no row of any table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.errors import CgError
from cg_predict.effects import Effects
from cg_predict.pool import PoolScale
from cg_predict.pooled_prior import NEARNESS, SIZE, PooledPrior
from cg_predict.trees import Forest

__all__ = ["ALL", "FamilyReference", "Prior", "PriorError", "correlations", "load_prior"]

Floats = NDArray[np.float64]
ALL = "all"
#: Weight of the number of parameters, in standard deviations over all families together, beside trees on raw descriptors where there is no pool.
ALONE = 0.8


class PriorError(CgError):
    """A prior that cannot be read or does not fit what is asked of it."""


@dataclass(frozen=True)
class FamilyReference:
    """What networks of a family look like.

    Args:
        mean: of each descriptor, (d,).
        deviation: standard deviation of each descriptor, (d,).
        radius: distance (see `Prior.distances`) below which 99 % of the family's own networks lie.
    """

    mean: Floats
    deviation: Floats
    radius: float


@dataclass
class Prior:
    """Scores from families with labels.

    Args:
        names: descriptors that the trees read, in order.
        correlations: of the ranks of descriptors within each family, (d, d), see `correlations`.
        references: by family.
        ranked: trees on ranks, by family.
        raw: trees on descriptors, by family.
        effects: linear effects of standardised descriptors, by family.
        excluded: families left out.
        card: what the training run measured.
        relevance: weights of the features for kernels, by name (see `cg_predict.relevance`).
        vectors: fingerprint of the encoder whose vectors some of them weigh.
        known: descriptors of some unlabelled networks of each family, (m, d).
        known_names: their SOURCE strings.
    """

    names: tuple[str, ...]
    correlations: dict[str, NDArray[np.floating[Any]]]
    references: dict[str, FamilyReference]
    ranked: dict[str, Forest]
    raw: dict[str, Forest]
    effects: dict[str, Effects]
    excluded: tuple[str, ...] = ()
    card: dict[str, Any] = field(default_factory=dict)
    relevance: dict[str, NDArray[np.floating[Any]]] = field(default_factory=dict)
    vectors: str = ""
    known: dict[str, NDArray[np.floating[Any]]] = field(default_factory=dict)
    known_names: dict[str, list[str]] = field(default_factory=dict)

    @property
    def sources(self) -> tuple[str, ...]:
        """Families whose labels were learned from."""
        return tuple(self.ranked)

    @property
    def expected_correlation(self) -> float:
        """Of scores with labels, as families that were left out let expect."""
        return float(self.card.get("expected_correlation", 0.7))

    # --- scores -------------------------------------------------------------------------------------------------------

    def similarities(
        self, pool: NDArray[np.floating[Any]], ranks: NDArray[np.floating[Any]] | None = None
    ) -> dict[str, float]:
        """How similar each source family is to a pool, from -1 to 1; no label is needed.

        The correlation, over pairs of descriptors that vary in both, of their rank correlations in the family and in the pool.

        Args:
            pool: descriptors of the pool, (m, d).
            ranks: their ranks, where they are known.
        """
        own = correlations(PoolScale(pool).ranks(pool) if ranks is None else ranks)
        result = {}
        for family in self.sources:
            theirs = self.correlations[family]
            both = np.flatnonzero((np.diag(own) > 0) & (np.diag(theirs) > 0))
            upper = np.triu_indices(len(both), 1)
            a, b = own[np.ix_(both, both)][upper], theirs[np.ix_(both, both)][upper]
            varied = len(a) > 1 and a.std() > 0 and b.std() > 0
            result[family] = float(np.corrcoef(a, b)[0, 1]) if varied else 0.0
        return result

    def among(self, pool: NDArray[np.floating[Any]], scale: PoolScale) -> PooledPrior:
        """The prior of the networks of a pool.

        Args:
            pool: descriptors of (a sample of) the pool in the order of ``names``, (m, d).
            scale: scale of the pool.
        """
        return PooledPrior(self, pool, scale)

    def score(self, x: NDArray[np.floating[Any]]) -> Floats:
        """The score of each network alone, (n,), higher is better.

        It comes from the trees on raw descriptors of the families that the network is near, and from its number of parameters.

        Args:
            x: descriptors in the order of ``names``, (n, d).
        """
        if not self.sources:
            return np.zeros(len(x))
        distances, _ = self.distances(x)
        shares = np.exp(-(distances - distances.min(axis=1, keepdims=True)) / NEARNESS)
        shares /= shares.sum(axis=1, keepdims=True)
        values = np.stack([forest.predict(x) for forest in self.raw.values()], axis=1)
        centre, spread = self._together()
        column = self.names.index(SIZE[0])
        parameters = (np.asarray(x[:, column], dtype=np.float64) - centre[column]) / spread[column]
        return np.asarray((shares * values).sum(axis=1) + ALONE * parameters, dtype=np.float64)

    # --- how well known -----------------------------------------------------------------------------------------------

    def _together(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each descriptor over all known families, (d,) each."""
        means = np.array([r.mean for r in self.references.values()])
        within = np.array([r.deviation for r in self.references.values()])
        return means.mean(axis=0), np.maximum(np.sqrt((within**2).mean(axis=0) + means.var(axis=0)), 1e-6)

    def distances(self, x: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        """Distance of each network to each known family in units of the family's radius, (n, families); above 1 is unlike it.

        The distance is the root mean square, over descriptors, of the deviation from the family's mean in units of the family's
        own spread (at least a tenth of the spread of all families together), each at most 10.
        """
        families = tuple(self.references)
        if not families:
            return np.full((len(x), 0), np.inf), ()
        _, together = self._together()
        columns = [
            family_distance(x, self.references[f].mean, self.references[f].deviation, together)
            / self.references[f].radius
            for f in families
        ]
        return np.stack(columns, axis=1), families

    def nearest(self, x: NDArray[np.floating[Any]], count: int = 3) -> list[list[str]]:
        """The known networks whose descriptors are nearest to each of ``x``, by name, nearest first."""
        if not self.known:
            return [[] for _ in x]
        _, together = self._together()
        names = [name for family in self.known for name in self.known_names[family]]
        known = np.concatenate([self.known[family] for family in self.known]).astype(np.float64) / together
        rows = np.asarray(x, dtype=np.float64) / together
        order = [np.abs(known - row).clip(max=10.0).mean(axis=1).argsort(kind="stable")[:count] for row in rows]
        return [[names[i] for i in indices] for indices in order]

    # --- leaving families out -----------------------------------------------------------------------------------------

    def unknown(self, families: Sequence[str]) -> list[str]:
        """Those of ``families`` that the prior never learned from (which leaves them out as well)."""
        return [f for f in families if f not in self.sources and f not in self.excluded]


def correlations(ranks: NDArray[np.floating[Any]]) -> Floats:
    """Mean products of rank features of unit variance, (d, d): their correlations; rows and columns of constant features are zero.

    Args:
        ranks: from -1/2 to 1/2 within a family or pool, (n, d); 0 where a feature is constant.
    """
    z = np.asarray(ranks, dtype=np.float64)
    deviation = z.std(axis=0)
    z = z / np.where(deviation > 0, deviation, 1.0)
    return np.asarray(z.T @ z / len(z), dtype=np.float64)


def family_distance(x: NDArray[np.floating[Any]], mean: Floats, deviation: Floats, together: Floats) -> Floats:
    """Distance of descriptors ``x`` to one family, (n,); see `Prior.distances`."""
    z = np.asarray(x, dtype=np.float64) - mean
    z /= np.sqrt(deviation**2 + (0.1 * together) ** 2)
    z *= z
    return np.asarray(np.sqrt(np.mean(np.minimum(z, 100.0, out=z), axis=1)), dtype=np.float64)


@lru_cache(maxsize=8)
def _read(directory: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    from cg_embed.checkpoint import read_checkpoint

    return read_checkpoint(directory, "prior")


def shipped_directory() -> Path:
    """The folder of the prior that ships with the package."""
    return Path(__file__).parent / "checkpoints" / "prior"


def load_prior(exclude: Sequence[str] = (), directory: str | Path | None = None) -> Prior:
    """The prior without what it learned from some families.

    Args:
        exclude: families to leave out; one that the prior never learned from is left out anyway.
        directory: a checkpoint of `cg_predict.train_prior`; the shipped one if absent.

    Raises:
        PriorError: the checkpoint cannot be read.
    """
    config, arrays = _read(str(directory or shipped_directory()))
    try:
        return prior_from(config, arrays, exclude)
    except KeyError as error:
        raise PriorError(f"the prior in {directory or shipped_directory()} lacks {error}") from None


def prior_from(config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], exclude: Sequence[str] = ()) -> Prior:
    """The prior of a checkpoint's contents, without some families.

    Raises:
        KeyError: something is missing.
    """
    families: list[str] = list(config["families"])
    left = [f for f in families if f not in exclude]
    out = tuple(f for f in families if f in exclude)
    references = {
        f: FamilyReference(
            arrays[f"mean/{f}"].astype(np.float64),
            arrays[f"deviation/{f}"].astype(np.float64),
            float(config["radius"][f]),
        )
        for f in left
    }
    variant = ALL if not out else out[0] if len(out) == 1 else None
    forests = {
        kind: {f: Forest.from_arrays(arrays_under(arrays, f"{kind}/{f}/")) for f in left} for kind in ("ranked", "raw")
    }
    return Prior(
        tuple(config["descriptors"]), {f: _symmetric(arrays[f"correlations/{f}"]) for f in left}, references,
        forests["ranked"], forests["raw"],
        {f: Effects(_symmetric(arrays[f"precision/{f}"]), arrays[f"information/{f}"]) for f in left},
        out, dict(config["card"]),
        {
            key.rsplit("/", 1)[1]: value.astype(np.float32)
            for key, value in arrays.items()
            if key.startswith(f"relevance/{variant}/")
        },
        str(config["vectors"]),
        {f: arrays[f"known/{f}"] for f in left},
        {f: list(config["known"][f]) for f in left},
    )  # fmt: skip


def arrays_under(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin with ``prefix``, by the rest of their names."""
    return {key[len(prefix) :]: value for key, value in arrays.items() if key.startswith(prefix)}


def pack_symmetric(matrix: NDArray[np.floating[Any]]) -> NDArray[np.float16]:
    """The upper triangle in half precision, row by row; the entries are between -1 and 1."""
    return matrix[np.triu_indices(len(matrix))].astype(np.float16)


def _symmetric(packed: NDArray[np.float16]) -> NDArray[np.float32]:
    size = int((np.sqrt(8 * len(packed) + 1) - 1) / 2)
    result = np.zeros((size, size), dtype=np.float32)
    result[np.triu_indices(size)] = packed
    return np.maximum(result, result.T) + np.minimum(result, result.T) - np.diag(np.diag(result))
