"""Reading pickles that are data: an interpreter of pickle's opcodes that calls nothing.

Python's own unpickler imports and calls whatever a file names. The interpreter below knows the opcodes that build plain values, and rebuilds numpy's values
and instances of known classes from what the file says about them (:mod:`.pickled_values`). Everything else is refused, and so is a file that asks for
more memory than its limit (https://docs.python.org/3/library/pickletools.html lists the opcodes).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Collection, Mapping
from typing import IO, Any

import numpy as np

from cg_frontends.benchmarks.pickle_machine import SLOT, Machine, Run
from cg_frontends.benchmarks.pickled_values import PickleError, Record
from cg_ir import SourceError

#: What reading a damaged pickle or archive can raise.
_DAMAGE = (ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, RecursionError, TypeError, ValueError)

_REASONS: dict[type[BaseException], str] = {
    EOFError: "it is cut off",
    MemoryError: "there is not enough memory",
}

#: Opcodes of :meth:`PickleReader._build`.
_BUILDING = frozenset(b"(us}])N\x81b")

#: What follows the class of an instance whose state are texts in the memo and floats.
_RECORD = re.compile(rb"(?s:\)\x81\x94}\x94\(((?:h.G.{8}){1,100})ub)")

_double = struct.Struct(">d").unpack_from
_uint32 = struct.Struct("<I").unpack_from


class PickleReader(Machine):
    """Reads the pickles of a file, one after the other, as plain values.

    Dictionaries of all kinds become ``dict``, numpy scalars the plain numbers they hold, arrays ``numpy.ndarray`` over the file's bytes, arrays of objects
    flat lists.

    Args:
        file: where the pickles are read from.
        records: classes, as (module, name), whose instances are rebuilt as :class:`Record`.
        unread: a package (``torch``) whose objects are passed over and become None.
        limit: most bytes of memory that the values may take, as estimated while they are built.
    """

    def load(self) -> Any:
        """The value of the next pickle.

        Raises:
            PickleError: it is damaged, holds anything but plain values, or takes more memory than the limit.
            OSError, EOFError: the file cannot be read.
        """
        self._begin()
        try:
            return self._run()
        except IndexError:
            raise PickleError("a damaged pickle: something is missing") from None
        finally:
            self._stack, self._memo = [], []

    def _run(self) -> Any:
        """The loop over opcodes. The frequent ones stand here, those that follow one another fused; :meth:`_other` has the rest."""
        stack, memo, texts = self._stack, self._memo, self._texts
        push, remember = stack.append, memo.append
        while True:
            self._refill()
            data, place, safe = self._data, self._place, self._safe
            while place < safe:
                op = data[place]
                if op == 0x8C:
                    place = self._short_text(data, place)
                elif op == 0x4B:  # a byte, before a float
                    push(data[place + 1])
                    place += 2
                    if data[place] == 0x47:
                        push(_double(data, place + 1)[0])
                        place += 9
                        if data[place] == 0x4B:
                            place = self._pairs(data, place, 2, b"G")
                elif op == 0x47:
                    push(_double(data, place + 1)[0])
                    place += 9
                elif op == 0x68:
                    push(memo[data[place + 1]])
                    place += 2
                    if data[place] == 0x29 and data[place + 1] == 0x81:
                        place = self._record(data, place)
                elif op == 0x6A:
                    push(memo[_uint32(data, place + 1)[0]])
                    place += 5
                elif op == 0x94:
                    remember(stack[-1])
                    place += 1
                elif op == 0x72 or op == 0x71:
                    number, width = (_uint32(data, place + 1)[0], 5) if op == 0x72 else (data[place + 1], 2)
                    if number == len(memo):
                        remember(stack[-1])
                    else:
                        self._put(number)
                    place += width
                elif op == 0x58 and data[place + 2 : place + 5] == b"\0\0\0":  # a text of at most 255 bytes
                    end = place + 5 + data[place + 1]
                    raw = data[place + 5 : end]
                    push(texts.get(raw) or self._text(raw))
                    place = end
                elif op == 0x4D:
                    push(data[place + 1] | data[place + 2] << 8)
                    place += 3
                elif op in _BUILDING:
                    self._build(op)
                    place += 1
                elif op == 0x2E:
                    self._place = place + 1
                    return stack.pop()
                else:
                    self._place = place + 1
                    self._other(op)
                    data, place, safe = self._data, self._place, self._safe
            self._place = place

    def _build(self, op: int) -> None:
        """Opcodes without arguments that mark, make and fill containers and objects."""
        stack = self._stack
        if op == 0x28:
            self._marks.append(len(stack))
        elif op == 0x75 or op == 0x73:
            self._add_items(self._marks.pop() if op == 0x75 else len(stack) - 2)
        elif op == 0x7D or op == 0x5D:
            stack.append({} if op == 0x7D else [])
            self._charged += SLOT
        elif op == 0x29 or op == 0x4E:
            stack.append(() if op == 0x29 else None)
        else:
            self._object(op)

    def _short_text(self, data: bytes, place: int) -> int:
        """Push a short text, put it into the memo, and push the float after it, where they follow; gives the place after them."""
        end = place + 2 + data[place + 1]
        raw = data[place + 2 : end]
        text = self._texts.get(raw) or self._text(raw)
        self._stack.append(text)
        if data[end] != 0x94:
            return end
        self._memo.append(text)
        if data[end + 1] != 0x47:
            return end + 1
        self._stack.append(_double(data, end + 2)[0])
        end += 10
        return (
            self._pairs(data, end, 2 + data[end + 1], b"\x94G") if data[end] == 0x8C else end
        )  # most likely one of many

    def _pairs(self, data: bytes, place: int, width: int, link: bytes) -> int:
        """Push all of many pairs of a key and a float; gives the place after them.

        Args:
            data: the piece of the file.
            place: where the first pair begins.
            width: bytes of a key with its opcode.
            link: what stands between key and float: a float's opcode, after the memo's for a text.
        """
        run = self._runs.get(data[place : place + width])
        if run is not None and place + run.size <= len(data):
            rows = np.frombuffer(data[place : place + run.size], run.layout)
            if rows["key"].tobytes() != run.keys or rows["link"].tobytes() != run.links:
                run = None
        else:
            run = None
        if run is None:
            run = self._learn(data, place, width, link)
            if run is None:
                return place
            rows = np.frombuffer(data[place : place + run.size], run.layout)
        if len(link) == 2:
            self._memo.extend(run.names)
        pairs: list[Any] = [None] * (2 * len(run.names))
        pairs[::2] = run.names
        pairs[1::2] = rows["value"].tolist()
        self._stack.extend(pairs)
        return place + run.size

    def _learn(self, data: bytes, place: int, width: int, link: bytes) -> Run | None:
        """The pairs that begin at a place, whose keys often come again in the same order."""
        first = data[place : place + width]
        head = first[:1] if len(link) == 1 else first[:2]
        layout = np.dtype([("key", f"V{width}"), ("link", f"V{len(link)}"), ("value", ">f8")])
        end = place
        while (
            end - place < 1000 * layout.itemsize
            and end + layout.itemsize <= len(data)
            and data.startswith(head, end)
            and data.startswith(link, end + width)
        ):
            end += layout.itemsize
        if end == place:
            return None
        rows = np.frombuffer(data[place:end], layout)
        keys, size = rows["key"].tobytes(), len(head)
        raws = [keys[begin + size : begin + width] for begin in range(0, len(keys), width)]
        names = [raw[0] for raw in raws] if len(link) == 1 else [self._text(raw) for raw in raws]
        run = Run(end - place, layout, keys, rows["link"].tobytes(), names)
        known = self._runs.get(first)
        if (known is None and len(self._runs) < 2**10) or (known is not None and known.size > run.size):
            self._runs[first] = run
        return run

    def _record(self, data: bytes, place: int) -> int:
        """Push an instance of a class that was just pushed, if all its attributes are floats, and further such ones that follow a text in the memo.

        Gives the place after them, or the same.
        """
        stack, memo, shapes = self._stack, self._memo, self._shapes
        if stack[-1] not in self._records:
            return place
        kind = stack[-1]
        while True:
            found = _RECORD.match(data, place)
            if found is None:
                return place
            floats = found[1]
            shape = shapes.get(floats[1::11]) or self._shape(floats[1::11])
            if shape is None:
                return place
            names, unpack = shape
            stack[-1] = record = Record(zip(names, unpack(floats)))  # noqa: B905 - as many, and this takes half the time
            memo += (record, record)
            self._charged += SLOT * (len(names) + 1)
            place = found.end()
            if data[place] != 0x68 or data[place + 2] != 0x68 or memo[data[place + 3]] is not kind:
                return place
            stack += (memo[data[place + 1]], kind)
            place += 4

    def _shape(self, numbers: bytes) -> tuple[list[str], Callable[[bytes], tuple[float, ...]]] | None:
        """The names of attributes that the memo has under some numbers, and what gets their floats out of the file."""
        memo = self._memo
        if max(numbers) >= len(memo) or not all(type(memo[number]) is str for number in numbers):
            return None
        names = [memo[number] for number in numbers]
        shape = self._shapes[numbers] = names, struct.Struct(">" + "3xd" * len(numbers)).unpack
        return shape


def load_plain(file: IO[bytes], source: str, records: Collection[tuple[str, str]] = ()) -> Any:
    """The value of a pickle.

    Args:
        file: where the pickle is read from.
        source: what to call it in messages.
        records: see :class:`PickleReader`.

    Raises:
        SourceError: it is damaged, or holds anything but plain and numpy values and the records.
    """
    with refuse_damage(source):
        return PickleReader(file, records).load()


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
            reason = getattr(error, "strerror", None) or str(error) or _REASONS.get(type(error), type(error).__name__)
            raise SourceError(f"{self.source}: cannot be read: {reason.splitlines()[0][:200]}") from None


def as_mapping(value: Any, source: str, what: str) -> Mapping[Any, Any]:
    """The value, if it is a mapping.

    Raises:
        SourceError: it is none.
    """
    if not isinstance(value, Mapping):
        raise SourceError(f"{source}: {what} should be a dictionary, not {type(value).__name__}")
    return value
