"""A function with typed arguments as a search space."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from toy_plugin import ToySpace

from cg_evolve import SearchError
from cg_evolve.callable_space import CallableSpace, choices_of, make_space, names_callable
from cg_ir import ArchError, Graph, get_space


class Size(Enum):
    SMALL = 4
    LARGE = 8


def annotated(
    a: Literal[1, "two"],
    b: range(0, 10, 5),
    c: bool,
    d: Annotated[int, range(2)],
    e: Size,
    f: Literal[1] | None,
    g: float = 0.5,
):  # type: ignore[valid-type]
    raise AssertionError


def test_annotations_say_what_an_argument_can_be() -> None:
    space = CallableSpace(annotated)
    assert space.choices == {
        "a": ("1", "two"), "b": ("0", "5"), "c": ("false", "true"), "d": ("0", "1"), "e": ("4", "8"), "f": ("1", "null"),
    }  # fmt: skip
    assert space.size == 64
    with pytest.raises(SearchError, match="what can its argument 'width' be"):
        CallableSpace(lambda width: None)
    with pytest.raises(SearchError, match="no argument has two values"):
        CallableSpace(lambda width=3: None)


def test_a_function_is_a_search_space(own: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("cg_frontends")
    space = CallableSpace("own.py:make", ("1x8x8",))
    rng = np.random.default_rng(0)
    archs = [space.sample(rng) for _ in range(30)]
    assert all("depth=3&width=12" not in arch for arch in archs)
    assert len(list(space.enumerate())) == 3 * 3 * 2 - 2
    for arch in archs[:5]:
        child = space.mutate(arch, rng)
        assert sum(a != b for a, b in zip(arch.split("&"), child.split("&"), strict=True)) == 1
        assert space.crossover(arch, child, rng) in (arch, child)
        assert space.graph(arch).name == f"own.py:make?{arch}"
    assert space.canonical("width=4&act=relu&depth=1") == "depth=1&width=4&act=relu"
    assert "depth=3&width=12&act=silu" not in space.neighbors("depth=3&width=8&act=silu")
    for arch in ("depth=1", "depth=9&width=4&act=relu", "depth=3&width=12&act=relu", "x"):
        with pytest.raises(ArchError):
            space.graph(arch)
    fixed = CallableSpace("own.py:make?depth=1&width=4,5", ("1x8x8",))
    assert fixed.choices == {"depth": ("1",), "width": ("4", "5"), "act": ("relu", "silu")}


def letters(a: Literal["c", "k"], b: Literal["w", "p", "i"] = "p", times: range(1, 3) = 1) -> Graph:  # type: ignore[valid-type]
    """Graphs need neither torch nor a frontend."""
    if a == "k" and b == "i":
        raise ValueError("no such\nnetwork")
    return ToySpace().graph((a + b) * times + "i" * (6 - 2 * times))


def test_a_function_may_make_graphs() -> None:
    space = CallableSpace(letters)
    assert space.size == 12
    archs = list(space.enumerate())
    assert len(archs) == 10
    assert space.graph("a=c&b=w&times=2").hash == ToySpace().graph("cwcwii").hash
    assert space.neighbors("a=k&b=w&times=1") == ["a=c&b=w&times=1", "a=k&b=p&times=1", "a=k&b=w&times=2"]
    rng = np.random.default_rng(0)
    for arch in archs:
        made = {space.mutate(arch, rng) for _ in range(30)}
        assert made == set(space.neighbors(arch))
        other = archs[int(rng.integers(len(archs)))]
        child = space.parse(space.crossover(arch, other, rng))
        assert all(child[k] in (space.parse(arch)[k], space.parse(other)[k]) for k in child)
    assert {space.sample(rng) for _ in range(300)} == set(archs)


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("a=c&b=w", "an architecture gives a, b, times, not 'a=c&b=w'"),
        ("", "an architecture gives a, b, times, not ''"),
        ("a=c&b=w&times=1&x=2", "an architecture gives a, b, times, not 'a=c&b=w&times=1&x=2'"),
        ("a=x&b=w&times=1", "a is one of c, k, not 'x'"),
        ("a=c&b=w&times=01", "times is one of 1, 2, not '01'"),
        ("a=k&b=i&times=1", "letters(a=k&b=i&times=1): ValueError: no such\nnetwork"),
    ],
)
def test_what_is_no_architecture_is_named(arch: str, message: str) -> None:
    with pytest.raises(ArchError, match=re.escape(message)):
        CallableSpace(letters).graph(arch)


def test_a_function_that_makes_no_network_says_its_last_reason() -> None:
    def never(depth: Literal[1, 2]) -> Graph:
        raise SystemExit(f"out of {depth}")

    def nothing(depth: Literal[1, 2]) -> str:
        return "text"

    with pytest.raises(ArchError, match=r"made no network in 100 tries; the last: .*SystemExit: out of [12]$"):
        CallableSpace(never).sample(np.random.default_rng(0))
    assert list(CallableSpace(never).enumerate()) == []
    with pytest.raises(ArchError, match=r"\(depth=1\): no installed frontend reads a str$"):
        CallableSpace(nothing).graph("depth=1")


def test_where_no_neighbour_is_a_network_a_mutation_is_a_sample() -> None:
    def diagonal(a: range(4), b: range(4)) -> Graph:  # type: ignore[valid-type]
        if a != b:
            raise ValueError("off the diagonal")
        return ToySpace().graph("cwkp"[a] * 6)

    space, rng = CallableSpace(diagonal), np.random.default_rng(0)
    assert space.neighbors("a=1&b=1") == []
    assert {space.mutate("a=1&b=1", rng) for _ in range(60)} == {f"a={i}&b={i}" for i in range(4)}
    assert space.crossover("a=1&b=1", "a=2&b=2", rng) in ("a=1&b=1", "a=2&b=2")


def test_a_space_that_is_too_large_is_not_listed() -> None:
    def many(a: range(1000), b: Literal[0, 1]) -> Graph:  # type: ignore[valid-type]
        return ToySpace().graph("cccccc")

    assert not hasattr(CallableSpace(many), "enumerate")
    assert CallableSpace(many).size == 2000


def options(function: object, **given: str) -> dict[str, tuple[str, ...]]:
    return choices_of(function, "f", given)  # type: ignore[arg-type]


def test_texts_read_back_as_the_values_that_they_stand_for() -> None:
    def f(a: Literal["x", "1", "a,b", True], b: [0.5, 1e-3, None], c: ([1, 2], [3]), *rest, **more) -> tuple:  # type: ignore[no-untyped-def, valid-type]

        return a, b, c

    assert options(f) == {"a": ("x", '"1"', '"a,b"', "true"), "b": ("0.5", "0.001", "null"), "c": ("[1, 2]", "[3]")}
    space = CallableSpace(f)
    assert space.module('a="1"&b=null&c=[1, 2]') == ("1", None, [1, 2])
    assert space.module("a=x&b=0.001&c=[3]") == ("x", 0.001, [3])


def plain(depth: Literal[1, 2], width: int, *, act="relu") -> None: ...  # type: ignore[no-untyped-def]


class Net:
    def __init__(self, depth: Literal[1, 2], width: int = 3) -> None: ...


def wrong(depth: Unheard[1, 2]) -> None: ...  # type: ignore[name-defined] # noqa: F821


@pytest.mark.parametrize(
    ("function", "given", "message"),
    [
        (plain, {}, "f: what can its argument 'width' be? Annotate it, width: Literal[1, 2], or write f?width=1,2"),
        (plain, {"with": "1"}, "f: has no argument 'with'; it has depth, width, act"),
        (
            plain,
            {"depth": "1", "width": "4"},
            "f: no argument has two values to choose from; annotate one, width: Literal[16, 32]",
        ),
        (wrong, {}, "f: its arguments cannot be read: name 'Unheard' is not defined"),
        (lambda: None, {"x": "1"}, "f: has no argument 'x'; it has none"),
    ],
)
def test_arguments_of_which_nothing_is_known_are_named(function: object, given: dict[str, str], message: str) -> None:
    with pytest.raises(SearchError, match=f"^{re.escape(message)}$"):
        options(function, **given)


def test_what_is_given_takes_the_place_of_the_annotation() -> None:
    assert options(plain, width="16,32,16") == {"depth": ("1", "2"), "width": ("16", "32")}
    assert options(plain, width="4", act='"relu","a,b"') == {
        "depth": ("1", "2"),
        "width": ("4",),
        "act": ('"relu"', '"a,b"'),
    }
    assert options(Net) == {"depth": ("1", "2")}  # a class by its constructor


def test_values_of_other_kinds_are_refused() -> None:
    def f(a: [object(), object()]) -> None: ...  # type: ignore[valid-type]

    with pytest.raises(SearchError, match="should be a number, a text or a list of them, not <object"):
        options(f)


def test_spaces_by_name_know_their_input() -> None:
    assert make_space("toy?channels=7").channels == 7
    with pytest.raises(SearchError, match="--input says what a callable's networks take; the space 'toy' knows it"):
        make_space("toy", ["3x8x8"])
    assert [names_callable(text) for text in ("own.py:make", "own.py:make?a=1", "os.path:join", "toy", "toy?x=a")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert get_space("toy").name == "toy"
