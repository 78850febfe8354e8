"""Readers of label tables, on small files in exactly the layouts of the official ones."""

from __future__ import annotations

import base64
import bz2
import collections
import gzip
import json
import os
import pickle
import struct
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cg_frontends.benchmarks.index_cache import index_path
from cg_frontends.benchmarks.nb101_records import crc32c
from cg_ir import SourceError, get_benchmark, get_space
from cg_ir.plugins import Benchmark
from cg_ir.testing import BenchmarkSuite

CELLS_201 = [
    "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|",
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
]


# --- NAS-Bench-101 ----------------------------------------------------------------------------------------------------


def masked(data: bytes) -> int:
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def message(field: int, kind: int, payload: bytes) -> bytes:
    return bytes([field << 3 | kind]) + payload


def evaluation(epoch: float, seconds: float, train: float, valid: float, test: float) -> bytes:
    doubles = (epoch, seconds, train, valid, test)
    data = b"".join(message(i, 1, struct.pack("<d", value)) for i, value in enumerate(doubles, 1))
    return data + message(6, 2, b"\x03a/b")


def tfrecord(matrix: list[list[int]], ops: list[str], epochs: int, valid: float) -> bytes:
    steps = [evaluation(0.0, 0.0, 0.1, 0.1, 0.1), evaluation(epochs / 2, 50.0, 0.8, valid / 2, 0.5)]
    steps.append(evaluation(epochs, 100.0, 1.0, valid, valid - 0.01))
    metrics = b"".join(message(1, 2, bytes([len(step)]) + step) for step in steps)
    metrics += message(2, 0, b"\x8a\xde\x82\x04") + message(3, 1, struct.pack("<d", 200.0))
    adjacency = "".join(str(entry) for row in matrix for entry in row)
    row = ["0" * 32, epochs, adjacency, ",".join(ops), base64.b64encode(metrics).decode()]
    data = json.dumps(row).encode()
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(length)) + data + struct.pack("<I", masked(data))


LINE = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]


def write_tfrecord(folder: Path) -> Path:
    path = folder / "nasbench_full.tfrecord"
    rows = []
    for op, base in (("conv3x3-bn-relu", 0.9), ("maxpool3x3", 0.8)):
        for repeat in range(3):
            rows.append(tfrecord(LINE, ["input", op, "output"], 108, base + repeat / 100))
            rows.append(tfrecord(LINE, ["input", op, "output"], 4, base / 2))
    path.write_bytes(b"".join(rows))
    return path


def test_crc32c() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C


def test_nasbench101_records(tmp_path: Path) -> None:
    table = get_benchmark("nb101").open(str(write_tfrecord(tmp_path)))
    assert list(table.archs()) == ["101:0", "101:2"]
    assert table.metrics[0] == "valid_108ep"
    assert table.query("101:0", "valid_108ep") == pytest.approx(0.91)
    assert table.query("101:0", "test_108ep") == pytest.approx(0.90)
    assert table.query("101:2", "valid_4ep") == pytest.approx(0.40)
    assert table.query("101:2", "train_time_108ep") == 100.0
    assert table.query("101:2", "params") == 0x8A & 127 | (0xDE & 127) << 7 | 2 << 14 | 4 << 21


