"""What else was tried for latency: networks left out, and few measurements of a device that was left out.

Each try stands beside what ships, on the same folds and draws as `cg bench latency` or fewer of them. Prints the tables of docs/results/latency/tries.md. ::

    python packages/cg-bench/benchmarks/latency_tries.py --data DIR --graphs timm.jsonl.gz > docs/results/latency/tries.md
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import rankdata

from cg_bench.latency import _models, _told, _without
from cg_predict.device_model import DeviceModel, _features
from cg_predict.device_transfer import DeviceTransfer, NearMachine, _log, _machines
from cg_predict.latency_tables import Measured, read_measured
from cg_predict.metrics import spearman
from cg_predict.roofline import IDEAL
from cg_predict.time_sum import fit_coefficients
from cg_predict.train_latency import folds

Floats = NDArray[np.float64]
DEVICES = ("i9_10940x", "rtx4090")
FEW = (("i9_10940x", 10), ("i9_10940x", 30), ("rtx4090", 10), ("rtx4090", 30))
CELLS = ("edgegpu", "raspi4", "pixel3")


HEAD = """# Latency: what else was tried

Written by `packages/cg-bench/benchmarks/latency_tries.py`, on the folds of [Latency](results.md) and fewer draws. What ships stands first. Errors are medians,
of few measurements with the standard error over draws. Devices were looked at when it was chosen how the two views of a device of one's own are weighed."""


# --- networks left out -----------------------------------------------------------------------------------------------


def _huber(columns: Floats, ms: Floats) -> Floats:
    """Least squares, beyond three median errors least absolute ones."""
    scale = np.maximum((columns / ms[:, None]).mean(axis=0), 1e-300)
    relative, weights = columns / scale / ms[:, None], np.ones(len(ms))
    for _ in range(4):
        found, _ = nnls(relative * weights[:, None], weights, maxiter=100 * columns.shape[1])
        errors = np.abs(np.log(np.maximum(relative @ found, 1e-9)))
        weights = np.sqrt(1.0 / np.maximum(1.0, errors / (3.0 * np.median(errors) + 2e-3)))
    return np.asarray(found / scale)


def _with_rest(fit: Callable[..., Floats], learner: Callable[[], Any] | None) -> Callable[..., Floats]:
    """A roofline, and what a learner says of the logarithm that it leaves over."""

    def predict(columns: Floats, ms: Floats, asked: Floats) -> Floats:
        coefficients = fit(columns, ms)
        computed = np.maximum(asked @ coefficients, 1e-12)
        if learner is None:
            return computed
        rest = np.clip(np.log(ms / np.maximum(columns @ coefficients, 1e-12)), -0.5, 0.5)
        told = learner().fit(_features(columns, coefficients), rest).predict(_features(asked, coefficients))
        return np.asarray(computed * np.exp(told))

    return predict


def _trees(count: int = 60, leaf: int = 2, **options: Any) -> Callable[[], Any]:
    from sklearn.ensemble import ExtraTreesRegressor

    return lambda: ExtraTreesRegressor(count, min_samples_leaf=leaf, max_features=1 / 3, random_state=0, **options)


def _boosting(loss: str) -> Callable[[], Any]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return lambda: HistGradientBoostingRegressor(loss=loss, max_iter=150, learning_rate=0.05, random_state=0)


def _process() -> Any:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, WhiteKernel
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kernel = 0.02 * RBF(10.0, (3.0, 100.0)) + WhiteKernel(0.01, (1e-4, 1.0))
    return make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel))


def _as_shipped(columns: Floats, ms: Floats, asked: Floats) -> Floats:
    return DeviceModel.fit(columns, ms).predict(asked)


