"""What a pickle may name: numpy's values are rebuilt, nothing is called, and keys do not collide."""

from __future__ import annotations

import bz2
import collections
import ctypes
import io
import itertools
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from label_files import write_analog, write_pth, write_sss, write_tss

from cg_frontends.benchmarks.pickled_values import HashLimits, PickleError
from cg_frontends.benchmarks.pickles import PickleReader
from cg_ir import SourceError, get_benchmark

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Other:
    """An instance of no class that the reader knows."""


def read(data: bytes) -> Any:
    return PickleReader(io.BytesIO(data)).load()


SCALARS = [np.float64(1.5), np.float32(-2.5), np.float16(0.25), np.int64(-(2**62)), np.uint8(255), np.bool_(True), np.str_("name"), np.bytes_(b"ab"),
           np.complex128(1 - 1j), np.array(1.5, ">f8")[()]]  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_scalars(protocol: int) -> None:
    for value in SCALARS:
        found = read(pickle.dumps([value, value], protocol))
        assert found == [value.item()] * 2
        assert type(found[0]) is type(value.item())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_arrays(protocol: int) -> None:
    grid = np.arange(24.0).reshape(2, 3, 4)
    for array in (
        grid, np.asfortranarray(grid), grid[:, ::2], grid.astype(">i2"), grid.astype("?"), grid.astype("U5"), grid.astype("S3"), np.array(3), grid[:0],
        grid.astype("c8"),
    ):  # fmt: skip
        found = read(pickle.dumps({"a": array, "b": array}, protocol))
        np.testing.assert_array_equal(found["a"], array)
        assert found["a"].dtype == array.dtype
        assert found["b"] is found["a"]
    objects = np.array(["a", None, [1.0]], dtype=object)
    assert read(pickle.dumps([objects, objects], protocol)) == [["a", None, [1.0]]] * 2


def test_keys_that_collide_are_refused() -> None:
    modulus = HashLimits.MODULUS
    with pytest.raises(PickleError, match="more than 60 bits"):
        read(pickle.dumps({k * modulus: 1 for k in range(100)}))
    pairs = itertools.islice(itertools.product((-1, -2), repeat=12), 3000)
    with pytest.raises(PickleError, match="chosen to have one hash"):
        read(pickle.dumps(dict.fromkeys(pairs, 1)))
    assert len(read(pickle.dumps({(a, b): 0 for a in range(300) for b in range(300)}))) == 90_000


# --- nothing is called ------------------------------------------------------------------------------------------------

WATCHED = """
import sys
from cg_frontends.benchmarks import analog, condensing, nats, nb201_archive, pickles
from cg_ir import get_space
space, path = sys.argv[1:3]
import bz2, zipfile, encodings.latin_1, encodings.raw_unicode_escape, reprlib, tempfile, numpy.lib.format
get_space(space), bz2.BZ2File(sys.argv[3]).read()
seen = []
def hook(event, args):
    if active and event.split(".")[0] in ("import", "ctypes", "exec", "compile", "open", "os", "subprocess", "socket", "pickle", "code", "marshal", "shutil"):
        seen.append((event, str(args[0])[:300]))
sys.addaudithook(hook)
active = True
try:
    place = nats.Path(path)
    if path.endswith(".anb"):
        outcome = len(analog.read_analog(place))
    elif path.endswith(".pth"):
        outcome = len(nb201_archive.read_nb201_archive(place))
    else:
        outcome = len(nats.read_nats(place, space))
except Exception as error:
    outcome = str(error)
active = False
print(outcome)
for event in seen:
    print(*event)
"""


