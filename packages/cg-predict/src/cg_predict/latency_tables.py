"""Measured latencies in a data directory, and the networks that were measured.

``timm_latency.csv.gz`` holds the inference speed of timm models on five machines, ``nb201_hardware_cifar10.csv.gz`` latencies of all cells of
NAS-Bench-201 (HW-NAS-Bench). Converting the timm models takes timm and torch and some minutes; the graphs are kept in a file of their own.

On some machines networks were measured with the branches merged that only training needs (MobileOne, RepVGG): there a row's count of parameters is that of
the merged network.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cg_ir import ArchError, get_benchmark, get_space, hash_all, load_set, save_set
from cg_ir.errors import CgError
from cg_ir.graph import Graph
from cg_ir.plugins import BenchmarkTable
from cg_predict.roofline import COLUMNS, roofline

Floats = NDArray[np.float64]
TIMM, CELLS = "timm_latency.csv.gz", "nb201_hardware_cifar10.csv.gz"
#: Cells of NAS-Bench-201 that are read, a seeded sample.
CELL_SAMPLE = 3000
#: Millions of parameters that two decimals may be off, and a little.
_ROUNDING = 0.006
#: Ending of the names of merged networks in the file of graphs.
_MERGED = "+merged"


@dataclass(frozen=True)
class Device:
    """A machine with measurements.

    Args:
        name: as in its table.
        title: what it is and how it was measured.
        table: ``timm`` or ``nb201``.
        batch: examples that run together, unless said otherwise.
        largest: batch up to which, and ``smallest`` from which on, was measured.
        merged: whether branches that only training needs were merged before.
    """

    name: str
    title: str
    table: str
    batch: int = 1
    smallest: int = 1
    largest: int = 1
    merged: bool = False


def _gpu(name: str, title: str, smallest: int, merged: bool) -> Device:
    return Device(name, f"{title}, mixed precision, throughput", "timm", 1024, smallest, 1024, merged)


DEVICES = (
    Device("i7_12700h", "Intel Core i7-12700H, float32, compiled", "timm"),
    Device("i9_10940x", "Intel Core i9-10940X, float32, compiled", "timm"),
    _gpu("rtx3090", "NVIDIA RTX 3090", 32, False),
    _gpu("rtx4090", "NVIDIA RTX 4090", 32, True),
    _gpu("rtx5090", "NVIDIA RTX 5090", 48, True),
    Device("edgegpu", "NVIDIA Jetson TX2", "nb201"),
    Device("raspi4", "Raspberry Pi 4", "nb201"),
    Device("edgetpu", "Google Edge TPU", "nb201"),
    Device("pixel3", "Google Pixel 3", "nb201"),
    Device("eyeriss", "Eyeriss accelerator (simulated)", "nb201"),
    Device("fpga", "FPGA accelerator (ZC706)", "nb201"),
)


@dataclass(frozen=True)
class Measured:
    """Measurements on one device.

    Args:
        device: the machine.
        columns: of `roofline` at each row's batch, for one example: work, traffic and launches over the batch, (n, d).
        ms: milliseconds an example, (n,).
        network: number of each row's network among those of its table, (n,); networks that are alike have one number.
        group: what rows are left out together, (n,): module families of timm, networks of NAS-Bench-201.
        macs: multiply-accumulates, (n,).
    """

    device: Device
    columns: Floats
    ms: Floats
    network: NDArray[np.int64]
    group: NDArray[np.str_]
    macs: Floats

    def __len__(self) -> int:
        return len(self.ms)

    def take(self, rows: NDArray[np.integer]) -> Measured:
        """Some of the rows."""
        return Measured(
            self.device, self.columns[rows], self.ms[rows], self.network[rows], self.group[rows], self.macs[rows]
        )


def read_measured(
    data: Path,
    graphs: Path,
    tables: Sequence[str] = ("timm", "nb201"),
    progress: Callable[[str], None] = lambda _: None,
) -> list[Measured]:
    """All measurements of the tables that the directory holds, device by device.

    Args:
        data: the directory.
        graphs: file of the timm models' graphs (``.jsonl.gz``), written if it is not there.
        tables: which.
        progress: called with what is done.

    Raises:
        CgError: the directory holds none of the tables.
    """
    found: list[Measured] = []
    if "timm" in tables and (data / TIMM).is_file():
        found += _read_timm(data / TIMM, graphs, progress)
    if "nb201" in tables and (data / CELLS).is_file():
        found += _read_cells(data / CELLS)
    if not found:
        raise CgError(f"{data} should hold {TIMM} or {CELLS}")
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# --- timm -------------------------------------------------------------------------------------------------------------


#: A network of timm: name, image size, and whether its branches are merged.
Key = tuple[str, int, bool]


def _read_timm(path: Path, cache: Path, progress: Callable[[str], None]) -> list[Measured]:
    rows = _rows(path)
    networks = _timm_graphs(rows, cache, progress)
    number = {key: i for i, key in enumerate(networks)}
    graphs = list(networks.values())
    result = []
    for device in (d for d in DEVICES if d.table == "timm"):
        own = [r for r in rows if r["device"] == device.name and _key(r) in number]
        if not own:
            continue
        network = np.array([number[_measured_key(r, device, networks)] for r in own])
        batch = np.array([int(r["batch"]) for r in own])
        columns = np.zeros((len(own), len(COLUMNS)))
        for size in np.unique(batch).tolist():
            at = np.flatnonzero(batch == size)
            columns[at] = roofline([graphs[i] for i in network[at]], size) / size
        ms = np.array([float(r["step_ms"]) for r in own]) / batch
        group = np.array([r["timm_module"] for r in own])
        result.append(Measured(device, columns, ms, network, group, np.array([float(graphs[i].macs) for i in network])))
    return result


def _key(row: Mapping[str, str], merged: bool = False) -> Key:
    return row["arch"], int(row["img_size"]), merged


def _off(row: Mapping[str, str], graph: Graph) -> float:
    """By how many millions the parameters of a network differ from those of a row, which has two decimals."""
    return abs(float(row["param_count"]) - graph.params / 1e6)


def _measured_key(row: Mapping[str, str], device: Device, networks: Mapping[Key, Graph]) -> Key:
    """The network that was measured: the merged one, where it has the row's parameters rather than the other."""
    plain, merged = _key(row), _key(row, True)
    closer = device.merged and merged in networks and _off(row, networks[merged]) < _off(row, networks[plain])
    return merged if closer else plain


