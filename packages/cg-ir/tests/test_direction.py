"""Whether more or less of a metric is better, by its name."""

import pytest

from cg_ir.direction import less_is_better


@pytest.mark.parametrize(
    "metric", ["loss", "val_loss", "Top1-Error", "perplexity", "test.RMSE", "latency@pixel3", "err"]
)
def test_losses_errors_and_latencies(metric):
    assert less_is_better(metric)


@pytest.mark.parametrize("metric", ["accuracy", "acc", "glossiness", "terror", "auc", "valid", "worth", "top1", ""])
def test_what_merely_contains_such_a_word_is_none(metric):
    assert not less_is_better(metric)