def networks_left_out(tables: list[Measured]) -> None:
    """Module families left out: a roofline fitted in two ways, and learners on what it leaves over."""
    tries = {
        "shipped: least absolute errors, unseen kinds as their like, trees as far as they help": _as_shipped,
        "the same, unseen kinds for nothing, trees in full": _with_rest(fit_coefficients, _trees()),
        "least squares with Huber weights, trees in full": _with_rest(_huber, _trees()),
        "roofline alone, least absolute errors": _with_rest(fit_coefficients, None),
        "roofline alone, mean of ten resamplings": _with_rest(_bagged, None),
        "roofline alone, mean with those of the other machines of its kind": None,
        "trees that split by absolute errors": _with_rest(fit_coefficients, _trees(20, 4, criterion="absolute_error")),
        "300 trees, 5 networks a leaf": _with_rest(fit_coefficients, _trees(300, 5)),
        "boosted trees, squared errors": _with_rest(fit_coefficients, _boosting("squared_error")),
        "boosted trees, absolute errors": _with_rest(fit_coefficients, _boosting("absolute_error")),
        "a Gaussian process": _with_rest(fit_coefficients, _process),
        "trees on all machines of the table together": None,
    }
    click.echo("| tried | " + " | ".join(f"{name}: median error | Spearman" for name in DEVICES) + " |")
    click.echo("|---|" + "--:|--:|" * len(DEVICES))
    for title, predict in tries.items():
        cells = []
        for name in DEVICES:
            m = next(t for t in tables if t.device.name == name)
            pooled = _together if "trees" in title else _averaged
            told = pooled(m, tables) if predict is None else _folded(m, predict)
            cells += [f"{np.median(np.abs(told / m.ms - 1)):.1%}", f"{spearman(told, m.ms):.4f}"]
        click.echo(f"| {title} | " + " | ".join(cells) + " |")


def _folded(m: Measured, predict: Callable[..., Floats]) -> Floats:
    fold, told = folds(m.group, 10), np.zeros(len(m))
    for k in range(10):
        own, rest = fold != k, fold == k
        told[rest] = predict(m.columns[own], m.ms[own], m.columns[rest])
    return told


def _averaged(m: Measured, tables: list[Measured]) -> Floats:
    """The mean of the logarithms of what the rooflines of the graphics cards, or of the processors, say; families are left out on all."""
    fold, told = folds(m.group, 10), np.zeros(len(m))
    kind = [t for t in tables if t.device.table == "timm" and (t.device.batch > 1) == (m.device.batch > 1)]
    for k in range(10):
        asked, own, views = m.columns[fold == k], fold != k, []
        for t in kind:
            rows = ~np.isin(t.group, np.unique(m.group[~own]))
            coefficients = fit_coefficients(t.columns[rows], t.ms[rows])
            shift = np.median(
                np.log(m.ms[own] / (m.columns[own] @ coefficients))
            )  # how much faster or slower this machine is
            views.append(_log(asked @ coefficients) + shift)
        told[fold == k] = np.exp(np.mean(views, axis=0))
    return told


def _together(m: Measured, tables: list[Measured]) -> Floats:
    """One forest on what the rooflines of all machines leave over, which machine it is being a feature; families are left out on all."""
    fold, told = folds(m.group, 10), np.zeros(len(m))
    machines = [t for t in tables if t.device.table == "timm"]
    for k in range(10):
        out = np.unique(m.group[fold == k])
        features, rest = [], []
        for i, t in enumerate(machines):
            own = ~np.isin(t.group, out)
            coefficients = fit_coefficients(t.columns[own], t.ms[own])
            if t is m:
                mine, number = coefficients, i
            features.append(_machine_features(t.columns[own], coefficients, i, len(machines)))
            rest.append(np.log(t.ms[own] / (t.columns[own] @ coefficients)))
        learned = _trees()().fit(np.concatenate(features), np.clip(np.concatenate(rest), -0.5, 0.5))
        asked = m.columns[fold == k]
        told[fold == k] = (asked @ mine) * np.exp(
            learned.predict(_machine_features(asked, mine, number, len(machines)))
        )
    return told


def _machine_features(columns: Floats, coefficients: Floats, number: int, machines: int) -> Floats:
    parts = columns * coefficients
    shares = parts / np.maximum(parts.sum(axis=1, keepdims=True), 1e-12)
    which = np.tile(np.eye(machines)[number], (len(columns), 1))
    return np.concatenate([shares, np.log1p(columns), which], axis=1)


def where_ranks_are_lost(tables: list[Measured]) -> None:
    """The module families with the greatest shares of the squared differences of ranks, by what ships."""
    for name in DEVICES:
        m = next(t for t in tables if t.device.name == name)
        told = _folded(m, _as_shipped)
        lost = (rankdata(told) - rankdata(m.ms)) ** 2
        shares = {str(family): float(lost[m.group == family].sum() / lost.sum()) for family in np.unique(m.group)}
        first = sorted(shares, key=lambda family: -shares[family])[:5]
        rest = m.group != first[0]
        worst = np.exp(np.abs(np.log(told[~rest] / m.ms[~rest])).max())
        parts = ", ".join(f"`{family}` {shares[family]:.0%} ({(m.group == family).sum()} networks)" for family in first)
        click.echo(
            f"- {name}: {parts}. Without `{first[0]}`, up to {worst:.1f} times off, the correlation is {spearman(told[rest], m.ms[rest]):.4f}."
        )


