"""The networks that timm registers, as a listed space (Wightman, PyTorch Image Models, 2019)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from cg_frontends.spaces.options import read_integer
from cg_ir import ArchError, CgError, Graph, MissingExtra

_ARCH = re.compile(r"(?P<name>[A-Za-z0-9_]+)(?:@(?P<height>\d{1,4})(?:x(?P<width>\d{1,4}))?)?")
_FORM = "a name, and perhaps the resolution, such as resnet50@288"
_RESOLUTIONS = range(32, 2049)


class TimmModels:
    """The search space ``timm``: the networks of the installed timm, by name.

    An architecture is ``name@resolution``, such as ``resnet50@288``; without a resolution it is timm's own for the name. Networks are built
    by ``timm.create_model`` on the meta device, with random weights that are never drawn. Resolutions other than timm's own are for networks
    that take them; others are refused.

    Args:
        resolution: fix the resolution of all networks.
        classes: of the classifier.
        merged: whether branches that only training needs are merged, as they are before deployment (MobileOne, RepVGG); other networks stay.
    """

    name = "timm"
    family = "timm"

    def __init__(self, resolution: int | str | None = None, classes: int | str = 1000, merged: int | str = 0) -> None:
        self.resolution = (
            None if resolution is None else read_integer(self.name, "resolution", resolution, _RESOLUTIONS)
        )
        self.classes = read_integer(self.name, "classes", classes, range(1, 100_001))
        self.merged = bool(read_integer(self.name, "merged", merged, range(2)))
        self._graph = lru_cache(maxsize=4096)(self._build)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names that the installed timm registers.

        Raises:
            MissingExtra: timm is not installed.
        """
        return tuple(_timm().list_models())

    @property
    def size(self) -> int:
        """Number of names."""
        return len(self.names)

    # --- notation -----------------------------------------------------------------------------------------------------

    def parse(self, arch: Any) -> tuple[str, int, int]:
        """Name, height and width in pixels.

        Raises:
            ArchError: another form, or a name without resolution that timm does not know.
        """
        match = _ARCH.fullmatch(arch.strip()) if isinstance(arch, str) else None
        if match is None:
            raise ArchError(f"a timm network should be {_FORM}, not {arch!r:.80}")
        if match["height"] is None:
            return match["name"], *self._own(match["name"])
        height, width = int(match["height"]), int(match["width"] or match["height"])
        if not {height, width} <= set(_RESOLUTIONS):
            raise ArchError(f"timm: the resolution should lie between 32 and 2048 pixels, not {arch!r:.80}")
        if self.resolution is not None and (height, width) != (self.resolution,) * 2:
            raise ArchError(f"timm: the resolution is fixed to {self.resolution}; not {arch!r:.80}")
        return match["name"], height, width

    def format(self, name: str, height: int, width: int) -> str:
        """``name@resolution``, ``name@heightxwidth`` where it is not square."""
        return f"{name}@{height}" if height == width else f"{name}@{height}x{width}"

    def canonical(self, arch: Any) -> str:
        """The name with the resolution. Spelled so, it is read where timm is not installed, too."""
        return self.format(*self.parse(arch))

    def _own(self, name: str) -> tuple[int, int]:
        """The resolution that a name has without saying."""
        self._check(name)
        if self.resolution is not None:
            return self.resolution, self.resolution
        config = _timm().get_pretrained_cfg(name)
        _, height, width = (3, 224, 224) if config is None else config.input_size
        return height, width

    def _check(self, name: str) -> None:
        if name not in self._known:
            import difflib

            near = difflib.get_close_matches(name, self.names, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ArchError(f"timm {_timm().__version__} has no network {name!r:.60}{hint}")

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names)

    # --- the space ----------------------------------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> str:
        """A name uniformly at random, at its own resolution."""
        return self.canonical(self.names[int(rng.integers(self.size))])

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """A random neighbour."""
        options = self.neighbors(arch)
        return options[int(rng.integers(len(options)))]

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """One of the parents: published networks have no children."""
        return self.canonical((a, b)[int(rng.integers(2))])

    def neighbors(self, arch: str) -> list[str]:
        """The networks of the same module of timm, and those that stand next to it in the list of names."""
        name = self.parse(arch)[0]
        self._check(name)
        place = self.names.index(name)
        near = {*self._modules[self.module(name)], self.names[place - 1], self.names[(place + 1) % self.size]} - {name}
        return [self.canonical(other) for other in sorted(near)]

    def module(self, name: str) -> str:
        """The module of timm in which a network is defined: relatives stand in one.

        Raises:
            ArchError: there is no such network.
        """
        self._check(name)
        return str(_timm().model_entrypoint(name).__module__.rpartition(".")[2])

    @cached_property
    def _modules(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in self.names:
            found.setdefault(self.module(name), []).append(name)
        return found

    def enumerate(self) -> Iterator[str]:
        """All names, each at its own resolution."""
        return (self.canonical(name) for name in self.names)

    # --- networks -----------------------------------------------------------------------------------------------------

    def graph(self, arch: Any) -> Graph:
        """The network of a name.

        Raises:
            ArchError: see ``parse``, or the network does not take the resolution; MissingExtra: timm or torch is not installed.
        """
        return self._graph(*self.parse(arch))

    def _build(self, name: str, height: int, width: int) -> Graph:
        self._check(name)
        from cg_frontends.pytorch.sources import convert

        arch = self.format(name, height, width)
        arguments: dict[str, Any] = {"model_name": name, "num_classes": self.classes}
        config = _timm().get_pretrained_cfg(name)
        if config is not None and config.fixed_input_size and tuple(config.input_size[1:]) != (height, width):
            arguments["img_size"] = height if height == width else (height, width)
        try:
            made = _merged if self.merged else _timm().create_model
            return convert(made, inputs=f"3x{height}x{width}", arguments=arguments, name=f"{self.name}/{arch}")
        except CgError as error:
            raise ArchError(f"timm: {arch} cannot be built: {' '.join(str(error).split())}"[:400]) from None


def _merged(**arguments: Any) -> Any:
    """A network of timm, its branches merged."""
    return _timm().utils.reparameterize_model(_timm().create_model(**arguments))


def _timm() -> Any:
    try:
        import timm
    except ImportError:
        raise MissingExtra("timm", "", "the space timm") from None
    return timm


SPACE = TimmModels
