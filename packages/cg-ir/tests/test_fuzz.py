"""Mutated documents end in a graph or in the library's own error."""

from __future__ import annotations

import contextlib
import random
import xml.etree.ElementTree as ElementTree

import pytest
from broken_documents import mutants, survives
from operator_samples import SAMPLES

from cg_ir import CgError, diff, equal, from_json, to_dot, to_source, to_svg


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mutated_documents(seed):
    results = [survives(d) for d in mutants([s.graph() for s in SAMPLES], 1500, random.Random(seed))]
    assert 30 < sum(results) < 1400  # many are broken, and not all


def test_graphs_that_were_read_have_drawings_and_canonical_forms():
    """What passes the reader is good enough for everything that follows."""
    count = 0
    for document in mutants([s.graph() for s in SAMPLES], 1500, random.Random(4)):
        try:
            graph = from_json(document)
        except CgError:
            continue
        canonical = graph.canonicalize()
        assert canonical.canonicalize().hash == canonical.hash
        assert canonical.params <= graph.params
        ElementTree.fromstring(to_svg(graph))
        to_dot(graph)
        assert diff(graph, canonical).equal == equal(graph, canonical)
        assert graph.simplify().hash.startswith("cg1:")
        with contextlib.suppress(CgError):
            compile(to_source(graph).text, "generated", "exec")
        count += 1
    assert count > 30
