"""Language models one step further: some tokens after a past that lies in the cache of keys and values."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from cg_ir import SourceError


class Decoding(nn.Module):
    """A language model of the transformers library, called with tokens and, for each layer, the keys and values of the past.

    With ``past`` 0 it is the prefill of a prompt. Returns the logits.

    Args:
        model: a causal language model.
        tokens: how many are given at once.
        past: how many are in the cache.

    Raises:
        SourceError: the model's configuration does not say how large its cache is, or transformers is not installed.

    >>> from cg_frontends.pytorch import Decoding, from_module  # doctest: +SKIP
    >>> step = Decoding(model, tokens=1, past=2048)  # doctest: +SKIP
    >>> from_module(step, *step.example_inputs()).macs  # doctest: +SKIP
    """

    def __init__(self, model: nn.Module, tokens: int = 1, past: int = 0) -> None:
        super().__init__()
        if tokens < 1 or past < 0:
            raise SourceError(f"tokens should be at least 1 and past at least 0, not {tokens} and {past}")
        self.model, self.tokens, self.past = model, tokens, past
        config: Any = getattr(model, "config", None)
        config = config.get_text_config() if hasattr(config, "get_text_config") else config
        layers, heads, width = (
            getattr(config, key, None) for key in ("num_hidden_layers", "num_attention_heads", "hidden_size")
        )
        if not (isinstance(layers, int) and isinstance(heads, int) and isinstance(width, int)):
            raise SourceError(
                f"{type(model).__name__}: no language model of transformers: its config does not say num_hidden_layers, "
                "num_attention_heads and hidden_size"
            )
        self.layers = layers
        one = getattr(config, "multi_query", False) and not getattr(
            config, "new_decoder_architecture", False
        )  # Falcon 7B
        self.heads = 1 if one else getattr(config, "num_key_value_heads", None) or heads
        self.head_size = getattr(config, "head_dim", None) or width // heads

    def example_inputs(self) -> tuple[Tensor, ...]:
        """Tokens (1, tokens) and the keys and values (1, heads, past, head size) of each layer, without elements."""
        shape = (1, self.heads, self.past, self.head_size)
        cache = [torch.empty(shape, device="meta") for _ in range(2 * self.layers)] if self.past else []
        return (torch.zeros((1, self.tokens), dtype=torch.int64, device="meta"), *cache)

    def forward(self, ids: Tensor, *cache: Tensor) -> Tensor:
        """The logits of the tokens."""
        try:
            from transformers import DynamicCache
        except ImportError:
            raise SourceError("decoding needs the transformers library, whose cache it fills") from None
        given: dict[str, Any] = {"use_cache": False}
        if cache:
            past = DynamicCache()
            for layer in range(self.layers):
                past.update(cache[2 * layer], cache[2 * layer + 1], layer)
            given = {"use_cache": True, "past_key_values": past}
        result = self.model(ids, **given)
        logits: Tensor = result.logits if hasattr(result, "logits") else result[0]
        return logits
