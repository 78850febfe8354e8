"""Training results of NAS-Bench-301: a folder of JSON files, one a run.

A run states its architecture as settings ``edge_normal_0``, ``inputs_node_normal_3``, ... (github.com/automl/nasbench301, ``representations.py``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cg_frontends.benchmarks.progress import progress
from cg_frontends.benchmarks.table import LabelTable, Rows
from cg_frontends.spaces.nb301_genotype import NODES, format_genotype, read_genotype
from cg_ir import ArchError, SourceError

_PREFIX = "NetworkSelectorDatasetInfo:darts:"
_NETWORK = {"layers": 8, "init_channels": 32}


def read_nb301_runs(path: Path) -> LabelTable:
    """The table of all runs in a folder and the folders inside it.

    Metrics are ``valid``, ``test`` and ``train`` accuracy in percent after the last epoch, ``runtime_s`` and ``params``. Runs of one architecture are
    averaged, those with the most epochs alone. Runs of other networks than the benchmark's (8 cells, 32 channels) are left out.

    Raises:
        SourceError: there is no run, or a file has another layout.
    """
    files = sorted(path.rglob("*.json"))
    best: dict[str, tuple[float, list[dict[str, float]]]] = {}
    for file in progress(files, f"reading {path.name}", len(files)):
        run = _load(file)
        settings = run.get("optimized_hyperparamater_config")
        if not isinstance(settings, Mapping):
            continue
        if any(settings.get(_PREFIX + key, value) != value for key, value in _NETWORK.items()):
            continue
        try:
            arch = _arch(settings)
            budget = float(run.get("budget") or 0)
            labels = _labels(run)
        except (ArchError, ArithmeticError, IndexError, KeyError, TypeError, ValueError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise SourceError(f"{file}: a run of another layout: {reason}"[:300]) from None
        known, runs = best.get(arch, (-1.0, []))
        if budget > known:
            best[arch] = (budget, [labels])
        elif budget == known:
            runs.append(labels)
    rows = Rows()
    for arch, (_, runs) in best.items():
        for labels in runs:
            rows.add(arch, labels)
    return rows.table(str(path), ("valid", "test"), lambda arch: format_genotype(read_genotype(arch)))


def _load(file: Path) -> Mapping[str, Any]:
    try:
        run = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{file}: cannot be read: {error}"[:300]) from None
    if not isinstance(run, Mapping):
        raise SourceError(f"{file}: a run should be a JSON object")
    return run


def _arch(settings: Mapping[str, Any]) -> str:
    cells = []
    for cell in ("normal", "reduce"):
        edges: list[tuple[int, str]] = []
        first = 0
        for node in range(2, 2 + NODES):
            # a node's edges are numbered on from those of the node before; node 2 has only two
            text = "0_1" if node == 2 else str(settings[f"{_PREFIX}inputs_node_{cell}_{node}"])
            for source in map(int, text.split("_")):
                edges.append((source, str(settings[f"{_PREFIX}edge_{cell}_{first + source}"])))
            first += node
        cells.append(edges)
    # (input, operator) pairs, by name
    return format_genotype(read_genotype([[(op, source) for source, op in cell] for cell in cells]))


def _labels(run: Mapping[str, Any]) -> dict[str, float]:
    info = run["info"][0]
    labels = {"valid": float(info["val_accuracy"])}
    for name, value in (
        ("test", run.get("test_accuracy")),
        ("train", info.get("train_accuracy")),
        ("runtime_s", run.get("runtime")),
        ("params", info.get("model_parameters")),
    ):
        if value is not None:
            labels[name] = float(value)
    return labels
