"""The prior by its definition, on four small tables whose experts are linear functions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from cg_embed.checkpoint import read_checkpoint, write_checkpoint
from cg_predict.agreement import agreement_weights
from cg_predict.effects import Effects, common_effects
from cg_predict.experts import Expert
from cg_predict.metrics import spearman
from cg_predict.pool import PoolScale
from cg_predict.prior import SIZES, Prior, PriorError, load_prior, prior_from, shipped_directory
from cg_predict.settings import Settings
from cg_predict.tables import FAMILIES
from cg_predict.trust import Trust

NAMES = (*SIZES, "signal/a", "signal/b", "pairs/c")
#: Families by table: the first three share cells with each other, the last is a zoo.
TABLES = {"nb201": "nb201", "transnas micro": "transnas", "transnas macro": "transnas", "timm": "timm"}
SETTINGS = Settings(
    similarity_temperature=0.3, anchored_weight=2.0, width_power=1.5, nearness_temperature=0.7, nearness_weight=3.0, zoo_weight=5.0,
    nearness_limit=2.0, accord_weight=1.5, size_weight=0.6, relevance_temperature=0.4,
)  # fmt: skip


@dataclass(frozen=True)
class Linear:
    """In place of trees: a linear function."""

    slope: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x, dtype=np.float64) @ self.slope


def expert(family: str, seed: int) -> Expert:
    rng, d = np.random.default_rng(seed), len(NAMES)
    mixed = rng.normal(size=(40, d))
    relative: Any = Linear(rng.normal(size=d))
    absolute: Any = Linear(rng.normal(size=d))
    correlations = np.corrcoef(mixed.T)
    correlations[3] = correlations[:, 3] = 0.0  # constant there
    return Expert(
        family, relative, absolute, Effects(mixed.T @ mixed / 40, rng.normal(size=d)), correlations,
        rng.normal(size=(5, d)) * 2.0 + 1.0, tuple(f"{family}:{seed}{i}" for i in range(5)) if family != "nb201" else (),
        {"descriptors": rng.normal(size=d), "embedding": rng.normal(size=3)}, family == "timm",
    )  # fmt: skip


def small_prior(**changes: Any) -> Prior:
    rows = [
        (f, 0.2 + 0.1 * i, 0.5 - 0.1 * i, 0.1 * i, 0.2, 0.9 - 0.2 * i)
        for i, f in enumerate(("nb201", "timm", "nb201", "transnas"))
    ]
    prior = Prior(
        NAMES, {t: expert(f, i) for i, (t, f) in enumerate(TABLES.items())}, np.full(6, 1.0), np.full(6, 2.0), ("nb101",),
        {"digest": "d"}, "print", Trust.from_rows(rows), SETTINGS,
    )  # fmt: skip
    return replace(prior, **changes)


def networks(count: int, seed: int = 9, accord: float = 0.8) -> np.ndarray:
    """Descriptors whose sizes go together."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, len(NAMES)))
    x[:, 1:3] = accord * x[:, :1] + np.sqrt(1 - accord**2) * x[:, 1:3]
    return (2.0 * x + 1.0).astype(np.float32)


# --- the prior ---------------------------------------------------------------------------------------------------------


def test_relatives_count_once_among_the_weights_of_features() -> None:
    prior = small_prior()
    assert prior.sources == ("nb201", "transnas", "timm")
    assert len(set(prior.kin.values())) == 2
    experts = list(prior.experts.values())
    shares = np.array([1 / 6, 1 / 6, 1 / 6, 1 / 2])
    similarity = {"nb201": 0.5, "transnas micro": -0.2, "transnas macro": 0.1, "timm": 0.3}
    near = shares * np.exp(np.array(list(similarity.values())) / 0.4)
    for kind in ("descriptors", "embedding"):
        logs = np.array([e.relevance[kind] for e in experts])
        np.testing.assert_allclose(prior.relevance()[kind], np.exp(shares @ logs), rtol=1e-5)
        np.testing.assert_allclose(prior.relevance(similarity)[kind], np.exp(near @ logs / near.sum()), rtol=1e-5)
        assert prior.relevance()[kind].dtype == np.float32
    assert small_prior(experts={}).relevance(similarity) == {}


