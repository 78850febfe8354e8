"""The state of a pickle's interpreter: the piece of the file at hand, stack and memo, what they may take; and the opcodes that are not frequent."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Collection
from typing import Any, NamedTuple, Protocol

import numpy as np

from cg_frontends.benchmarks.pickled_values import HashLimits, Name, PickleError, Record, build, is_plain, reduce

_CHUNK = 2**20
#: No opcode with what is fused to it reaches further than this, payloads of stated length apart.
_REACH = 600
_LINE = 2**20
_MARKS = 1000
#: Bytes that a small value takes on average; larger ones are counted one by one.
_BLOCK = 64
#: Bytes that a slot of a container takes, at most; what a file of many small values costs.
SLOT = 100
#: Opcodes whose payload has a length of 1, 4 or 8 bytes before it, with what the payload is.
_PAYLOADS = {
    0x8C: (1, "text"), 0x58: (4, "text"), 0x8D: (8, "text"),
    0x43: (1, "bytes"), 0x42: (4, "bytes"), 0x8E: (8, "bytes"), 0x96: (8, "bytes"),
    0x55: (1, "ascii"), 0x54: (4, "ascii"),
    0x8A: (1, "integer"), 0x8B: (4, "integer"),
}  # fmt: skip
_INTEGER = 1024
#: Values of opcodes that have no arguments.
_CONSTANTS = {0x88: True, 0x89: False}

_int32 = struct.Struct("<i").unpack_from


class File(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Run(NamedTuple):
    """Pairs of keys and floats that follow one another.

    Attributes:
        size: bytes that they take.
        layout: of one pair.
        keys: all keys with their opcodes.
        links: all that stands between keys and floats.
        names: the keys as values.
    """

    size: int
    layout: np.dtype[Any]
    keys: bytes
    links: bytes
    names: list[Any]


class Machine:
    """See :class:`.pickles.PickleReader`, which has the loop over opcodes."""

    def __init__(
        self, file: File, records: Collection[tuple[str, str]] = (), unread: str = "", limit: int = 2 * 2**30
    ) -> None:
        self._file = file
        self._records = frozenset(records)
        self._unread = unread
        self._limit = limit
        self._data = b""
        self._place = 0
        self._safe = 0
        self._ended = False
        self._texts: dict[bytes, str] = {}
        self._runs: dict[bytes, Run] = {}
        self._begin()

    def _begin(self) -> None:
        self._shapes: dict[bytes, tuple[list[str], Callable[[bytes], tuple[float, ...]]]] = {}
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: list[Any] = []
        self._hashes = HashLimits()
        self._blocks = sys.getallocatedblocks()
        #: Estimated bytes of slots in containers and of long texts and buffers; all other values are blocks of the allocator.
        self._charged = 0

    def emptied(self, size: int) -> None:
        """Say that a container of so many values was emptied."""
        self._charged -= SLOT * size

    def completed(self, value: dict[Any, Any]) -> None:
        """Called when items were added to a dictionary."""

    def _refill(self) -> None:
        """Have at least one opcode at hand; see to the limits, once for each piece of the file."""
        if len(self._marks) > _MARKS:
            raise PickleError(f"values nested more than {_MARKS} deep")
        blocks = max(0, sys.getallocatedblocks() - self._blocks)
        if self._charged + 24 * len(self._stack) + 8 * len(self._memo) + _BLOCK * blocks > self._limit:
            raise PickleError(f"its values take more than {self._limit:,} bytes of memory")
        if self._place < self._safe:
            return
        if self._ended:
            raise PickleError("the pickle is cut off")
        rest = self._data[self._place :]
        while len(rest) <= _REACH and not self._ended:
            piece = self._file.read(_CHUNK)
            rest += piece
            self._ended = not piece
        # beyond the end there are zeros, which are no opcode
        self._data = rest + b"\0" * (2 * _REACH) if self._ended else rest
        self._place = 0
        self._safe = len(rest) if self._ended else len(rest) - _REACH
        if not rest:
            raise PickleError("the pickle is cut off")

    def _take(self, size: int) -> bytes:
        """The next bytes of the file, however many; counted before they are read."""
        place, data = self._place, self._data
        if place + size <= (self._safe if self._ended else len(data)):
            self._place = place + size
            piece = data[place : place + size]
        else:
            if size > self._limit - self._charged:
                raise PickleError(f"its values take more than {self._limit:,} bytes of memory")
            parts = [data[place : self._safe if self._ended else len(data)]]
            missing = size - len(parts[0])
            while missing > 0 and not self._ended:
                parts.append(self._file.read(min(missing, _CHUNK)))
                missing -= len(parts[-1])
                self._ended = not parts[-1]
            if missing > 0:
                raise PickleError("the pickle is cut off")
            self._data, self._place, self._safe = b"", 0, 0
            piece = b"".join(parts)
        if size > _BLOCK:
            self._charged += 2 * size
        return piece

    def _text(self, raw: bytes) -> str:
        text = str(raw, "utf-8", "surrogatepass")
        if len(raw) > _BLOCK:
            self._charged += 2 * len(raw)
        elif len(self._texts) < 2**16:
            self._texts[raw] = text
        return text

    def _put(self, number: int) -> None:
        """Put the last value into a place of the memo other than the next one."""
        memo = self._memo
        if not 0 <= number <= len(memo) + 2**16:
            raise PickleError("a damaged pickle: numbers of values are left out")
        while number >= len(memo):
            memo.append(None)
        memo[number] = self._stack[-1]
        self._shapes.clear()

    def _pop(self) -> list[Any]:
        """What was put on the stack since the last mark."""
        first = self._marks.pop()
        values = self._stack[first:]
        del self._stack[first:]
        self._charged += SLOT * len(values)
        return values

    def _add_items(self, first: int) -> None:
        stack = self._stack
        items = stack[first:]
        del stack[first:]
        target = stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise PickleError("items of what is no dictionary")
        keys = items[::2]
        self._hashes.check(keys)
        self._charged += SLOT * len(keys)
        target.update(zip(keys, items[1::2], strict=True))
        self.completed(target)

    def _other(self, op: int) -> None:
        """Interpret one of the less frequent opcodes, whose arguments come next."""
        push = self._stack.append
        payload = _PAYLOADS.get(op)
        if payload is not None:
            push(self._payload(*payload))
        elif op in _CONSTANTS:
            push(_CONSTANTS[op])
        elif op == 0x4A:
            push(_int32(self._take(4))[0])
        elif op == 0x8F:
            self._charged += 3 * SLOT
            push(set())
        elif op in b"\x85\x86\x87":
            self._tuple(op - 0x84)
        elif op in b"ate\x90\x91ld":
            self._container(op)
        elif op in b"cRb\x81\x93\x85P\x51":
            self._object(op)
        elif op in b"ILFVSpg":
            self._line(op)
        elif op == 0x80:
            if self._take(1)[0] > 5:
                raise PickleError("a pickle of a protocol after 5")
        elif op == 0x95:
            self._take(8)
        elif op == 0x30:
            self._stack.pop()
        elif op == 0x31:
            self._pop()
        elif op == 0x32:
            push(self._stack[-1])
        else:
            raise PickleError(f"no opcode that is read: {bytes([op])!r}")

    def _payload(self, width: int, kind: str) -> Any:
        size = int.from_bytes(self._take(width), "little")
        if kind == "integer":
            if size > _INTEGER:
                raise PickleError(f"an integer of more than {_INTEGER} bytes")
            return self._integer(int.from_bytes(self._take(size), "little", signed=True))
        data = self._take(size)
        if kind == "bytes":
            return data
        return str(data, "ascii") if kind == "ascii" else self._text(data)

    def _integer(self, value: int) -> int:
        if abs(value) >= HashLimits.MODULUS:
            self._hashes.large = True
        return value

    def _tuple(self, size: int) -> None:
        stack = self._stack
        if len(stack) < size:
            raise PickleError("a tuple of what is not there")
        stack[-size:] = [tuple(stack[-size:])]

    def _container(self, op: int) -> None:
        """Lists, tuples, sets, and what is added to them."""
        stack = self._stack
        values = self._pop() if op != 0x61 else [stack.pop()]
        if op == 0x74:
            stack.append(tuple(values))
        elif op == 0x6C:
            stack.append(values)
        elif op == 0x64:
            stack.append({})
            stack.extend(values)
            self._add_items(len(stack) - len(values))
        elif op == 0x91:
            self._hashes.check(values)
            stack.append(frozenset(values))
        else:
            target = stack[-1]
            if op == 0x90 and type(target) is set:
                self._hashes.check(values)
                target.update(values)
            elif op != 0x90 and type(target) is list:
                self._charged += SLOT
                target.extend(values)
            else:
                raise PickleError("members of what has none")

    def _object(self, op: int) -> None:
        """Names, and what is rebuilt by them."""
        stack = self._stack
        if op == 0x63:
            stack.append(self._name(str(self._readline(), "utf-8"), str(self._readline(), "utf-8")))
        elif op == 0x93:
            kind, module = stack.pop(), stack.pop()
            stack.append(self._name(module, kind))
        elif op == 0x62:
            state = stack.pop()
            value = stack.pop()
            stack.append(build(value, state, self._memo))
        elif op == 0x51:  # the storage of a tensor, by its key
            stack.pop()
            stack.append(None)
        else:
            args, name = stack.pop(), stack.pop()
            if name is None:  # an object that is not read
                stack.append(None)
            elif op == 0x52:
                value = reduce(name, args, len(self._memo), self._hashes, self._records)
                self._charged += SLOT
                stack.append(self._integer(value) if type(value) is int else value)
            elif name in self._records and args == ():
                self._charged += 2 * SLOT
                stack.append(Record())
            else:
                raise PickleError("an object is built in an unknown way")

    def _name(self, module: Any, name: Any) -> Name | None:
        if type(module) is not str or type(name) is not str:
            raise PickleError("a name that is no text")
        found = Name(module, name)
        if self._unread and module.split(".", 1)[0] == self._unread:
            return None
        if found in self._records or is_plain(found):
            return found
        raise PickleError(f"it holds an object of {module[:80]}.{name[:80]}; only plain and numpy values are read")

    def _readline(self) -> bytes:
        """The rest of a line, of at most ``_LINE`` bytes."""
        line = bytearray()
        while len(line) < _LINE:
            byte = self._take(1)
            if byte == b"\n":
                return bytes(line)
            line += byte
        raise PickleError("a line that is too long")

    def _line(self, op: int) -> None:
        """Opcodes of protocol 0, whose argument is a line of text."""
        line = self._readline()
        push = self._stack.append
        if op == 0x49:
            push({b"00": False, b"01": True}[line] if line in (b"00", b"01") else self._integer(int(line)))
        elif op == 0x4C:
            push(self._integer(int(line.rstrip(b"L"))))
        elif op == 0x46:
            push(float(line))
        elif op == 0x56:
            push(str(line, "raw-unicode-escape"))
        elif op == 0x70:
            self._put(int(line))
        elif op == 0x67:
            number = int(line)
            push(self._memo[number if number >= 0 else len(self._memo)])
        else:
            if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"') or b"\\" in line:
                raise PickleError("a text of protocol 0 that is not read")
            push(str(line[1:-1], "ascii"))