@pytest.mark.parametrize("cut", [5, 40, -3])
def test_damaged_records_are_refused(tmp_path: Path, cut: int) -> None:
    path = write_tfrecord(tmp_path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(SourceError, match=r"record .* is cut off"):
        get_benchmark("nb101").open(str(path))
    path.write_bytes(b"\x01" + write_tfrecord(tmp_path).read_bytes()[1:])
    with pytest.raises(SourceError, match="record 1 is damaged"):
        get_benchmark("nb101").open(str(path))
    assert not index_path(path).exists()


# --- NATS-Bench and NAS-Bench-201 -------------------------------------------------------------------------------------


def training(dataset: str, seed: int, epochs: int, accuracy: float) -> dict[str, Any]:
    """The state of a ResultsCount."""
    sets = {"cifar10-valid": ["x-valid", "ori-test"], "cifar10": ["ori-test"]}.get(
        dataset, ["x-valid", "x-test", "ori-test"]
    )
    curve = {epoch: accuracy * (epoch + 1) / epochs for epoch in range(epochs)}
    return {
        "name": "x", "net_state_dict": None, "train_acc1es": collections.OrderedDict(curve), "train_acc5es": None,
        "train_losses": dict.fromkeys(curve, 1.0), "train_times": collections.OrderedDict(dict.fromkeys(curve, 2.0)),
        "arch_config": {"channel": 16, "num_cells": 5, "class_num": 10}, "params": 0.5, "flop": np.float64(12.5),
        "seed": seed, "epochs": epochs, "latency": [0.01, 0.03], "eval_names": sets,
        "eval_acc1es": {f"{s}@{e}": value for s in sets for e, value in curve.items()},
        "eval_times": {f"{s}@{e}": 1.0 for s in sets for e in curve},
        "eval_losses": {f"{s}@{e}": 1.0 for s in sets for e in curve},
    }  # fmt: skip


def results(index: int, arch: str, epochs: int, base: float) -> dict[str, Any]:
    """The state of an ArchResults: two seeds on each data set."""
    runs = {
        (dataset, seed): training(dataset, seed, epochs, base + offset + (seed == 888))
        for offset, dataset in enumerate(("cifar10-valid", "cifar10", "cifar100", "ImageNet16-120"))
        for seed in (777, 888)
    }
    seeds = {dataset: [777, 888] for dataset, _ in runs}
    return {"arch_index": index, "arch_str": arch, "all_results": runs, "dataset_seed": seeds, "clear_net_done": False}


def write_nats(folder: Path, archs: list[str], schedules: dict[str, int], name: str) -> Path:
    path = folder / name
    path.mkdir()

    def dump(value: Any, file: str) -> None:
        with bz2.open(path / file, "wb") as stream:
            pickle.dump(value, stream, protocol=4)

    dump({"meta_archs": archs, "total_archs": len(archs)}, "meta.pickle.pbz2")
    for index, arch in enumerate(archs):
        entry = {key: results(index, arch, epochs, 10.0 * index + epochs) for key, epochs in schedules.items()}
        dump(collections.OrderedDict(entry), f"{index:06d}.pickle.pbz2")
    return path


def write_tss(folder: Path) -> Path:
    return write_nats(folder, CELLS_201, {"12": 12, "200": 20}, "NATS-tss-v1_0-3ffb9-simple")


def write_sss(folder: Path) -> Path:
    return write_nats(
        folder, ["8:8:8:8:8", "64:8:16:24:32"], {"01": 1, "12": 12, "90": 9}, "NATS-sss-v1_0-50262-simple"
    )


def check_201(table: Any, long: int = 20) -> None:
    """The labels that `results` stands for; the long schedule is called 200 and has 20 epochs here."""
    assert list(table.archs()) == CELLS_201
    arch = CELLS_201[2]
    # the mean of two seeds, of which one is a percent better
    assert table.query(arch, "cifar10_valid") == pytest.approx(20 + long + 0.5)
    assert table.query(arch, "cifar10_test") == pytest.approx(20 + long + 1.5)
    assert table.query(arch, "cifar100_test") == pytest.approx(20 + long + 2.5)
    assert table.query(arch, "imagenet16_valid_12ep") == pytest.approx(20 + 12 + 3.5)
    assert table.query(arch, "params_m") == 0.5
    assert table.query(arch, "flops_m") == 12.5
    assert table.query(arch, "latency_s") == pytest.approx(0.02)
    assert table.query(arch, "train_time_s") == 2.0 * long
    assert table.metrics[0] == "cifar10_valid"


def test_nats_topology_folder_and_its_index(tmp_path: Path) -> None:
    path = write_tss(tmp_path)
    check_201(get_benchmark("nb201").open(str(path)))
    index = index_path(path)
    assert index.is_file()
    before = index.stat().st_mtime_ns
    check_201(get_benchmark("nb201").open(str(path)))
    assert index.stat().st_mtime_ns == before, "the index was not used"
    # the folder that holds the benchmark's folder will do
    check_201(get_benchmark("nb201").open(str(tmp_path)))
    # a changed folder is read again
    (path / "000002.pickle.pbz2").unlink()
    assert list(get_benchmark("nb201").open(str(path)).archs()) == CELLS_201[:2]
    # a damaged index is no harm
    index.write_bytes(b"PK\x03\x04 nothing")
    assert list(get_benchmark("nb201").open(str(path)).archs()) == CELLS_201[:2]


def test_nats_single_file(tmp_path: Path) -> None:
    path = tmp_path / "NATS-tss-v1_0-3ffb9.pickle.pbz2"
    infos = {
        i: {"12": results(i, a, 12, 10.0 * i + 12), "200": results(i, a, 20, 10.0 * i + 20)}
        for i, a in enumerate(CELLS_201)
    }
    with bz2.open(path, "wb") as stream:
        pickle.dump({"meta_archs": CELLS_201, "arch2infos": infos, "evaluated_indexes": {0, 1, 2}}, stream, protocol=4)
    check_201(get_benchmark("nb201").open(str(path)))


def test_nats_size_folder(tmp_path: Path) -> None:
    table = get_benchmark("natssize").open(str(write_sss(tmp_path)))
    assert table.query("64:8:16:24:32", "cifar10_valid_1ep") == pytest.approx(10 + 1 + 0.5)
    # the schedule called 12 is the longest that was written here
    assert {"cifar10_valid", "cifar10_valid_1ep"} <= set(table.metrics)
    with pytest.raises(SourceError, match="not of the space nb201"):
        get_benchmark("nb201").open(str(tmp_path / "NATS-sss-v1_0-50262-simple"))


def archive_201() -> dict[str, Any]:
    infos = {
        i: {"full": results(i, a, 20, 10.0 * i + 20), "less": results(i, a, 12, 10.0 * i + 12)}
        for i, a in enumerate(CELLS_201)
    }
    return {"meta_archs": CELLS_201, "arch2infos": infos, "evaluated_indexes": {0, 1, 2}}


def write_pth(folder: Path) -> Path:
    """What torch.save wrote before version 1.6: magic number, protocol, system, the object, keys of storages."""
    path = folder / "NAS-Bench-201-v1_1-096897.pth"
    with open(path, "wb") as file:
        for value in (
            0x1950A86A20F9469CFC6C,
            1001,
            {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}},
            archive_201(),
            [],
        ):
            pickle.dump(value, file, protocol=2)
    return path


