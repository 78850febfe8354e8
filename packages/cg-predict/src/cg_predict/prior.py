"""What labels of other families say about networks of a family without labels.

Three kinds of components score descriptors, and their standardised scores are averaged:

- *forests*: extremely randomised and gradient-boosted trees on the ranks of descriptors within their family (for a pool), and on the descriptors
  themselves (without a pool). A checkpoint holds a set trained on all families and one for each family left out;
- *size*: the rank of the number of parameters;
- *linear*: ridge regression on ranks from each family's second moments, which are stored apart and added up when the prior is loaded, so that any
  set of families can be left out, and descriptors that are constant in the pool are left out of the regression.

Labels were turned into normal scores within their family. A checkpoint holds node arrays, moments and means: no row of any table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.errors import CgError
from cg_predict.pool import PoolScale
from cg_predict.trees import Forest

__all__ = ["ALL", "FamilyReference", "Moments", "Prior", "PriorError", "load_prior"]

Floats = NDArray[np.float64]
ALL = "all"
#: The descriptor whose rank is a component of its own: the larger network is the better one in every family so far.
SIZE = "plain/log_params"
#: Ridge penalty on the mean second moment of rank features of unit variance.
PENALTY = 1.0
_SPREAD = np.sqrt(12.0)  # a uniform rank has standard deviation 1/sqrt(12)


class PriorError(CgError):
    """A prior that cannot be read or does not fit what is asked of it."""


@dataclass(frozen=True)
class Moments:
    """Second moments of one family's rank features and labels.

    Args:
        features: mean of x x', (d, d).
        labels: mean of x y, (d,).
    """

    features: NDArray[np.floating[Any]]
    labels: NDArray[np.floating[Any]]


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
        names: descriptors that the components read, in order.
        moments: by family.
        references: by family.
        forests: by name of the component, ``ranked/...`` or ``raw/...``, for the families left.
        weights: of the components.
        excluded: families left out.
        card: what the training run measured.
        relevance: weights of the features for kernels, by name (see `cg_predict.relevance`).
        vectors: fingerprint of the encoder whose vectors some of them weigh.
        known: descriptors of some unlabelled networks of each family, (m, d).
        known_names: their SOURCE strings.
    """

    names: tuple[str, ...]
    moments: dict[str, Moments]
    references: dict[str, FamilyReference]
    forests: dict[str, Forest]
    weights: dict[str, float]
    excluded: tuple[str, ...] = ()
    card: dict[str, Any] = field(default_factory=dict)
    relevance: dict[str, NDArray[np.floating[Any]]] = field(default_factory=dict)
    vectors: str = ""
    known: dict[str, NDArray[np.floating[Any]]] = field(default_factory=dict)
    known_names: dict[str, list[str]] = field(default_factory=dict)

    @property
    def sources(self) -> tuple[str, ...]:
        """Families whose labels were learned from."""
        return tuple(self.moments)

    @property
    def _size(self) -> int:
        return self.names.index(SIZE)

    # --- scores -------------------------------------------------------------------------------------------------------

    def linear(self, varies: NDArray[np.bool_]) -> Floats:
        """Coefficients of the ranks, (d,); 0 where a descriptor does not vary."""
        count = len(self.moments)
        features = [m.features[np.ix_(varies, varies)].astype(np.float64) for m in self.moments.values()]
        second: Floats = np.sum(features, axis=0) / count
        first: Floats = np.sum([m.labels[varies].astype(np.float64) for m in self.moments.values()], axis=0) / count
        result = np.zeros(len(varies))
        result[varies] = np.linalg.solve(second + PENALTY * np.eye(len(first)), first)
        return result

    def components(self, x: NDArray[np.floating[Any]], scale: PoolScale | None) -> dict[str, Floats]:
        """Scores of each component, (n,), not standardised.

        Args:
            x: descriptors in the order of ``names``, (n, d).
            scale: scale of the pool; without one only components that look at a network alone take part.
        """
        result: dict[str, Floats] = {}
        if scale is not None:
            ranks = scale.ranks(x)
            for name, forest in self.forests.items():
                if name.startswith("ranked/"):
                    result[name] = forest.predict(ranks)
            if self.moments:
                result["size"] = ranks[:, self._size].astype(np.float64)
                result["linear"] = (ranks * _SPREAD) @ self.linear(scale.varies)
        for name, forest in self.forests.items():
            if name.startswith("raw/"):
                result[name] = forest.predict(x)
        if not result and self.references:
            # No pool, and no forest for just these families: the linear part on the scale of the families together.
            mean, deviation = self._together()
            z = np.clip((x - mean) / deviation, -2.0, 2.0)
            result["linear"] = z @ self.linear(np.ones(len(mean), dtype=bool))
        return result

    def score(
        self, x: NDArray[np.floating[Any]], pool: NDArray[np.floating[Any]] | None, scale: PoolScale | None
    ) -> Floats:
        """The prior's score, (n,), higher is better; about standard normal over the pool.

        Args:
            x: descriptors, (n, d).
            pool: descriptors of (a sample of) the pool, by which the components are standardised.
            scale: scale of the pool.
        """
        if not self.sources:
            return np.zeros(len(x))
        own = self.components(x, scale)
        if pool is None:
            total = np.sum([self._weight(n) * s for n, s in own.items()], axis=0)
            return np.asarray(total / sum(self._weight(n) for n in own), dtype=np.float64)
        reference = self.components(pool, scale)
        result, center, parts = np.zeros(len(x)), 0.0, []
        for name, values in own.items():
            deviation = float(reference[name].std())
            if deviation > 1e-9:
                weight = self._weight(name) / deviation
                result += weight * values
                center += weight * float(reference[name].mean())
                parts.append(weight * reference[name])
        if not parts:
            return np.zeros(len(x))
        return (result - center) / max(float(np.sum(parts, axis=0).std()), 1e-12)

    def _weight(self, component: str) -> float:
        return self.weights.get(component, 1.0)

    def _together(self) -> tuple[Floats, Floats]:
        means = np.array([r.mean for r in self.references.values()])
        within = np.array([r.deviation for r in self.references.values()])
        return means.mean(axis=0), np.maximum(np.sqrt((within**2).mean(axis=0) + means.var(axis=0)), 1e-6)

    # --- how well known -----------------------------------------------------------------------------------------------

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
        return [f for f in families if f not in self.moments and f not in self.excluded]


