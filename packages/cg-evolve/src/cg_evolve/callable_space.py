"""A function with typed arguments as a search space."""

from __future__ import annotations

import enum
import inspect
import itertools
import json
import math
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cg_ir
from cg_evolve.errors import SearchError
from cg_evolve.python_code import load_callable, place_of
from cg_ir import ArchError, CgError
from cg_ir.calls import arguments_of, is_call, split_values, value_of, with_arguments

if TYPE_CHECKING:
    import numpy as np

    from cg_ir.graph import Graph

__all__ = ["CallableSpace", "choices_of", "make_space", "names_callable", "shared_space"]

#: Networks up to which they are all built, so that every one can be a candidate.
LISTED = 1000
_TRIES = 100


def make_space(text: str, input: Sequence[str] = ()) -> Any:
    """A search space by name with options, or that of a callable: ``file.py:make``, ``file.py:make?depth=2,3&width=16,32``.

    Args:
        text: names the space.
        input: shapes of the inputs without the batch, of the networks that a callable makes, or of that around which ``graph?file=own.py:net`` is.
    """
    if names_callable(text):
        return CallableSpace(text, input)
    if input and text.startswith("graph?"):
        return cg_ir.get_space(text, input=",".join(input))
    if input:
        raise SearchError(f"--input says what a callable's networks take; the space '{text}' knows it")
    return cg_ir.get_space(text)


@lru_cache(maxsize=4)
def shared_space(text: str, input: tuple[str, ...] = ()) -> Any:
    """As `make_space`; made once in a process."""
    return make_space(text, input)


def names_callable(text: str) -> bool:
    """Whether a space's text names a function: in a file, or in a module."""
    return is_call(text)


class CallableSpace:
    """The networks that a function makes from its arguments.

    What an argument can be its annotation says: ``Literal[2, 3, 4]``, ``range(16, 65, 16)``, ``bool``, an ``Enum``, a list or tuple of values, or
    ``Annotated[int, range(1, 9)]``. An argument without one keeps its default. Combinations for which the function raises are not in the space.

    An architecture is written as the arguments: ``depth=3&width=32``.

    Args:
        source: the function, or its text; ``?depth=2,3`` after it says what an argument can be, in place of its annotation.
        input: shapes of the inputs without the batch, such as ``3x32x32``.
    """

    def __init__(self, source: str | Callable[..., Any], input: Sequence[str] = ()) -> None:
        self.input = (input,) if isinstance(input, str) else tuple(input)
        given: dict[str, str] = {}
        if isinstance(source, str):
            self.name, given = arguments_of(source)
            self._make = load_callable(self.name)
        else:
            self.name, self._make = place_of(source), source
        self.family = self.name
        self._choices = choices_of(self._make, self.name, given)
        self.size = math.prod(len(texts) for texts in self._choices.values())
        self._graph = lru_cache(maxsize=4096)(self._build)
        if self.size <= LISTED:
            self.enumerate = self._enumerate

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """What each argument can be, as text."""
        return dict(self._choices)

    def parse(self, arch: str) -> dict[str, str]:
        """The texts of the arguments.

        Raises:
            ArchError: it does not give every argument one of its values.
        """
        found = {name: text for name, _, text in (part.partition("=") for part in arch.split("&"))}
        if found.keys() != self._choices.keys():
            raise ArchError(f"an architecture gives {', '.join(self._choices)}, not '{arch[:80]}'")
        for name, text in found.items():
            if text not in self._choices[name]:
                raise ArchError(f"{name} is one of {', '.join(self._choices[name])[:200]}, not '{text[:60]}'")
        return {name: found[name] for name in self._choices}

    def _write(self, arguments: dict[str, str]) -> str:
        return with_arguments("", arguments)[1:]

    def canonical(self, arch: str) -> str:
        """The arguments in the function's order."""
        return self._write(self.parse(arch))

    def module(self, arch: str) -> Any:
        """What the function returns.

        Raises:
            ArchError: it raises instead.
        """
        arguments = {name: value_of(text) for name, text in self.parse(arch).items()}
        try:
            return self._make(**arguments)
        except (Exception, SystemExit) as error:
            raise ArchError(f"{self.name}({arch}): {type(error).__name__}: {error}") from error

    def graph(self, arch: str) -> Graph:
        """The network."""
        return self._graph(self.canonical(arch))

    def _build(self, arch: str) -> Graph:
        made = self.module(arch)
        if isinstance(made, cg_ir.Graph):
            return made
        for entry in cg_ir.registry().entries("frontend").values():
            frontend = entry.make()
            if frontend.accepts(made):
                options = {"input": self.input} if self.input else {}
                try:
                    return frontend.convert(made, **options).renamed(f"{self.name}?{arch}")
                except CgError as error:
                    raise ArchError(f"{self.name}({arch}): {error}") from error
        raise ArchError(f"{self.name}({arch}): no installed frontend reads a {type(made).__name__}")

    # --- moves --------------------------------------------------------------------------------------------------------

    def _first_valid(self, archs: Iterator[str]) -> str | None:
        self._reason = ""
        for arch in archs:
            try:
                self._graph(arch)
            except ArchError as error:
                self._reason = str(error)
                continue
            return arch
        return None

    def sample(self, rng: np.random.Generator) -> str:
        """A random combination of arguments for which the function makes a network.

        Raises:
            ArchError: it made none in many tries.
        """
        draws = (
            self._write({name: texts[int(rng.integers(len(texts)))] for name, texts in self._choices.items()})
            for _ in range(_TRIES)
        )
        found = self._first_valid(draws)
        if found is None:
            raise ArchError(f"{self.name} made no network in {_TRIES} tries; the last: {self._reason}")
        return found

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        """Another value of one argument."""
        near = self._near(self.parse(arch))
        found = self._first_valid(near[i] for i in rng.permutation(len(near)).tolist())
        return self.sample(rng) if found is None else found

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """Each argument of the one or the other."""
        one, other = self.parse(a), self.parse(b)
        draws = (
            self._write({name: (one if rng.random() < 0.5 else other)[name] for name in one}) for _ in range(_TRIES)
        )
        return self._first_valid(draws) or self.canonical(a)

    def _near(self, arguments: dict[str, str]) -> list[str]:
        return [
            self._write({**arguments, name: text})
            for name, texts in self._choices.items()
            for text in texts
            if text != arguments[name]
        ]

    def neighbors(self, arch: str) -> list[str]:
        """All networks that differ in one argument."""
        return list(self._valid(self._near(self.parse(arch))))

    def _valid(self, archs: Sequence[str]) -> Iterator[str]:
        for arch in archs:
            try:
                self._graph(arch)
            except ArchError:
                continue
            yield arch

    def _enumerate(self) -> Iterator[str]:
        combinations = itertools.product(*self._choices.values())
        return self._valid([self._write(dict(zip(self._choices, texts, strict=True))) for texts in combinations])


