"""How well latency is predicted: networks left out, devices left out, few measurements of a device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_bench.rows import ResultRows
from cg_predict.device_model import DeviceModel
from cg_predict.device_transfer import DeviceTransfer, most_telling
from cg_predict.latency_tables import Measured
from cg_predict.metrics import spearman
from cg_predict.roofline import IDEAL, ideal
from cg_predict.train_latency import folds

__all__ = ["latency_rows", "noise", "run", "write_report"]

Floats = NDArray[np.float64]
_FOLDS, _DEVICE_FOLDS, _DRAWS = 10, 5, 5
#: Measurements of a device that was left out.
COUNTS = (0, 10, 20, 30)
OURS, CHOSEN, ROOFLINE = "ours", "ours, suggested", "roofline alone"
LINE, FOREST, NEAREST = "line through MACs", "forest alone", "mean of other devices"


def latency_rows(folder: Path) -> ResultRows:
    """The rows of a folder, those that are there already included."""
    keys = {"part": str, "device": str, "method": str, "measurements": int, "draw": int}
    measures = dict.fromkeys(("median_error", "within_10", "spearman", "coverage_90"), float)
    return ResultRows(folder / "results.csv", keys, measures)


def _judged(predicted: Floats, ms: Floats, coverage: float = float("nan")) -> dict[str, float]:
    errors = np.abs(predicted / ms - 1)
    return {
        "median_error": float(np.median(errors)),
        "within_10": float((errors < 0.1).mean()),
        "spearman": spearman(predicted, ms),
        "coverage_90": coverage,
    }


# --- what is compared ----------------------------------------------------------------------------------------------------


def _line(macs: Floats, ms: Floats, asked: Floats) -> Floats:
    """A line through logarithms of MACs; through their mean where all networks have the same."""
    x, y = np.log(macs), np.log(ms)
    slope = np.cov(x, y, bias=True)[0, 1] / x.var() if x.var() > 1e-12 else 0.0
    return np.asarray(np.exp(y.mean() + slope * (np.log(asked) - x.mean())))


def _forest(columns: Floats, ms: Floats, asked: Floats, seed: int) -> Floats:
    """Extremely randomised trees on logarithms of the roofline's columns."""
    from sklearn.ensemble import ExtraTreesRegressor

    trees = ExtraTreesRegressor(100, min_samples_leaf=2 if len(ms) > 50 else 1, max_features=1 / 3, random_state=seed)
    return np.asarray(np.exp(trees.fit(np.log1p(columns), np.log(ms)).predict(np.log1p(asked))))


# --- parts ---------------------------------------------------------------------------------------------------------------


def run(tables: Sequence[Measured], rows: ResultRows, progress: Callable[[str], None], draws: int = _DRAWS) -> None:
    """All parts; what the rows have already is not computed again."""
    for measured in tables:
        if measured.device.table == "timm":
            _networks_left_out(measured, rows)
            progress(f"{measured.device.name}: networks left out")
    known_models = _models(tables)
    for target in tables:
        _device_left_out(target, known_models, rows, draws)
        progress(f"{target.device.name}: device left out")


def _add(
    rows: ResultRows, part: str, device: str, method: str, measurements: int, draw: int, judged: dict[str, float]
) -> None:
    rows.add({"part": part, "device": device, "method": method, "measurements": measurements, "draw": draw, **judged})


def _networks_left_out(m: Measured, rows: ResultRows) -> None:
    """Module families left out, a tenth of them at a time, by every method."""
    part = "module families left out"
    if (part, m.device.name, OURS, 0, 0) in rows.done:
        return
    fold = folds(m.group, _FOLDS)
    found: dict[str, Floats] = {name: np.zeros(len(m)) for name in (OURS, ROOFLINE, LINE, FOREST)}
    inside = np.zeros(len(m), dtype=bool)
    for k in range(_FOLDS):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        model = DeviceModel.fit(m.columns[train], m.ms[train], _spread(m.take(train)))
        found[OURS][test] = model.predict(m.columns[test])
        inside[test] = np.abs(np.log(found[OURS][test] / m.ms[test])) <= model.half_width(m.columns[test])
        found[ROOFLINE][test] = model.computed(m.columns[test])
        found[LINE][test] = _line(m.macs[train], m.ms[train], m.macs[test])
        found[FOREST][test] = _forest(m.columns[train], m.ms[train], m.columns[test], 0)
    for name in (ROOFLINE, LINE, FOREST, OURS):
        judged = _judged(found[name], m.ms, inside.mean() if name == OURS else float("nan"))
        _add(rows, part, m.device.name, name, 0, 0, judged)


