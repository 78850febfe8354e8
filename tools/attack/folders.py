"""Readers of folders that others may have written: checkpoints and runs."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mutation import bytes_of, json_of, text_of
from target import Target, file_of

import cg_ir

__all__ = ["checkpoints", "runs"]

_CELL = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"


def checkpoints(folder: Path) -> Iterator[Target]:
    """Both files of each kind of checkpoint."""
    from cg_embed import PathConfig, PathEncoder
    from cg_predict import LatencyPredictor, Predictor

    space = cg_ir.get_space("nb201")
    rng = np.random.default_rng(0)
    graphs = [space.graph(space.sample(rng)) for _ in range(8)]
    kinds = {
        "checkpoint": PathEncoder(PathConfig(channels=4, seed=3)),
        "predictor": Predictor().fit(graphs, np.arange(8.0)),
        "latency": LatencyPredictor("own").fit(graphs, np.arange(1.0, 9.0)),
    }
    for name, model in kinds.items():
        model.save(folder / name)
        yield from _both(name, type(model), folder / name)
    try:
        from cg_embed.pretrain import read_config
    except ImportError:
        return
    settings = b"encoder: path\noptions:\n  channels: 8\nspaces: [nb201, 'mobilenetv3?resolution=192']\ngraph_files:\n  own: x.jsonl\nsteps: 10\nseed: 0\n"
    yield Target("pre-training YAML", [settings], text_of, file_of("c.yaml", read_config))


def _both(name: str, kind: Any, place: Path) -> Iterator[Target]:
    """The configuration and the arrays of a checkpoint."""
    config, arrays = (place / "config.json").read_bytes(), (place / "model.safetensors").read_bytes()

    def with_config(data: bytes, folder: Path) -> Any:
        (folder / "model.safetensors").write_bytes(arrays)
        (folder / "config.json").write_bytes(data)
        return kind.load(folder)

    def with_weights(data: bytes, folder: Path) -> Any:
        document = json.loads(config)
        document.pop("digest", None)
        (folder / "config.json").write_text(json.dumps(document))
        (folder / "model.safetensors").write_bytes(data)
        return kind.load(folder)

    yield Target(f"{name}: config", [config], json_of, with_config)
    yield Target(f"{name}: weights", [arrays], bytes_of, with_weights)


def runs(folder: Path) -> Iterator[Target]:
    """The files of a run's folder, read for a report and for going on."""
    from cg_evolve.report import report_data
    from cg_evolve.runs import Run
    from cg_ir.cli import main

    place = folder / "run"
    with contextlib.redirect_stdout(io.StringIO()):
        main(["search", "nb201", "--evaluator", "scorer:macs", "--budget", "2", "-o", str(place), "--quiet", "--json"])
    config, history = (place / "config.json").read_bytes(), (place / "history.sqlite").read_bytes()

    def resumed(target: Path) -> Any:
        with Run.open(target, resume=True) as run:
            return run.search.best

    def run(kind: str, use: Callable[[Path], Any] = report_data) -> Callable[[bytes, Path], Any]:
        def read(data: bytes, folder: Path) -> Any:
            target = folder / "run"
            if not target.exists():
                shutil.copytree(place, target)
            (target / "config.json").write_bytes(data if kind == "config" else config)
            for log in target.glob("history.sqlite*"):
                log.unlink()
            if kind == "row":
                (target / "history.sqlite").write_bytes(history)
                _overwrite(target / "history.sqlite", data)
            else:
                (target / "history.sqlite").write_bytes(data if kind == "history" else history)
            return use(target)

        return read

    yield Target("run: configuration", [config], json_of, run("config"))
    yield Target("run: history", [history], bytes_of, run("history"))
    cells = [b"arch\t" + _CELL.encode(), b"metrics\t{}", b"status\tdone", b"value\t1.5", b"hash\tx", b"seed\t0"]
    yield Target("run: values", cells, text_of, run("row"))
    yield Target("resumed run: configuration", [config], json_of, run("config", resumed))
    yield Target("resumed run: history", [history], bytes_of, run("history", resumed))


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
