"""The shipped prior and the predictor on the benchmark families, each without what was learned from it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cg_frontends")

from cg_ir import get_space
from cg_predict import Predictor
from cg_predict.features import descriptors
from cg_predict.pool import PoolScale
from cg_predict.prior import load_prior
from cg_predict.tables import FAMILIES, read_family

#: Least correlation without labels, without labels or a pool, and with 50 labels: what was measured on these 400 networks, less 0.04.
LEAST = {
    "nb101": (0.61, 0.60, 0.87),
    "nb201": (0.82, 0.78, 0.91),
    "nb301": (0.63, 0.59, 0.76),
    "mobilenetv3": (0.94, 0.94, 0.94),
    "mnasnet": (0.84, 0.64, 0.91),
    "natssize": (0.78, 0.82, 0.90),
}


@pytest.mark.parametrize("name", LEAST)
def test_the_source_most_like_a_pool_is_its_own_family(name):
    space, rng = get_space(name), np.random.default_rng(1)
    x = descriptors().encode([space.graph(space.sample(rng)) for _ in range(200)])
    similarities = load_prior().similarities(x)
    assert max(similarities, key=similarities.__getitem__) == name
    assert similarities[name] > 0.65
    assert set(load_prior().similarities(np.repeat(x[:1], 5, axis=0)).values()) == {0.0}


def test_size_counts_for_more_where_parameters_and_flow_agree():
    said = {}
    for name in ("natssize", "nb101"):  # only widths differ; wiring does
        space, rng = get_space(name), np.random.default_rng(2)
        x = descriptors().encode([space.graph(space.sample(rng)) for _ in range(200)])
        said[name] = load_prior((name,)).among(x, PoolScale(x)).parts(x)["size"].std()
    assert said["natssize"] > 2 * said["nb101"] > 0


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