def _spread(m: Measured) -> float:
    """Half the width of the interval that held nine of ten of a third of the groups, left out."""
    fold = folds(m.group, 3, seed=1)
    model = DeviceModel.fit(m.columns[fold != 0], m.ms[fold != 0])
    return float(np.quantile(np.abs(np.log(model.predict(m.columns[fold == 0]) / m.ms[fold == 0])), 0.9))


def _device_left_out(
    target: Measured, known_models: Sequence[tuple[Measured, DeviceModel]], rows: ResultRows, draws: int
) -> None:
    """A device from all others and a few measurements of its own.

    ``new networks``: the other devices' models have seen none of the networks, neither those measured on the target nor those predicted;
    ``known networks``: they have seen them, on the other devices.
    """
    name = target.device.name
    others = [m for m, _ in known_models if m.device.name != name]
    everything = [model for m, model in known_models if m.device.name != name]
    if target.device.table == "nb201":
        if ("known networks", name, NEAREST, 0, draws - 1) not in rows.done:
            known = _told(everything, target)
            for draw in range(draws):
                _few(target, known, "known networks", draw, rows)
        return
    fold = folds(target.group, _DEVICE_FOLDS)
    for part in ("new networks", "known networks"):
        for k in range(_DEVICE_FOLDS):
            test = target.take(np.flatnonzero(fold == k))
            if (part, name, NEAREST, 0, 100 * k + draws - 1) in rows.done:
                continue
            models = everything if part == "known networks" else [_without(m, test, known_models) for m in others]
            known = _told(models, test)
            for draw in range(draws):
                _few(test, known, part, 100 * k + draw, rows)


def _models(tables: Sequence[Measured]) -> list[tuple[Measured, DeviceModel]]:
    """A model of every device, from all its networks (of NAS-Bench-201 from a thousand)."""
    result = []
    for m in tables:
        part = m if m.device.table == "timm" else m.take(np.arange(min(len(m), 1000)))
        result.append((m, DeviceModel.fit(part.columns, part.ms)))
    return result


def _without(m: Measured, asked: Measured, known_models: Sequence[tuple[Measured, DeviceModel]]) -> DeviceModel:
    """The model of a device that has seen none of the groups that are asked for."""
    if m.device.table != asked.device.table:
        return next(model for other, model in known_models if other is m)
    kept = np.flatnonzero(~np.isin(m.group, np.unique(asked.group)))
    return DeviceModel.fit(m.columns[kept], m.ms[kept])


def _told(models: Sequence[DeviceModel], asked: Measured) -> Floats:
    """Logarithms of what models say of networks, and then ideal machines, (n, columns)."""
    told = [np.log(model.predict(asked.columns)) for model in models]
    return np.concatenate([np.stack(told, axis=1), ideal(asked.columns)], axis=1)


def _few(m: Measured, known: Floats, part: str, draw: int, rows: ResultRows) -> None:
    """Measure some networks, predict the rest."""
    name = m.device.name
    order = np.random.default_rng([draw, 7]).permutation(len(m))
    for count in COUNTS:
        if len(m) < count + 5:
            continue  # too few would be left to judge by
        own, rest = order[:count], order[count:]
        if not count:
            nearest = np.exp(known[rest, : -len(IDEAL)].mean(axis=1))
            _add(rows, part, name, NEAREST, 0, draw, _judged(nearest, m.ms[rest]))
            continue
        results = {
            LINE: _line(m.macs[own], m.ms[own], m.macs[rest]),
            FOREST: _forest(m.columns[own], m.ms[own], m.columns[rest], draw),
        }
        for method, predicted in results.items():
            _add(rows, part, name, method, count, draw, _judged(predicted, m.ms[rest]))
        _transferred(m, known, part, OURS, own, draw, rows)
        if draw % 100 == 0:  # a suggestion is the same in every draw
            _transferred(m, known, part, CHOSEN, np.array(most_telling(known, count)), draw, rows)


