"""Reading pickles that are data: plain Python and numpy values, nothing that runs code."""

from __future__ import annotations

import collections
import pickle
from collections.abc import Callable, Collection, Mapping
from types import SimpleNamespace
from typing import IO, Any

import numpy as np

from cg_ir import SourceError

__all__ = ["PlainUnpickler", "Record", "find_plain", "load_plain"]

#: What unpickling a damaged file can raise.
_DAMAGE = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


class Record(SimpleNamespace):
    """An instance of a class that is rebuilt as data: its attributes and nothing else."""


class _ArrayType:
    """Stands for ``numpy.ndarray`` in a pickle; it cannot be called, so that no pickle can ask for huge arrays."""


def _new_array(kind: type, shape: tuple[int, ...], code: bytes) -> np.ndarray[Any, Any]:
    """An empty array, which its state then fills."""
    if kind is not _ArrayType or tuple(shape) != (0,):
        raise pickle.UnpicklingError("an array is built in an unknown way")
    return np.ndarray((0,), dtype="b")


def _new_scalar(dtype: np.dtype[Any], data: bytes) -> Any:
    """A numpy scalar as the plain value that it holds."""
    if dtype.hasobject:
        raise pickle.UnpicklingError("a numpy scalar that holds objects")
    return np.frombuffer(data, dtype=dtype, count=1)[0].item()


def _new_dtype(*args: Any) -> np.dtype[Any]:
    return np.dtype(str(args[0]))


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Bytes as protocol 2 writes them."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding}")
    return text.encode("latin1")


_PLAIN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "bytearray"): bytearray,
    ("builtins", "complex"): complex,
    ("builtins", "list"): list,
    ("builtins", "dict"): dict,
    ("builtins", "int"): int,
    ("builtins", "float"): float,
    ("builtins", "str"): str,
    ("_codecs", "encode"): _encode,
    ("numpy", "ndarray"): _ArrayType,
    ("numpy", "dtype"): _new_dtype,
    ("collections", "defaultdict"): lambda *args: collections.defaultdict(None),
    **{
        (f"numpy.{core}.multiarray", name): value
        for core in ("core", "_core")
        for name, value in (("_reconstruct", _new_array), ("scalar", _new_scalar))
    },
}
_PLAIN.update({("__builtin__", name): value for (module, name), value in _PLAIN.items() if module == "builtins"})


def find_plain(module: str, name: str, records: Collection[tuple[str, str]] = ()) -> Any:
    """What stands for a global name of a pickle.

    Args:
        module: module of the name.
        name: the name.
        records: classes whose instances are rebuilt as :class:`Record`.

    Raises:
        UnpicklingError: the name is neither plain nor one of the records.
    """
    if (module, name) in records:
        return Record
    try:
        return _PLAIN[module, name]
    except KeyError:
        raise pickle.UnpicklingError(
            f"it holds an object of {module}.{name}; only plain and numpy values are read"
        ) from None


class PlainUnpickler(pickle.Unpickler):
    """An unpickler that admits plain and numpy values, and records.

    Args:
        file: where the pickle is read from.
        records: classes, as (module, name), whose instances are rebuilt as :class:`Record`.
        replace: stands for other global names where it returns something that is not None.
    """

    def __init__(
        self,
        file: IO[bytes],
        records: Collection[tuple[str, str]] = (),
        replace: Callable[[str, str], Any] | None = None,
    ) -> None:
        super().__init__(file)
        self._records = frozenset(records)
        self._replace = replace

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in of a global name, never the named object itself."""
        if self._replace is not None:
            stand_in = self._replace(module, name)
            if stand_in is not None:
                return stand_in
        return find_plain(module, name, self._records)

    def persistent_load(self, key: Any) -> Any:
        """Tensors' storages are not read."""
        return None


def load_plain(file: IO[bytes], source: str, records: Collection[tuple[str, str]] = ()) -> Any:
    """The value of a pickle.

    Args:
        file: where the pickle is read from.
        source: what to call it in messages.
        records: see :class:`PlainUnpickler`.

    Raises:
        SourceError: it is damaged, or holds anything but plain and numpy values and the records.
    """
    with refuse_damage(source):
        return PlainUnpickler(file, records).load()


class refuse_damage:
    """Turns what reading a damaged pickle or archive raises into a ``SourceError`` that names the file."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, SourceError) or error is None:
            return
        if isinstance(error, (*_DAMAGE, OSError)):
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise SourceError(f"{self.source}: cannot be read: {reason.splitlines()[0][:200]}") from None


def as_mapping(value: Any, source: str, what: str) -> Mapping[Any, Any]:
    """The value, if it is a mapping.

    Raises:
        SourceError: it is none.
    """
    if not isinstance(value, Mapping):
        raise SourceError(f"{source}: {what} should be a dictionary, not {type(value).__name__}")
    return value