# --- few measurements ------------------------------------------------------------------------------------------------


def _sum_alone(fit: Callable[[Floats, Floats], Floats]) -> Callable[..., Floats]:
    return lambda known, measured, asked: _log(_machines(asked) @ fit(_machines(known), np.exp(measured)))


def _bagged(columns: Floats, ms: Floats) -> Floats:
    """The mean of coefficients of ten resamplings."""
    rng = np.random.default_rng(0)
    rows = [rng.integers(len(ms), size=len(ms)) for _ in range(10)]
    return np.asarray(np.mean([fit_coefficients(columns[r], ms[r]) for r in rows], axis=0))


def _near(known: Floats, measured: Floats, asked: Floats) -> Floats:
    return NearMachine(known, measured, len(IDEAL)).predict(asked)[0]


def _both(known: Floats, measured: Floats, asked: Floats) -> Floats:
    return (_near(known, measured, asked) + _sum_alone(fit_coefficients)(known, measured, asked)) / 2


def _shipped(known: Floats, measured: Floats, asked: Floats) -> Floats:
    return DeviceTransfer(known, measured, len(IDEAL)).predict(asked)[0]


TRANSFERS = {
    "shipped: both, weighed by errors on measurements left out": _shipped,
    "near a machine: the process alone": _near,
    "made of machines: least absolute errors": _sum_alone(fit_coefficients),
    "made of machines: least squares with Huber weights": _sum_alone(_huber),
    "made of machines: mean of ten resamplings": _sum_alone(_bagged),
    "both, half and half": _both,
}


def few_measurements(tables: list[Measured], draws: int) -> None:
    """A device that was left out, from networks drawn at random."""
    known_models = _models(tables)
    pools: dict[tuple[str, int], list[tuple[Floats, Floats]]] = {}
    for name, count in FEW:
        m = next(t for t in tables if t.device.name == name)
        if not (pool := next((p for (other, _), p in pools.items() if other == name), [])):
            fold = folds(m.group, 5)
            for k in range(5):
                asked = m.take(np.flatnonzero(fold == k))
                models = [_without(o, asked, known_models) for o, _ in known_models if o is not m]
                pool.append((_told(models, asked), np.log(asked.ms)))
        pools[name, count] = pool
    for name in CELLS:
        m = next(t for t in tables if t.device.name == name)
        pools[name, 20] = [(_told([model for o, model in known_models if o is not m], m), np.log(m.ms))]
    click.echo("| tried | " + " | ".join(f"{name}, {count}" for name, count in pools) + " |")
    click.echo("|---|" + "--:|" * len(pools))
    for title, predict in TRANSFERS.items():
        cells = [
            _few(predict, pool, count, draws if len(pool) > 1 else 5 * draws) for (_, count), pool in pools.items()
        ]
        click.echo(f"| {title} | " + " | ".join(cells) + " |")


def _few(predict: Callable[..., Floats], pool: list[tuple[Floats, Floats]], count: int, draws: int) -> str:
    errors = []
    for k, (known, log_ms) in enumerate(pool):
        for draw in range(draws):
            order = np.random.default_rng([100 * k + draw, 7]).permutation(len(log_ms))
            own, rest = order[:count], order[count:]
            told = predict(known[own], log_ms[own], known[rest])
            errors.append(np.median(np.abs(np.expm1(told - log_ms[rest]))))
    return f"{np.mean(errors):.1%} ± {np.std(errors) / len(errors) ** 0.5:.1%}"


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--graphs", required=True, type=click.Path(dir_okay=False, path_type=Path), help="As for cg bench latency."
)
@click.option(
    "--draws",
    default=4,
    show_default=True,
    help="Draws of measured networks in each fold; five times as many of cells.",
)
def main(data: Path, graphs: Path, draws: int) -> None:
    """Print the tables as Markdown."""
    tables = read_measured(data, graphs)
    click.echo(HEAD)
    click.echo("\n## Few measurements\n")
    few_measurements(tables, draws)
    click.echo("\n## Networks left out\n")
    networks_left_out(tables)
    click.echo("\n## Where rank correlation is lost\n\nShares of the squared differences of ranks:\n")
    where_ranks_are_lost(tables)


if __name__ == "__main__":
    main()
