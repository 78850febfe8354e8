"""Elements of constants, computed where they decide what an operator is, and what masks hide."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402
from torch_programs import computes, normal, operators, wrap  # noqa: E402

from cg_frontends.lowering.tape import CONSTANT, TRACED, WEIGHT, Value  # noqa: E402
from cg_frontends.pytorch import from_module  # noqa: E402
from cg_frontends.pytorch.constants import elements, mask_kind  # noqa: E402
from cg_frontends.pytorch.devices import known_devices  # noqa: E402
from cg_frontends.pytorch.recorder import Recorder  # noqa: E402


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


def recorded(make, buffer=None):
    """The value of a constant that a program makes on meta."""
    recorder = Recorder(lambda name: True)
    with torch.inference_mode(), known_devices(), torch.device("meta"), recorder:
        tensor = make() if buffer is None else make(buffer)
        return recorder._value(tensor)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.arange(12).view(3, 4)[1:, ::2].t(),
        lambda: torch.full((3, 3), float("-inf")).triu(1),
        lambda: torch.linspace(0, 1, 5).outer(torch.arange(3.0)).exp().cumsum(0),
        lambda: torch.zeros(4).masked_fill(torch.arange(4) > 1, 3.0),
        lambda: torch.arange(6).flip(0).topk(2)[1],
        lambda: torch.stack(torch.arange(6).split(2)).sum(0),
        lambda: torch.meshgrid(torch.arange(2), torch.arange(3), indexing="ij")[1],
        lambda: torch.ones(2, 2, dtype=torch.bool).tril() & ~torch.eye(2, dtype=torch.bool),
        lambda: torch.arange(3).to(torch.float16) * torch.full((3,), 0.5, dtype=torch.float16),
        lambda: torch.tensor([1, 2, 3]) + torch.arange(3),
        lambda: torch.einsum("i,j->ij", torch.arange(2.0), torch.arange(3.0)),
        lambda: torch.full((2,), 7),
    ],
)
def test_elements_are_those_that_the_program_would_have_had(make):
    value = recorded(make)
    assert value.kind == CONSTANT
    wanted, found = make(), elements(value)
    assert found.dtype == wanted.dtype
    assert torch.equal(found, wanted)
    assert elements(value) is found, "computed once"


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.rand(3) + 1,
        lambda: torch.randn_like(torch.zeros(3)).bernoulli(),
        lambda: torch.stack([torch.zeros(2), torch.randint(0, 3, (2,)).exp()]),
        lambda: torch.poisson(torch.ones(3)),
        lambda: torch.dropout(torch.ones(3), 0.5, True),
        lambda: torch.zeros(3).uniform_() + 1,
        lambda: torch.empty_strided((2, 3), (3, 1)) * 2,
    ],
)
def test_what_was_drawn_or_lies_in_memory_has_no_known_elements(make):
    assert elements(recorded(make)) is None


def test_what_the_program_has_yet_to_write_is_zero():
    assert elements(recorded(lambda: torch.empty(3).cos())).tolist() == [1.0] * 3
    assert elements(recorded(lambda: torch.zeros(3, dtype=torch.int8).new_empty(2))).tolist() == [0, 0]


def test_buffers_on_meta_have_no_known_elements():
    assert elements(recorded(lambda b: b.view(-1) + 1, torch.zeros(2, 2, device="meta"))) is None
    assert elements(recorded(lambda b: b.view(-1) + 1, torch.ones(2, 2))).tolist() == [2.0] * 4


def test_large_constants_are_not_computed():
    assert elements(recorded(lambda: torch.arange(2**24).view(2, -1))) is not None
    assert elements(recorded(lambda: torch.arange(2**24 + 1))) is None


def test_what_depends_on_parameters_or_inputs_has_no_known_elements():
    for kind in (WEIGHT, TRACED):
        assert elements(Value(kind, (2,), "float32", fill=1.0)) is None


QUERIES, KEYS = 3, 5
BEFORE = torch.arange(KEYS) <= torch.arange(QUERIES)[:, None]


@pytest.mark.parametrize(
    ("mask", "kind"),
    [
        (BEFORE, "causal"),
        (BEFORE.expand(2, 1, -1, -1), "causal"),
        (torch.zeros(QUERIES, KEYS).masked_fill(~BEFORE, -1e4), "causal"),
        (torch.zeros(QUERIES, KEYS).masked_fill(~BEFORE, -9e3), "other"),
        (torch.zeros(QUERIES, KEYS).masked_fill(~BEFORE, float("-inf")) + 0.5, "other"),
        (~BEFORE, "other"),
        (torch.stack([BEFORE, ~BEFORE]), "other"),
        (torch.stack([BEFORE, BEFORE | True]), "other"),
        (BEFORE.flip(0, 1), "other"),  # aligned at the last key, not the first
        (BEFORE[:1], "other"),  # hides all but the first key from every query
        (BEFORE[:, :1], "none"),
        (BEFORE[0], "other"),
        (torch.ones(KEYS, dtype=torch.bool), "none"),
        (torch.zeros(QUERIES, KEYS), "none"),
        (torch.zeros(QUERIES, KEYS, dtype=torch.bool), "other"),
        (torch.full((QUERIES, KEYS), float("nan")), "other"),
    ],
)
def test_kinds_of_masks(mask, kind):
    value = Value(CONSTANT, tuple(mask.shape), str(mask.dtype)[6:], data=mask)
    assert mask_kind(value, (QUERIES, KEYS)) == kind
    if kind != "other":  # attention says the same
        q, k = normal(2, 1, QUERIES, 4), normal(2, 1, KEYS, 4, seed=1)
        wanted = F.scaled_dot_product_attention(q, k, k, mask if mask.ndim > 1 else mask[None])
        found = F.scaled_dot_product_attention(q, k, k, is_causal=kind == "causal")
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(
    ("fill", "dtype", "kind"),
    [
        (1.0, "bool", "none"), (0.0, "bool", "other"), (0.0, "float32", "none"), (1.0, "float32", "other"),
        (float("-inf"), "float32", "other"),
    ],
)  # fmt: skip
def test_kinds_of_filled_masks(fill, dtype, kind):
    assert mask_kind(Value(CONSTANT, (QUERIES, KEYS), dtype, fill=fill), (QUERIES, KEYS)) == kind


def test_a_mask_that_broadcasts_over_queries_is_not_causal():
    x = normal(1, 2, 5, 8)
    graph = computes(lambda x: F.scaled_dot_product_attention(x, x, x, torch.arange(5)[None] < 1), x)
    assert not any(node.attrs.get("is_causal") for node in graph.nodes)
