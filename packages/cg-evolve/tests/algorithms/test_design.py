"""The first networks, chosen without a result."""

import numpy as np
import pytest
from toy_plugin import ToyScorer, ToySpace

from cg_evolve.algorithms.base import View
from cg_evolve.algorithms.candidates import Listed
from cg_evolve.algorithms.design import InitialDesign
from cg_evolve.domain import Domain
from cg_evolve.history import Candidate, Evaluation, History
from cg_evolve.objectives import Problem
from cg_evolve.surrogate import Surrogate


@pytest.fixture
def view(toy_pool):
    problem = Problem.make((), ())
    return View(0, 0, Domain(ToySpace(), toy_pool, problem.admits), problem, History(), [])


def drawn(design, view, count):
    """The proposals of a design one after the other, each noted in the history."""
    surrogate = Surrogate(ToyScorer(), (), view.problem)
    result = []
    for number in range(count):
        proposal = design.next(view, surrogate, Listed())
        if proposal is not None:
            graph = view.domain.graph(proposal.arch)
            view.history.append(Evaluation(Candidate(number, proposal.arch, graph.hash, 0)))
        result.append(proposal)
    return result


def test_coverage_and_prior_take_turns(view):
    proposals = drawn(InitialDesign(8), view, 4)
    assert [p.origin for p in proposals] == ["coverage", "prior", "coverage", "prior"]
    graphs = [view.domain.graph(arch) for arch in view.domain.members]
    scores = ToyScorer().predict(graphs)
    assert proposals[1].mean == pytest.approx(scores.max())


def test_a_design_ends_and_repeats_no_network(view):
    proposals = drawn(InitialDesign(4), view, 12)
    made = [p for p in proposals if p is not None]
    assert 4 <= len(made) <= 8
    assert proposals[-1] is None
    assert len({view.domain.graph(p.arch).hash for p in made}) == len(made)


def test_random_networks_need_no_design(view):
    assert drawn(InitialDesign(8, chosen=False), view, 1) == [None]


@pytest.mark.parametrize(("objectives", "size"), [((), 10), (("accuracy", "macs:min"), 5)])
def test_several_objectives_have_half_as_many(view, objectives, size):
    problem = Problem.make(objectives, ())
    assert InitialDesign(10).size(View(0, 0, view.domain, problem, History(), np.array([]))) == size
