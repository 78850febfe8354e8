"""``cg rank`` and ``cg fit``."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from cg_ir import get_scorer, get_space
from cg_ir.commands import source_options
from cg_ir.errors import CgError, SourceError
from cg_ir.graph import Graph
from cg_ir.output_formats import write_text
from cg_ir.sources import Reading
from cg_ir.terminal import json_option, say_written, table_console

if TYPE_CHECKING:
    from cg_predict.ranking import Ranked

__all__ = ["fit", "rank"]

#: Ranked networks from which on they are a pool by themselves, and networks sampled from a named space to make one.
_POOL, _SAMPLED = 40, 256
#: File in a saved model that says how its networks were read.
_READING = "reading.json"


@click.command()
@click.argument("sources", nargs=-1)
@click.option("--space", help="Space whose own notation SOURCEs and labels are in; its networks serve as the pool.")
@click.option(
    "--from",
    "from_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="More SOURCEs: a CSV with a column 'arch', or one a line.",
)
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with a column 'arch' and one for each metric.",
)
@click.option("--metric", help="Column of the labels; the first one that holds numbers if absent.")
@click.option(
    "--model", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Predictor saved by 'cg fit'."
)
@click.option("--scorer", default="predictor", show_default=True, help="What scores; 'cg plugins' lists them.")
@click.option("--exclude", multiple=True, metavar="FAMILY", help="Family that must not have been learned from.")
@json_option
@source_options
def rank(
    sources: tuple[str, ...],
    space: str | None,
    from_file: Path | None,
    labels: Path | None,
    metric: str | None,
    model: Path | None,
    scorer: str,
    exclude: tuple[str, ...],
    as_json: bool,
    inputs: tuple[str, ...],
    arguments: str | None,
    strict: bool,
) -> None:
    """Rank networks, best first: from other families alone, or with labels of some.

    Scores are normal scores: 0 is the median network of the pool, 1.28 the best tenth; the interval holds nine of ten.
    """
    from cg_predict.predictor import Predictor, UnfamiliarWarning
    from cg_predict.ranking import rank as make_ranking

    for name in sources:
        if Path(name).suffix in (".txt", ".csv") and Path(name).is_file():
            raise SourceError(f"{name} is a list, not a network: give it as --from {name}")
    names = [*sources, *(_sources_in(from_file) if from_file else ())]
    if not names:
        raise SourceError("nothing to rank: give SOURCEs or --from FILE")
    if model is not None and (labels is not None or exclude):
        raise CgError("--model brings its own labels and families; leave --labels and --exclude out")
    reading = Reading(space, inputs, arguments, strict)
    if model is not None:
        reading = _as_in(model, reading)
    graphs = [reading.graph(name) for name in names]
    if model is not None:
        made: Any = Predictor.load(model)
    elif scorer == "predictor":
        made = Predictor(exclude=exclude, warn=False)
        _check_excluded(made, exclude)
    else:
        made = get_scorer(scorer, exclude=exclude) if exclude else get_scorer(scorer)
    if labels is not None:
        if not hasattr(made, "fit"):
            raise CgError(
                f"the scorer '{scorer}' learns nothing from labels; leave --labels out or use --scorer predictor"
            )
        made.fit(*read_labels(labels, metric, reading))
    predictor = made if isinstance(made, Predictor) else None
    pool, pool_is = _pool(graphs, space) if predictor is not None else (None, "")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnfamiliarWarning)
        ranking = make_ranking(made, graphs, names, pool, nearest=predictor is not None)
    notes = [str(w.message) for w in caught]
    document = {
        "scorer": "model" if model is not None else scorer,
        "sources": list(predictor.sources) if predictor is not None else [],
        "labels": len(getattr(made, "labels_", ())),
        "pool": pool_is,
        "ranking": [_row(row) for row in ranking],
    }
    strange = sum(bool(row.unfamiliar) for row in ranking)
    if strange and not document["labels"]:
        notes.append(
            f"{strange} of {len(ranking)} networks are unlike every known family (marked !): their ranking is a guess from other families"
        )
    for note in dict.fromkeys(notes):
        click.echo(f"cg: warning: {note}", err=True)
    if as_json:
        click.echo(json.dumps(document, indent=1))
    else:
        table_console().print(ranking)


def _row(row: Ranked) -> dict[str, Any]:
    """A network of the JSON document."""
    found: dict[str, Any] = {"rank": row.rank, "source": row.name, "hash": row.hash, "score": row.score}
    found |= {"parameters": row.params, "macs": row.macs}
    if row.low is not None:
        found["interval"] = [row.low, row.high]
    if row.nearest_family is not None:
        found |= {"nearest_family": row.nearest_family, "distance": row.distance, "unfamiliar": row.unfamiliar}
        found["nearest_networks"] = list(row.nearest_networks)
    return found


@click.command()
@click.option("--space", help="Space whose own notation the labels are in.")
@click.option(
    "--labels",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with a column 'arch' and one for each metric.",
)
@click.option("--metric", help="Column of the labels; the first one that holds numbers if absent.")
@click.option("--exclude", multiple=True, metavar="FAMILY", help="Family that must not have been learned from.")
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write."
)
@json_option
@source_options
def fit(
    space: str | None,
    labels: Path,
    metric: str | None,
    exclude: tuple[str, ...],
    output: Path,
    as_json: bool,
    inputs: tuple[str, ...],
    arguments: str | None,
    strict: bool,
) -> None:
    """Fit a predictor to labels and save it for 'cg rank --model', which reads its networks as the labelled ones were read."""
    from cg_predict.predictor import Predictor

    reading = Reading(space, inputs, arguments, strict)
    predictor = Predictor(exclude=exclude)
    _check_excluded(predictor, exclude)
    predictor.fit(*read_labels(labels, metric, reading))
    predictor.save(output)
    write_text(output / _READING, json.dumps(asdict(reading), indent=2) + "\n")
    count = len(predictor.labels_)
    say_written(output, f"fitted to {count} networks", as_json, networks=count, sources=list(predictor.sources))


def _as_in(model: Path, given: Reading) -> Reading:
    """How to read the networks that a saved model ranks: as those that it was fitted to, unless the command line says otherwise, which is warned of."""
    path = model / _READING
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        there = Reading(None, tuple(saved["input"]), saved["args"], bool(saved["strict"]))
    except FileNotFoundError:  # saved from Python
        return given
    except (OSError, ValueError, TypeError, KeyError):
        raise CgError(f"{path}: does not say how the model's networks were read; fit it again") from None
    for name, own in (("input", there.input), ("args", there.args)):
        if getattr(given, name) and getattr(given, name) != own:
            said = " ".join(own) if isinstance(own, tuple) else own
            click.echo(
                f"cg: warning: the model was fitted to networks read {f'with --{name} {said}' if said else f'without --{name}'}",
                err=True,
            )
    return replace(
        given, input=given.input or there.input, args=given.args or there.args, strict=given.strict or there.strict
    )


def read_labels(path: Path, metric: str | None, reading: Reading) -> tuple[list[Graph], list[float]]:
    """Networks and labels of a CSV with a column ``arch``; rows with an empty label are left out.

    Args:
        path: of the CSV.
        metric: column of the labels; the first one that holds numbers if none is named.
        reading: of the networks.

    Raises:
        SourceError: no such column, an architecture that cannot be read, a label that is no number. Names the line.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = list(reader.fieldnames or ())
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error):
        raise SourceError(f"{path}: should be a CSV text file in UTF-8") from None
    if "arch" not in header:
        raise SourceError(
            f"{path}: a labels CSV needs a column 'arch'; it has {', '.join(header)[:200] or 'no header'}"
        )
    metrics = [name for name in header if name != "arch"]
    if metric is None:
        metric = next((m for m in metrics if any(_number(row.get(m)) is not None for row in rows)), None)
        if metric is None:
            raise SourceError(f"{path}: no column beside 'arch' holds numbers")
    elif metric not in metrics:
        raise SourceError(f"{path}: there is no column '{metric}'; there are {', '.join(metrics)[:200] or 'none'}")
    graphs, values = [], []
    for line, row in enumerate(rows, 2):
        text = (row.get(metric) or "").strip()
        if not text:
            continue
        value = _number(text)
        if value is None:
            raise SourceError(f"{path}, line {line}: the label '{text[:60]}' in column '{metric}' is no number")
        try:
            graphs.append(reading.graph((row.get("arch") or "").strip()))
        except CgError as error:
            raise SourceError(f"{path}, line {line}: {error}") from None
        values.append(value)
    if not values:
        raise SourceError(f"{path}: column '{metric}' holds no label")
    return graphs, values


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _sources_in(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(f"{path}: should be a text file in UTF-8") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    header = next(csv.reader(lines[:1]), [])
    if "arch" in header:
        return [row["arch"] for row in csv.DictReader(lines)]
    if not lines:
        raise SourceError(
            f"{path}: the file is empty; it should name one SOURCE a line, or be a CSV with a column 'arch'"
        )
    return lines


def _check_excluded(predictor: Any, exclude: Sequence[str]) -> None:
    unknown = predictor.prior.unknown(exclude)
    if unknown:
        known = ", ".join((*predictor.sources, *predictor.prior.excluded))
        click.echo(f"cg: warning: the prior never learned from {', '.join(unknown)} (it knows {known})", err=True)


def _pool(graphs: Sequence[Graph], space: str | None) -> tuple[Sequence[Graph] | None, str]:
    """The networks that scores are relative to, and what they are in words."""
    if len(graphs) >= _POOL:
        return graphs, f"the {len(graphs)} ranked networks"
    if space is None:
        return None, ""
    made, rng = get_space(space), np.random.default_rng(0)
    return [made.graph(made.sample(rng)) for _ in range(_SAMPLED)], f"{_SAMPLED} networks sampled from {space}"