def test_a_family_goes_with_its_relatives_and_all_else_stays() -> None:
    prior = small_prior()
    left = prior.without(("transnas", "nb301"))
    assert list(left.experts) == ["timm"]
    assert left.experts["timm"] is prior.experts["timm"]
    assert left.excluded == ("nb101", "nb201", "transnas")
    assert left.trust.families == ("timm",)
    assert (left.names, left.card, left.vectors, left.settings) == (NAMES, {"digest": "d"}, "print", SETTINGS)
    assert left.unknown(["timm", "nb101", "nb201", "autoformer"]) == ["autoformer"]
    np.testing.assert_array_equal(left.centre, prior.centre)
    np.testing.assert_array_equal(left.spread, prior.spread)


def test_distances_are_root_mean_squares_in_deviations_over_all_families() -> None:
    prior, x = small_prior(), networks(7)
    x[0] = 1000.0  # told as three deviations
    distances, tables = prior.distances(x)
    assert tables == tuple(TABLES)
    z = np.clip((x - 1.0) / 2.0, -3, 3)
    for column, e in enumerate(prior.experts.values()):
        known = np.clip((np.asarray(e.known) - 1.0) / 2.0, -3, 3)
        expected = [min(np.sqrt(np.mean((row - other) ** 2)) for other in known) for row in z]
        np.testing.assert_allclose(distances[:, column], expected, rtol=1e-4)
    none, tables = small_prior(experts={}).distances(x)
    assert none.shape == (7, 0)
    assert tables == ()


def test_the_nearest_known_networks_are_named() -> None:
    prior = small_prior()
    macro, timm = prior.experts["transnas macro"], prior.experts["timm"]
    found = prior.nearest(np.stack([macro.known[2], timm.known[4]]))
    assert [row[0] for row in found] == [macro.names[2], timm.names[4]]
    assert [len(row) for row in found] == [3, 3]
    named = [e for e in prior.experts.values() if e.names]
    gaps = np.linalg.norm(np.concatenate([e.known for e in named]) - macro.known[2], axis=1)
    names = np.array([name for e in named for name in e.names])
    assert prior.nearest(macro.known[2:3], 5) == [names[np.argsort(gaps)[:5]].tolist()]
    assert small_prior(experts={}).nearest(networks(2)) == [[], []]


def said(e: Expert, x: np.ndarray) -> np.ndarray:
    """What an expert says of networks, each alone: of descriptors as they are, and of ranks among the known ones of its family."""
    ranks = PoolScale(np.asarray(e.known)).ranks(x)
    return np.asarray(e.absolute.predict(x) + e.relative.predict(ranks))


def test_alone_a_network_is_scored_by_its_size_and_by_the_experts_of_near_families() -> None:
    prior, x = small_prior(), networks(8)
    distances, _ = prior.distances(x)
    weight = np.exp(-distances / 0.7) * [3.0, 3.0, 3.0, 5.0]
    absolute = np.stack([said(e, x) for e in prior.experts.values()], axis=1)
    sizes = np.clip((x[:, :3].astype(float) - 1.0) / 2.0, -3, 3).sum(axis=1)
    expected = 0.6 * sizes + (weight * absolute).sum(axis=1) / weight.sum(axis=1)
    np.testing.assert_allclose(prior.score(x), expected, rtol=1e-4, atol=1e-5)
    assert prior.score(np.full((1, 6), 1e9))[0] == pytest.approx(0.6 * 9 + said_far(prior), rel=1e-3)
    assert small_prior(experts={}).score(x).tolist() == [0.0] * 8


def said_far(prior: Prior) -> float:
    """What the experts say far from everything, where exponentials alone would all be zero."""
    far = np.full((1, 6), 1e9)
    weight = np.exp(-prior.distances(far)[0][0] / 0.7) * [3.0, 3.0, 3.0, 5.0]
    return float(weight @ [said(e, far)[0] for e in prior.experts.values()] / weight.sum())


# --- in a pool ---------------------------------------------------------------------------------------------------------


def standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def spread_of(prior: Prior, x: np.ndarray) -> float:
    """The root mean square, over descriptors, of the networks' distances from their mean."""
    z = np.clip((x.astype(float) - prior.centre) / prior.spread, -3, 3)
    return float(np.sqrt(np.mean(z.var(axis=0))))


def alike(ranks: np.ndarray, theirs: np.ndarray) -> float:
    """The correlation of cosines over the pairs of descriptors that vary in both; those of pairs are not compared."""
    varies = [i for i in range(5) if ranks[:, i].any() and i != 3]
    unit = ranks.astype(float) / np.maximum(np.linalg.norm(ranks, axis=0), 1e-9)
    pairs = np.array([(unit[:, i] @ unit[:, j], theirs[i, j]) for k, i in enumerate(varies) for j in varies[k + 1 :]])
    return float(np.corrcoef(pairs.T)[0, 1]) if len(pairs) > 1 else 0.0


