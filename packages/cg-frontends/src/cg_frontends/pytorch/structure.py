"""Tensors inside nested arguments and results: tuples, lists, mappings, dataclasses."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from torch import Tensor


def tensors_of(tree: Any) -> Iterator[Tensor]:
    """The tensors of a nested structure in order; other leaves are passed over, ``None`` too."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, Mapping):
        for item in tree.values():
            yield from tensors_of(item)
    elif isinstance(tree, (list, tuple)):
        for item in tree:
            yield from tensors_of(item)
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        for field in dataclasses.fields(tree):
            yield from tensors_of(getattr(tree, field.name))


def map_tensors(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same structure with every tensor replaced by ``change(tensor)``."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, Mapping):
        made = copy.copy(tree) if isinstance(tree, MutableMapping) else {}
        for key, item in tree.items():
            made[key] = map_tensors(item, change)
        return made
    if isinstance(tree, tuple):
        items = [map_tensors(item, change) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)
    if isinstance(tree, list):
        return [map_tensors(item, change) for item in tree]
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return dataclasses.replace(
            tree, **{f.name: map_tensors(getattr(tree, f.name), change) for f in dataclasses.fields(tree) if f.init}
        )
    return tree