def _transferred(
    m: Measured, known: Floats, part: str, method: str, own: NDArray[np.int64], draw: int, rows: ResultRows
) -> None:
    """Predict from measurements of the networks of these numbers."""
    rest = np.setdiff1d(np.arange(len(m)), own)
    mean, deviation = DeviceTransfer(known[own], np.log(m.ms[own]), len(IDEAL)).predict(known[rest])
    inside = np.abs(mean - np.log(m.ms[rest])) <= 1.6449 * deviation
    _add(rows, part, m.device.name, method, len(own), draw, _judged(np.exp(mean), m.ms[rest], float(inside.mean())))


def noise(m: Measured) -> float:
    """Median error of telling a measurement by the median of the others of the same network, which stand in the table under other cells; NaN without any."""
    numbers, counts = np.unique(m.network, return_counts=True)
    found = []
    for number in numbers[counts > 1]:
        values = m.ms[m.network == number]
        found += [abs(np.median(np.delete(values, i)) / values[i] - 1) for i in range(len(values))]
    return float(np.median(found)) if found else float("nan")


# --- report --------------------------------------------------------------------------------------------------------------


def write_report(folder: Path, tables: Sequence[Measured], rows: Sequence[dict[str, Any]]) -> None:
    """``results.md``."""
    from cg_ir.files import write_text

    lines = [
        "# Latency",
        "",
        "Written by `cg bench latency`. Errors are relative to the measurement. Measurements: pytorch-image-models' `results/` (`timm`: two CPUs at batch 1,",
        "three graphics cards at large batches) and HW-NAS-Bench (`nb201`: cells without `none`, a seeded sample of "
        f"{max((len(m) for m in tables if m.device.table == 'nb201'), default=0):,}).",
        "",
        *_asked(rows),
        *_left_out_table(rows),
        *_device_tables(tables, rows),
        *_NOTES,
    ]
    write_text(folder / "results.md", "\n".join(lines).rstrip() + "\n")


_NOTES = (
    "## How to read it",
    "",
    "- The columns of the roofline were partly chosen on these tables: which kinds of operators are told apart, tiles, what fuses, the balances. Networks and",
    "  devices that are left out here were looked at when they were chosen, and so were the numbers with which networks to measure are suggested and with",
    "  which the two views of a device of one's own are weighed: errors on machines and networks of another kind may be larger.",
    "- *forest alone* sees the same columns of the roofline as ours does, without its coefficients.",
    "- On the RTX 4090 and 5090 MobileOne, RepVGG and the like were measured with merged branches, which the table's counts of parameters tell, and are so",
    "  here (`timm?merged=1`).",
    "- Half of what is lost of the rank correlation on graphics cards is lost on the four networks of EfficientFormerV2, which take six to twelve times what",
    "  the same operators take elsewhere; without them it is 0.992 on the RTX 4090. [What else was tried](tries.md) stands on a page of its own.",
    "- That a recurrent layer reads its weights once a step, and that kinds of operators which were never measured cost what is like them, was added when",
    "  it was seen that three networks of LSTMs (Sequencer) lost a fifth of the rank correlation on the processors.",
    "- The Pixel 3 has two speeds: six cells of ten lie within 1 % of one line, the others up to a quarter below it, and of cells that are the same network",
    "  some have the one and some the other. So the error of half of the cells can be made small, and that of the rest cannot.",
    "- nn-Meter (Zhang et al., MobiSys 2021) reports that 99 % (mobile CPU), 99 % (mobile GPU) and 83 % (Intel VPU) of its predictions lie within 10 % of the",
    "  measurement, from thousands of kernels measured on the device itself. Here whole networks are all that was measured.",
    "",
)