def by_definition(prior: Prior, pool: np.ndarray) -> tuple[np.ndarray, dict[str, float], np.ndarray]:
    """Score, similarities and evidence of a pool, as the docstring of `PooledPrior` has them."""
    scale, settings = PoolScale(pool), prior.settings
    ranks = scale.ranks(pool)
    groups: dict[str, list[str]] = {}
    for table, kin in prior.kin.items():
        groups.setdefault(kin, []).append(table)
    relative = {t: standard(e.relative.predict(ranks)) for t, e in prior.experts.items()}
    count = len(groups)
    shares = [count / (count * len(groups[kin])) for kin in prior.kin.values()]
    slope = common_effects([e.effects for e in prior.experts.values()], np.array(shares))
    effects = standard(scale.standardise_all(pool) @ slope)
    sizes = [standard(ranks[:, i].astype(float)) for i in range(3) if scale.varies[i]]
    voices = [standard(np.mean([relative[t] for t in tables], axis=0)) for tables in groups.values()]
    voices += [effects, *sizes]
    agreement = agreement_weights(np.stack(voices))
    score = standard(agreement @ np.stack(voices)) * 1.0

    asked = np.linspace(0, len(pool) - 1, min(len(pool), 256)).astype(int)
    similarity, anchored, spreads = {}, {}, {}
    for table, e in prior.experts.items():
        home = PoolScale(np.asarray(e.known))
        within, among = ranks, home.ranks(pool[asked])
        similarity[table] = (alike(within, e.correlations) + alike(among, e.correlations)) / 2
        anchored[table] = np.asarray(e.relative.predict(home.ranks(pool)))
        spreads[table] = spread_of(prior, np.asarray(e.known))
    spread, best = spread_of(prior, pool), max(similarity.values())
    share = {t: np.exp((s - best) / settings.similarity_temperature) for t, s in similarity.items()}
    share = {t: w for t, w in share.items() if w > 0.01 and anchored[t].std() > 1e-9}
    if share:
        wide = sum(w * min(1.0, spreads[t] / spread) ** settings.width_power for t, w in share.items())
        total = np.sum([w * (anchored[t] - anchored[t].mean()) for t, w in share.items()], axis=0)
        score = score + settings.anchored_weight * wide / sum(share.values()) * total / total.std()

    absolute = {}
    distances = np.median(prior.distances(pool[asked])[0], axis=0)
    for distance, (table, e) in zip(distances, prior.experts.items(), strict=True):
        if distance < settings.nearness_limit:
            absolute[table] = standard(e.absolute.predict(pool))
            weight = settings.zoo_weight if e.zoo else settings.nearness_weight
            fading = 1 - (distance / settings.nearness_limit) ** 4
            score = (
                score + weight * np.exp(-distance / (settings.nearness_temperature * spread)) * fading * absolute[table]
            )
    accord = 0.0
    if len(sizes) > 1:
        accord = float(np.mean([spearman(a, b) for i, a in enumerate(sizes) for b in sizes[i + 1 :]]))
        total = np.sum(sizes, axis=0)
        score = score + settings.accord_weight * max(accord, 0.0) ** 2 * total / total.std()
    heard = [standard(anchored[t]) for t in share]
    rankings = np.stack([*relative.values(), *heard, *absolute.values(), effects, *sizes])
    apart = float((rankings @ standard(score) / len(pool)).std())
    return standard(score), similarity, np.array([agreement.mean(), apart, np.sort(distances)[:3].mean(), accord])


def far_away() -> np.ndarray:
    return networks(40) + np.float32(7.0)


def constant(*columns: int) -> np.ndarray:
    x = networks(40)
    x[:, columns] = 4.0
    return x


POOLS = {
    "of 40": networks(40), "of 700": networks(700), "sizes at odds": networks(50, 4, -0.6), "far away": far_away(),
    "one size constant": constant(2), "two constant": constant(0, 2),
}  # fmt: skip