def test_nasbench201_archive(tmp_path: Path) -> None:
    check_201(get_benchmark("nb201").open(str(write_pth(tmp_path))))


def test_nasbench201_archive_as_zip(tmp_path: Path) -> None:
    path = tmp_path / "NAS-Bench-201-v1_1-096897.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(archive_201(), protocol=2))
        archive.writestr("archive/version", "3\n")
    check_201(get_benchmark("nb201").open(str(path)))


def test_the_archive_is_condensed_while_it_is_read(tmp_path: Path) -> None:
    """Results are gone from memory, and from the reader's memo, once their labels are known."""
    from cg_frontends.benchmarks.condensing import CondensingReader

    kept: list[Any] = []

    class Watched(CondensingReader):
        def completed(self, value: dict[Any, Any]) -> None:
            super().completed(value)
            if "labels" in value:
                kept.extend(part for part in self._memo if type(part) is dict and any("@" in str(k) for k in part))

    with open(write_pth(tmp_path), "rb") as file:
        reader = Watched(file, unread="torch")
        data = [reader.load() for _ in range(4)][3]
    assert list(data["arch2infos"][1]["full"]) == ["labels"]
    assert kept == []


def test_torch_reads_what_the_test_writes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    data = torch.load(write_pth(tmp_path), weights_only=False)
    assert data["meta_archs"] == CELLS_201
    path = tmp_path / "new.pth"
    plain = archive_201()
    plain["arch2infos"][0]["full"]["all_results"]["cifar10", 777]["net_state_dict"] = {"w": torch.zeros(3)}
    torch.save(plain, path)
    check_201(get_benchmark("nb201").open(str(path)))


# --- NAS-Bench-301 ----------------------------------------------------------------------------------------------------

GENOTYPE = "[[[0,3],[1,4],[0,2],[1,0],[2,1],[3,5],[1,6],[4,3]],[[0,0],[1,1],[1,2],[2,3],[0,4],[3,5],[3,6],[4,0]]]"
OTHER = "[[[0,0],[1,0],[0,0],[1,0],[0,0],[1,0],[0,0],[1,0]],[[0,0],[1,0],[0,0],[1,0],[0,0],[1,0],[0,0],[1,0]]]"


