"""Every reader of files and texts that others may have written, with valid inputs to start from."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import pickle
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from folders import checkpoints, runs
from mutation import bytes_of, compressed, json_of, lines_of, pickles, table_of, text_of
from target import Target, file_of

import cg_ir

__all__ = ["targets"]

_MATERIAL = Path(__file__).resolve().parents[2] / "packages" / "cg-frontends" / "tests" / "material"
#: Benchmark, columns and a row of tables that only a CSV holds.
_FURTHER = (
    ("transnas", "space,arch,class_object_valid_top1", "macro,64-111114-basic,44.5"),
    (
        "autoformer", "set,arch_json,c100_kd_acc",
        '1,"{""hidden_dim"":192,""mlp_ratio"":[3.5,4,3.5,4,3.5,4,4,4,4,4,4,4],""depth"":12,""num_heads"":[4,4,3,4,3,3,4,4,3,3,3,4]}",76.06',
    ),
    ("metaqnn", "net,n_runs,best_val_acc,lr", '"[C(64,1,1), C(128,1,1), D(1,2), P(2,2), D(2,2), GAP(10), SM(10)]",1,0.5678,0.001'),
    ("naap440", "model_id,is_test,layers,max_test_acc", "1,0,k3w12s2r0;k3w16s2r0;k1w16s1r0,58.88"),
    (
        "timm",
        "model,arch,recipe_tag,timm_module,img_size,top1,top1_real,top1_v2,param_count_m,infer_gmacs",
        "resnet18.a1_in1k,resnet18,a1_in1k,resnet,288,73.2,80,61,11.69,3.01\nresnet18.tv_in1k,resnet18,tv_in1k,resnet,224,69.8,,,11.69,1.82",
    ),
    ("mnasnet", "id,expand7,kernel7,layers7,se7,val_top1", "0,1:3:3:3:6:6:6,3:3:5:3:3:5:3,1:2:3:3:2:3:1,0:0:0:0:0:0:0,75.1"),
    ("nb101", "adj_upper,ops,valid_108ep", "1,input:output,0.9"),
)  # fmt: skip
_CELL = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"


def _consume(items: Any) -> int:
    return sum(1 for _ in items)


def targets(folder: Path) -> Iterator[Target]:
    """All targets; what they start from is written below a folder."""
    yield from _graphs()
    yield from _benchmarks(folder)
    yield from _texts()
    yield from checkpoints(folder)
    yield from runs(folder)


def _graphs() -> Iterator[Target]:
    spaces = [cg_ir.get_space(name) for name in ("nb201", "nb101", "mobilenetv3")]
    graphs = [space.graph(space.sample(np.random.default_rng(0))) for space in spaces]
    small = [graph.to_json().encode() for graph in graphs[:2]]
    lines = [b"\n".join(json.dumps(json.loads(text)).encode() for text in small)]
    yield Target("graph document", small, json_of, file_of("g.cg.json", cg_ir.load))
    packed = [gzip.compress(text) for text in small]
    yield Target("compressed graph", packed, compressed(json_of, "gz"), file_of("g.cg.json.gz", cg_ir.load))
    yield Target("set of graphs", lines, text_of, file_of("g.jsonl", lambda path: _consume(cg_ir.load_set(path))))
    labelled = [
        json.dumps(
            {"id": name, "labels": {"accuracy": 90.5, "loss": 1}, "group": "g", "graph": json.loads(text)}
        ).encode()
        for name, text in zip("ab", small, strict=True)
    ]
    from cg_frontends.benchmarks.readers import LabelledGraphs

    def read_labelled(path: Path) -> Any:
        return LabelledGraphs().open(str(path))

    packed_lines = gzip.compress(b"\n".join(labelled))
    yield Target("labelled graphs", [b"\n".join(labelled), labelled[0]], lines_of, file_of("g.jsonl", read_labelled))
    yield Target(
        "compressed labelled graphs", [packed_lines], compressed(lines_of, "gz"), file_of("g.jsonl.gz", read_labelled)
    )
    try:
        import onnx  # noqa: F401
    except ImportError:
        return
    from cg_ir.onnx_export import to_onnx

    def read_onnx(path: Path) -> Any:
        return cg_ir.graph_of(str(path))

    models = [to_onnx(graph).SerializeToString() for graph in graphs[:1]]
    yield Target("ONNX", models, bytes_of, file_of("net.onnx", read_onnx))


_RECORDS = (("analognasbench.data", "Architecture"), ("analognasbench.data", "DriftMeasurement"))


def _interpret(data: bytes, _: Path) -> Any:
    from cg_frontends.benchmarks.pickles import PickleReader, refuse_damage

    with refuse_damage("input"):
        return PickleReader(io.BytesIO(data), _RECORDS, "torch").load()


def _open_with(reader: Any) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        for index in path.parent.glob("*.cg-index.npz"):
            index.unlink()
        return reader().open(str(path))

    return read


def _benchmarks(folder: Path) -> Iterator[Target]:
    from cg_frontends.benchmarks.readers import (
        AnalogNasBench,
        NasBench101Labels,
        NasBench201Labels,
        NasBench301Labels,
        OnceForAllLabels,
    )

    written: dict[str, Any] = runpy.run_path(str(_MATERIAL / "label_files.py"))
    analog = written["write_analog"](folder).read_bytes()
    pth = written["write_pth"](folder).read_bytes()
    nats = sorted(written["write_tss"](folder).glob("*.pbz2"))
    records = written["write_tfrecord"](folder).read_bytes()
    ofa = written["write_ofa"](folder).read_bytes()
    results = [path.read_bytes() for path in written["write_301"](folder).rglob("*.json")]
    arrays = pickle.dumps(
        {
            "a": np.arange(6.0).reshape(2, 3),
            "b": np.float32(1),
            "c": {("x", 1): {1, 2}},
            "d": [np.array(["x", None], object)],
        },
        4,
    )
    yield Target("pickle", [arrays, analog, pickle.dumps([1, "a", {"b": 2.0}], 2)], pickles, _interpret)
    yield Target("analog-nasbench", [analog], pickles, file_of("data.anb", _open_with(AnalogNasBench)))
    yield Target("NAS-Bench-201 .pth", [pth], pickles, file_of("x.pth", _open_with(NasBench201Labels)))

    whole = bz2.compress(pickle.dumps(written["archive_201"](), 4))

    def read_folder(data: bytes, folder: Path) -> Any:
        place = folder / "NATS-tss-v1_0-simple"
        place.mkdir(exist_ok=True)
        (place / "meta.pickle.pbz2").write_bytes(nats[-1].read_bytes())
        (place / "000001.pickle.pbz2").write_bytes(data)
        return _open_with(NasBench201Labels)(place)

    entries = [path.read_bytes() for path in nats[:1]]
    yield Target("NATS-Bench folder", entries, compressed(pickles, "bz2"), read_folder)
    yield Target(
        "NATS-Bench file", [whole], compressed(pickles, "bz2"), file_of("x.pickle.pbz2", _open_with(NasBench201Labels))
    )
    yield Target("NAS-Bench-101", [records], bytes_of, file_of("x.tfrecord", _open_with(NasBench101Labels)))
    yield Target("Once-for-All", [ofa], json_of, file_of("224.dict", _open_with(OnceForAllLabels)))

    def read_301(data: bytes, folder: Path) -> Any:
        place = folder / "nb_301"
        place.mkdir(exist_ok=True)
        (place / "results_1.json").write_bytes(data)
        return _open_with(NasBench301Labels)(place)

    yield Target("NAS-Bench-301", [data for data in results if len(data) > 2], json_of, read_301)
    yield from _tables()


def _tables() -> Iterator[Target]:
    from cg_frontends.benchmarks.index_cache import _load
    from cg_frontends.benchmarks.readers import CsvLabels
    from cg_ir.sources import Reading
    from cg_predict.labels import read_labels, sources_in

    table = f"arch,note,accuracy\n{_CELL},a,90.5\n{_CELL},b,\n".encode()
    channels = b"channels,acc\n8:8:8:8:8,1\n64:8:16:24:32,2.5\n"
    reading = Reading(space="nb201")
    yield Target(
        "benchmark CSV", [table, channels], table_of, file_of("x.csv", lambda path: CsvLabels().open(str(path)))
    )
    yield Target(
        "compressed CSV",
        [gzip.compress(table)],
        compressed(table_of, "gz"),
        file_of("x.csv.gz", lambda path: CsvLabels().open(str(path))),
    )
    yield Target("labels", [table], table_of, file_of("l.csv", lambda path: read_labels(path, None, reading)))
    further = [f"{name}\n{columns}\n{row}\n".encode() for name, columns, row in _FURTHER]
    yield Target("tables of further spaces", further, table_of, _further)
    sources = f"{_CELL}\n".encode()
    yield Target(
        "list of SOURCEs",
        [table, sources],
        text_of,
        file_of("l.txt", lambda path: [reading.graph(s) for s in sources_in(path)][:5]),
    )
    buffer = io.BytesIO()
    texts = {"header": b"{}", "archs": b"a", "metrics": b'["m"]'}
    arrays = {name: np.frombuffer(text, np.uint8) for name, text in texts.items()}
    np.savez_compressed(buffer, allow_pickle=False, values=np.ones((1, 1)), **arrays)
    yield Target("index", [buffer.getvalue()], bytes_of, file_of("x.npz", lambda path: _load(path, "{}", None)))


def _further(data: bytes, folder: Path) -> Any:
    """The table of a benchmark that its first line names."""
    from cg_frontends.benchmarks import readers

    name, _, table = data.partition(b"\n")
    classes: list[Any] = [one for one in vars(readers).values() if isinstance(one, type)]
    known = {one.name: one for one in classes if getattr(one, "name", "")}
    path = folder / "x.csv"
    path.write_bytes(table)
    return known.get(name.decode("utf-8", "replace"), readers.CsvLabels)().open(str(path))


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

    files = {"net.cg.json": made["nb201"].graph(_CELL).to_json().encode(), "net.onnx": b"\x08\x08"}

    def source(data: bytes, folder: Path) -> Any:
        from cg_ir.calls import expand

        for name, content in files.items():
            if not (folder / name).exists():
                (folder / name).write_bytes(content)
        return [cg_ir.graph_of(one) for one in expand(data.decode("utf-8", "replace"))[:3]]

    yield Target("architecture", archs, text_of, architecture)
    sources = [
        f"nb201:{_CELL}",
        "mobilenetv3?resolution=192:57553337553773335555:43444634434336664344:23243@192",
        "natssize:8:8:8:8:8",
        "graph?file=net.cg.json&edits=3:s",
        "net.cg.json",
        "net.onnx",
    ]
    yield Target("SOURCE", [text.encode() for text in sources], text_of, source)
    options = ["nb201", "mobilenetv3?resolution=224", "timm?resolution=224", "mnasnet"]
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
