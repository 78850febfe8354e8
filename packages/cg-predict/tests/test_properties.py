"""The difference of two scores in words: every descriptor has a property, and shares add up."""

from __future__ import annotations

import pytest

from cg_ir import CgError
from cg_predict import Predictor
from cg_predict.features import descriptors
from cg_predict.properties import difference_by_property, nearest_known, property_of, property_values


def test_every_descriptor_belongs_to_a_property():
    names = {name: property_of(name) for name in descriptors().encoder.names}
    assert names["plain/share_depthwise"] == "depthwise convolutions"
    assert names["stages/stage2/mean_width"] == "width at stage 3"
    assert names["paths/flow/mean_conv1"] == "path flow"
    assert len(set(names.values())) == 18
    with pytest.raises(CgError, match="belongs to no property"):
        property_of("something/else")


@pytest.mark.parametrize("labels", [0, 20])
@pytest.mark.parametrize("pooled", [False, True])
def test_shares_add_up_to_the_difference(family, labels, pooled):
    graphs, values = family
    pool = graphs if pooled else None
    predictor = Predictor(warn=False)
    if labels:
        predictor.fit(graphs[:labels], values[:labels], pool=pool)
    a, b = graphs[30], graphs[31]
    shares = difference_by_property(predictor, a, b, pool=pool)
    one, two = predictor.predict([a, b], pool=pool)
    # to 1e-6 as far as single precision goes, in which a network among others rounds otherwise than alone
    assert sum(share.contribution for share in shares) == pytest.approx(one - two, abs=5e-6)
    assert {"parameters and MACs", "path flow"} <= {share.name for share in shares}
    assert ("the encoder's view" in {share.name for share in shares}) == bool(labels)
    assert [abs(s.contribution) for s in shares] == sorted((abs(s.contribution) for s in shares), reverse=True)
    back = {s.name: s.contribution for s in difference_by_property(predictor, b, a, pool=pool)}
    assert sum(back.values()) == pytest.approx(two - one, abs=5e-6)
    assert difference_by_property(predictor, a, a, pool=pool) == []


def test_numbers_are_those_of_the_network(family):
    graph = family[0][0]
    told = property_values(descriptors().encode([graph])[0])
    assert told["layers and depth"] == f"{graph.depth} operators deep"
    assert told["parameters and MACs"].startswith(f"{graph.params / 1e3:.3g}k")


def test_relatives_are_those_that_the_prior_names(family):
    graph = family[0][0]
    predictor = Predictor(warn=False)
    found = nearest_known(predictor, graph)
    assert [near.name for near in found] == predictor.knowledge.nearest(descriptors().encode([graph]))[0]
    assert all(near.family in predictor.sources for near in found)
    assert all(len(near.differs) <= 3 for near in found)
    assert nearest_known(Predictor(use_prior=False), graph) == []
