"""What a pickle may name, as data: how the values that global names stand for are rebuilt, without looking any of them up.

A pickle names what rebuilds a value (``numpy.dtype``, ``collections.OrderedDict``, ...). Here such a name is two strings; the few that benchmark files
hold are known below, and the code of this module makes the value. Nothing is imported and no object that a pickle names is ever called.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np


class PickleError(ValueError):
    """A pickle is damaged, or is not data alone."""


class Record(dict[str, Any]):
    """An instance of a class that is rebuilt as data: its attributes by name, and nothing else."""


class Name(NamedTuple):
    """A global name of a pickle."""

    module: str
    name: str


class _Dtype:
    """A numpy dtype under construction: its code, such as ``f8``, and the order of its bytes."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        if not _DTYPE.fullmatch(code):
            raise PickleError(f"a numpy array of the type {code[:20]!r}, which is not read")
        self.code = code.lstrip("<>|=")
        self.order = code[0] if code[0] in "<>" else "="

    @property
    def objects(self) -> bool:
        return self.code[0] == "O"

    def numpy(self) -> np.dtype[Any]:
        """The dtype; never one with objects or fields."""
        if self.objects:
            raise PickleError("a numpy value that holds objects")
        return np.dtype(self.order + self.code)


class _Array:
    """A numpy array before its state is known.

    Attributes:
        place: where the memo will hold it, if anywhere.
    """

    __slots__ = ("place",)

    def __init__(self, place: int) -> None:
        self.place = place


_STR = frozenset((str,))
_DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|c8|c16|[SU][1-9]\d{0,5}|O8?)")
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
_BUILTINS = ("builtins", "__builtin__")
_COPYREG = ("copyreg", "copy_reg")
_SETS = ("set", "frozenset")
_ENCODE = Name("_codecs", "encode")

_PLAIN = frozenset(
    [Name("collections", "OrderedDict"), Name("collections", "defaultdict"), _ENCODE]
    + [Name("numpy", "ndarray"), Name("numpy", "dtype")]
    + [Name(module, name) for module in _MULTIARRAY for name in ("_reconstruct", "scalar")]
    + [Name(module, "_frombuffer") for module in _NUMERIC]
    + [Name(module, "_reconstructor") for module in _COPYREG]
    + [
        Name(module, name)
        for module in _BUILTINS
        for name in (*_SETS, "bytearray", "bytes", "complex", "list", "dict", "int", "float", "str", "object")
    ]
)


def is_plain(name: Name) -> bool:
    """Whether a global name is one of those that are known."""
    return name in _PLAIN


class HashLimits:
    """Sees to it that keys of dictionaries and sets hash in bounded time: they are numbers, strings, or small tuples of such that do not collide."""

    #: Most values in a tuple that is a key.
    SIZE = 64
    #: Most different tuples whose hashes are those of others.
    COLLISIONS = 1000
    #: Integers from here on can be chosen so that all have one hash.
    MODULUS = 2**61 - 1

    _ATOMS = frozenset((str, int, float, bytes, bool, type(None)))

    def __init__(self) -> None:
        #: Whether an integer of at least ``MODULUS`` occurred; only then are all integers looked at.
        self.large = False
        self._first: dict[int, tuple[Any, ...]] = {}
        self._collisions = 0

    def check(self, keys: Collection[Any]) -> None:
        """Let keys pass.

        Raises:
            PickleError: one of them is of another type, too large, or one of too many that collide.
        """
        if not self.large and self._ATOMS.issuperset(map(type, keys)):
            return
        for key in keys:
            if type(key) is tuple:
                self._check_tuple(key)
            else:
                self._check_atom(key)

    def _check_atom(self, key: Any) -> None:
        if type(key) not in self._ATOMS:
            raise PickleError(f"a key of the type {type(key).__name__}")
        if type(key) is int and abs(key) >= self.MODULUS:
            raise PickleError("a key that is an integer of more than 60 bits")

    def _check_tuple(self, key: tuple[Any, ...]) -> None:
        parts: list[Any] = [key]
        seen = 0
        if len(key) <= self.SIZE and not self.large and self._ATOMS.issuperset(map(type, key)):
            parts = []
        while parts:
            part = parts.pop()
            seen += 1
            if type(part) is not tuple:
                self._check_atom(part)
            elif seen + len(parts) + len(part) > self.SIZE:
                raise PickleError(f"a key that is a tuple of more than {self.SIZE} values")
            else:
                parts.extend(part)
        first = self._first.setdefault(hash(key), key)
        if first is not key and first != key:
            self._collisions += 1
            if self._collisions > self.COLLISIONS:
                raise PickleError("keys that were chosen to have one hash")


def reduce(name: Any, args: Any, place: int, hashes: HashLimits, records: Collection[tuple[str, str]]) -> Any:
    """The value that a global name with arguments stands for.

    Args:
        name: the name.
        args: its arguments.
        place: where the memo will hold the value, if anywhere.
        hashes: watches over the members of sets.
        records: classes whose instances are rebuilt as :class:`Record`.

    Raises:
        PickleError: the name does not stand for a value, or not with these arguments.
    """
    if type(name) is not Name or type(args) is not tuple:
        raise PickleError("a value is built in an unknown way")
    module, kind = name
    if module == "numpy" or module in _MULTIARRAY or module in _NUMERIC:
        return _numpy_value(kind, args, place)
    if module == "collections":
        return _dictionary(kind, args, hashes)
    if module in _BUILTINS:
        return _builtin(kind, args, hashes)
    if name == _ENCODE and type(args[0]) is str and args[1:] in ((), ("latin1",), ("latin-1",)):
        return args[0].encode("latin1")
    if module in _COPYREG and len(args) == 3 and type(args[0]) is Name and args[0] in records and args[1] in _OBJECTS:
        return Record()
    raise PickleError(f"a value of {module}.{kind} is built in an unknown way")