def family_distance(x: NDArray[np.floating[Any]], mean: Floats, deviation: Floats, together: Floats) -> Floats:
    """Distance of descriptors ``x`` to one family, (n,); see `Prior.distances`."""
    z = (np.asarray(x, dtype=np.float64) - mean) / np.sqrt(deviation**2 + (0.1 * together) ** 2)
    return np.asarray(np.sqrt(np.mean(np.minimum(z * z, 100.0), axis=1)), dtype=np.float64)


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
        families: list[str] = list(config["families"])
        left = [f for f in families if f not in exclude]
        out = tuple(f for f in families if f in exclude)
        moments = {f: Moments(_symmetric(arrays[f"moments/{f}"]), arrays[f"labels/{f}"]) for f in left}
        references = {
            f: FamilyReference(
                arrays[f"mean/{f}"].astype(np.float64),
                arrays[f"deviation/{f}"].astype(np.float64),
                float(config["radius"][f]),
            )
            for f in left
        }
        variant = ALL if not out else out[0] if len(out) == 1 else None
        forests = {}
        for component in config["components"]:
            prefix = f"forest/{variant}/{component}/"
            parts = {key[len(prefix) :]: value for key, value in arrays.items() if key.startswith(prefix)}
            if parts:
                forests[component] = Forest.from_arrays(parts)
        return Prior(
            tuple(config["descriptors"]), moments, references, forests, dict(config["weights"]), out, dict(config["card"]),
            {
                key.rsplit("/", 1)[1]: value.astype(np.float32)
                for key, value in arrays.items()
                if key.startswith(f"relevance/{variant}/")
            },
            str(config["vectors"]),
            {f: arrays[f"known/{f}"] for f in left},
            {f: list(config["known"][f]) for f in left},
        )  # fmt: skip
    except KeyError as error:
        raise PriorError(f"the prior in {directory or shipped_directory()} lacks {error}") from None


def pack_symmetric(matrix: NDArray[np.floating[Any]]) -> NDArray[np.float16]:
    """The upper triangle in half precision, row by row; the entries are correlations, between -1 and 1."""
    return matrix[np.triu_indices(len(matrix))].astype(np.float16)


def _symmetric(packed: NDArray[np.float16]) -> NDArray[np.float32]:
    size = int((np.sqrt(8 * len(packed) + 1) - 1) / 2)
    result = np.zeros((size, size), dtype=np.float32)
    result[np.triu_indices(size)] = packed
    return np.maximum(result, result.T) + np.minimum(result, result.T) - np.diag(np.diag(result))
