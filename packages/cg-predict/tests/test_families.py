"""The shipped prior and the predictor on the benchmark families, each without what was learned from it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cg_frontends")

from cg_ir import get_space
from cg_predict import Predictor, UnfamiliarWarning
from cg_predict.features import descriptors
from cg_predict.pool import PoolScale
from cg_predict.prior import load_prior
from cg_predict.tables import FAMILIES, read_family

#: Least correlation without labels, without labels or a pool, and with 50 labels: what was measured on these 400 networks, less 0.04.
LEAST = {
    "nb101": (0.60, 0.50, 0.86),
    "nb201": (0.85, 0.79, 0.91),
    "nb301": (0.72, 0.41, 0.78),
    "mobilenetv3": (0.94, 0.94, 0.94),
    "mnasnet": (0.86, 0.80, 0.91),
    "natssize": (0.80, 0.73, 0.91),
}


def sampled(name, count):
    """Networks drawn from a space."""
    space, rng = get_space(name), np.random.default_rng(1)
    return [space.graph(space.sample(rng)) for _ in range(count)]


@pytest.mark.parametrize("name", LEAST)
def test_a_pool_is_seen_to_be_like_its_own_family(name):
    x = descriptors().encode(sampled(name, 200))
    among = load_prior().among(x, PoolScale(x))
    assert among.similarity[name] > 0.5
    assert among.similarity[name] > np.sort(list(among.similarity.values()))[-3]
    assert among.distances[name] == min(among.distances.values())
    one = np.repeat(x[:1], 5, axis=0)
    assert not load_prior().among(one, PoolScale(one)).score(one).any()


def test_what_is_to_be_expected_falls_far_from_all_that_is_known():
    transformers = sampled("autoformer", 100)
    known = Predictor().expected_correlation(transformers)
    assert known > 0.7
    assert Predictor(exclude=("autoformer", "timm")).expected_correlation(transformers) < known - 0.05
    mixed = [network for name in ("nb301", "nb101") for network in sampled(name, 30)]
    far = Predictor(exclude=("timm", "nb101", "nb301"))
    with pytest.warns(UnfamiliarWarning, match=r"rank correlation of about 0\.[0-5]"):
        _, wide = far.predict(mixed, return_std=True, pool=mixed)
    _, narrow = Predictor(warn=False).predict(transformers, return_std=True, pool=transformers)
    assert wide.mean() > narrow.mean() + 0.2


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.parametrize("name", LEAST)
def test_a_family_is_ranked_by_what_others_taught(name, data_dir):
    family = next(f for f in FAMILIES if f.name == name)
    sample = read_family(family, data_dir).sample(400, np.random.default_rng(9))
    graphs, labels = sample.graphs(), sample.labels
    predictor = Predictor(exclude=(name,), warn=False)
    zero = predictor.score(graphs, labels, pool=graphs)
    alone = predictor.score(graphs, labels)
    three, few = (predictor.fit(graphs[:n], labels[:n]).score(graphs[n:], labels[n:], pool=graphs) for n in (3, 50))
    for measured, least in zip((zero, alone, few), LEAST[name], strict=True):
        assert measured > least
    assert three > zero - 0.03