def settings(genotype: str) -> dict[str, Any]:
    """A genotype as the benchmark's configuration."""
    names = [
        "max_pool_3x3",
        "avg_pool_3x3",
        "skip_connect",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "dil_conv_3x3",
        "dil_conv_5x5",
    ]
    prefix = "NetworkSelectorDatasetInfo:darts:"
    result: dict[str, Any] = {prefix + "layers": 8, prefix + "init_channels": 32, "OptimizerSelector:optimizer": "sgd"}
    for cell, edges in zip(("normal", "reduce"), json.loads(genotype), strict=True):
        first = 0
        for node in range(2, 6):
            pair = edges[2 * (node - 2) : 2 * (node - 1)]
            for source, op in pair:
                result[f"{prefix}edge_{cell}_{first + source}"] = names[op]
            if node > 2:
                result[f"{prefix}inputs_node_{cell}_{node}"] = "_".join(str(source) for source, _ in pair)
            first += node
    return result


def run(genotype: str, valid: float, budget: int = 98, **changes: Any) -> dict[str, Any]:
    return {
        "budget": budget,
        "info": [{"val_accuracy": valid, "train_accuracy": 99.0, "model_parameters": 1_000_000.0}],
        "optimized_hyperparamater_config": {**settings(genotype), **changes},
        "runtime": 3600.0,
        "test_accuracy": valid - 0.5,
    }


def write_301(folder: Path) -> Path:
    path = folder / "nb_301"
    runs = [
        run(GENOTYPE, 92.0), run(GENOTYPE, 93.0), run(GENOTYPE, 50.0, budget=10), run(OTHER, 80.0),
        run(OTHER, 10.0, **{"NetworkSelectorDatasetInfo:darts:layers": 5}),
    ]  # fmt: skip
    for number, value in enumerate(runs):
        file = path / f"random_darts/run_{number}/results_fidelity_0/results_{number}.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(value))
    (path / "surrogate_model_config.json").write_text("{}")
    return path


def test_nasbench301_runs(tmp_path: Path) -> None:
    table = get_benchmark("nb301").open(str(write_301(tmp_path)))
    assert set(table.archs()) == {GENOTYPE, OTHER}
    assert table.query(GENOTYPE, "valid") == pytest.approx(92.5)
    assert table.query(GENOTYPE, "test") == pytest.approx(92.0)
    assert table.query(OTHER, "valid") == 80.0
    assert table.query(OTHER, "runtime_s") == 3600.0


# --- Once-for-All and CSV ---------------------------------------------------------------------------------------------


def write_ofa(folder: Path) -> Path:
    base = {"wid": None, "ks": [3] * 20, "e": [4] * 20, "d": [2] * 5}
    rows = {json.dumps(base): 75.0, json.dumps({**base, "d": [4] * 5}): 77.5}
    path = folder / "224.dict"
    path.write_text(json.dumps(rows))
    return path


def test_ofa_accuracies(tmp_path: Path) -> None:
    table = get_benchmark("mobilenetv3").open(str(write_ofa(tmp_path)))
    assert table.query(f"{'3' * 20}:{'4' * 20}:44444@224", "top1") == 77.5
    assert list(get_benchmark("mobilenetv3").open(str(tmp_path)).archs()) == list(table.archs())


def write_csv(folder: Path) -> Path:
    path = folder / "labels.csv"
    lines = [
        "arch,note,accuracy,latency",
        f"{CELLS_201[0]},a,90.5,1",
        f"{CELLS_201[1]},b,10,",
        f"{CELLS_201[1]},b,20,3",
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_plain_csv(tmp_path: Path) -> None:
    path = write_csv(tmp_path)
    table = get_benchmark("csv").open(str(path))
    assert table.metrics == ("accuracy", "latency")
    assert table.query(CELLS_201[1], "accuracy") == 15.0, "repeated rows are averaged"
    assert table.query(CELLS_201[1], "latency") == 3.0
    packed = tmp_path / "labels.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(get_benchmark("csv").open(str(packed)).archs()) == CELLS_201[:2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arch,y\na,1\nb\n", "line 3: 2 cells expected, not 1"),
        ("arch,y\na,1\nb,1.x\n", "line 3: y should be a number, not '1.x'"),
        ("name,y\na,1\n", "no columns that name an architecture"),
        ("arch,y\n", "the table has no rows"),
        ("arch,note\na,b\n", "has no labels"),
        ("arch,y,y\na,1,2\n", "two columns have the same name"),
        ("index,y\n0,1\n", "nb201_cifar10.csv.gz, which spells the numbers out, is not beside it"),
        ("", "no header"),
    ],
)
def test_bad_csv_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(SourceError, match=message) as caught:
        get_benchmark("csv").open(str(path))
    assert str(path) in str(caught.value)


