"""The scorer inside a search."""

import numpy as np
import pytest
from toy_plugin import ToyScorer, ToySpace

from cg_evolve import Search, SearchError
from cg_evolve.objectives import Problem
from cg_evolve.surrogate import Surrogate, make_scorer
from cg_ir.errors import NotFitted, PluginError
from cg_ir.testing import ScorerSuite

PROBLEM = Problem.make((), ())


def members(count=40):
    space, rng = ToySpace(), np.random.default_rng(0)
    return [space.sample(rng) for _ in range(count)]


@pytest.fixture
def graphs():
    return [ToySpace().graph(arch) for arch in members(12)]


class Unfitted(ToyScorer):
    """Needs results first."""

    def predict(self, graphs, return_std=False):
        if self._x is None:
            raise NotFitted("toy-gp needs labels")
        return super().predict(graphs, return_std)


class Broken(ToyScorer):
    """Its descriptors are broken."""

    def predict(self, graphs, return_std=False):
        raise ZeroDivisionError("float division by zero")


class TestToyScorer(ScorerSuite):
    def make(self):
        return ToyScorer()


class TestUnfitted(ScorerSuite):
    def make(self):
        return Unfitted().fit(self.graphs(), np.arange(len(self.graphs())))

    def unfitted(self):
        return Unfitted()


def test_a_scorer_without_labels_has_a_prior_or_says_that_it_has_none(graphs):
    assert Surrogate(ToyScorer(), (), PROBLEM).prior(graphs).shape == (len(graphs),)
    assert Surrogate(Unfitted(), (), PROBLEM).prior(graphs) is None


def test_a_broken_scorer_is_no_unfitted_one(graphs):
    with pytest.raises(ZeroDivisionError):
        Surrogate(Broken(), (), PROBLEM).prior(graphs)
    with pytest.raises(ZeroDivisionError):
        Search(ToySpace(), "bayesian", scorer=Broken(), pool=members()).ask()


def test_a_search_begins_with_a_scorer_that_needs_results_first():
    search = Search(ToySpace(), "bayesian", scorer=Unfitted(), q=1, pool=members())
    for _ in range(20):
        (candidate,) = search.ask()
        search.tell(candidate, float(candidate.graph.params))
    assert {row.candidate.origin for row in search.history} >= {"coverage", "acquisition"}


def test_a_scorer_that_learns_nothing_is_refused():
    class Fixed:
        name = "fixed"

        def predict(self, graphs, return_std=False):
            return np.zeros(len(graphs))

    with pytest.raises(SearchError, match="'fixed' learns nothing from results"):
        Surrogate(Fixed(), (), PROBLEM)


def test_scorers_are_copied_and_leave_families_out():
    own = ToyScorer()
    assert make_scorer(own) is not own
    with pytest.raises(PluginError, match="learned from elsewhere and cannot leave it out"):
        make_scorer(own, ("elsewhere",))


def test_deviations_are_zero_where_the_graph_tells_the_value(graphs):
    surrogate = Surrogate(ToyScorer(), (), Problem.make(("accuracy", "macs:min"), ()))
    means, stds = surrogate.predict(graphs)
    assert means[:, 1].tolist() == [-float(graph.macs) for graph in graphs]
    assert (stds[:, 0] > 0).all()
    assert (stds[:, 1] == 0).all()