@pytest.mark.parametrize("which", POOLS)
def test_in_a_pool_the_score_is_the_sum_that_is_told(which: str) -> None:
    prior, pool = small_prior(), POOLS[which]
    among = prior.among(pool, PoolScale(pool))
    score, similarity, evidence = by_definition(prior, pool)
    np.testing.assert_allclose(among.score(pool), score, atol=2e-3)
    np.testing.assert_allclose(among.score(pool[5:9].astype(np.float64)), score[5:9], atol=2e-3)
    assert among.similarity == pytest.approx(similarity, abs=1e-3)
    np.testing.assert_allclose(among.evidence, evidence, atol=1e-3)
    assert among.expected == prior.trust.expected(among.evidence)
    assert any(view.kind == "absolute" for view in among.weights) == (which != "far away")


def test_a_family_is_as_much_like_a_pool_as_ranks_in_it_and_among_its_own_networks_go_together_as_there() -> None:
    pool = networks(60)
    own = np.corrcoef(PoolScale(pool).ranks(pool).T)
    alike = {t: replace(e, correlations=own, known=pool) for t, e in small_prior().experts.items()}
    among = small_prior(experts=alike).among(pool, PoolScale(pool))
    assert list(among.similarity.values()) == pytest.approx([1.0] * 4)
    constant = {t: replace(e, known=np.full((5, 6), 1e3)) for t, e in alike.items()}  # says nothing of any network
    silent = small_prior(experts=constant).among(pool, PoolScale(pool))
    assert list(silent.similarity.values()) == pytest.approx([0.5] * 4)
    assert not any(view.kind == "anchored" for view in silent.weights)


def test_equal_networks_and_no_families_have_no_ranking() -> None:
    one = np.repeat(networks(1), 6, axis=0)
    among = small_prior().among(one, PoolScale(one))
    assert among.weights == {}
    assert among.evidence.tolist() == [0.0, 0.0, 0.0, 0.0]
    assert (among.expected, among.score(networks(3)).tolist()) == (0.0, [0.0] * 3)
    pool = networks(20)
    nobody = small_prior(experts={}).among(pool, PoolScale(pool))
    assert (nobody.expected, nobody.weights, nobody.score(pool).tolist()) == (0.0, {}, [0.0] * 20)


# --- files -------------------------------------------------------------------------------------------------------------


def test_a_checkpoint_holds_what_is_read_from_it() -> None:
    config, arrays = read_checkpoint(shipped_directory(), "prior")
    prior = prior_from(config, arrays)
    assert list(prior.experts) == [f.table for f in FAMILIES]
    assert prior.names == tuple(config["descriptors"])
    assert (prior.excluded, prior.card, prior.vectors) == ((), config["card"], config["vectors"])
    assert len(prior.trust.families) == len(config["trust"])
    np.testing.assert_array_equal(prior.centre, arrays["centre"])
    np.testing.assert_array_equal(prior.spread, arrays["spread"])
    np.testing.assert_array_equal(prior.experts["nb101"].effects.information, arrays["nb101/information"])
    facts = config["tables"]["timm"]
    assert prior.experts["timm"].names == tuple(facts["known"])
    assert [t for t, e in prior.experts.items() if e.zoo] == ["timm"]
    own = {f"mine/{k[6:]}": v for k, v in arrays.items() if k.startswith("nb101/")}
    more = prior_from({**config, "tables": {"mine": config["tables"]["nb101"], **config["tables"]}}, {**arrays, **own})
    assert list(more.experts) == [*prior.experts, "mine"]  # tables of others come last
    assert load_prior(["nb101"]).excluded == ("nb101",)
    assert load_prior(directory=shipped_directory()).sources == prior.sources


@pytest.mark.parametrize("damage", ["a table is missing", "no list of tables", "signs of another release"])
def test_damaged_checkpoints_are_refused(damage: str, tmp_path: Any) -> None:
    config, arrays = read_checkpoint(shipped_directory(), "prior")
    if damage == "a table is missing":
        arrays = {k: v for k, v in arrays.items() if not k.startswith("nb201/")}
    elif damage == "signs of another release":
        config = {**config, "trust": [row[:-1] for row in config["trust"]]}
    else:
        config = {**config, "tables": None}
    write_checkpoint(tmp_path, "prior", config, dict(arrays), "")
    with pytest.raises(PriorError, match=f"{tmp_path} is damaged"):
        load_prior(directory=tmp_path)
    with pytest.raises(ValueError, match="spread holds numbers that are not finite"):
        prior_from(config, {**arrays, "spread": np.full(len(arrays["spread"]), np.inf)})
