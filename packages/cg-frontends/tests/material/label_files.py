"""Small files of labels, in exactly the layouts of the official ones."""

from __future__ import annotations

import base64
import bz2
import collections
import json
import pickle
import struct
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cg_frontends.benchmarks.nb101_records import crc32c

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


# --- Once-for-All and CSV ---------------------------------------------------------------------------------------------


def write_ofa(folder: Path) -> Path:
    base = {"wid": None, "ks": [3] * 20, "e": [4] * 20, "d": [2] * 5}
    rows = {json.dumps(base): 75.0, json.dumps({**base, "d": [4] * 5}): 77.5}
    path = folder / "224.dict"
    path.write_text(json.dumps(rows))
    return path


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


# --- AnalogNAS-Bench --------------------------------------------------------------------------------------------------


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
