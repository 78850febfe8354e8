"""Language models of transformers in the sizes in which they were published: parameters, and MACs of a prompt and of one token after it.

    python language_models.py run -o language_models.jsonl       # appends, and skips what the file already has

Everything is built on the meta device; `memory` is the most that the process has held so far, with torch and transformers.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from typing import Any

import torch
from rows import command_line, write
from zoo import build_on_meta, one_line, prepare

from cg_frontends.pytorch import Decoding, from_module
from cg_ir.experts import experts_of

#: Tokens of the prompt; one more follows.
PROMPT = 2048


def sizes(
    hidden: int, inside: int, layers: int, heads: int, shared: int | None = None, words: int = 32000, **further: Any
) -> dict[str, Any]:
    """Arguments of a configuration as most classes call them."""
    return {
        "hidden_size": hidden, "intermediate_size": inside, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": shared or heads, "vocab_size": words, **further,
    }  # fmt: skip


#: What it is called, the class of its configuration, and its sizes; defaults of the class where none are given.
CONFIGURATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "GPT-2": ("GPT2", {}),
    "GPT-2 XL": ("GPT2", {"n_embd": 1600, "n_layer": 48, "n_head": 25}),
    "OPT 6.7B": (
        "OPT",
        {
            "hidden_size": 4096,
            "word_embed_proj_dim": 4096,
            "ffn_dim": 16384,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
        },
    ),
    "OPT 66B": (
        "OPT",
        {
            "hidden_size": 9216,
            "word_embed_proj_dim": 9216,
            "ffn_dim": 36864,
            "num_hidden_layers": 64,
            "num_attention_heads": 72,
        },
    ),
    "GPT-J 6B": ("GPTJ", {}),
    "GPT-NeoX 20B": ("GPTNeoX", {}),
    "BLOOM 7B": ("Bloom", {"hidden_size": 4096, "n_layer": 30, "n_head": 32}),
    "Falcon 7B": ("Falcon", {}),
    "Falcon 40B": (
        "Falcon",
        {
            "hidden_size": 8192,
            "num_hidden_layers": 60,
            "num_attention_heads": 128,
            "num_kv_heads": 8,
            "new_decoder_architecture": True,
        },
    ),
    "MPT 7B": ("Mpt", {"d_model": 4096, "n_heads": 32, "n_layers": 32, "max_seq_len": 4096}),
    "Llama 2 7B": ("Llama", {}),
    "Llama 2 13B": ("Llama", sizes(5120, 13824, 40, 40)),
    "Llama 2 70B": ("Llama", sizes(8192, 28672, 80, 64, 8)),
    "Llama 3 8B": ("Llama", sizes(4096, 14336, 32, 32, 8, 128256)),
    "Llama 3 70B": ("Llama", sizes(8192, 28672, 80, 64, 8, 128256)),
    "Mistral 7B": ("Mistral", {}),
    "Mixtral 8x7B": ("Mixtral", {}),
    "Qwen2 7B": ("Qwen2", sizes(3584, 18944, 28, 28, 4, 152064)),
    "Qwen2 72B": ("Qwen2", sizes(8192, 29568, 80, 64, 8, 152064)),
    "Qwen2 57B-A14B": (
        "Qwen2Moe",
        sizes(
            3584,
            18944,
            28,
            28,
            4,
            151936,
            moe_intermediate_size=2560,
            shared_expert_intermediate_size=20480,
            num_experts=64,
            num_experts_per_tok=8,
        ),
    ),
    "Qwen3 8B": ("Qwen3", sizes(4096, 12288, 36, 32, 8, 151936, head_dim=128)),
    "Qwen3 30B-A3B": (
        "Qwen3Moe",
        sizes(
            2048,
            6144,
            48,
            32,
            4,
            151936,
            head_dim=128,
            moe_intermediate_size=768,
            num_experts=128,
            num_experts_per_tok=8,
        ),
    ),
    "Gemma 2B": ("Gemma", sizes(2048, 16384, 18, 8, 1, 256000, head_dim=256)),
    "Gemma 2 9B": ("Gemma2", sizes(3584, 14336, 42, 16, 8, 256000, head_dim=256)),
    "Phi 2": ("Phi", sizes(2560, 10240, 32, 32, None, 51200)),
    "Phi 3 mini": ("Phi3", {}),
    "StableLM 3B": ("StableLm", {}),
    "Cohere Command R": ("Cohere", sizes(8192, 22528, 40, 64, 64, 256000)),
    "OLMo 7B": ("Olmo", {}),
    "OLMoE 1B-7B": ("Olmoe", {"intermediate_size": 1024}),
    "StarCoder2 3B": ("Starcoder2", {}),
    "Granite 8B": ("Granite", sizes(4096, 14336, 36, 32, 8, 49152)),
}


def examine(name: str) -> dict[str, Any]:
    """One row."""
    import transformers

    kind, options = CONFIGURATIONS[name]

    def build() -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        config = getattr(transformers, f"{kind}Config")(**options)
        head = "LMHeadModel" if kind == "GPT2" else "ForCausalLM"
        return getattr(transformers, kind + head)(config), (), {}

    model, _, _ = build_on_meta(build)
    counted = sum(p.numel() for p in model.parameters())
    start = time.perf_counter()
    prompt, step = Decoding(model, PROMPT, 0), Decoding(model, 1, PROMPT)
    first = from_module(prompt, *prompt.example_inputs(), name=name)
    token = from_module(step, *step.example_inputs(), name=name)
    seconds = time.perf_counter() - start
    costs = experts_of(token)
    return {
        "parameters": counted,
        "equal": all(g.params + g.extras.get("unused_parameters", 0) == counted for g in (first, token)),
        "active": token.params if costs is None else costs.active_params,
        "experts": None if costs is None else [*costs.active, *costs.experts],
        "prompt": first.macs,
        "token": token.macs,
        "custom": sorted({str(node.attrs["name"]) for g in (first, token) for node in g.nodes if node.op == "Custom"}),
        "seconds": seconds,
    }


def run(arguments: argparse.Namespace) -> None:
    """Examine every configuration; append a JSON line each."""
    done = prepare(arguments.output)
    with arguments.output.open("a") as file, torch.no_grad():
        for name in CONFIGURATIONS:
            if name in done:
                continue
            try:
                row = examine(name)
            except Exception as error:
                row = {"error": one_line(error)}
            row["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            write(file, {"name": name, **row})
            print(name, row, file=sys.stderr)


if __name__ == "__main__":
    command_line(__doc__, run)
