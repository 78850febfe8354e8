"""Which operators share parameters, and how many parameters no operator uses."""

from __future__ import annotations

from collections import defaultdict
from math import prod
from typing import Any

from cg_frontends.lowering.lowering import Spec
from cg_frontends.lowering.tape import Value

Signature = tuple[Any, ...]


class Sharing:
    """Finds which nodes own the same parameters.

    Attributes:
        counted: number of distinct scalars that nodes own.
        nodes: those of parameters that were split off, by key and shape, for the assembly.
    """

    def __init__(self, specs: list[Spec]) -> None:
        self._names: dict[Signature, str] = {}
        self._owners: dict[Signature, list[Signature]] = defaultdict(list)
        self._slots: dict[int, tuple[Signature, ...]] = {}
        self.counted = 0
        self.nodes: dict[tuple[str | None, tuple[int, ...]], int] = {}
        for index, spec in enumerate(specs):
            if spec.slots:
                signatures = tuple(self._signature(slot) for slot in spec.slots)
                sizes = [prod(slot.held) for slot in spec.slots]
                if len(sizes) > 1 and not _separable(spec):
                    self._names.setdefault(signatures, self._names[signatures[0]])
                    signatures, sizes = (signatures,), [sum(sizes)]
                self._slots[index] = signatures
                for signature, size in zip(signatures, sizes, strict=True):
                    if signature not in self._owners:
                        self.counted += size
                    self._owners[signature].append(signatures)

    def split(self, index: int) -> bool:
        """Whether a node shares some but not all of its parameters with others, so that each must be a node of its own."""
        mine = self._slots[index]
        return any(other != mine for signature in mine for other in self._owners[signature])

    def key(self, index: int, slot: int | None = None) -> str | None:
        """The key under which a node (or one of its slots) shares its parameters; ``None`` if it shares none."""
        signatures = self._slots[index]
        signature = signatures[slot or 0]
        return self._names[signature] if len(self._owners[signature]) > 1 else None

    def _signature(self, value: Value) -> Signature:
        if value.place is None or value.leaf is None:
            signature: Signature = ("computed", id(value))
            self._names.setdefault(signature, f"computed.{len(self._names)}")
            return signature
        offset, sizes, strides = value.place
        if _dense(sizes, strides):
            numel = prod(sizes)
            signature = (id(value.leaf), offset, numel)
            part = "" if numel == value.leaf.numel else f"[{offset}:{offset + numel}]"
        else:
            signature = (id(value.leaf), offset, sizes, strides)
            part = f"[{offset}:{'x'.join(map(str, sizes))}:{'x'.join(map(str, strides))}]"
        self._names.setdefault(signature, value.leaf.name + part)
        return signature


def _separable(spec: Spec) -> bool:
    """Whether a node can leave some of its parameters to nodes of their own; recurrent layers and unknown operators share all or none."""
    return spec.op in ("Gemm", "Conv", "ConvTranspose") or "affine" in spec.attrs or spec.op.endswith("Normalization")


def _dense(sizes: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether a view covers a gapless range of its parameter, in whatever order."""
    expected = 1
    for stride, size in sorted((stride, size) for size, stride in zip(sizes, strides, strict=True) if size != 1):
        if stride != expected:
            return False
        expected *= size
    return True
