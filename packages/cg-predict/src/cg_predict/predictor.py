"""The predictor: what other families taught, and a Gaussian process on the labels of this one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cg_embed.pretrained import Pretrained
from cg_ir import hash_all
from cg_ir.errors import CgError
from cg_ir.graph import Graph
from cg_ir.user_warnings import warn_user
from cg_predict.calibration import QuantileMap
from cg_predict.context import Context, Encodings, evenly_spaced, key_of, pool_of
from cg_predict.estimator import Estimator
from cg_predict.familiarity import Familiarity, UnfamiliarWarning
from cg_predict.features import descriptors, distinct
from cg_predict.gp import AveragedGaussianProcess, Structure
from cg_predict.metrics import spearman
from cg_predict.posterior import Calibrated, FewLabels, ManyLabels, NoLabels, Posterior
from cg_predict.prior import Prior, load_prior
from cg_predict.settings import Settings
from cg_predict.structures import SELECTED, STRUCTURES
from cg_predict.targets import LabelError, check_graphs, check_labels, merge_duplicates, normal_scores
from cg_predict.threads import single_threaded

if TYPE_CHECKING:
    from cg_predict.explain import Explanation

__all__ = ["Familiarity", "LabelError", "Predictor", "UnfamiliarWarning"]

Floats = NDArray[np.float64]

#: Candidates, and networks of the pool, that `suggest` weighs against each other.
WEIGHED = 1000
#: Standard errors of the mean score that few networks, drawn at random, hardly reach.
_BY_CHANCE = 2.0
#: Settings drawn for each label, until there are `Settings.draws` of them.
_DRAWS_A_LABEL = 3


class Predictor(Pretrained, Estimator):
    """Ranks networks from few labels or none.

    Without labels the score comes from families that were learned from; with labels a Gaussian process on descriptors, on the path-weighted encoder's
    vectors and on that score takes over as they arrive. Scores are normal scores: 0 is the median network, 1.28 the best tenth.

    Args:
        exclude: families whose labels must not have been learned from; families that share cells with them (`cg_predict.tables`) are left out with them.
        prior: folder of a prior that ``cg fit-prior`` wrote; the shipped one if absent.
        embedding: whether the path-weighted encoder's vectors take part once there are labels.
        neighbourhoods: whether counts of neighbourhoods do.
        use_prior: whether anything learned from other families takes part.
        warn: whether `predict` warns where the ranking without labels is expected to tell little.
        seed: of the hyper-parameter draws.
        settings: other numbers than the chosen ones.

    Attributes:
        sources: families that were learned from.

    Example:
        >>> predictor = Predictor(exclude=("nb201",))           # doctest: +SKIP
        >>> predictor.predict(graphs, pool=graphs)              # doctest: +SKIP
        >>> predictor.fit(graphs[:50], labels, pool=graphs).predict(graphs, return_std=True)  # doctest: +SKIP
    """

    name = "predictor"
    pooled = True

    def __init__(
        self,
        exclude: Sequence[str] = (),
        *,
        prior: str | Path | None = None,
        embedding: bool = True,
        neighbourhoods: bool = True,
        use_prior: bool = True,
        warn: bool = True,
        seed: int = 0,
        settings: Settings | None = None,
    ) -> None:
        self.exclude = exclude
        self.prior = prior
        self.embedding = embedding
        self.neighbourhoods = neighbourhoods
        self.use_prior = use_prior
        self.warn = warn
        self.seed = seed
        self.settings = settings

    # --- what is known ------------------------------------------------------------------------------------------------

    @property
    def knowledge(self) -> Prior:
        """The prior without the excluded families."""
        excluded = (self.exclude,) if isinstance(self.exclude, str) else tuple(self.exclude)
        key = (excluded, str(self.prior), self.use_prior, self.settings)
        kept: tuple[Any, Prior] | None = self.__dict__.get("_knowledge")
        if kept is None or kept[0] != key:
            prior = replace(load_prior(excluded, self.prior), settings=self._settings)
            kept = (key, prior if self.use_prior else prior.without(prior.sources))
            self._knowledge = kept
        return kept[1]

    @property
    def _settings(self) -> Settings:
        return self.settings or Settings()

    @property
    def sources(self) -> tuple[str, ...]:
        """Families whose labels were learned from."""
        return self.knowledge.sources

    def familiarity(self, graphs: Sequence[Graph]) -> list[Familiarity]:
        """The nearest known network of each network's, and how far it is."""
        distances, tables = self.knowledge.distances(descriptors().encode(graphs))
        if not tables:
            return [Familiarity("", float("inf")) for _ in graphs]
        families = [self.knowledge.experts[table].family for table in tables]
        nearest = distances.argmin(axis=1)
        return [Familiarity(families[i], float(row[i])) for i, row in zip(nearest, distances, strict=True)]

    def expected_correlation(self, pool: Sequence[Graph]) -> float:
        """The rank correlation with labels that is to be expected of the ranking of a pool without labels, by what came of families that were left out."""
        return self._context(list(pool)).expected

    # --- scikit-learn -------------------------------------------------------------------------------------------------

    @property
    def _state(self) -> _State | None:
        return self.__dict__.get("fitted_")

    @single_threaded
    def fit(self, graphs: Sequence[Graph], y: ArrayLike, pool: Sequence[Graph] | None = None) -> Predictor:
        """Learn from labels.

        A network that occurs twice counts once, with the mean of its labels. Labels of fewer than two distinct values rank nothing: predictions
        then come from other families, after a warning.

        Args:
            graphs: labelled networks.
            y: one label each, higher is better, on any scale: only their order is used.
            pool: the networks among which one will rank, see `predict`, which may name others: then it is fitted to those once more.

        Raises:
            LabelError: text, NaN or infinity, a wrong number of labels, none.
        """
        graphs = check_graphs(graphs)
        values = check_labels(y, len(graphs))
        kept, values = merge_duplicates(hash_all(graphs), values)
        graphs = [graphs[i] for i in kept]
        self.fitted_ = _State(self._encoded(graphs), values, [g.name for g in graphs], pool_of(pool))
        if not self.fitted_.informative:
            warn_user(
                f"{len(values)} label(s) without two different values rank nothing; scores come from other families alone"
            )
        self._belief(None)
        return self

    @property
    def labels_(self) -> Floats:
        """Labels of the distinct networks that were fitted to, (n,).

        Raises:
            AttributeError: there are none yet.
        """
        if self._state is None:
            raise AttributeError("no labels: call fit first")
        return self._state.labels

    def reset(self) -> Predictor:
        """Forget all labels."""
        self.__dict__.pop("fitted_", None)
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
            pool: the unlabelled networks among which one ranks. Descriptors are then seen relative to them, which ranks better. Without it, and if `fit` was
                given none, a score depends on its network alone.
        """
        graphs = list(graphs)
        if not graphs:
            empty = np.zeros(0)
            return (empty, empty.copy()) if return_std else empty
        graphs, place = distinct(graphs)
        belief = self._belief(pool)
        if not belief.kernels:
            self._warn(belief.context)
        mean, std = belief.predict(self._encoded(graphs, belief.kernels))
        return (mean[place], std[place]) if return_std else mean[place]

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
            CgError: there are fewer than ``k`` unlabelled networks, or so many labels that no process is fitted to all of them.
        """
        graphs = list(graphs)
        free = self._unlabelled(graphs)
        if not 0 < k <= len(free):
            raise CgError(
                f"suggest can choose between 1 and {len(free)} of these networks, not {k}"
                if free
                else "every one of these networks has a label"
            )
        free = sorted(free[: max(WEIGHED, 3 * k)])
        around = evenly_spaced(graphs, WEIGHED)
        if self._state is not None and self._state.informative:
            context, posterior = self._belief(graphs)
            model = _process_of(posterior)
            if model is None:
                raise CgError(f"suggest works up to {self._settings.exact_labels} labels")
        else:
            context, model = self._context(graphs, kernels=True), self._process(0, False)
        candidates, _ = context.views(self._encoded([graphs[i] for i in free]))
        everything, _ = context.views(self._encoded(around))
        if not model.fitted:
            model.prepare(everything)
            model.draw_prior(8)
        return [free[i] for i in model.suggest(candidates, everything, k)]

    def explain(self, graph: Graph, pool: Sequence[Graph] | None = None) -> Explanation:
        """What each region of a network adds to its score; the contributions add up.

        Args:
            graph: the network.
            pool: the networks among which one ranks; that of `fit` if absent.
        """
        from cg_predict.explain import explain

        among = pool if pool is not None else (self._state.pool if self._state is not None else None)
        return explain(self, graph, pool=among, seed=self.seed)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _encoded(self, graphs: Sequence[Graph], kernels: bool = True) -> Encodings:
        """What kernels will look at, or descriptors alone, which is what the score without labels reads."""
        return Encodings.of(graphs, self.embedding and kernels, self.neighbourhoods and kernels)

    def _unlabelled(self, graphs: Sequence[Graph]) -> list[int]:
        """Distinct networks without a label, in random order: where candidates are sampled, networks that occur often among the graphs are likely ones."""
        order = np.random.default_rng([self.seed, 1]).permutation(len(graphs)).tolist()
        seen = set(self._state.known.hashes) if self._state is not None else set()
        free = []
        for i in order:
            if graphs[i].hash not in seen:
                seen.add(graphs[i].hash)
                free.append(i)
        return free

    def _warn(self, context: Context) -> None:
        if self.warn and context.pooled and context.expected < 0.5 and self.sources:
            warn_user(
                f"these networks are unlike those of every known family: without labels a rank correlation of about {context.expected:.1f} is to be expected; "
                "the number of parameters or a few labels may tell more",
                UnfamiliarWarning,
            )

    def _context(self, pool: Sequence[Graph] | None, kernels: bool = False) -> Context:
        """The context of a pool; that of the last one is kept, whatever labels come."""
        prior = self.knowledge
        if pool is None:
            known = self._state.known if self._state is not None else Encodings.of([])
            return Context(known, prior, pooled=False)
        key = (key_of(pool), kernels, self.embedding, self.neighbourhoods, self._knowledge[0])
        kept: tuple[Any, Context] | None = self.__dict__.get("_last_context")
        if kept is None or kept[0] != key:
            kept = (key, Context(self._encoded(evenly_spaced(pool), kernels), prior, pooled=True))
            self._last_context = kept
        return kept[1]

    def _process(self, labels: int, selected: bool) -> AveragedGaussianProcess:
        """The process before it is fitted to so many labels; ``selected`` where these networks were picked for being good, as a search does.

        Labels that are left out are then easily told from their neighbours, and the marginal likelihood decides between kernels instead. Few labels choose
        among few settings, for among many some suit them by chance.
        """
        settings = self._settings
        usable = {"descriptors", "components"}
        usable |= {"embedding"} if self.embedding else set()
        usable |= {"neighbourhoods"} if self.neighbourhoods else set()
        structures = [
            Structure(tuple(v for v in s.views if v in usable), mean=s.mean and bool(self.sources))
            for s in (SELECTED if selected else STRUCTURES)
        ]
        structures = list(dict.fromkeys(s for s in structures if s.views))
        few = max(_DRAWS_A_LABEL * labels, settings.draws // 10)
        draws = min(few, settings.draws) if labels else settings.draws
        return AveragedGaussianProcess(
            structures, rng=np.random.default_rng([self.seed, 0]), draws=draws // len(structures),
            refinements=3 if selected else 6, temper=settings.temper, left_out=not selected,
            calibration_labels=settings.calibration_labels,
        )  # fmt: skip

    def _belief(self, pool: Sequence[Graph] | None) -> Belief:
        """What is believed in the context of a pool, of the one that `fit` was given where there is none; kept of that one and of the last other."""
        state, among = self._state, pool_of(pool)
        if among is None and state is not None:
            among = state.pool
        if state is None or not state.informative:
            context = self._context(among)
            return Belief(context, NoLabels(context.expected if self.sources else 0.0))
        key = state.key if among is state.pool else key_of(among)
        if key not in state.beliefs:
            context = self._context(among, kernels=True)
            own = {state.key: state.beliefs[state.key]} if state.key in state.beliefs else {}
            state.beliefs = own | {key: Belief(context, self._conditioned(context, state))}
        return state.beliefs[key]

    def _conditioned(self, context: Context, state: _State) -> Posterior:
        """The posterior given labels: few or many, told in the pool where there is one."""
        settings = self._settings
        views, scores = context.views(state.known)
        selected = context.pooled and float(scores.mean()) > max(settings.selected, _BY_CHANCE / np.sqrt(len(scores)))
        process = self._process(len(state.labels), selected)
        posterior: Posterior
        if len(state.labels) > settings.exact_labels:
            rng = np.random.default_rng([self.seed, 2])
            posterior = ManyLabels(process, views, state.scores, scores, settings.exact_labels, rng)
        else:
            process.fit(views, state.scores, scores)
            if selected:
                # Ranks among the best make too much of their differences: say where the labels stand in the pool.
                quantiles = QuantileMap(*process.predict(*context.sample, return_std=True))
                process.relabel(quantiles.scores(state.scores))
                return FewLabels(process, NoLabels(0.0), 0.0)
            correlation = context.expected if self.sources else 0.0
            posterior = FewLabels.of(process, scores, correlation, settings.prior_labels if self.sources else 1e-9)
        return Calibrated(posterior, QuantileMap(*posterior.predict(*context.sample))) if context.pooled else posterior

    # --- files --------------------------------------------------------------------------------------------------------

    def save(self, directory: str | Path) -> None:
        """Write labels, vectors and settings to ``model.safetensors`` and ``config.json``, and a model card ``README.md``.

        Each file appears whole or not at all.
        """
        from cg_embed.checkpoint import write_checkpoint

        prior = self.knowledge
        parameters = {k: list(v) if isinstance(v, tuple) else v for k, v in self.get_params().items()}
        parameters["prior"] = None if self.prior is None else str(self.prior)
        parameters["settings"] = None if self.settings is None else asdict(self.settings)
        digest = prior.card.get("digest", "")
        config: dict[str, Any] = {"parameters": parameters, "sources": list(self.sources), "prior": digest}
        arrays: dict[str, NDArray[Any]] = {
            "labels": np.zeros(0),
            "descriptors": np.zeros((0, len(prior.names)), dtype=np.float32),
        }
        if self._state is not None:
            known = self._state.known
            arrays = {"labels": self._state.labels, "descriptors": known.descriptors}
            if known.vectors is not None:
                arrays["vectors"] = known.vectors
            if known.neighbourhoods is not None:
                arrays["neighbourhoods"] = known.neighbourhoods
            config |= {"hashes": known.hashes, "names": self._state.names}
        write_checkpoint(directory, "predictor", config, arrays, self._card())

    def _card(self) -> str:
        """The model card of a saved predictor."""
        count = 0 if self._state is None else len(self._state.labels)
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
            parameters["settings"] = Settings(**parameters["settings"]) if parameters["settings"] else None
            result = cls(**parameters)
            labels = arrays["labels"]
            if config["prior"] != result.knowledge.card.get("digest", ""):
                raise CgError(f"{directory} was saved with another prior than this release ships; fit it again")
            if not len(labels):
                return result
            known = Encodings(
                [str(h) for h in config["hashes"]],
                arrays["descriptors"],
                arrays.get("vectors"),
                arrays.get("neighbourhoods"),
            )
            names = [str(name) for name in config["names"]]
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{directory} is no saved predictor: {json.dumps(str(error))}") from None
        _check_state(directory, known, labels, result)
        result.fitted_ = _State(known, labels, names)
        return result


class Belief(NamedTuple):
    """What is believed of labels in the context of a pool."""

    context: Context
    posterior: Posterior

    @property
    def kernels(self) -> bool:
        """Whether there are labels, and kernels that look at more than descriptors."""
        return not isinstance(self.posterior, NoLabels)

    def views(self, networks: Encodings) -> tuple[dict[str, NDArray[Any]], Floats]:
        """Features of networks by name, none without labels, and their scores without labels, (n,)."""
        return self.context.views(networks) if self.kernels else ({}, self.context.scores(networks))

    def predict(self, networks: Encodings) -> tuple[Floats, Floats]:
        """Means and standard deviations, (n,) each."""
        return self.posterior.predict(*self.views(networks))


@dataclass
class _State:
    """What `fit` was given, and what it made of it.

    Args:
        known: the labelled networks.
        labels: theirs, (n,).
        names: theirs.
        pool: among which one ranks unless `predict` says otherwise.
        beliefs: in it, and in the last other pool, by their keys.
    """

    known: Encodings
    labels: Floats
    names: list[str]
    pool: list[Graph] | None = None
    beliefs: dict[str, Belief] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.key = key_of(self.pool)
        self.informative = bool(np.ptp(self.labels) > 0)
        self.scores = normal_scores(self.labels)


def _process_of(posterior: Posterior) -> AveragedGaussianProcess | None:
    """The process fitted to all labels; none where there are too many for one."""
    inner = posterior.posterior if isinstance(posterior, Calibrated) else posterior
    return inner.process if isinstance(inner, FewLabels) else None


def _check_state(directory: str | Path, known: Encodings, labels: NDArray[Any], predictor: Predictor) -> None:
    """See to it that there is a row for each label, as wide as those that the predictor makes; that numbers are finite, `read_checkpoint` has seen to."""
    from cg_embed.checkpoint import CheckpointError

    made = predictor._encoded([])
    fits = labels.shape == (len(known),)
    for own, new in (
        (known.descriptors, made.descriptors),
        (known.vectors, made.vectors),
        (known.neighbourhoods, made.neighbourhoods),
    ):
        fits &= (None if own is None else own.shape) == (None if new is None else (len(known), *new.shape[1:]))
    if not fits:
        raise CheckpointError(f"{directory} does not hold the vectors that its settings ask for")
