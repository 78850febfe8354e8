"""Contributions add up and are Shapley values; comparisons and single changes as a user asks for them."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from predict_test_networks import bottlenecks, chain

from cg_ir import CgError, GraphBuilder
from cg_ir.bypass import bypass, bypasses
from cg_predict import Predictor, probability_better
from cg_predict.around import Narrower
from cg_predict.explain import explain, explain_narrower, explain_parts


class Toy:
    """A score that is no sum over operators: the logarithm of parameters times depth."""

    name = "toy"

    def predict(self, graphs, return_std=False):
        score = np.log([g.params * g.depth for g in graphs])
        return (score, np.full(len(graphs), 0.5)) if return_std else score


def test_few_regions_get_their_shapley_values():
    graph = chain(4)
    parts, toy = bypasses(graph), Toy()
    expected = np.zeros(4)
    for order in permutations(range(4)):
        gone = []
        for i in order:
            before = toy.predict([bypass(graph, [parts[j] for j in gone])])[0]
            gone.append(i)
            expected[i] += (before - toy.predict([bypass(graph, [parts[j] for j in gone])])[0]) / 24
    found = explain(toy, graph)
    np.testing.assert_allclose(found.contributions, expected, atol=1e-12)
    assert (found.errors == 0).all()


@pytest.mark.parametrize("blocks", [3, 8, 11])
def test_contributions_add_up_to_the_score(blocks):
    graph = chain(blocks)
    for scorer in (Toy(), Predictor(warn=False)):
        found = explain(scorer, graph)
        assert len(found.regions) == blocks
        assert found.rest + found.contributions.sum() == pytest.approx(found.score, abs=1e-9)
        assert found.score == pytest.approx(float(scorer.predict([graph])[0]))


def test_a_predictor_explains_itself_in_the_pool_that_it_was_fitted_in(family):
    graphs, labels = family
    predictor = Predictor(warn=False).fit(graphs[:12], labels[:12], pool=graphs)
    found = predictor.explain(chain(4))
    assert found.contributions.tolist() == explain(predictor, chain(4), pool=graphs).contributions.tolist()
    assert found.contributions.sum() + found.rest == pytest.approx(
        predictor.predict([chain(4)], pool=graphs)[0], abs=1e-6
    )


def test_drawn_orders_come_near_the_exact_values(monkeypatch):
    graph = chain(6)
    exact = explain(Toy(), graph)
    monkeypatch.setattr("cg_predict.explain._EXACT", 0)
    drawn = explain(Toy(), graph)
    assert (np.abs(drawn.contributions - exact.contributions) <= 4 * drawn.errors + 1e-9).all()
    again = explain(Toy(), graph)
    assert (again.contributions == drawn.contributions).all()


def test_regions_that_stand_in_for_each_other_matter_together():
    """One of three matters as long as another is there: alone each contributes little, together they are what matters."""

    class Spare:
        name = "spare"

        def predict(self, graphs, return_std=False):
            return np.array(
                [float(any(f"block_{i}" in {n.region for n in g.nodes} for i in (0, 2, 4))) for g in graphs]
            )

    for blocks in (7, 10):  # all subsets; one after the other
        found = explain(Spare(), chain(blocks))
        assert found.together == ("block_0", "block_2", "block_4")[: len(found.together)]
        assert found.fall == 1
        assert found.contributions.max() < 0.5


def test_a_network_that_ignores_its_input_is_the_worst():
    """The score of the toy grows with depth, also behind a product with zero."""

    def network(gone):
        b = GraphBuilder("edges")
        x = b.add("Conv", b.input((1, 3, 8, 8)), channels=4, kernel_shape=(1, 1))
        for i in range(3):
            if i in gone:
                x = b.add("Mul", x, b.add("Constant", value=(0.0,), shape=()))
                for _ in range(4):
                    x = b.add("Sigmoid", x)
            else:
                x = b.add("Relu", x)
        b.output(x)
        return b.build()

    assert Toy().predict([network([0])])[0] > Toy().predict([network([])])[0]
    found = explain_parts(Toy(), ["a", "b", "c"], network)
    assert (found.contributions > 0).all()
    assert found.rest + found.contributions.sum() == pytest.approx(found.score, abs=1e-9)
    assert found.fall > 0


def test_networks_without_regions_are_refused(family):
    with pytest.raises(CgError, match="no region"):
        explain(Toy(), family[0][0])


def test_narrower_regions_keep_their_results_and_add_up():
    pytest.importorskip("cg_evolve")
    graph = bottlenecks(3)
    assert len(bypasses(graph)) == 4
    networks = Narrower(graph)
    assert networks.regions == ("block_0", "block_1", "block_2")
    made = networks.without([1])
    widths = [node.shape[1] for node in made.nodes if node.op == "Conv"]
    assert widths == [8, 16, 8, 8, 8, 16, 8, 8]
    assert networks.without([]).hash == graph.hash
    toy = Toy()
    found = explain_narrower(toy, graph)
    half = toy.predict([networks.without([0, 1, 2])])[0]
    assert found.rest == pytest.approx(half)
    assert found.rest + found.contributions.sum() == pytest.approx(float(toy.predict([graph])[0]), abs=1e-9)
    # blocks are alike, so each has a third of the difference
    np.testing.assert_allclose(found.contributions, (found.score - half) / 3, atol=1e-9)
    with pytest.raises(CgError, match="width"):
        explain_narrower(toy, chain(3))


def test_probabilities():
    small, large = chain(2), chain(8)
    assert probability_better(Toy(), large, small) > 0.9
    assert probability_better(Toy(), small, large) == pytest.approx(1 - probability_better(Toy(), large, small))
    assert probability_better(Toy(), small, small) == 0.5