def test_a_table_of_another_space_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("channels,y\n8:8:8:8:8,1\n")
    with pytest.raises(SourceError, match="a table of the space natssize, not of nb101"):
        get_benchmark("nb101").open(str(path))


def test_cells_by_number_are_joined(tmp_path: Path) -> None:
    (tmp_path / "nb201_cifar10.csv").write_text(
        "index,arch_str,acc\n" + "".join(f"{i},{a},1\n" for i, a in enumerate(CELLS_201))
    )
    (tmp_path / "latency.csv").write_text("index,ms\n2,7.5\n0,1.5\n")
    table = get_benchmark("nb201").open(str(tmp_path / "latency.csv"))
    assert list(table.archs()) == [CELLS_201[2], CELLS_201[0]]
    assert table.query(CELLS_201[2], "ms") == 7.5


def test_other_spellings_are_found(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text('genotype,acc\n"' + GENOTYPE.replace("[0,3],[1,4]", "[1,4],[0,3]") + '",94\n')
    table = get_benchmark("nb301").open(str(path))
    assert table.query(GENOTYPE, "acc") == 94.0


#: Two rows in the columns of each benchmark's published table: the file, its text, the second network and its main label.
PUBLISHED = {
    "transnas": (
        "transnas101.csv",
        "space,arch,class_object_valid_top1,normal_valid_ssim\nmacro,64-1132-basic,44.5,0.55\nmicro,64-41414-1_02_333,45.5,\n",
        "64-41414-1_02_333",
        "class_object_valid_top1",
    ),
    "autoformer": (
        "autoformer.csv",
        "set,arch_json,c100_base_acc,c100_kd_acc\n"
        + "".join(
            f'1,"{{""hidden_dim"":192,""mlp_ratio"":{[ratio] * 12},""depth"":12,""num_heads"":{[3] * 12}}}",,{label}\n'
            for ratio, label in ((4.0, 44.5), (3.5, 45.5))
        ),
        "192:333333333333:777777777777",
        "c100_kd_acc",
    ),
    "metaqnn": (
        "metaqnn.csv",
        "net,n_runs,final_val_acc_mean,best_val_acc,num_params,depth,lr\n"
        '"[C(64,1,1), SM(10)]",1,0.4,44.5,1,2,0.1\n"[C(64,1,1), C(128,1,1), D(1,1), SM(10)]",1,0.4,45.5,1,2,0.1\n',
        "[C(64,1,1), C(128,1,1), SM(10)]",
        "best_val_acc",
    ),
    "naap440": (
        "naap440.csv",
        "model_id,is_test,layers,params,macs,max_test_acc,final_test_acc\n1,0,k3w12s2r0;k3w16s2r0;k1w16s1r0,2566,1,44.5,44\n"
        "2,0,k3w12s2r0;k3w16s2r0;k1w16s1r1,2566,1,45.5,45\n",
        "k3w12s2r0; k3w16s2r0; k1w16s1r1",
        "max_test_acc",
    ),
}


def write_published(folder: Path, name: str) -> Path:
    file, text, _, _ = PUBLISHED[name]
    (folder / file).write_text(text)
    return folder / file


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_published_tables(tmp_path: Path, name: str) -> None:
    _, _, arch, metric = PUBLISHED[name]
    write_published(tmp_path, name)
    table = get_benchmark(name).open(str(tmp_path))
    assert table.metrics[0] == metric
    assert len(list(table.archs())) == 2
    assert list(table.archs())[1] == (arch.replace(" ", "") if name == "naap440" else arch)
    assert table.query(arch, metric) == 45.5
    assert {"set", "space", "n_runs", "lr", "depth", "model_id", "is_test"}.isdisjoint(table.metrics)


def test_a_bad_architecture_is_named_with_its_line(tmp_path: Path) -> None:
    path = write_published(tmp_path, "metaqnn")
    path.write_text(path.read_text().replace("C(128,1,1)", "C(129,1,1)"))
    with pytest.raises(SourceError, match=r"metaqnn.csv, line 3: metaqnn has no layer C\(129,1,1\)"):
        get_benchmark("metaqnn").open(str(path))


@pytest.mark.realdata
def test_evaluation_tables(data_dir: Path) -> None:
    expected = {
        "nb101": 20_001, "nb201": 15_625, "nb301": 9_377, "mobilenetv3": 1_492, "natssize": 32_768, "mnasnet": 3_060,
        "transnas": 7_352, "autoformer": 200, "metaqnn": 1_000, "naap440": 440,
    }  # fmt: skip
    for name, count in expected.items():
        table = get_benchmark(name).open(str(data_dir))
        archs = list(table.archs())
        assert len(archs) == count
        space: Any = get_space(name)
        found = 0
        for arch in archs[:: count // 20]:
            try:
                assert table.query(space.canonical(arch), table.metrics[0]) == table.query(arch, table.metrics[0])
                found += 1
            except KeyError:
                assert name == "nb301", "only the surrogates' table has gaps"
        assert found > 5


# --- AnalogNAS-Bench, and pickles -------------------------------------------------------------------------------------


def write_analog(folder: Path) -> Path:
    """A pickle with instances of the package's two classes, which exist only while it is written."""
    module = types.ModuleType("analognasbench.data")
    kinds = {}
    for name in ("Architecture", "DriftMeasurement"):
        kinds[name] = type(name, (), {"__module__": module.__name__, "__qualname__": name})
        setattr(module, name, kinds[name])
    parent = types.ModuleType("analognasbench")
    sys.modules.update({parent.__name__: parent, module.__name__: module})
    try:
        data = {}
        for key, accuracy in (((0, 1, 2, 3, 4, 0), 91.0), ((1, 1, 1, 1, 1, 1), 10.0)):
            drift = kinds["DriftMeasurement"]()
            drift.__dict__.update(value=accuracy - 5, uncertainty=0.5)
            data[key] = kinds["Architecture"]()
            data[key].__dict__.update(architecture=key, baseline_accuracy=accuracy, analog_drift_60=drift)
        path = folder / "data.anb"
        path.write_bytes(pickle.dumps(data))
    finally:
        del sys.modules[parent.__name__], sys.modules[module.__name__]
    return path


def test_analog(tmp_path: Path) -> None:
    table = get_benchmark("analog-nasbench").open(str(write_analog(tmp_path)))
    # edges 1-2, 1-3, 1-4, 2-3, 2-4, 3-4 of the key (0, 1, 2, 3, 4, 0)
    arch = "|skip_connect~0|+|none~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|skip_connect~2|"
    assert table.metrics[0] == "baseline_accuracy"
    assert table.query(arch, "baseline_accuracy") == 91.0
    assert table.query(arch, "analog_drift_60") == 86.0


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


# --- all of them keep the contract ------------------------------------------------------------------------------------


class TestCsv(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("csv?space=nb201")

    def write(self, folder: Path) -> Path:
        return write_csv(folder)


class TestNasBench101(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("nb101")

    def write(self, folder: Path) -> Path:
        return write_tfrecord(folder)


class TestNatsTopology(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("nb201")

    def write(self, folder: Path) -> Path:
        return write_tss(folder)


class TestNasBench201(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("nb201")

    def write(self, folder: Path) -> Path:
        return write_pth(folder)


class TestNatsSize(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("natssize")

    def write(self, folder: Path) -> Path:
        return write_sss(folder)


class TestNasBench301(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("nb301")

    def write(self, folder: Path) -> Path:
        return write_301(folder)


class TestOnceForAll(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("mobilenetv3")

    def write(self, folder: Path) -> Path:
        return write_ofa(folder)


class TestAnalog(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("analog-nasbench")

    def write(self, folder: Path) -> Path:
        return write_analog(folder)


class TestTransNas(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("transnas")

    def write(self, folder: Path) -> Path:
        return write_published(folder, "transnas")


class TestAutoFormer(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("autoformer")

    def write(self, folder: Path) -> Path:
        return write_published(folder, "autoformer")


class TestMetaQnn(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("metaqnn")

    def write(self, folder: Path) -> Path:
        return write_published(folder, "metaqnn")


class TestNaap440(BenchmarkSuite):
    def make(self) -> Benchmark:
        return get_benchmark("naap440")

    def write(self, folder: Path) -> Path:
        return write_published(folder, "naap440")
