"""The published schema, the reader and the documentation say the same."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from operator_samples import SAMPLES
from strategies import graphs

from cg_ir import GraphError, from_json
from cg_ir.operators import OPERATORS
from cg_ir.schema import build_schema, published_schema

SCHEMA = published_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
TOOL = Path(__file__).resolve().parents[3] / "tools" / "format_files.py"


def accepted(document):
    try:
        from_json(document)
    except GraphError:
        return False
    return True


def test_the_published_schema_follows_from_the_table():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert build_schema() == SCHEMA


@pytest.mark.skipif(not TOOL.exists(), reason="needs the repository")
def test_the_files_from_the_table_are_up_to_date():
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('format_files', {str(TOOL)!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "stale = [str(p) for p, text in module.files().items() if p.read_text(encoding='utf-8') != text]\n"
        "sys.exit(f'out of date, run tools/format_files.py: {stale}' if stale else 0)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_samples_of_every_operator_are_valid(op):
    used = [s for s in SAMPLES if s.op == op or (op == "Select" and s.select)]
    assert used
    for sample in used:
        document = sample.graph().to_dict()
        VALIDATOR.validate(document)
        assert accepted(document)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs())
def test_generated_graphs_are_valid(graph):
    VALIDATOR.validate(graph.to_dict())


VALUES = st.sampled_from(
    [
        None,
        True,
        0,
        1,
        -1,
        3,
        2**31,
        2**53 + 1,
        1.5,
        "",
        "x",
        "Relu",
        [],
        [1],
        [1, 1],
        [0],
        ["a"],
        [[1]],
        {},
        {"a": 1},
        [None],
    ]
)
FIELDS = ("op", "inputs", "attrs", "shape", "region", "weights", "cg_ir", "opset", "nodes", "name", "extras", "more")
ATTRIBUTES = {name for operator in OPERATORS.values() for name in operator.attributes}
KEYS = st.sampled_from(sorted({*FIELDS, *ATTRIBUTES}))


@st.composite
def mutated(draw):
    """A valid document with a few places changed."""
    document = copy.deepcopy(draw(st.sampled_from(SAMPLES)).graph().to_dict())
    for _ in range(draw(st.integers(1, 3))):
        here = document
        for _ in range(draw(st.integers(0, 4))):
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            inner = [k for k in keys if isinstance(here[k], (dict, list)) and here[k]]
            if not inner:
                break
            here = here[draw(st.sampled_from(inner))]
        if isinstance(here, dict):
            key = draw(st.one_of(KEYS, st.sampled_from(sorted(here)) if here else KEYS))
            if draw(st.booleans()) and key in here:
                del here[key]
            else:
                here[key] = copy.deepcopy(draw(VALUES))
        elif here:
            here[draw(st.integers(0, len(here) - 1))] = copy.deepcopy(draw(VALUES))
    return document


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_what_the_schema_rejects_the_reader_rejects(document):
    if not VALIDATOR.is_valid(document) and accepted(document):
        (error, *_) = VALIDATOR.iter_errors(document)
        raise AssertionError(f"the reader accepts what the schema rejects: {error.message}\n{json.dumps(document)}")


def test_the_schema_catches_most_of_what_the_reader_does():
    """It is worth publishing: typical slips are found by any JSON Schema tool."""
    base = SAMPLES[5].graph().to_dict()
    slips = [
        lambda d: d["nodes"][1].__setitem__("op", "Convolution"),
        lambda d: d["nodes"][1].__setitem__("input", [0]),
        lambda d: d["nodes"][1].pop("shape"),
        lambda d: d["nodes"].pop(),
        lambda d: d.pop("cg_ir"),
        lambda d: d["nodes"][0].__setitem__("shape", [0]),
    ]
    for slip in slips:
        document = copy.deepcopy(base)
        slip(document)
        assert not VALIDATOR.is_valid(document)
        assert not accepted(document)