#: What is asked: part, device, measurements, column, bound (errors are to stay below it, correlations above).
_ASKED = (
    ("module families left out", "i9_10940x", 0, "median_error", 0.11),
    ("module families left out", "rtx4090", 0, "median_error", 0.08),
    ("module families left out", "i9_10940x", 0, "spearman", 0.975),
    ("module families left out", "rtx4090", 0, "spearman", 0.985),
    *(
        ("new networks", device, count, "median_error", bound)
        for count, bound in ((10, 0.15), (30, 0.1))
        for device in ("i7_12700h", "i9_10940x", "rtx3090", "rtx4090", "rtx5090")
    ),
    *(
        ("known networks", device, 20, "median_error", 0.06)
        for device in ("edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga")
    ),
)


def _asked(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What is asked of predictions, and whether it holds, by device; with random measurements."""
    lines = ["## What was asked", "", "| asked | measured | holds |", "|---|--:|---|"]
    for part, device, count, column, bound in _ASKED:
        own = [
            row[column] for row in rows
            if (row["part"], row["device"], row["method"], row["measurements"]) == (part, device, OURS, count)
        ]  # fmt: skip
        if not own:
            continue
        value, below = float(np.mean(own)), column == "median_error"
        measurements = f", {count} measurements" if count else ""
        wanted = f"median error at most {bound:.0%}" if below else f"Spearman at least {bound}"
        told = f"{value:.1%}" if below else f"{value:.3f}"
        holds = "yes" if (value <= bound if below else value >= bound) else "no"
        lines.append(f"| {part}, {device}{measurements}: {wanted} | {told} | {holds} |")
    return [*lines, ""]


def _left_out_table(rows: Sequence[dict[str, Any]]) -> list[str]:
    own = [row for row in rows if row["part"] == "module families left out"]
    lines = [
        "## Networks left out",
        "",
        "Module families of timm left out, a tenth of them at a time: no network of the family, at no resolution, was learned from. The last column is the",
        "share of networks inside the 90 % interval, whose width comes from families left out of what was learned from.",
        "",
        "| device | method | median error | within 10 % | Spearman | in the interval |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for row in own:
        inside = "" if np.isnan(row["coverage_90"]) else f"{row['coverage_90']:.0%}"
        lines.append(
            f"| {row['device']} | {row['method']} | {row['median_error']:.1%} | {row['within_10']:.0%} | {row['spearman']:.3f} | {inside} |"
        )
    return [*lines, ""]


def _device_tables(tables: Sequence[Measured], rows: Sequence[dict[str, Any]]) -> list[str]:
    lines = [
        "## Devices left out",
        "",
        "The device is left out entirely; a few networks are measured on it, random ones or those that `cg latency --suggest` names, and the others predicted:",
        "median error, mean over draws. *New networks*: the models of the other devices have seen neither; *known networks*: they have, on their devices.",
        "Without a measurement there is nothing but the other devices' mean. All cells of NAS-Bench-201 are of one kind, so there are no new networks among",
        "them. Noise: median error of telling a cell's latency by the median of the other cells that are the same network, in the table itself.",
        "",
    ]
    for part in ("new networks", "known networks"):
        counts = [count for count in COUNTS if count]
        lines += [f"### {part.capitalize()}", ""]
        lines += [
            "| device | noise | 0: mean of others | "
            + " | ".join(f"{c}: {m}" for c in counts for m in (LINE, FOREST, OURS, CHOSEN))
            + " | in the interval |"
        ]
        lines += ["|---|--:|--:|" + "--:|" * (4 * len(counts) + 1)]
        for m in tables:
            own = [row for row in rows if row["part"] == part and row["device"] == m.device.name]
            if not own:
                continue

            def mean(method: str, count: int, own: list[dict[str, Any]] = own) -> str:
                values = [
                    row["median_error"] for row in own if row["method"] == method and row["measurements"] == count
                ]
                return f"{np.mean(values):.1%}" if values else ""

            value = noise(m) if m.device.table == "nb201" else float("nan")
            inside = np.mean([row["coverage_90"] for row in own if row["method"] == OURS])
            cells = [mean(method, count) for count in counts for method in (LINE, FOREST, OURS, CHOSEN)]
            told = "" if np.isnan(value) else f"{value:.1%}"
            lines.append(
                f"| {m.device.name} | {told} | {mean(NEAREST, 0)} | " + " | ".join(cells) + f" | {inside:.0%} |"
            )
        lines.append("")
    return lines