_OBJECTS = [Name(module, "object") for module in _BUILTINS]


def _builtin(kind: str, args: tuple[Any, ...], hashes: HashLimits) -> Any:
    types = tuple(map(type, args))
    if kind in _SETS and types in ((), (list,), (tuple,)):
        members = args[0] if args else ()
        hashes.check(members)
        return set(members) if kind == "set" else frozenset(members)
    if kind in ("bytes", "bytearray") and types in ((), (bytes,)):
        return args[0] if args else b""
    if kind == "bytearray" and types == (str, str) and args[1] in ("latin1", "latin-1"):
        return args[0].encode("latin1")
    if kind == "complex" and types == (float, float):
        return complex(*args)
    raise PickleError(f"a {kind} is built in an unknown way")


def _dictionary(kind: str, args: tuple[Any, ...], hashes: HashLimits) -> dict[Any, Any]:
    if not args or (kind == "defaultdict" and len(args) == 1):
        return {}
    pairs = args[0]
    if kind != "OrderedDict" or len(args) != 1 or type(pairs) is not list:
        raise PickleError(f"a {kind} is built in an unknown way")
    if not all(type(pair) in (list, tuple) and len(pair) == 2 for pair in pairs):
        raise PickleError(f"a {kind} is built in an unknown way")
    hashes.check([key for key, _ in pairs])
    return dict(pairs)


def _numpy_value(kind: str, args: tuple[Any, ...], place: int) -> Any:
    if kind == "dtype" and args and type(args[0]) is str:
        return _Dtype(args[0])
    if kind == "_reconstruct" and len(args) == 3 and args[0] == Name("numpy", "ndarray"):
        return _Array(place)
    if kind == "scalar" and len(args) == 2 and type(args[0]) is _Dtype and type(args[1]) is bytes:
        return _buffer((), args[0], args[1], "C").item()
    if kind == "_frombuffer" and len(args) == 4 and type(args[1]) is _Dtype and args[3] in ("C", "F"):
        data, dtype, shape, order = args
        return _buffer(_shape(shape), dtype, data, order)
    raise PickleError(f"a numpy {kind.strip('_')} is built in an unknown way")


def _shape(value: Any) -> tuple[int, ...]:
    if (
        type(value) is not tuple
        or len(value) > 32
        or not all(type(size) is int and 0 <= size < 2**62 for size in value)
    ):
        raise PickleError("an array without a shape")
    return value


def _buffer(shape: tuple[int, ...], dtype: _Dtype, data: Any, order: Any) -> np.ndarray[Any, Any]:
    """The array over some bytes, which has no other memory."""
    kind = dtype.numpy()
    if type(data) not in (bytes, bytearray) or math.prod(shape) * kind.itemsize != len(data):
        raise PickleError("an array whose bytes do not fit its shape")
    if not data:
        return np.empty(shape, kind)
    return np.frombuffer(data, kind).reshape(shape, order=order)


def build(value: Any, state: Any, memo: list[Any]) -> Any:
    """A value with its state: the same one, or what takes its place.

    Args:
        value: what was rebuilt without its state.
        state: the state.
        memo: the values that the pickle has numbered, where an array takes the place of what stood for it.

    Raises:
        PickleError: such a value has no such state.
    """
    kind = type(value)
    if kind is Record:
        states = state if type(state) is tuple and len(state) == 2 else (state,)
        for part in states:
            if type(part) is dict and _STR.issuperset(map(type, part)):
                value.update(part)
            elif part is not None:
                raise PickleError("an object whose state is no dictionary")
        return value
    if kind is _Dtype:
        # version, byte order, subarray, names, fields, ...
        if (
            type(state) is not tuple
            or len(state) < 5
            or state[1] not in ("<", ">", "|", "=")
            or state[2:5] != _NO_FIELDS
        ):
            raise PickleError("a numpy type with fields")
        value.order = state[1] if state[1] in ("<", ">") else "="
        return value
    if kind is _Array:
        array = _array(state)
        if value.place < len(memo) and memo[value.place] is value:
            memo[value.place] = array
        return array
    if value is None:  # what is not read has a state that is not read either
        return None
    raise PickleError(f"a {kind.__name__} with a state")


_NO_FIELDS = (None, None, None)


def _array(state: Any) -> Any:
    if type(state) is not tuple or len(state) != 5 or type(state[2]) is not _Dtype:
        raise PickleError("an array is built in an unknown way")
    _, shape, dtype, fortran, data = state
    shape = _shape(shape)
    if not dtype.objects:
        return _buffer(shape, dtype, data, "F" if fortran is True else "C")
    if type(data) is not list or math.prod(shape) != len(data):
        raise PickleError("an array whose values do not fit its shape")
    return data
