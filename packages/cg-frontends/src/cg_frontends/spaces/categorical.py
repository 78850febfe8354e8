"""What spaces have in common whose architectures are a fixed number of independent choices."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


class CategoricalSpace(ABC):
    """A product of finite sets.

    Attributes:
        choices: the values of each gene.
    """

    choices: Sequence[Sequence[Any]]

    @abstractmethod
    def parse(self, arch: Any) -> tuple[Any, ...]:
        """The genes of an architecture, or ``ArchError``."""

    @abstractmethod
    def format(self, genes: Sequence[Any]) -> str:
        """The architecture string of genes."""

    def canonical(self, arch: Any) -> str:
        """The space's own notation of an architecture in any notation that ``parse`` reads."""
        return self.format(self.parse(arch))

    def sample(self, rng: np.random.Generator) -> str:
        """Each gene uniformly at random."""
        return self.format([values[int(rng.integers(len(values)))] for values in self.choices])

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """Another value of one random gene."""
        genes = list(self.parse(arch))
        place = int(rng.integers(len(genes)))
        values = self.choices[place]
        step = int(rng.integers(1, len(values)))
        genes[place] = values[(values.index(genes[place]) + step) % len(values)]
        return self.format(genes)

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """Each gene from either parent."""
        first, second = self.parse(a), self.parse(b)
        other = rng.integers(2, size=len(first)).tolist()
        return self.format([y if o else x for x, y, o in zip(first, second, other, strict=True)])

    def neighbors(self, arch: str) -> list[str]:
        """All architectures that differ in one gene."""
        genes = self.parse(arch)
        return [
            self.format((*genes[:i], value, *genes[i + 1 :]))
            for i, values in enumerate(self.choices)
            for value in values
            if value != genes[i]
        ]

    def enumerate(self) -> Iterator[str]:
        """All architectures."""
        return (self.format(genes) for genes in itertools.product(*self.choices))
