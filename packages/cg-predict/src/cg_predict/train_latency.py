"""Training the device models: ``python -m cg_predict.train_latency --data DIR --graphs FILE`` rebuilds the shipped checkpoint.

Per device a roofline is fitted and trees learn what it leaves over; intervals come from networks left out, whole module families of timm at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from cg_ir.terminal import EXISTING_FOLDER, NEW_FILE
from cg_predict.device_model import DeviceModel
from cg_predict.latency import shipped_directory
from cg_predict.latency_tables import Measured, read_measured

Floats = NDArray[np.float64]
#: Networks of NAS-Bench-201 that a device learns from.
_SAMPLE = 1000
#: Parts in which networks are left out, by table.
_FOLDS = {"timm": 10, "nb201": 5}


def folds(groups: NDArray[np.str_], count: int, seed: int = 0) -> NDArray[np.int64]:
    """The fold of each row, (n,): rows of one group share it."""
    names, place = np.unique(groups, return_inverse=True)
    return np.asarray((np.random.default_rng(seed).permutation(len(names)) % count)[place], dtype=np.int64)


def left_out(measured: Measured, count: int, seed: int = 0) -> Floats:
    """Milliseconds of every row by a model that has not seen its group, (n,)."""
    fold, result = folds(measured.group, count, seed), np.zeros(len(measured))
    for k in range(count):
        model = DeviceModel.fit(measured.columns[fold != k], measured.ms[fold != k], seed=seed)
        result[fold == k] = model.predict(measured.columns[fold == k])
    return result


def train(tables: Sequence[Measured], seed: int = 0) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Config and arrays of a checkpoint."""
    arrays: dict[str, NDArray[Any]] = {}
    card = {}
    for measured in tables:
        if len(measured) > _SAMPLE and measured.device.table == "nb201":
            rows = np.sort(np.random.default_rng(seed).choice(len(measured), _SAMPLE, replace=False))
            measured = measured.take(rows)
        predicted = left_out(measured, _FOLDS[measured.device.table], seed)
        errors = np.abs(np.log(predicted / measured.ms))
        model = DeviceModel.fit(measured.columns, measured.ms, float(np.quantile(errors, 0.9)), seed)
        arrays |= {f"{measured.device.name}/{name}": value for name, value in model.to_arrays().items()}
        card[measured.device.name] = {
            "rows": len(measured),
            "median_error": round(float(np.median(np.expm1(errors))), 4),
            "within_10": round(float((np.expm1(errors) < 0.1).mean()), 4),
            "spread": round(model.spread, 4),
        }
    return {"devices": [m.device.name for m in tables], "card": {"seed": seed, "devices": card}}, arrays


def model_card(config: Mapping[str, Any], tables: Sequence[Measured]) -> str:
    """The text that goes with the checkpoint; every number is from the training run."""
    lines = [
        "# Device models of cg-predict",
        "",
        "Milliseconds of a forward pass from the graph. Licence: Apache-2.0. Written by `python -m cg_predict.train_latency`; the method is in",
        "`cg_predict.device_model`. The checkpoint holds coefficients and trees, no row of any table.",
        "",
        "Measurements: `timm_latency.csv.gz` (pytorch-image-models, Apache-2.0), `nb201_hardware_cifar10.csv.gz` (HW-NAS-Bench, MIT). Errors are of",
        "networks left out: whole module families of timm, fifths of the cells of NAS-Bench-201, of which those without `none` were learned from.",
        "",
        "| device | measured | rows | median error | within 10 % | 90 % of errors below |",
        "|---|---|--:|--:|--:|--:|",
    ]
    titles = {m.device.name: m.device.title for m in tables}
    for name, row in config["card"]["devices"].items():
        lines.append(
            f"| {name} | {titles[name]} | {row['rows']} | {row['median_error']:.1%} | {row['within_10']:.0%} | {np.expm1(row['spread']):.0%} |"
        )
    return "\n".join([*lines, ""])


@click.command()
@click.option("--data", required=True, type=EXISTING_FOLDER, help="Folder with the tables.")
@click.option(
    "--graphs",
    required=True,
    type=NEW_FILE,
    help="File of the timm models' graphs (.jsonl.gz); made with timm and torch where it is not there.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the folds and trees.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder to write; the package's own checkpoint if absent."
)
def main(data: Path, graphs: Path, seed: int, output: Path | None) -> None:
    """Train the device models and write their checkpoint."""
    from cg_embed.checkpoint import write_checkpoint

    tables = read_measured(data, graphs, progress=lambda line: click.echo(line, err=True))
    config, arrays = train(tables, seed)
    folder = output or shipped_directory()
    write_checkpoint(folder, "latency", config, arrays, model_card(config, tables))
    click.echo(model_card(config, tables))
    click.echo(f"{folder}: {sum(a.nbytes for a in arrays.values()) / 1e6:.2f} MB", err=True)


if __name__ == "__main__":
    main()
