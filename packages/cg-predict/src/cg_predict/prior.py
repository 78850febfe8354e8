"""What labels of other families say about networks of a family without labels.

Every source family has an expert, what its labels taught: a function of the ranks of descriptors, one of descriptors as they are, each half trees and half
support vectors, and linear effects. Ranks are taken within the pool of networks that is to be ranked, or among known networks of the family (the expert is
*anchored* there). Which of them to listen to is told by the pool, without a label of it:

- *agreement*: rankings of a pool that come from different families err in different ways, so that their correlations with each other tell how well
  each of them does (`cg_predict.agreement`). The number of parameters, of multiply-accumulates and the flow of signal through all paths take
  part as rankings of their own;
- *similarity*: where descriptors correlate with each other in the pool as in a family, what was learned there holds here, in the family's own terms;
- *nearness*: experts on descriptors as they are know absolute sizes, and are heard where known networks of their family are near, measured by how far the
  pool's networks are from each other;
- *accord*: where parameters, multiply-accumulates and flow rank a pool alike, its networks differ by size above all.

Nothing is learned from several families together, so any set of them is left out by not reading what they said. A checkpoint holds node arrays, matrices and
the descriptors of some networks, and no row of any table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cg_ir.errors import CgError
from cg_predict.agreement import agreement_weights
from cg_predict.effects import common_effects
from cg_predict.experts import Expert, rank_correlations
from cg_predict.kernels import squared_distances
from cg_predict.pool import Levels, PoolScale
from cg_predict.settings import Settings
from cg_predict.tables import FAMILIES, relatives_of
from cg_predict.trust import EVIDENCE, Trust

__all__ = ["PooledPrior", "Prior", "PriorError", "load_prior", "prior_from", "shipped_directory"]

Floats = NDArray[np.float64]
#: Rankings by size that take part beside the experts: parameters, multiply-accumulates, flow of signal.
SIZES = ("plain/log_params", "plain/log_macs", "paths/flow/log_weight")
#: Networks of a pool that stand for it where distances are taken, and families whose distance tells how much to expect.
_ASKED, _NEAREST = 256, 3


class View(NamedTuple):
    """A ranking that takes part in a score.

    Args:
        kind: ``relative``, ``anchored`` or ``absolute`` (an expert's on ranks in the pool, on ranks among its known networks, on descriptors as they are),
            ``size``, or ``effects``, those that are common to the families.
        of: the table of the expert, or the descriptor that is the size.
    """

    kind: str
    of: str = ""


class PriorError(CgError):
    """A prior that cannot be read or does not fit what is asked of it."""


@dataclass
class Prior:
    """Scores from families with labels.

    Args:
        names: descriptors that the experts read, in order.
        experts: by table.
        centre: mean of each descriptor over all tables together, (d,).
        spread: standard deviation likewise, (d,).
        excluded: families left out.
        card: what the training run measured.
        vectors: fingerprint of the encoder whose vectors the experts' relevance weighs.
        trust: what correlation to expect.
        settings: of the combination.
    """

    names: tuple[str, ...]
    experts: dict[str, Expert]
    centre: Floats
    spread: Floats
    excluded: tuple[str, ...] = ()
    card: dict[str, Any] = field(default_factory=dict)
    vectors: str = ""
    trust: Trust = field(default_factory=Trust)
    settings: Settings = field(default_factory=Settings)

    @property
    def sources(self) -> tuple[str, ...]:
        """Families whose labels were learned from."""
        return tuple(dict.fromkeys(expert.family for expert in self.experts.values()))

    @property
    def kin(self) -> dict[str, str]:
        """For each table the families that share cells with its own, as one name: they count once."""
        return {table: " ".join(relatives_of((expert.family,))) for table, expert in self.experts.items()}

    def relevance(self, similarity: Mapping[str, float] | None = None) -> dict[str, NDArray[np.float32]]:
        """Weights of features by kind: the geometric mean over families.

        Args:
            similarity: of each table to a pool; those like it count for more.
        """
        if not self.experts:
            return {}
        shares = self._shares()
        if similarity is not None:
            near = {
                t: share * float(np.exp(similarity[t] / self.settings.relevance_temperature))
                for t, share in shares.items()
            }
            shares = {t: share / sum(near.values()) for t, share in near.items()}
        return {
            kind: np.exp(np.sum([shares[t] * e.relevance[kind] for t, e in self.experts.items()], axis=0)).astype(
                np.float32
            )
            for kind in next(iter(self.experts.values())).relevance
        }

    def _shares(self) -> dict[str, float]:
        """The share of each table, relatives together as much as any other family; they add up to 1."""
        kin = self.kin
        groups = list(kin.values())
        return {table: 1.0 / (groups.count(name) * len(set(groups))) for table, name in kin.items()}

    def without(self, families: Sequence[str]) -> Prior:
        """The prior that never read what some families and their relatives said."""
        out = relatives_of(families)
        kept = {table: expert for table, expert in self.experts.items() if expert.family not in out}
        gone = tuple(f for f in self.sources if f in out)
        return Prior(
            self.names, kept, self.centre, self.spread, (*self.excluded, *gone), self.card, self.vectors,
            self.trust.without(out), self.settings,
        )  # fmt: skip

    # --- scores -------------------------------------------------------------------------------------------------------

    def among(self, pool: NDArray[np.floating[Any]], scale: PoolScale) -> PooledPrior:
        """The prior of the networks of a pool.

        Args:
            pool: descriptors of (a sample of) the pool in the order of ``names``, (m, d).
            scale: scale of the pool.
        """
        return PooledPrior(self, pool, scale)

    def score(self, x: NDArray[np.floating[Any]]) -> Floats:
        """The score of each network alone, (n,), higher is better: by the experts of the families that are near, and its size.

        Args:
            x: descriptors in the order of ``names``, (n, d).
        """
        if not self.experts:
            return np.zeros(len(x))
        z = self._standard(x).astype(np.float64)
        result = self.settings.size_weight * z[:, [self.names.index(name) for name in SIZES]].sum(axis=1)
        distances, _ = self.distances(x)
        shares = np.exp(-(distances - distances.min(axis=1, keepdims=True)) / self.settings.nearness_temperature)
        shares *= [self.nearness_weight(table) for table in self.experts]
        levels = Levels(x)
        said = np.stack([e.absolute.predict(x) + e.anchored(levels) for e in self.experts.values()], axis=1)
        return np.asarray(result + (shares * said).sum(axis=1) / shares.sum(axis=1), dtype=np.float64)

    def nearness_weight(self, table: str) -> float:
        """The weight of a table's expert on descriptors where known networks are right there."""
        return self.settings.zoo_weight if self.experts[table].zoo else self.settings.nearness_weight

    # --- how well known -----------------------------------------------------------------------------------------------

    def _standard(self, x: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        return np.clip((np.asarray(x, dtype=np.float64) - self.centre) / self.spread, -3.0, 3.0).astype(np.float32)

    def spread_of(self, x: NDArray[np.floating[Any]]) -> float:
        """How far networks, (n, d), are from their mean, in the unit of `distances`."""
        return float(np.sqrt(np.mean(self._standard(x).std(axis=0, dtype=np.float64) ** 2)))

    def distances(self, x: NDArray[np.floating[Any]]) -> tuple[Floats, tuple[str, ...]]:
        """Distance of each network to the nearest known one of each table, (n, tables), and the tables' names.

        The root mean square, over descriptors, of the differences in standard deviations over all families together.
        """
        z = self._standard(x)
        columns = [squared_distances(z, self._standard(e.known)).min(axis=1) for e in self.experts.values()]
        squared = np.stack(columns, axis=1) if columns else np.full((len(z), 0), np.inf)
        return np.sqrt(squared / z.shape[1], dtype=np.float64), tuple(self.experts)

    def nearest(self, x: NDArray[np.floating[Any]], count: int = 3) -> list[list[str]]:
        """The known networks whose descriptors are nearest to each of ``x``, by SOURCE, nearest first."""
        names = [name for expert in self.experts.values() for name in expert.names]
        if not names:
            return [[] for _ in x]
        known = np.concatenate([self._standard(e.known) for e in self.experts.values() if e.names])
        order = squared_distances(self._standard(x), known).argsort(axis=1, kind="stable")[:, :count]
        return [[names[i] for i in row] for row in order]

    def unknown(self, families: Sequence[str]) -> list[str]:
        """Those of ``families`` that the prior never learned from (which leaves them out as well)."""
        return [f for f in families if f not in self.sources and f not in self.excluded]


class PooledPrior:
    """Scores of networks among those of a pool; what the pool alone decides is computed once.

    The score is a weighted sum of rankings, whose weights are the sum of those by agreement, similarity and nearness,

        score = A / std(A) + b n K / std(K) + c sum_F exp(-d_F / (t D)) (1 - (d_F / l)^4) a_F + e r^2 Z / std(Z)

    with A the experts on ranks within the pool, common effects and sizes, weighted by agreement; K the experts on ranks among known networks of their family,
    weighted by exp(similarity / temperature); n how wide those families are, (D_F / D)^3, at most 1, on their weighted mean; a_F the expert on descriptors as
    they are of family F, d_F the median distance of the pool's networks to known ones of F, D the spread of the pool and D_F that of F's known networks, Z the
    sum of the sizes and r their mean correlation; c is greater for a zoo, and beyond the limit l nothing is heard.

    Args:
        prior: what was learned from other families.
        pool: descriptors of (a sample of) the pool, (m, d).
        scale: scale of the pool.

    Attributes:
        weights: of each ranking.
        scores: of the pool's own networks, (m,).
        evidence: what is seen of the pool, see `cg_predict.trust.EVIDENCE`.
        expected: correlation with the labels that is to be expected.
    """

    def __init__(self, prior: Prior, pool: NDArray[np.floating[Any]], scale: PoolScale) -> None:
        self._prior, self._scale = prior, scale
        self.weights: dict[View, float] = {}
        self.expected = 0.0
        self.scores = np.zeros(len(pool))
        if not prior.experts:
            return
        pool = np.asarray(pool, dtype=np.float32)
        levels = Levels(pool)
        asked = levels if len(pool) <= _ASKED else Levels(pool[np.linspace(0, len(pool) - 1, _ASKED).astype(int)])
        ranks = scale.ranks(levels)
        among = {table: expert.scale.ranks(asked) for table, expert in prior.experts.items()}
        self._spread = prior.spread_of(pool)
        self.similarity = self._similarities(ranks, among)
        self.distances = dict(zip(prior.experts, np.median(prior.distances(asked.x)[0], axis=0).tolist(), strict=True))
        self._coefficients = self._common_effects()
        self._similar, self._near = self._shares_by_similarity(), self._weights_by_nearness()
        asked_for = [View("relative", t) for t in prior.experts] + [View("anchored", t) for t in self._similar]
        asked_for += [View("absolute", t) for t in self._near] + [View("effects"), *(View("size", n) for n in SIZES)]
        self._standards: dict[View, tuple[float, float]] = {}
        views = {}
        for view, values in self._rankings(asked_for, levels, ranks, among if asked is levels else {}).items():
            if values.std() > 1e-9:  # one that tells nothing apart here has nothing to say
                self._standards[view] = (float(values.mean()), float(values.std()))
                views[view] = (values - self._standards[view][0]) / self._standards[view][1]
        self.evidence = np.zeros(len(EVIDENCE))
        if not views:  # equal networks
            return
        self._accord = _accord([values for view, values in views.items() if view.kind == "size"])
        self.weights = self._combined(views)
        score = self._sum(views)
        self._centre, self._deviation = float(score.mean()), max(float(score.std()), 1e-12)
        self.scores = (score - self._centre) / self._deviation
        self.evidence = self._evidence(views)
        self.expected = prior.trust.expected(self.evidence)

    # --- which rankings count -----------------------------------------------------------------------------------------

    def _weights_by_nearness(self) -> dict[str, float]:
        """How much the experts on descriptors of near tables count: ever less with the distance in spreads of the pool, and nothing from the limit on."""
        settings, weights = self._prior.settings, {}
        reach = settings.nearness_temperature * max(self._spread, 1e-9)
        for table, distance in self.distances.items():
            if distance < settings.nearness_limit:
                fading = 1.0 - (distance / settings.nearness_limit) ** 4
                weights[table] = float(self._prior.nearness_weight(table) * np.exp(-distance / reach) * fading)
        return weights

    def _similarities(self, ranks: NDArray[np.float32], among: Mapping[str, NDArray[np.float32]]) -> dict[str, float]:
        """How similar each table is to the pool, from -1 to 1: the correlation, over pairs of descriptors that vary in both, of their rank correlations.

        Ranks in the pool are taken within it and among known networks of the table, about whose middle the pool may well lie to one side: the mean of the two.
        """
        compared = np.array([not name.startswith("pairs/") for name in self._prior.names])
        within = rank_correlations(np.where(compared, ranks, np.float32(0)))
        result = {}
        for table, expert in self._prior.experts.items():
            beside = rank_correlations(np.where(compared, among[table], np.float32(0)))
            result[table] = (_alike(within, expert.correlations) + _alike(beside, expert.correlations)) / 2
        return result

    def _shares_by_similarity(self) -> dict[str, float]:
        """The shares of the tables most like the pool; those of less than a hundredth of the first one's are not heard."""
        greatest = max(self.similarity.values())
        temperature = self._prior.settings.similarity_temperature
        shares = {t: float(np.exp((s - greatest) / temperature)) for t, s in self.similarity.items()}
        return {table: share for table, share in shares.items() if share > 0.01}

    def _width(self, shares: Mapping[str, float]) -> float:
        """How far families, by shares, span the pool, from 0 to 1: networks beyond all known ones of a family look alike to its expert."""
        limit, prior = max(self._spread, 1e-9), self._prior
        widths = [
            min(1.0, prior.spread_of(prior.experts[t].known) / limit) ** prior.settings.width_power for t in shares
        ]
        return float(np.average(widths, weights=list(shares.values())))

    def _common_effects(self) -> Floats:
        shares, experts = self._prior._shares(), self._prior.experts
        count = len(set(self._prior.kin.values()))
        return common_effects([e.effects for e in experts.values()], np.array([shares[t] * count for t in experts]))

    def _combined(self, views: Mapping[View, Floats]) -> dict[View, float]:
        settings, kin = self._prior.settings, self._prior.kin
        weights = dict.fromkeys(views, 0.0)

        def add(part: Mapping[View, float], weight: float) -> None:
            deviation = float(np.sum([w * views[view] for view, w in part.items()], axis=0).std()) if part else 0.0
            for view, w in part.items():
                weights[view] += weight * w / max(deviation, 1e-9)

        add(self._by_agreement(views, kin), 1.0)
        similar = {view: self._similar[view.of] for view in views if view.kind == "anchored"}
        if similar:  # in their own deviations: a family that hardly tells these networks apart says little
            anchored = {view: share * self._standards[view][1] for view, share in similar.items()}
            add(anchored, settings.anchored_weight * self._width({view.of: share for view, share in similar.items()}))
        weights |= {view: self._near[view.of] for view in views if view.kind == "absolute"}
        add({view: 1.0 for view in views if view.kind == "size"}, settings.accord_weight * max(self._accord, 0.0) ** 2)
        return weights

    def _by_agreement(self, views: Mapping[View, Floats], kin: Mapping[str, str]) -> dict[View, float]:
        """Weights by agreement: experts on ranks of related families speak as one, for they would agree whatever is true."""
        groups: dict[View, list[View]] = {}
        for view in views:
            if view.kind not in ("absolute", "anchored"):  # where they are near they agree with each other, true or not
                group = View("relative", kin[view.of]) if view.kind == "relative" else view
                groups.setdefault(group, []).append(view)
        if not groups:
            self.agreement = np.zeros(1)
            return {}
        means = [np.mean([views[view] for view in members], axis=0) for members in groups.values()]
        deviations = [max(float(mean.std()), 1e-9) for mean in means]
        found = agreement_weights(np.stack([m / d for m, d in zip(means, deviations, strict=True)]))
        self.agreement = found
        return {
            view: float(weight) / (deviation * len(members))
            for members, weight, deviation in zip(groups.values(), found, deviations, strict=True)
            for view in members
        }

    def _evidence(self, views: Mapping[View, Floats]) -> Floats:
        """What tells how well the score will do, see `cg_predict.trust.EVIDENCE`."""
        with_score = np.stack(list(views.values())) @ self.scores / len(self.scores)
        nearest = sorted(self.distances.values())[:_NEAREST]
        return np.array([np.mean(self.agreement), with_score.std(), np.mean(nearest), self._accord])

    # --- scores -------------------------------------------------------------------------------------------------------

    def _rankings(
        self,
        views: Sequence[View],
        levels: Levels,
        ranks: NDArray[np.float32],
        among: Mapping[str, NDArray[np.float32]],
    ) -> dict[View, Floats]:
        x, result = levels.x, {}
        for view in views:
            kind, of = view
            if kind == "relative":
                result[view] = self._prior.experts[of].relative.predict(ranks)
            elif kind == "anchored" and of in among:  # the ranks are known
                result[view] = self._prior.experts[of].relative.predict(among[of])
            elif kind == "anchored":
                result[view] = self._prior.experts[of].anchored(levels)
            elif kind == "absolute":
                result[view] = self._prior.experts[of].absolute.predict(x)
            elif kind == "size":
                result[view] = ranks[:, self._prior.names.index(of)].astype(np.float64)
            else:
                result[view] = np.asarray(self._scale.standardise_all(x) @ self._coefficients, dtype=np.float64)
        return result

    def _sum(self, views: Mapping[View, Floats]) -> Floats:
        return np.asarray(np.sum([weight * views[view] for view, weight in self.weights.items()], axis=0))

    def score(self, x: NDArray[np.floating[Any]]) -> Floats:
        """The score, (n,), higher is better; about standard normal over the pool."""
        if not self.weights:
            return np.zeros(len(x))
        levels = Levels(x)
        raw = self._rankings(list(self.weights), levels, self._scale.ranks(levels), {})
        views = {view: (v - self._standards[view][0]) / self._standards[view][1] for view, v in raw.items()}
        return (self._sum(views) - self._centre) / self._deviation


def _accord(sizes: Sequence[Floats]) -> float:
    """The mean correlation of sizes with each other, 0 where fewer than two vary."""
    upper = np.triu_indices(len(sizes), 1)
    return float(np.atleast_2d(np.corrcoef(sizes))[upper].mean()) if len(sizes) > 1 else 0.0


def _alike(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> float:
    """The correlation of two matrices of correlations over pairs of descriptors that vary in both, 0 where there are none."""
    both = np.flatnonzero((np.diag(a) > 0) & (np.diag(b) > 0))
    upper = ~np.tri(len(both), dtype=bool)
    a, b = a[np.ix_(both, both)][upper], b[np.ix_(both, both)][upper]
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 1 and a.std() > 0 and b.std() > 0 else 0.0


# --- files ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _read(directory: str) -> Prior:
    from cg_embed.checkpoint import read_checkpoint

    config, arrays = read_checkpoint(directory, "prior")
    try:
        return prior_from(config, arrays)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise PriorError(
            f"the prior in {directory} is damaged or of another release ({error!r:.120}); 'cg fit-prior' writes it anew"
        ) from None


def shipped_directory() -> Path:
    """The folder of the prior that ships with the package."""
    return Path(__file__).parent / "checkpoints" / "prior"


def load_prior(exclude: Sequence[str] = (), directory: str | Path | None = None) -> Prior:
    """The prior without what it learned from some families.

    Args:
        exclude: families to leave out, with their relatives; one that the prior never learned from is left out anyway.
        directory: a checkpoint of ``cg fit-prior``; the shipped one if absent.

    Raises:
        PriorError: the checkpoint cannot be read.
    """
    return _read(str(directory or shipped_directory())).without(tuple(exclude))


def prior_from(config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Prior:
    """The prior of a checkpoint's contents.

    Raises:
        KeyError: something is missing.
        ValueError: numbers that are not finite.
    """
    for name, values in arrays.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"{name} holds numbers that are not finite")
    experts, order = {}, [f.table for f in FAMILIES]
    for table, facts in sorted(
        config["tables"].items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)
    ):
        prefix = f"{table}/"
        own = {key[len(prefix) :]: value for key, value in arrays.items() if key.startswith(prefix)}
        experts[table] = Expert.from_arrays(str(facts["family"]), [str(n) for n in facts["known"]], own)
    return Prior(
        tuple(config["descriptors"]), experts, arrays["centre"].astype(np.float64), arrays["spread"].astype(np.float64),
        (), dict(config["card"]), str(config["vectors"]), Trust.from_rows(config["trust"]),
    )  # fmt: skip
