"""The interpreter of pickles against Python's own: streams that Python reads as plain values, and what becomes of damaged ones."""

from __future__ import annotations

import contextlib
import io
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cg_frontends.benchmarks.pickled_values import PickleError
from cg_frontends.benchmarks.pickles import PickleReader, load_plain
from cg_ir import SourceError

ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
KEYS = st.text() | st.integers(-(2**59), 2**59) | st.tuples(st.text(), st.integers(-9, 9))
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner) | st.dictionaries(KEYS, inner) | st.tuples(inner, inner) | st.frozensets(KEYS) | st.sets(KEYS)
    ),
    max_leaves=20,
)


class Plain(pickle.Unpickler):
    """Python's own, without names."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(name)


def read(data: bytes) -> Any:
    return PickleReader(io.BytesIO(data)).load()


@given(VALUES, st.integers(0, pickle.HIGHEST_PROTOCOL))
@settings(max_examples=150, deadline=None)
def test_values_come_back(value: Any, protocol: int) -> None:
    found = read(pickle.dumps(value, protocol))
    assert found == value
    assert type(found) is type(value)


@given(VALUES, st.integers(2, pickle.HIGHEST_PROTOCOL), st.data())
@settings(max_examples=250, deadline=None)
def test_damaged_streams_are_refused_or_read_as_python_reads_them(
    value: Any, protocol: int, data: st.DataObject
) -> None:
    stream = bytearray(pickle.dumps(value, protocol))
    for _ in range(data.draw(st.integers(1, 3))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    wanted: list[Any] = []
    with contextlib.suppress(Exception):
        wanted.append(Plain(io.BytesIO(bytes(stream))).load())
    found: list[Any] = []
    with contextlib.suppress(SourceError):  # and nothing else
        found.append(load_plain(io.BytesIO(bytes(stream)), "file"))
    if found and wanted:
        assert repr(found) == repr(wanted)


STREAMS = {
    "a tuple by a mark": b"(K\x01K\x02t.",
    "a list by a mark": b"(K\x01K\x02l.",
    "a dictionary by a mark": b"(K\x01K\x02d.",
    "what is popped": b"K\x01K\x020.",
    "what is popped to a mark": b"K\x01(K\x02K\x031.",
    "what is doubled": b"]K\x01a2\x86.",
    "members one by one": b"\x80\x04\x8f(K\x01K\x02\x90.",
    "a frozen set": b"\x80\x04(K\x01K\x02\x91.",
    "text of protocol 0": b"(S'ab'\nVc\\u00e9\nI7\nL8L\nF1.5\nI01\nI00\nt.",
    "places of the memo": b"(K\x01p0\n0g0\ng0\nt.",
    "a large integer": b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "an integer of a stated length": b"\x8b\x02\x00\x00\x00\x01\x80.",
    "signed integers": b"J\xff\xff\xff\xff.",
    "a frame": b"\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00K\x05.",
}


@pytest.mark.parametrize("name", STREAMS)
def test_opcodes_that_no_present_pickler_writes(name: str) -> None:
    assert repr(read(STREAMS[name])) == repr(Plain(io.BytesIO(STREAMS[name])).load())


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"\x80\x06K\x01.", "a pickle of a protocol after 5"),
        (b"(K\x01K\x02K\x03d.", "items of what is no dictionary"),
        (b"]K\x01K\x02s.", "items of what is no dictionary"),
        (b"K\x01(K\x02e.", "members of what has none"),
        (b"K\x01\x87.", "a tuple of what is not there"),
        (b"\x8b\xff\xff\x00\x00.", "an integer of more than 1024 bytes"),
        (b"\xff.", r"no opcode that is read: b'\\xff'"),
        (b"S'a\\n'\n.", "a text of protocol 0 that is not read"),
        (b"K\x01p99999999\n.", "numbers of values are left out"),
        (b"cos\nsystem\n.", "it holds an object of os.system; only plain and numpy values are read"),
        (b"K\x01K\x02\x93.", "a name that is no text"),
        (b"", "the pickle is cut off"),
        (b"X\xff\xff\xff\x00ab", "the pickle is cut off"),
    ],
)
def test_what_is_no_data_is_named(stream: bytes, message: str) -> None:
    with pytest.raises(PickleError, match=message):
        read(stream)
