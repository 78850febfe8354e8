"""Whether more or less of a metric is better."""

from __future__ import annotations

import re

__all__ = ["less_is_better"]

_LOWER = {"latency", "loss", "error", "err", "perplexity", "ppl", "nll", "mse", "rmse", "mae", "wer", "cer", "fid"}


def less_is_better(metric: str) -> bool:
    """Whether a word in a metric's name says that it is a loss, an error or a latency: ``val_loss``, ``top1-error``."""
    return not _LOWER.isdisjoint(re.findall("[a-z]+", metric.lower()))
