"""Elements of constants where they decide what an operator is: masks."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402
from torch_programs import operators, wrap  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402


@pytest.mark.parametrize(
    ("mask", "causal"),
    [
        (lambda n: torch.ones(n, n, dtype=torch.bool).tril(), True),
        (lambda n: torch.arange(n)[None] <= torch.arange(n)[:, None], True),
        (lambda n: torch.full((n, n), float("-inf")).triu(1), True),
        (lambda n: torch.zeros(n, n), False),
    ],
)
@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_masks_that_say_what_an_attribute_says(mask, causal, device):
    def masked(self, x):
        with torch.device(device):
            return F.scaled_dot_product_attention(x, x, x, mask(x.shape[-2]))

    x = torch.zeros(1, 2, 5, 8)
    graph = from_module(wrap(masked), x)
    assert (
        graph.hash
        == from_module(wrap(lambda self, x: F.scaled_dot_product_attention(x, x, x, is_causal=causal)), x).hash
    )


def test_other_masks_are_inputs():
    def masked(self, x):
        return F.scaled_dot_product_attention(x, x, x, torch.ones(5, 5, dtype=torch.bool).tril(-1))

    assert operators(from_module(wrap(masked), torch.zeros(1, 2, 5, 8))) == ["Input", "Constant", "Attention", "Output"]