def watched(space: str, path: Path, tmp_path: Path) -> tuple[str, list[str]]:
    """What reading a file in another process comes to, and the audited events but opening what was to be read."""
    other = tmp_path / "warm.pbz2"
    other.write_bytes(bz2.compress(b"warm"))
    process = subprocess.run(
        [sys.executable, "-c", WATCHED, space, str(path), str(other)], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    outcome, *events = process.stdout.splitlines()
    return outcome, [
        event for event in events if not event.startswith((f"open {path}", f"os.listdir {path}", f"os.scandir {path}"))
    ]


def test_an_audit_hook_sees_no_import_and_no_call(tmp_path: Path) -> None:
    for space, write, rows in (
        ("nb201", write_analog, 2),
        ("nb201", write_pth, 3),
        ("nb201", write_tss, 3),
        ("natssize", write_sss, 2),
    ):
        path = write(tmp_path)
        assert watched(space, path, tmp_path) == (str(rows), [])


def forged_dtype(code: bytes) -> bytes:
    """A scalar whose dtype has an object field and says that it has none: it would dereference a pointer of the file's choice."""
    dtype = b"cnumpy\ndtype\n\x8c\x02%s\x89\x88\x87R"
    fields = b"}\x8c\x01f" + dtype % b"O8" + b"K\x00\x86s"
    state = b"(K\x03\x8c\x01|N\x8c\x01f\x85" + fields + b"K\x08K\x01K\x00tb"
    return b"\x80\x04cnumpy.core.multiarray\nscalar\n" + dtype % b"V8" + state + b"C\x08" + code + b"\x86R."


class Runs:
    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


ATTACKS = [
    forged_dtype(b"A" * 8),
    b"cos\nsystem\n(S'touch harmed'\ntR.",
    b"(S'touch harmed'\nios\nsystem\n.",
    pickle.dumps(Runs(os.system, "touch harmed")),
    pickle.dumps({"meta_archs": Runs(eval, "open('harmed', 'w')")}),
    pickle.dumps(Runs(getattr, [], "append")),
    pickle.dumps(Runs(np.ndarray, (10**12,))),
    pickle.dumps(Runs(bytearray, 4_000_000_000)),
    pickle.dumps(Runs(np.dtype, [("a", "O")])),
    pickle.dumps(Runs(ctypes.string_at, 0)),
    pickle.dumps(Other()),
    b"\x80\x02cbuiltins\nlist\n)R.",
    b"\x80\x02cbuiltins\nint\nX\x01\x00\x00\x001\x85R.",
    b"\x80\x02cbuiltins\nset\n)\x81}X\x01\x00\x00\x00aK\x01sb.",
    b"\x80\x02\x82\x01.",
    b"\x80\x05\x97.",
]


@pytest.mark.parametrize("number", range(len(ATTACKS)))
@pytest.mark.parametrize("name", ["data.anb", "x.pickle.pbz2", "x.pth"])
def test_attacks_are_refused_and_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.write_bytes(bz2.compress(ATTACKS[number]) if name.endswith("pbz2") else ATTACKS[number])
    reader = get_benchmark("analog-nasbench" if name == "data.anb" else "nb201")
    with pytest.raises(SourceError) as caught:
        reader.open(str(path))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "harmed").exists()


def test_the_pointer_attack_is_seen_to_do_nothing(tmp_path: Path) -> None:
    path = tmp_path / "data.anb"
    path.write_bytes(forged_dtype(b"A" * 8))
    outcome, events = watched("nb201", path, tmp_path)
    assert "'V8'" in outcome
    assert events == []


def test_states_do_not_reach_what_later_files_use() -> None:
    changed = b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00f8\x85R(K\x03X\x01\x00\x00\x00>NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb."
    read(changed)
    assert read(pickle.dumps(np.float64(1.5))) == 1.5
    for target in (b"cnumpy\ndtype\n", b"ccollections\nOrderedDict\n", b"cbuiltins\nset\n"):
        with pytest.raises(PickleError, match="with a state"):
            read(b"\x80\x02" + target + b"}X\x01\x00\x00\x00aK\x01sb.")


class Harmful:
    def __reduce__(self) -> Any:
        return os.system, ("touch harmed",)


class Huge:
    def __reduce__(self) -> Any:
        return np.ndarray, ((10**12,),)


@pytest.mark.parametrize("value", [Harmful(), Huge(), {"x": [Harmful()]}, collections.Counter("a"), Path("x")])
@pytest.mark.parametrize("name", ["data.anb", "x.pickle.pbz2", "x.pth"])
def test_no_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: Any, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    data = pickle.dumps(value)
    path.write_bytes(bz2.compress(data) if name.endswith("pbz2") else data)
    reader = get_benchmark("analog-nasbench" if name == "data.anb" else "nb201")
    with pytest.raises(SourceError) as caught:
        reader.open(str(path))
    assert name in str(caught.value)
    assert not (tmp_path / "harmed").exists()
