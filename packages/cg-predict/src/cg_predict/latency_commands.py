"""``cg latency``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from cg_ir.commands import reading_options
from cg_ir.errors import CgError
from cg_ir.files import write_text
from cg_ir.graph import Graph
from cg_ir.measurement import RUNTIMES, measure
from cg_ir.sources import Reading
from cg_ir.terminal import EXISTING_FILE, NEW_FILE, json_option, plain_table, say_written, table_console

#: What one's own machine is called.
_OWN = "this machine"


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--device", "devices", multiple=True, metavar="NAME", help="A known device, perhaps several; all if absent."
)
@click.option("--batch", type=click.IntRange(min=1), help="Examples that run together; each device's own if absent.")
@click.option("--measure", "measured", is_flag=True, help="Run the networks on this machine instead.")
@click.option(
    "--runtime", type=click.Choice(list(RUNTIMES)), default="torch", show_default=True, help="What runs them."
)
@click.option("-o", "--output", type=NEW_FILE, help="CSV for the measurements, with columns arch and ms.")
@click.option(
    "--fit",
    "fitted",
    type=EXISTING_FILE,
    metavar="CSV",
    help="Measurements of a device of one's own, with columns arch and ms: predict for it.",
)
@click.option(
    "--suggest",
    type=click.IntRange(min=1),
    metavar="K",
    help="Say which K of the networks to measure, most telling first.",
)
@click.option("--exclude", multiple=True, metavar="NAME", help="Table or device that must not have been learned from.")
@json_option
@reading_options
def latency(
    sources: tuple[str, ...],
    devices: tuple[str, ...],
    batch: int | None,
    measured: bool,
    runtime: str,
    output: Path | None,
    fitted: Path | None,
    suggest: int | None,
    exclude: tuple[str, ...],
    as_json: bool,
    reading: Reading,
) -> None:
    """Predict or measure how long networks take, in milliseconds an example.

    Nothing is run but with --measure. On graphics cards the time is that of a large batch over its size; the interval holds nine of ten.
    """
    from cg_predict.latency import LatencyPredictor

    if measured and (devices or fitted or suggest):
        raise CgError("--measure runs the networks on this machine; leave --device, --fit and --suggest out")
    if output is not None and not measured:
        raise CgError("-o is where measurements go; give --measure as well")
    if fitted is not None and devices:
        raise CgError("--fit predicts for the device that was measured; leave --device out")
    sources = tuple(reading.expand(sources))
    graphs = [reading.graph(source) for source in sources]
    if measured:
        _measure(sources, graphs, runtime, batch or 1, output, as_json)
        return
    if fitted is not None:
        predictors = [_fitted(fitted, exclude, reading)]
    else:
        names = devices or LatencyPredictor(exclude=exclude).devices
        predictors = [LatencyPredictor(name, exclude, batch=batch) for name in names]
        for predictor in predictors:
            predictor.conditions  # noqa: B018 - refuses an unknown device before anything is computed
    if suggest is not None:
        _suggest(sources, graphs, predictors[0], suggest, as_json)
        return
    _predict(sources, graphs, predictors, as_json, fitted is not None)


def _fitted(path: Path, exclude: tuple[str, ...], reading: Reading) -> Any:
    from cg_predict.labels import read_labels
    from cg_predict.latency import LatencyPredictor

    known = read_labels(path, "ms", reading)
    return LatencyPredictor(_OWN, exclude).fit(known.graphs, known.values)


def _predict(sources: tuple[str, ...], graphs: list[Graph], predictors: list[Any], as_json: bool, own: bool) -> None:
    rows = []
    for predictor in predictors:
        predicted = predictor.predict(graphs, return_interval=True)
        beyond = np.zeros(len(graphs)) if own else predictor.beyond(graphs)
        for source, ms, low, high, far in zip(sources, *predicted, beyond, strict=True):
            machine = {"device": predictor.device, "conditions": predictor.conditions}
            times = {"ms": float(ms), "interval": [float(low), float(high)], "beyond": float(far)}
            rows.append({"source": source, **machine, **times})
    if as_json:
        click.echo(json.dumps({"latency": rows}, indent=1))
        return
    headings = ("device", "ms", "90 %", "", "measured as")
    for source in sources:
        cells = [
            (row["device"], _ms(row["ms"]), _span(row["interval"]), "!" if row["beyond"] > 0 else "", row["conditions"])
            for row in rows
            if row["source"] == source
        ]
        table_console().print(plain_table(headings, cells, ("device", "", "measured as"), ("measured as",), source))
    if any(row["beyond"] > 0 for row in rows):
        click.echo(
            "cg: warning: ! marks networks that are larger or smaller than all that were measured on the device: there the estimate rests on work and "
            "traffic alone",
            err=True,
        )


def _measure(
    sources: tuple[str, ...], graphs: list[Graph], runtime: str, batch: int, output: Path | None, as_json: bool
) -> None:
    rows: list[dict[str, Any]] = []
    for source, graph in zip(sources, graphs, strict=True):
        t = measure(graph, runtime, batch)
        rows.append({"source": source, "ms": t.median, "interval": [t.low, t.high], "passes": t.passes})
    if output is not None:
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["arch", "ms"])
        writer.writerows([row["source"], f"{row['ms']:.6g}"] for row in rows)
        write_text(output, stream.getvalue())
        say_written(
            output, f"{len(rows)} networks measured with {runtime} at batch {batch}", as_json, networks=len(rows)
        )
        return
    if as_json:
        click.echo(json.dumps({"runtime": runtime, "batch": batch, "measured": rows}, indent=1))
        return
    cells = [(row["source"], _ms(row["ms"]), _span(row["interval"]), str(row["passes"])) for row in rows]
    headings = ("network", "ms", "10 … 90 % of passes", "passes")
    table_console().print(plain_table(headings, cells, ("network",)))


def _suggest(sources: tuple[str, ...], graphs: list[Graph], predictor: Any, count: int, as_json: bool) -> None:
    chosen = [sources[i] for i in predictor.suggest(graphs, count)]
    click.echo(json.dumps({"measure": chosen}, indent=1) if as_json else "\n".join(chosen))


def _span(interval: list[float]) -> str:
    low, high = interval
    return f"{_ms(low)} … {_ms(high)}"


def _ms(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
