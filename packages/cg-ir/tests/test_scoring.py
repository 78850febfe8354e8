"""Asking scorers: what they say that they can do is what they are asked for."""

import numpy as np
import pytest

from cg_ir import scoring
from cg_ir.errors import NotFitted, OptionError, PluginError
from cg_ir.plugin_registry import get_scorer, registry
from cg_ir.plugins import Fits, Pooled, Predicts, Scorer, Suggests, hookimpl
from cg_ir.testing import ScorerSuite, sample_graphs

GRAPHS = sample_graphs()


class Size:
    """Ranks by size; knows no deviation and no pool."""

    name = "size"

    def predict(self, graphs, return_std=False):
        return np.array([float(len(graph)) for graph in graphs])


class Centred:
    """Ranks by size beside the mean size of the pool, which it says that it takes; needs labels first."""

    name = "centred"
    pooled = True
    sources = ("far", "near")

    def __init__(self, exclude=()):
        self.sources = tuple(family for family in Centred.sources if family not in exclude)
        self.labels = None

    def fit(self, graphs, y, **options):
        self.labels, self.fitted_in = np.asarray(y), options.get("pool")
        return self

    def predict(self, graphs, return_std=False, **options):
        if self.labels is None:
            raise NotFitted("centred needs labels: fit it first")
        middle = np.mean([len(graph) for graph in options.get("pool", [])] or [0.0])
        mean = np.array([len(graph) - middle for graph in graphs])
        return (mean, np.ones(len(graphs))) if return_std else mean

    def suggest(self, graphs, k):
        return list(range(k))


class Named(Centred):
    """Says nothing of a pool, but names it."""

    pooled = None

    def fit(self, graphs, y, pool=None):
        return super().fit(graphs, y, pool=pool)

    def predict(self, graphs, return_std=False, pool=()):
        return super().predict(graphs, return_std, pool=pool)


class TestSize(ScorerSuite):
    def make(self):
        return Size()


class TestCentred(ScorerSuite):
    def make(self):
        return self.unfitted().fit(self.graphs(), np.arange(len(self.graphs())))

    def unfitted(self):
        return Centred()


class TestNamed(TestCentred):
    def unfitted(self):
        return Named()


def test_protocols_tell_scorers_apart():
    assert isinstance(Size(), Scorer)
    assert isinstance(Size(), Predicts)
    assert not isinstance(Size(), (Fits, Suggests, Pooled))
    for protocol in (Scorer, Fits, Suggests, Pooled):
        assert isinstance(Centred(), protocol)


def test_a_pool_is_given_to_those_who_take_one():
    assert scoring.takes_pool(Centred())
    assert scoring.takes_pool(Named())
    assert not scoring.takes_pool(Size())
    plain = Centred()
    plain.pooled = False
    for scorer, pool in ((Centred(), GRAPHS), (Named(), GRAPHS), (plain, None)):
        scoring.fit(scorer, GRAPHS, np.arange(len(GRAPHS)), pool=GRAPHS)
        assert scorer.fitted_in is pool
        shift = float(np.mean([len(graph) for graph in GRAPHS])) if pool else 0.0
        assert np.allclose(scoring.predict(scorer, GRAPHS, GRAPHS).mean, [len(graph) - shift for graph in GRAPHS])


def test_a_prediction_has_a_deviation_where_the_scorer_knows_one():
    found = scoring.predict(Size(), GRAPHS)
    assert found.mean.tolist() == [len(graph) for graph in GRAPHS]
    assert found.std is None
    scorer = Centred()
    scoring.fit(scorer, GRAPHS, np.arange(len(GRAPHS)))
    assert scoring.predict(scorer, GRAPHS).std.tolist() == [1.0] * len(GRAPHS)


def test_numbers_that_fit_no_network_name_the_scorer():
    class Short(Size):
        name = "short"

        def predict(self, graphs, return_std=False):
            return np.zeros(len(graphs) - 1)

    with pytest.raises(PluginError, match="'short' gave numbers of shape"):
        scoring.predict(Short(), GRAPHS)


class Stubborn(Centred):
    """Cannot leave a family out."""

    name = "stubborn"

    def __init__(self):
        super().__init__()


@pytest.fixture
def _registered():
    class Plugin:
        @hookimpl
        def cg_scorers(self):
            return [Size, Centred, Stubborn]

    plugin = Plugin()
    registry().register(plugin, name="test")
    yield
    registry().unregister(plugin)


@pytest.mark.usefixtures("_registered")
def test_families_are_left_out_or_it_is_an_error():
    with pytest.raises(OptionError, match="scorer 'size' does not take these options"):
        get_scorer("size", exclude=("far",))
    assert scoring.scorer_without("size", ("far",)).name == "size"
    assert scoring.scorer_without("centred", ("far",)).sources == ("near",)
    assert scoring.scorer_without("centred", ()).sources == ("far", "near")
    with pytest.raises(PluginError, match="learned from far and cannot leave it out"):
        scoring.scorer_without("stubborn", ("far",))
