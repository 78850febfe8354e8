"""Tensors inside nested arguments: found in order, and replaced in structures of the same types."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, UserDict, defaultdict, namedtuple
from types import MappingProxyType
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from cg_frontends.pytorch import from_module  # noqa: E402
from cg_frontends.pytorch.structure import map_tensors, tensors_of  # noqa: E402

Pair = namedtuple("Pair", "first second")


@dataclasses.dataclass(frozen=True)
class Output:
    logits: Any
    states: Any = None


class Attributed(OrderedDict):
    """A dictionary whose items are attributes and that indices read by position, as libraries of models return."""

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else tuple(self.values())[key]


A, B, C = (torch.full((2,), float(i)) for i in range(3))
TREES = {
    "tensor": (A, [A]),
    "tuple and list": ((A, [B, None], 3), [A, B]),
    "named tuple": (Pair([C], Pair(A, "text")), [C, A]),
    "dictionary": ({"b": B, "a": [A]}, [B, A]),
    "ordered dictionary": (OrderedDict(b=B, a=A), [B, A]),
    "default dictionary": (defaultdict(list, a=[A]), [A]),
    "dictionary with attributes": (Attributed(a=A, b=(B,)), [A, B]),
    "mapping": (UserDict(a=A, b=[B]), [A, B]),
    "data class": (Output(A, {"k": (B, C)}), [A, B, C]),
    "nothing": (None, []),
    "a class of data": (Output, []),
}


@pytest.mark.parametrize("name", TREES)
def test_tensors_are_found_in_order_and_replaced_in_the_same_structure(name: str) -> None:
    tree, tensors = TREES[name]
    assert [id(t) for t in tensors_of(tree)] == [id(t) for t in tensors]
    changed = map_tensors(tree, lambda t: t + 10)
    assert type(changed) is type(tree)
    assert [t.tolist() for t in tensors_of(changed)] == [(t + 10).tolist() for t in tensors]
    assert [id(t) for t in tensors_of(tree)] == [id(t) for t in tensors], "the given structure is left as it was"
    assert repr(map_tensors(tree, lambda t: t)) == repr(tree)


def test_a_dictionary_with_attributes_stays_one() -> None:
    changed = map_tensors(Attributed(a=A, b=B), lambda t: t + 10)
    assert torch.equal(changed.b, changed[1])
    assert torch.equal(changed.b, B + 10)


def test_a_mapping_that_cannot_be_changed_becomes_a_dictionary() -> None:
    assert map_tensors(MappingProxyType({"a": A, "b": 2}), lambda t: 1) == {"a": 1, "b": 2}


def test_modules_get_the_structures_that_they_are_given() -> None:
    class Decoder(torch.nn.Module):
        def forward(self, encoded: Any, *, given: Any) -> Any:
            return encoded[0] + encoded.mask, given["x"] * 2

    graph = from_module(
        Decoder(), Attributed(hidden=torch.zeros(3, 4), mask=torch.zeros(3, 4)), given=UserDict(x=torch.zeros(3, 2))
    )
    assert [n.shape for n in graph.nodes if n.op == "Input"] == [(1, 4), (1, 4), (1, 2)]