def choices_of(function: Callable[..., Any], name: str, given: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """What each argument of a function can be, as texts that `cg_ir.calls.value_of` reads.

    Args:
        function: the function, or a class.
        name: what to call it in messages.
        given: for some arguments what they can be, in place of their annotation: texts between commas.

    Raises:
        SearchError: nothing says what an argument without default can be, or there is nothing to choose.
    """
    try:
        parameters = inspect.signature(function).parameters
        owner = function.__init__ if isinstance(function, type) else function  # type: ignore[misc]
        annotations = inspect.get_annotations(owner, eval_str=True)
    except (TypeError, ValueError, NameError, SyntaxError) as error:
        raise SearchError(f"{name}: its arguments cannot be read: {error}") from None
    unknown = [key for key in given if key not in parameters]
    if unknown:
        raise SearchError(f"{name}: has no argument '{unknown[0]}'; it has {', '.join(parameters) or 'none'}")
    found: dict[str, tuple[str, ...]] = {}
    for key, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if key in given:
            texts = tuple(split_values(given[key]))
        else:
            texts = tuple(map(_text, _values(annotations.get(key))))
        if texts:
            found[key] = tuple(dict.fromkeys(texts))
        elif parameter.default is parameter.empty:
            raise SearchError(
                f"{name}: what can its argument '{key}' be? Annotate it, {key}: Literal[1, 2], or write {name}?{key}=1,2"
            )
    if math.prod(len(texts) for texts in found.values()) < 2:
        raise SearchError(f"{name}: no argument has two values to choose from; annotate one, width: Literal[16, 32]")
    return found


def _values(annotation: Any) -> list[Any]:
    """The values that an annotation lists; none where it lists none."""
    if annotation is bool:
        return [False, True]
    if isinstance(annotation, (range, list, tuple)):
        return list(annotation)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return [member.value for member in annotation]
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return list(typing.get_args(annotation))
    if origin is typing.Annotated:
        return next((found for part in typing.get_args(annotation)[1:] if (found := _values(part))), [])
    if origin in (typing.Union, types.UnionType):
        parts = [[None] if part is type(None) else _values(part) for part in typing.get_args(annotation)]
        return [value for part in parts for value in part] if all(parts) else []
    return []


def _text(value: Any) -> str:
    if isinstance(value, str) and value_of(value) == value and "," not in value:
        return value
    try:
        return json.dumps(value)
    except TypeError:
        raise SearchError(
            f"a value to choose from should be a number, a text or a list of them, not {value!r:.60}"
        ) from None