def _timm_graphs(rows: Sequence[Mapping[str, str]], cache: Path, progress: Callable[[str], None]) -> dict[Key, Graph]:
    """The networks of the rows, from a file or made by timm; those that timm cannot build at a size are missing."""
    if not cache.is_file():
        made = _made(sorted({_key(row) for row in rows}), progress)
        machines = {d.name for d in DEVICES if d.merged}
        suspects = {
            _key(row, True)
            for row in rows
            if row["device"] in machines and _key(row) in made and _off(row, made[_key(row)]) > _ROUNDING
        }
        made |= _made(sorted(suspects), progress)
        cache.parent.mkdir(parents=True, exist_ok=True)
        save_set([g.renamed(f"{arch}@{size}{_MERGED * merged}") for (arch, size, merged), g in made.items()], cache)
    found = {}
    for graph in load_set(cache):
        name, _, side = graph.name.removesuffix(_MERGED).rpartition("@")
        found[name, int(side), graph.name.endswith(_MERGED)] = graph
    return found


def _made(keys: Sequence[Key], progress: Callable[[str], None]) -> dict[Key, Graph]:
    """Networks that timm builds."""
    spaces = {merged: get_space("timm", merged=int(merged)) for merged in (False, True)}
    made = {}
    for i, (arch, size, merged) in enumerate(keys, 1):
        try:
            graph: Graph | None = spaces[merged].graph(f"{arch}@{size}")
        except ArchError:
            graph = None
        told = f"{arch} at {size}{', merged' * merged}{', not built' * (graph is None)}"
        progress(f"{i} of {len(keys)} timm models: {told}")
        if graph is not None:
            made[arch, size, merged] = graph
    return made


# --- NAS-Bench-201 ----------------------------------------------------------------------------------------------------


def _read_cells(path: Path) -> list[Measured]:
    """Cells without ``none``: of the others nobody says which of the operators that lead nowhere a runtime left out."""
    table = get_benchmark("nb201").open(str(path))
    archs = [arch for arch in table.archs() if "none" not in arch]
    if len(archs) > CELL_SAMPLE:
        archs = [archs[i] for i in np.sort(np.random.default_rng(0).choice(len(archs), CELL_SAMPLE, replace=False))]
    space = get_space("nb201")
    columns, network, macs = _described([space.graph(arch) for arch in archs])
    result = []
    for device in (d for d in DEVICES if d.table == "nb201"):
        ms = np.array([_label(table, arch, f"{device.name}_latency") for arch in archs])
        kept = np.flatnonzero(ms > 0)  # what the Edge TPU cannot run has -1
        own = network[kept]
        result.append(Measured(device, columns[own], ms[kept], own, own.astype(str), macs[own]))
    return result


def _label(table: BenchmarkTable, arch: str, metric: str) -> float:
    try:
        return table.query(arch, metric)
    except KeyError:
        return float("nan")


def _described(graphs: Sequence[Graph]) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Columns of the distinct networks, the number of each graph's network, and multiply-accumulates of the distinct ones."""
    keys = np.array(hash_all(graphs))
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    distinct = [graphs[i] for i in first]
    return roofline(distinct), number.astype(np.int64), np.array([float(g.macs) for g in distinct])
