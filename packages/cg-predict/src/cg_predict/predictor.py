"""The predictor: a prior from other families, a Gaussian process on the labels of this one."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from cg_embed.pretrained import Pretrained
from cg_ir import hash_all
from cg_ir.errors import CgError
from cg_ir.graph import Graph
from cg_predict.features import descriptors, distinct, fingerprint, path_vectors
from cg_predict.gp import AveragedGaussianProcess, Structure
from cg_predict.many_labels import ManyLabels
from cg_predict.metrics import spearman
from cg_predict.placement import Placement
from cg_predict.prior import Prior, load_prior
from cg_predict.targets import LabelError, check_labels, merge_duplicates, normal_scores
from cg_predict.threads import single_threaded
from cg_predict.views import Encodings, PoolViews

__all__ = ["Familiarity", "Predictor", "UnfamiliarWarning"]

Floats = NDArray[np.float64]

#: Kernels that are averaged over: descriptors, as they are, weighted by what mattered in other families (sharply or softly), and by their
#: half-whitened components; vectors of the path-weighted encoder likewise; which operators follow which; the prior's score as a mean and as a direction.
STRUCTURES = (
    Structure(("descriptors_sharp", "neighbourhoods")),
    Structure(("descriptors_soft", "components")),
    Structure(("descriptors_sharp", "embedding_sharp")),
    Structure(("descriptors_soft", "embedding_soft", "neighbourhoods")),
    Structure(("descriptors", "components", "embedding")),
    Structure(("descriptors_sharp", "neighbourhoods"), mean=True),
    Structure(("descriptors_sharp", "embedding_sharp", "neighbourhoods"), mean=True),
    Structure(("descriptors_soft", "embedding_soft"), mean=True),
    Structure(("descriptors", "embedding", "neighbourhoods"), mean=True),
    Structure(("descriptors_sharp", "components", "embedding_sharp", "prior"), mean=True),
)
#: Those that take part besides where the labelled networks were not picked for being good.
EVEN = (
    Structure(("embedding",)),
    Structure(("embedding_soft",), mean=True),
    Structure(("embedding_sharp", "prior")),
)
#: What takes part without anything learned from other families.
PLAIN = (
    Structure(("descriptors",)),
    Structure(("components",)),
    Structure(("descriptors", "neighbourhoods")),
    Structure(("descriptors", "embedding")),
    Structure(("descriptors", "components", "embedding", "neighbourhoods")),
)
#: Labels up to which the Gaussian process is exact; beyond, see `cg_predict.many_labels`.
EXACT = 1500
#: Networks of a pool that standardisation, whitening and the prior's scale look at.
SAMPLE = 2048
#: Networks of a pool among which labels that a search picked are placed.
STAND_INS = 256
#: Mean score by the prior, whose scores are standard normal in the pool, from which on labelled networks count as picked for being good.
PICKED = 0.5
#: Standard errors of the mean that few networks, drawn at random, hardly reach.
BY_CHANCE = 2.0
#: What pseudo-labels say of errors at labels left out: these count less the fewer there are, for ranks among few labels are uncertain themselves.
CAUTION = 0.0
#: Labels with every so many of which the share of the score without labels falls by e, whatever they say of it; it is left out below `_LEAST_SHARE`.
FADING = 10.0
_LEAST_SHARE = 0.01
#: Candidates, and networks of the pool, that `suggest` weighs against each other.
WEIGHED = 1000


class UnfamiliarWarning(UserWarning):
    """Networks unlike those of every family that the prior knows."""


@dataclass(frozen=True)
class Familiarity:
    """How well one network is known.

    Args:
        family: the nearest family that was learned from.
        distance: in units of the family's radius: 99 % of its own networks lie within 1.
    """

    family: str
    distance: float

    @property
    def known(self) -> bool:
        """Whether the network looks like one of the family."""
        return self.distance <= 1.0


@dataclass(frozen=True)
class _Fitted:
    """What the labels taught, on the scale of one pool.

    Args:
        views: of the pool.
        model: conditioned on the labels.
        expected: correlation of labels with the score without them.
        share: weight of that score in the mixture with the model.
        placement: where scores stand in the pool.
    """

    views: PoolViews
    model: AveragedGaussianProcess | ManyLabels
    expected: float = 0.0
    share: float = 0.0
    placement: Placement | None = None

    def predict(self, networks: Encodings, return_std: bool) -> Any:
        """Scores, (n,), and with ``return_std`` also standard deviations."""
        views, scores = self.views(networks)
        result: Any = self.model.predict(views, scores, return_std)
        if self.share:
            result = self._mixed(result, *_expectation(self.views.agreed(views, scores), self.expected), return_std)
        if self.placement is None:
            return result
        return self.placement.of(*result) if return_std else self.placement.scores(result)

    def _mixed(self, result: Any, other: Floats, deviation: Floats, return_std: bool) -> Any:
        """The mixture with another normal distribution: means, and with ``return_std`` also standard deviations."""
        mean = result[0] if return_std else result
        mixed = (1.0 - self.share) * mean + self.share * other
        if not return_std:
            return mixed
        second = (1.0 - self.share) * (result[1] ** 2 + mean**2) + self.share * (deviation**2 + other**2)
        return mixed, np.sqrt(np.maximum(second - mixed**2, 1e-12))


class Predictor(Pretrained, RegressorMixin, BaseEstimator):
    """Ranks networks from few labels or none.

    Without labels the score comes from families that were learned from; with labels a Gaussian process on descriptors, on the path-weighted encoder's
    vectors and on that score takes over as they arrive. Scores are normal scores: 0 is the median network, 1.28 the best tenth.

    Args:
        exclude: families whose labels must not have been learned from.
        embedding: whether the path-weighted encoder's vectors take part once there are labels.
        neighbourhoods: whether counts of neighbourhoods do.
        use_prior: whether anything learned from other families takes part.
        warn: whether `predict` warns about networks unlike every known family while there is no label.
        seed: of the hyper-parameter draws.

    Attributes:
        sources: families that were learned from.

    Example:
        >>> predictor = Predictor(exclude=("nb201",))           # doctest: +SKIP
        >>> predictor.predict(graphs, pool=graphs)              # doctest: +SKIP
        >>> predictor.fit(graphs[:50], labels).predict(graphs, return_std=True, pool=graphs)  # doctest: +SKIP
    """

    name = "predictor"

    def __init__(
        self,
        exclude: Sequence[str] = (),
        *,
        embedding: bool = True,
        neighbourhoods: bool = True,
        use_prior: bool = True,
        warn: bool = True,
        seed: int = 0,
    ) -> None:
        self.exclude = exclude
        self.embedding = embedding
        self.neighbourhoods = neighbourhoods
        self.use_prior = use_prior
        self.warn = warn
        self.seed = seed

    # --- what is known ------------------------------------------------------------------------------------------------

    @property
    def prior(self) -> Prior:
        """The prior without the excluded families."""
        excluded = (self.exclude,) if isinstance(self.exclude, str) else tuple(self.exclude)
        key = (excluded, self.use_prior)
        if getattr(self, "_prior_key", None) != key:
            self._prior = load_prior(excluded)
            if not self.use_prior:
                self._prior.ranked, self._prior.raw, self._prior.effects, self._prior.relevance = {}, {}, {}, {}
            self._prior_key = key
        return self._prior

    @property
    def sources(self) -> tuple[str, ...]:
        """Families whose labels were learned from."""
        return self.prior.sources

    def familiarity(self, graphs: Sequence[Graph]) -> list[Familiarity]:
        """The nearest known family of each network, and how far it is."""
        distances, families = self.prior.distances(descriptors().encode(graphs))
        if not families:
            return [Familiarity("", float("inf")) for _ in graphs]
        nearest = distances.argmin(axis=1)
        return [Familiarity(families[i], float(row[i])) for i, row in zip(nearest, distances, strict=True)]

    # --- scikit-learn -------------------------------------------------------------------------------------------------

    @single_threaded
    def fit(self, graphs: Sequence[Graph], y: ArrayLike) -> Predictor:
        """Learn from labels.

        A network that occurs twice counts once, with the mean of its labels. Labels of fewer than two distinct values rank nothing: predictions
        then come from the prior, after a warning.

        Args:
            graphs: labelled networks.
            y: one label each, higher is better, on any scale: only their order is used.

        Raises:
            LabelError: text, NaN or infinity, a wrong number of labels, none.
        """
        graphs = list(graphs)
        values = check_labels(y, len(graphs))
        kept, values = merge_duplicates([g.hash for g in graphs], values)
        graphs = [graphs[i] for i in kept]
        self.labels_ = values
        self._known = self._encoded(graphs)
        self.names_ = [g.name for g in graphs]
        self.informative_ = bool(np.ptp(values) > 0)
        if not self.informative_:
            warnings.warn(
                f"{len(values)} label(s) without two different values rank nothing; scores come from the prior alone",
                UserWarning,
                stacklevel=2,
            )
        self._scores = normal_scores(values)
        self._fitted: dict[str, _Fitted] = {}
        return self

    @overload
    def predict(
        self, graphs: Sequence[Graph], return_std: Literal[False] = False, pool: Sequence[Graph] | None = None
    ) -> Floats: ...
    @overload
    def predict(self, graphs: Sequence[Graph], return_std: bool, pool: Sequence[Graph] | None = None) -> Any: ...
    @single_threaded
    def predict(self, graphs: Sequence[Graph], return_std: bool = False, pool: Sequence[Graph] | None = None) -> Any:
        """Scores, (n,), higher is better; with ``return_std`` also standard deviations.

        Args:
            graphs: networks to score.
            return_std: whether standard deviations come along. Both are normal scores; score +- 1.645 std holds the network's own in nine of ten cases.
            pool: the unlabelled networks among which one ranks. Descriptors are then seen relative to them, which ranks better. Without it a score
                depends on its network alone.
        """
        graphs = list(graphs)
        if not graphs:
            empty = np.zeros(0)
            return (empty, empty.copy()) if return_std else empty
        pool = pool if pool is not None and len(pool) else None
        graphs, place = distinct(graphs)
        if not getattr(self, "informative_", False):
            result = self._from_prior(graphs, pool, return_std)
        else:
            result = self._model(pool).predict(self._encoded(graphs), return_std)
        return (result[0][place], result[1][place]) if return_std else result[place]

    def score(self, graphs: Sequence[Graph], y: ArrayLike, pool: Sequence[Graph] | None = None) -> float:
        """Spearman's rank correlation of predictions and labels."""
        values = check_labels(y, len(graphs))
        return spearman(self.predict(graphs, pool=pool), values)

    @single_threaded
    def suggest(self, graphs: Sequence[Graph], k: int) -> list[int]:
        """Which networks to label next: those whose labels reduce the summed predictive variance of ``graphs`` most.

        Args:
            graphs: networks that could be labelled, and among which one will rank.
            k: how many to choose.

        Returns:
            Indices of ``graphs``, most telling first; networks that are labelled already do not come again.

        Raises:
            CgError: there are fewer than ``k`` unlabelled networks.
        """
        graphs = list(graphs)
        # In random order, so that where candidates have to be sampled, networks that occur often among the graphs are likely ones.
        order = np.random.default_rng([self.seed, 1]).permutation(len(graphs)).tolist()
        seen = set(self._known.hashes) if hasattr(self, "_known") else set()
        free = []
        for i in order:
            if graphs[i].hash not in seen:
                seen.add(graphs[i].hash)
                free.append(i)
        if not 0 < k <= len(free):
            raise CgError(f"suggest can choose between 1 and {len(free)} of these networks, not {k}")
        free = sorted(free[: max(WEIGHED, 3 * k)])
        around = _spread(graphs, WEIGHED)
        if getattr(self, "informative_", False):
            fitted = self._model(graphs)
            if not isinstance(fitted.model, AveragedGaussianProcess):
                raise CgError(f"suggest works up to {EXACT} labels")
            views, model = fitted.views, fitted.model
        else:
            views, model = self._views(graphs), self._process()
        candidates, _ = views(self._encoded([graphs[i] for i in free]))
        everything, _ = views(self._encoded(around))
        if not hasattr(model, "draws_"):
            model.prepare(everything)
            model.draw_prior(8)
        return [free[i] for i in model.suggest(candidates, everything, k)]

    # --- inside -------------------------------------------------------------------------------------------------------

    def _from_prior(self, graphs: Sequence[Graph], pool: Sequence[Graph] | None, return_std: bool) -> Any:
        prior = self.prior
        if not prior.sources:
            zero = np.zeros(len(graphs))
            return (zero, np.ones(len(graphs))) if return_std else zero
        x = descriptors().encode(graphs)
        if self.warn:
            distances, families = prior.distances(x)
            nearest = distances.min(axis=1)
            far = nearest > 1.0
            if far.mean() > 0.5:
                family = families[int(np.median(distances, axis=0).argmin())]
                warnings.warn(
                    f"{int(far.sum())} of {len(x)} networks are unlike every known family (the nearest is {family}, at "
                    f"{np.median(nearest):.1f} times its radius): without labels their ranking is a guess from other families",
                    UnfamiliarWarning,
                    stacklevel=3,
                )
        if pool is None:
            scores = prior.score(x)
        else:  # no kernel looks at vectors of the encoder yet
            views = self._views(pool, embedding=False)
            scores = views.agreed(*views(self._encoded(graphs, embedding=False)))
        result = _expectation(scores, prior.expected_correlation)
        return result if return_std else result[0]

    def _encoded(self, graphs: Sequence[Graph], embedding: bool | None = None) -> Encodings:
        return Encodings.of(graphs, self.embedding if embedding is None else embedding, self.neighbourhoods)

    def _views(self, pool: Sequence[Graph] | None, embedding: bool | None = None) -> PoolViews:
        """Views relative to a pool; those of the last one are kept, whatever labels come."""
        prior = self.prior  # settles its key
        embedding = self.embedding if embedding is None else embedding
        settings = (_key(pool), embedding, self.neighbourhoods, self._prior_key)
        kept = getattr(self, "_last_views", None)
        if pool is not None and kept is not None and kept[0] == settings:
            return kept[1]
        if pool is None:
            return PoolViews(self._known, prior, self._relevance())
        around, sample = (self._encoded(_spread(list(pool), size), embedding) for size in (SAMPLE, STAND_INS))
        views = PoolViews(around, prior, self._relevance(), sample)
        self._last_views = (settings, views)
        return views

    def _relevance(self) -> dict[str, NDArray[np.floating[Any]]]:
        """Weights of features that were learned from other families; those of vectors only for the encoder that they were learned with."""
        weights = self.prior.relevance
        if not self.embedding or self.prior.vectors != fingerprint(path_vectors().encoder):
            weights = {k: v for k, v in weights.items() if not k.startswith("embedding")}
        return weights

    def _process(self, picked: bool = False) -> AveragedGaussianProcess:
        """The model; ``picked`` where the labelled networks are, by the prior, far better than the pool's, as those of a search."""
        usable = {"descriptors", "components", *self._relevance()}
        usable |= {"neighbourhoods"} if self.neighbourhoods else set()
        usable |= {"embedding"} if self.embedding else set()
        usable |= {"prior"} if self.prior.sources else set()
        learned = "descriptors_sharp" in usable
        full: tuple[Structure, ...] = PLAIN
        if learned:
            full = STRUCTURES if picked else STRUCTURES + EVEN
        structures = [Structure(tuple(v for v in s.views if v in usable), mean=s.mean) for s in full]
        if self.prior.sources and not learned:
            structures += [replace(s, mean=True) for s in structures]
        structures = list(dict.fromkeys(s for s in structures if s.views))
        return AveragedGaussianProcess(
            structures, rng=np.random.default_rng([self.seed, 0]), draws=max(12, 160 // len(structures)),
            refinements=3 if picked else 6, left_out=not picked, caution=1.0 if picked else CAUTION,
        )  # fmt: skip

    def _model(self, pool: Sequence[Graph] | None) -> _Fitted:
        key = _key(pool)
        if key not in self._fitted:
            views = self._views(pool)
            known, mean = views(self._known)
            picked = pool is not None and float(mean.mean()) > max(PICKED, BY_CHANCE / np.sqrt(len(mean)))
            process = self._process(picked)
            if len(self.labels_) <= EXACT:
                fitted = _Fitted(views, process.fit(known, self._scores, mean))
                share = 0.0 if picked or not self.prior.sources else float(np.exp(-len(self.labels_) / FADING))
                if share > _LEAST_SHARE:
                    scores = views.agreed(known, mean)
                    # Labels stand among themselves.
                    believed, deviation = _expectation(scores - scores.mean(), self.prior.expected_correlation)
                    share = process.share_against(believed, deviation**2, share)
                    fitted = replace(fitted, expected=self.prior.expected_correlation, share=share)
                if picked and views.sample is not None:
                    # Ranks among the best make too much of their differences: say where the labels stand in the pool.
                    placement = Placement(*process.predict(*views.sample, True))
                    fitted = replace(fitted, model=process.relabel(placement.scores(self._scores)))
                elif views.sample is not None:
                    # The more labels, the finer predictions differ, and few networks place them coarsely. In a search, which predicts often, few do.
                    fitted = replace(fitted, placement=Placement(*fitted.predict(views.many, True)))
            else:
                many = ManyLabels(process, EXACT, np.random.default_rng([self.seed, 2]))
                fitted = _Fitted(views, many.fit(known, self._scores, mean))
            self._fitted = {"": self._fitted[""]} if "" in self._fitted else {}  # one pool at a time
            self._fitted[key] = fitted
        return self._fitted[key]

    # --- files --------------------------------------------------------------------------------------------------------

    def save(self, directory: str | Path) -> None:
        """Write labels, vectors and settings to ``model.safetensors`` and ``config.json``, and a model card ``README.md``.

        Each file appears whole or not at all.
        """
        from cg_embed.checkpoint import write_checkpoint

        arrays: dict[str, NDArray[Any]] = {}
        config: dict[str, Any] = {
            "parameters": {k: list(v) if isinstance(v, tuple) else v for k, v in self.get_params().items()}
        }
        if hasattr(self, "labels_"):
            stored: dict[str, NDArray[Any] | None] = {
                "labels": self.labels_,
                "descriptors": self._known.descriptors,
                "vectors": self._known.vectors,
                "neighbourhoods": self._known.neighbourhoods,
            }
            arrays = {name: values for name, values in stored.items() if values is not None}
            config |= {"hashes": self._known.hashes, "names": self.names_}
        else:
            arrays = {"labels": np.zeros(0), "descriptors": np.zeros((0, len(self.prior.names)), dtype=np.float32)}
        config |= {"sources": list(self.sources), "prior": self.prior.card.get("digest", "")}
        write_checkpoint(directory, "predictor", config, arrays, self._card())

    def _card(self) -> str:
        """The model card of a saved predictor."""
        count = len(getattr(self, "labels_", ()))
        return (
            "---\nlibrary_name: cg-predict\ntags: [neural-architecture-search, performance-prediction]\n---\n"
            "# Ranking of neural networks\n\n"
            f"Fitted to labels of {count} networks. Prior learned from: {', '.join(self.sources) or 'no family'}.\n\n"
            "```python\nfrom cg_predict import Predictor\n\n"
            'predictor = Predictor.from_pretrained("FOLDER or owner/name")\nscores = predictor.predict(graphs)\n```\n'
        )

    @classmethod
    def load(cls, directory: str | Path) -> Predictor:
        """Read what `save` wrote.

        Raises:
            CheckpointError: missing or damaged files, or another kind of checkpoint.
            CgError: it was saved with another prior than this release ships.
        """
        from cg_embed.checkpoint import CheckpointError, read_checkpoint

        config, arrays = read_checkpoint(directory, "predictor")
        try:
            parameters = dict(config["parameters"])
            parameters["exclude"] = tuple(parameters["exclude"])
            result = cls(**parameters)
            labels = arrays["labels"]
            if config["prior"] != result.prior.card.get("digest", ""):
                raise CgError(f"{directory} was saved with another prior than this release ships; fit it again")
            if not len(labels):
                return result
            result.labels_, result.names_ = labels, list(config["names"])
            known = Encodings(
                list(config["hashes"]), arrays["descriptors"], arrays.get("vectors"), arrays.get("neighbourhoods")
            )
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{directory} is no saved predictor: {json.dumps(str(error))}") from None
        if (known.vectors is None) == result.embedding or (known.neighbourhoods is None) == result.neighbourhoods:
            raise CheckpointError(f"{directory} does not hold the vectors that its settings ask for")
        result._known = known
        result.informative_ = bool(np.ptp(labels) > 0)
        result._scores = normal_scores(labels)
        result._fitted = {}
        return result


def _expectation(scores: Floats, correlation: float) -> tuple[Floats, Floats]:
    """Mean and standard deviation of labels, (n,) each, both standard normal, given scores that correlate with them."""
    return correlation * scores, np.full(len(scores), float(np.sqrt(1.0 - correlation**2)))


def _key(pool: Sequence[Graph] | None) -> str:
    """Tells pools apart; empty where there is none."""
    if pool is None:
        return ""
    return hashlib.blake2b("".join(hash_all(pool)).encode(), digest_size=16).hexdigest()


def _spread(graphs: list[Graph], size: int = SAMPLE) -> list[Graph]:
    """At most ``size`` of the graphs, evenly spaced in the order of their hashes, so that their own order does not matter."""
    if len(graphs) <= size:
        return graphs
    ordered = sorted(graphs, key=lambda g: g.hash)
    return [ordered[i] for i in np.linspace(0, len(ordered) - 1, size).astype(int)]


__all__ += ["LabelError"]
