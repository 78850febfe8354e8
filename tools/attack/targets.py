"""Every reader of files and texts that others may have written, with valid inputs to start from."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import pickle
import runpy
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mutation import Mutator, bytes_of, compressed, json_of, pickles, table_of, text_of

import cg_ir

__all__ = ["Target", "targets"]

_TESTS = Path(__file__).resolve().parents[2] / "packages" / "cg-frontends" / "tests" / "benchmarks"
_CELL = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"


@dataclass(frozen=True)
class Target:
    """A reader under attack.

    Attributes:
        name: what it reads.
        seeds: valid inputs.
        mutate: makes a hostile input of them.
        read: reads an input; a folder of its own is there to write files into.
    """

    name: str
    seeds: list[bytes]
    mutate: Mutator
    read: Callable[[bytes, Path], Any]


def _file(name: str, read: Callable[[Path], Any]) -> Callable[[bytes, Path], Any]:
    def run(data: bytes, folder: Path) -> Any:
        path = folder / name
        path.write_bytes(data)
        return read(path)

    return run


def _consume(items: Any) -> int:
    return sum(1 for _ in items)


def targets(folder: Path) -> Iterator[Target]:
    """All targets; what they start from is written below a folder."""
    yield from _graphs()
    yield from _benchmarks(folder)
    yield from _texts()
    yield from _models(folder)
    yield from _runs(folder)


def _graphs() -> Iterator[Target]:
    spaces = [cg_ir.get_space(name) for name in ("nb201", "nb101", "mobilenetv3")]
    graphs = [space.graph(space.sample(np.random.default_rng(0))) for space in spaces]
    small = [graph.to_json().encode() for graph in graphs[:2]]
    lines = [b"\n".join(json.dumps(json.loads(text)).encode() for text in small)]
    yield Target("graph document", small, json_of, _file("g.cg.json", cg_ir.load))
    packed = [gzip.compress(text) for text in small]
    yield Target("compressed graph", packed, compressed(json_of, "gz"), _file("g.cg.json.gz", cg_ir.load))
    yield Target("set of graphs", lines, text_of, _file("g.jsonl", lambda path: _consume(cg_ir.load_set(path))))
    try:
        import onnx  # noqa: F401
    except ImportError:
        return
    from cg_ir.onnx_export import to_onnx

    def read_onnx(path: Path) -> Any:
        return cg_ir.graph_of(str(path))

    models = [to_onnx(graph).SerializeToString() for graph in graphs[:1]]
    yield Target("ONNX", models, bytes_of, _file("net.onnx", read_onnx))


def _benchmarks(folder: Path) -> Iterator[Target]:
    from cg_frontends.benchmarks.pickles import PickleReader
    from cg_frontends.benchmarks.readers import (
        AnalogNasBench,
        NasBench101Labels,
        NasBench201Labels,
        NasBench301Labels,
        OnceForAllLabels,
    )

    written: dict[str, Any] = runpy.run_path(str(_TESTS / "test_readers.py"))
    analog = written["write_analog"](folder).read_bytes()
    pth = written["write_pth"](folder).read_bytes()
    nats = sorted(written["write_tss"](folder).glob("*.pbz2"))
    records = written["write_tfrecord"](folder).read_bytes()
    ofa = written["write_ofa"](folder).read_bytes()
    runs = [path.read_bytes() for path in written["write_301"](folder).rglob("*.json")]
    arrays = pickle.dumps(
        {
            "a": np.arange(6.0).reshape(2, 3),
            "b": np.float32(1),
            "c": {("x", 1): {1, 2}},
            "d": [np.array(["x", None], object)],
        },
        4,
    )
    records_of = (("analognasbench.data", "Architecture"), ("analognasbench.data", "DriftMeasurement"))

    def interpret(data: bytes, _: Path) -> Any:
        from cg_frontends.benchmarks.pickles import refuse_damage

        with refuse_damage("input"):
            return PickleReader(io.BytesIO(data), records_of, "torch").load()

    def open_with(reader: Any) -> Callable[[Path], Any]:
        def read(path: Path) -> Any:
            for index in path.parent.glob("*.cg-index.npz"):
                index.unlink()
            return reader().open(str(path))

        return read

    yield Target("pickle", [arrays, analog, pickle.dumps([1, "a", {"b": 2.0}], 2)], pickles, interpret)
    yield Target("analog-nasbench", [analog], pickles, _file("data.anb", open_with(AnalogNasBench)))
    yield Target("NAS-Bench-201 .pth", [pth], pickles, _file("x.pth", open_with(NasBench201Labels)))

    whole = bz2.compress(pickle.dumps(written["archive_201"](), 4))

    def read_folder(data: bytes, folder: Path) -> Any:
        place = folder / "NATS-tss-v1_0-simple"
        place.mkdir(exist_ok=True)
        (place / "meta.pickle.pbz2").write_bytes(nats[-1].read_bytes())
        (place / "000001.pickle.pbz2").write_bytes(data)
        return open_with(NasBench201Labels)(place)

    entries = [path.read_bytes() for path in nats[:1]]
    yield Target("NATS-Bench folder", entries, compressed(pickles, "bz2"), read_folder)
    yield Target(
        "NATS-Bench file", [whole], compressed(pickles, "bz2"), _file("x.pickle.pbz2", open_with(NasBench201Labels))
    )
    yield Target("NAS-Bench-101", [records], bytes_of, _file("x.tfrecord", open_with(NasBench101Labels)))
    yield Target("Once-for-All", [ofa], json_of, _file("224.dict", open_with(OnceForAllLabels)))

    def read_301(data: bytes, folder: Path) -> Any:
        place = folder / "nb_301"
        place.mkdir(exist_ok=True)
        (place / "results_1.json").write_bytes(data)
        return open_with(NasBench301Labels)(place)

    yield Target("NAS-Bench-301", runs, json_of, read_301)
    yield from _tables()


def _tables() -> Iterator[Target]:
    from cg_frontends.benchmarks.index_cache import _load
    from cg_frontends.benchmarks.readers import CsvLabels
    from cg_ir.sources import Reading
    from cg_predict.labels import read_labels, sources_in

    table = f"arch,note,accuracy\n{_CELL},a,90.5\n{_CELL},b,\n".encode()
    channels = b"channels,acc\n8:8:8:8:8,1\n64:8:16:24:32,2.5\n"
    reading = Reading(space="nb201")
    yield Target("benchmark CSV", [table, channels], table_of, _file("x.csv", lambda path: CsvLabels().open(str(path))))
    yield Target(
        "compressed CSV",
        [gzip.compress(table)],
        compressed(table_of, "gz"),
        _file("x.csv.gz", lambda path: CsvLabels().open(str(path))),
    )
    yield Target("labels", [table], table_of, _file("l.csv", lambda path: read_labels(path, None, reading)))
    sources = f"nb201:{_CELL}\n".encode()
    yield Target(
        "list of SOURCEs",
        [table, sources],
        text_of,
        _file("l.txt", lambda path: [reading.graph(s) for s in sources_in(path)][:5]),
    )
    buffer = io.BytesIO()
    texts = {"header": b"{}", "archs": b"a", "metrics": b'["m"]'}
    arrays = {name: np.frombuffer(text, np.uint8) for name, text in texts.items()}
    np.savez_compressed(buffer, allow_pickle=False, values=np.ones((1, 1)), **arrays)
    yield Target("index", [buffer.getvalue()], bytes_of, _file("x.npz", lambda path: _load(path, "{}", None)))


def _texts() -> Iterator[Target]:
    names = (
        "nb101",
        "nb201",
        "nb301",
        "mobilenetv3",
        "mnasnet",
        "natssize",
        "transnas",
        "autoformer",
        "metaqnn",
        "naap440",
    )
    known = [name for name in names if name in cg_ir.registry().entries("space")]
    made = {name: cg_ir.get_space(name) for name in known}
    rng = np.random.default_rng(0)
    archs = [f"{name}\t{space.sample(rng)}".encode() for name, space in made.items() for _ in range(3)]

    def architecture(data: bytes, _: Path) -> Any:
        name, _tab, arch = data.decode("utf-8", "replace").partition("\t")
        return made.get(name, made["nb201"]).graph(arch)

    def source(data: bytes, _: Path) -> Any:
        from cg_ir.calls import expand

        return [cg_ir.graph_of(one) for one in expand(data.decode("utf-8", "replace"))[:3]]

    yield Target("architecture", archs, text_of, architecture)
    sources = [
        f"nb201:{_CELL}",
        "mobilenetv3?resolution=224:x",
        "graph?file=net.cg.json&edits=3:base",
        "net.onnx",
        "nb201?classes=10:" + _CELL,
        "x.cg.json",
    ]
    yield Target("SOURCE", [text.encode() for text in sources], text_of, source)
    options = ["nb201", "mobilenetv3?resolution=224", "natssize?x=1", "nb201?classes=10"]
    yield Target(
        "options",
        [text.encode() for text in options],
        text_of,
        lambda data, _: cg_ir.get_space(data.decode("utf-8", "replace")),
    )
    yield Target(
        "command line",
        [f"info --json nb201:{_CELL}".encode(), b"validate x.cg.json", b"diff a b", b"plugins --json"],
        text_of,
        _command,
    )


def _command(data: bytes, _: Path) -> None:
    """The command line in this process; an exit status of 0 or 2 is as it should be."""
    from cg_ir.cli import main

    # what the command line names may run: that is the user's word
    words = data.decode("utf-8", "replace").replace("\0", "").replace("os:", "x:").split(" ")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            main([word for word in words if not word.startswith("-o")])
        except SystemExit as stop:
            if stop.code not in (0, 2, None):
                raise RuntimeError(f"exit status {stop.code}") from None


def _models(folder: Path) -> Iterator[Target]:
    from cg_embed import PathConfig, PathEncoder

    place = folder / "encoder"
    PathEncoder(PathConfig(channels=4, seed=3)).save(place)
    config, weights = (place / "config.json").read_bytes(), (place / "model.safetensors").read_bytes()

    def with_config(data: bytes, folder: Path) -> Any:
        (folder / "model.safetensors").write_bytes(weights)
        (folder / "config.json").write_bytes(data)
        return PathEncoder.load(folder)

    def with_weights(data: bytes, folder: Path) -> Any:
        document = json.loads(config)
        document.pop("digest", None)
        (folder / "config.json").write_text(json.dumps(document))
        (folder / "model.safetensors").write_bytes(data)
        return PathEncoder.load(folder)

    yield Target("checkpoint: config", [config], json_of, with_config)
    yield Target("checkpoint: weights", [weights], bytes_of, with_weights)
    try:
        from cg_embed.pretrain import read_config
    except ImportError:
        return
    settings = b"encoder: path\nfamilies:\n  nb201: 100\nsteps: 10\nseed: 0\n"
    yield Target("pre-training YAML", [settings], text_of, _file("c.yaml", read_config))


def _runs(folder: Path) -> Iterator[Target]:
    from cg_evolve import Search  # noqa: F401 - without the package there are no runs
    from cg_evolve.report import report_data
    from cg_ir.cli import main

    place = folder / "run"
    with contextlib.redirect_stdout(io.StringIO()):
        main(["search", "nb201", "--evaluator", "scorer:macs", "--budget", "5", "-o", str(place), "--quiet", "--json"])
    config, history = (place / "config.json").read_bytes(), (place / "history.sqlite").read_bytes()

    def run(kind: str) -> Callable[[bytes, Path], Any]:
        def read(data: bytes, folder: Path) -> Any:
            target = folder / "run"
            if not target.exists():
                shutil.copytree(place, target)
            (target / "config.json").write_bytes(data if kind == "config" else config)
            if kind == "row":
                (target / "history.sqlite").write_bytes(history)
                _overwrite(target / "history.sqlite", data)
            else:
                (target / "history.sqlite").write_bytes(data if kind == "history" else history)
            return report_data(target)

        return read

    yield Target("run: configuration", [config], json_of, run("config"))
    yield Target("run: history", [history], bytes_of, run("history"))
    cells = [b"arch\t" + _CELL.encode(), b"metrics\t{}", b"status\tdone", b"value\t1.5", b"hash\tx", b"seed\t0"]
    yield Target("run: values", cells, text_of, run("row"))


def _overwrite(path: Path, data: bytes) -> None:
    """Set a column of a run's history to a text."""
    column, _, text = data.decode("utf-8", "replace").partition("\t")
    connection = sqlite3.connect(path)
    try:
        known = [row[1] for row in connection.execute("PRAGMA table_info(evaluations)")]
        name = column if column in known else known[len(column) % len(known)]
        with contextlib.suppress(sqlite3.IntegrityError):  # SQLite does not take any value for a key
            connection.execute(f'UPDATE OR IGNORE evaluations SET "{name}" = ? WHERE rowid = 2', (text,))
            connection.commit()
    finally:
        connection.close()
