"""Language models of transformers with a cache of keys and values: costs worked out by hand."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
from click.testing import CliRunner  # noqa: E402
from torch import nn  # noqa: E402

from cg_frontends.pytorch import Decoding, from_module  # noqa: E402
from cg_ir import SourceError  # noqa: E402
from cg_ir.cli import cg  # noqa: E402

MODEL = """
from transformers import LlamaConfig, LlamaForCausalLM

sizes = dict(hidden_size=512, intermediate_size=1024, num_hidden_layers=2, num_attention_heads=8, num_key_value_heads=2, vocab_size=1000)


def model():
    return LlamaForCausalLM(LlamaConfig(**sizes))
"""
#: Of one token: query and output, key and value, gate, up and down, in two layers; and the head.
WEIGHTS = 2 * (2 * 512 * 512 + 2 * 512 * 128 + 3 * 512 * 1024) + 512 * 1000


@pytest.fixture
def source(tmp_path):
    pytest.importorskip("transformers")
    (tmp_path / "llm.py").write_text(MODEL)
    return f"{tmp_path}/llm.py:model"


@pytest.mark.parametrize(("tokens", "past"), [(1, 2048), (16, 0), (4, 100)])
def test_what_tokens_cost(source, tokens, past):
    result = CliRunner().invoke(cg, ["info", source, "--tokens", str(tokens), "--past", str(past), "--json"])
    assert result.exit_code == 0, result.output
    attention = 2 * 8 * tokens * (tokens + past) * 2 * 64
    assert json.loads(result.stdout)["macs"] == tokens * WEIGHTS + attention


def test_what_is_no_language_model():
    with pytest.raises(SourceError, match="Linear: no language model of transformers"):
        Decoding(nn.Linear(2, 2))
    with pytest.raises(SourceError, match="tokens should be at least 1"):
        Decoding(nn.Linear(2, 2), 0)


def test_a_step_is_verified(source, tmp_path):
    namespace: dict = {}
    exec(compile(MODEL, "llm.py", "exec"), namespace)
    step = Decoding(namespace["model"](), tokens=3, past=5)
    from_module(step, *step.example_inputs(), verify=True)
