"""``cg rank`` and ``cg fit``."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from cg_ir import get_space
from cg_ir.calls import arguments_of, is_call
from cg_ir.commands import reading_options
from cg_ir.errors import CgError, SourceError
from cg_ir.files import write_text
from cg_ir.graph import Graph
from cg_ir.scoring import scorer_without
from cg_ir.sources import Reading
from cg_ir.terminal import EXISTING_FILE, EXISTING_FOLDER, NEW_FILE, NEW_FOLDER, json_option, say_written, table_console
from cg_predict.labels import Labels, callable_of, read_labels, sources_in

if TYPE_CHECKING:
    from cg_predict.ranking import Ranked, Ranking

#: Networks sampled from a named space to make a pool.
_SAMPLED = 256
#: File in a saved model that says how its networks were read.
_READING = "reading.json"

scorer_option = click.option(
    "--scorer", default="predictor", show_default=True, help="What scores; 'cg plugins' lists them."
)
exclude_option = click.option(
    "--exclude", multiple=True, metavar="FAMILY", help="Family that must not have been learned from."
)
_metric_option = click.option(
    "--metric",
    metavar="COLUMN[:min|:max]",
    help="Column of the labels, the first one that holds numbers if absent. Of a loss or an error, so called, less is better.",
)


def scorer_named(name: str, exclude: Sequence[str], warn: bool = False) -> Any:
    """A scorer by name that did not learn from some families, which are told where the predictor never learned from them."""
    if name != "predictor":
        return scorer_without(name, exclude)
    from cg_predict.predictor import Predictor

    made = Predictor(exclude=tuple(exclude), warn=warn)
    unknown = made.knowledge.unknown(exclude)
    if unknown:
        known = ", ".join((*made.sources, *made.knowledge.excluded))
        click.echo(f"cg: warning: the prior never learned from {', '.join(unknown)} (it knows {known})", err=True)
    return made


@click.command()
@click.argument("sources", nargs=-1)
@click.option("--space", help="Space whose own notation SOURCEs and labels are in; its networks serve as the pool.")
@click.option(
    "--from",
    "from_file",
    type=EXISTING_FILE,
    help="More SOURCEs: one a line, or a CSV with a column 'arch' or with the arguments of the SOURCEs' callable.",
)
@click.option(
    "--labels",
    type=EXISTING_FILE,
    help="CSV with a column 'arch', or the arguments of the SOURCEs' callable, and one for each metric.",
)
@_metric_option
@click.option("--model", type=EXISTING_FOLDER, help="Predictor saved by 'cg fit'.")
@scorer_option
@exclude_option
@click.option("-o", "--output", type=NEW_FILE, help="File to write the ranking to as well: .csv, .json or .parquet.")
@click.option("--all", "everything", is_flag=True, help="Rank every network of --space, in parts, on all cores.")
@click.option("--top", type=click.IntRange(min=1), help="Only the best so many; with --all 20 unless said otherwise.")
@click.option("--wide", is_flag=True, help="All columns, however narrow the terminal.")
@json_option
@reading_options
def rank(
    sources: tuple[str, ...],
    space: str | None,
    from_file: Path | None,
    labels: Path | None,
    metric: str | None,
    model: Path | None,
    scorer: str,
    exclude: tuple[str, ...],
    output: Path | None,
    everything: bool,
    top: int | None,
    wide: bool,
    as_json: bool,
    reading: Reading,
) -> None:
    """Rank networks, best first: from other families alone, or with labels of some.

    'file.py:make?depth=2,3&width=16,32' are four SOURCEs, a folder those in it. Networks that are the same have one place.

    Scores are normal scores: 0 is the median network of the pool, 1.28 the best tenth; the interval holds nine of ten.
    """
    from cg_predict.predictor import Predictor

    if output is not None and not output.name.endswith((".csv", ".json", ".parquet")):
        raise SourceError(f"{output}: the name should end in .csv, .json or .parquet")
    if model is not None and (labels is not None or exclude):
        raise CgError("--model brings its own labels and families; leave --labels and --exclude out")
    if everything and (space is None or sources or from_file is not None):
        raise CgError("--all ranks the networks of a space: give --space NAME and no SOURCEs")
    reading = replace(reading, space=space)
    if model is not None:
        reading = _as_in(model, reading)
    names = [] if everything else _names(sources, from_file, reading)
    graphs = [reading.graph(name) for name in names]
    made = _scorer(model, scorer, exclude, labels is not None)
    known: Labels | None = None
    if labels is not None:
        known = read_labels(labels, metric, reading, callable_of(names))
        made.fit(known.graphs, known.utilities)
    predictor = made if isinstance(made, Predictor) else None
    pool = _Pool.of(graphs, space, everything) if predictor is not None else _Pool(None, 0.0, "")
    ranking, notes = _ranked(made, graphs, names, space if everything else None, top, pool, known)
    document = {
        "scorer": "model" if model is not None else scorer,
        "sources": list(predictor.sources) if predictor is not None else [],
        "labels": len(getattr(made, "labels_", ())),
        "fit": None if known is None else _fit_facts(made, known),
        "pool": pool.words,
        "expected_correlation": _expected(predictor, pool, graphs),
        "ranking": [_row(row) for row in ranking],
    }
    _say(ranking, document, notes, output, json.dumps(document, indent=1) if as_json else None, wide)


def _ranked(
    scorer: Any,
    graphs: list[Graph],
    names: list[str],
    space: str | None,
    top: int | None,
    pool: _Pool,
    known: Labels | None,
) -> tuple[Ranking, list[str]]:
    """The ranking of the networks, or of a whole ``space``, and what was warned of."""
    from cg_predict.predictor import Predictor, UnfamiliarWarning
    from cg_predict.ranking import rank as make_ranking
    from cg_predict.sweep import rank_space

    own = None if known is None else {g.hash: v for g, v in zip(known.graphs, known.values, strict=True)}
    options: dict[str, Any] = {"nearest": isinstance(scorer, Predictor), "labels": own}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnfamiliarWarning)
        if space is not None:
            with _progress(space) as progress:
                ranking = rank_space(scorer, space, top or 20, pool=pool.graphs, progress=progress, **options)
        else:
            ranking = make_ranking(scorer, graphs, names, pool.graphs, weight=pool.weight, **options)
            ranking = ranking if top is None else ranking.best_of(top)
    return ranking, [str(w.message) for w in caught]


def _say(
    ranking: Ranking, document: dict[str, Any], notes: list[str], output: Path | None, text: str | None, wide: bool
) -> None:
    """Print notes and the ranking, as a table or as the ``text`` that stands for it, and write it to its file."""
    strange = sum(bool(row.unfamiliar) for row in ranking)
    if strange and not document["labels"]:
        notes.append(
            f"{strange} of {len(ranking)} networks are unlike every known family (marked !): their ranking is a guess from other families"
        )
    for note in dict.fromkeys(notes):
        click.echo(f"cg: warning: {note}", err=True)
    if output is not None:
        ranking.save(output)
    if text is not None:
        click.echo(text)
        return
    console = table_console(wide)
    console.print(ranking)
    missing = [heading for heading, _ in ranking.columns()][ranking.fitting(console.width) :]
    if missing:
        click.echo(f"not shown: {', '.join(missing)} (--wide shows all)", err=True)
    _say_how(document, output)


@contextmanager
def _progress(space: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of networks scored, on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(space)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _expected(predictor: Any, pool: _Pool, graphs: Sequence[Graph]) -> float | None:
    """The rank correlation to expect without labels; nothing where there are labels, or no pool."""
    if (
        predictor is None
        or getattr(predictor, "labels_", None) is not None
        or pool.graphs is None
        or not predictor.sources
    ):
        return None
    return float(predictor.expected_correlation(pool.graphs))


def _names(sources: Sequence[str], from_file: Path | None, reading: Reading) -> list[str]:
    """The SOURCEs to rank: those of the command line, those that a file lists, each grid and folder taken apart."""
    for name in sources:
        if Path(name).suffix in (".txt", ".csv") and Path(name).is_file():
            raise SourceError(f"{name} is a list, not a network: give it as --from {name}")
    listed = sources_in(from_file, callable_of(sources)) if from_file else []
    if listed and from_file is not None and _are_arguments(listed, sources):
        sources = [name for name in sources if not is_call(name)]  # named for its arguments only
    names = reading.expand([*sources, *listed])
    if not names:
        raise SourceError("nothing to rank: give SOURCEs or --from FILE")
    return names


def _are_arguments(listed: Sequence[str], sources: Sequence[str]) -> bool:
    """Whether a file lists calls of the bare callable that the command line names."""
    base = callable_of(sources)
    return base is not None and list(sources) == [base] and all(arguments_of(name)[0] == base for name in listed)


def _scorer(model: Path | None, scorer: str, exclude: tuple[str, ...], labelled: bool) -> Any:
    """What scores.

    Raises:
        CgError: it should learn from labels and does not.
    """
    from cg_predict.predictor import Predictor

    if model is not None:
        return Predictor.load(model)
    made = scorer_named(scorer, exclude)
    if labelled and not hasattr(made, "fit"):
        raise CgError(f"the scorer '{scorer}' learns nothing from labels; leave --labels out or use --scorer predictor")
    return made


def _fit_facts(scorer: Any, labels: Labels) -> dict[str, Any]:
    """What the fit is worth, for the JSON document."""
    from cg_predict.ranking import left_out_correlation

    found = left_out_correlation(scorer, labels.graphs, labels.utilities)
    return {
        "metric": labels.metric,
        "less_is_better": labels.less_is_better,
        "labels": len(labels.values),
        "left_out_spearman": None if found is None else found[0],
        "left_out_networks": 0 if found is None else found[1],
    }


def _fit_words(fit: dict[str, Any]) -> str:
    """The same in words."""
    words = f"fitted to {fit['labels']} labels of '{fit['metric']}'" + ", less is better" * fit["less_is_better"]
    if fit["left_out_spearman"] is None:
        return f"{words}, too few to say how well"
    return (
        f"{words}; rank correlation with labels left out of the fit: "
        f"{fit['left_out_spearman']:.2f} (5 parts of {fit['left_out_networks']} networks)"
    )


def _say_how(document: dict[str, Any], output: Path | None) -> None:
    """Say below the table what the scores rest on."""
    if document["pool"]:
        click.echo(f"scores: among {document['pool']}", err=True)
    if document["expected_correlation"] is not None:
        click.echo(f"rank correlation to expect without labels: about {document['expected_correlation']:.2f}", err=True)
    if document["fit"] is not None:
        click.echo(_fit_words(document["fit"]), err=True)
    if output is not None:
        click.echo(f"{output}: written", err=True)


def _row(row: Ranked) -> dict[str, Any]:
    """A network of the JSON document."""
    found: dict[str, Any] = {"rank": row.rank, "source": row.name, "hash": row.hash, "score": row.score}
    found |= {"parameters": row.params, "macs": row.macs}
    if row.low is not None:
        found["interval"] = [row.low, row.high]
    if len(row.notations) > 1:
        found["notations"] = list(row.notations)
    if row.label is not None:
        found["label"] = row.label
    if row.nearest_family is not None:
        found |= {"nearest_family": row.nearest_family, "distance": row.distance, "unfamiliar": row.unfamiliar}
        found["nearest_networks"] = list(row.nearest_networks)
    return found


@click.command()
@click.argument("source", required=False)
@click.option("--space", help="Space whose own notation the labels are in.")
@click.option(
    "--labels",
    required=True,
    type=EXISTING_FILE,
    help="CSV with a column 'arch', or the arguments of SOURCE, and one for each metric.",
)
@_metric_option
@exclude_option
@click.option("-o", "--output", required=True, type=NEW_FOLDER, help="Folder to write.")
@json_option
@reading_options
def fit(
    source: str | None,
    space: str | None,
    labels: Path,
    metric: str | None,
    exclude: tuple[str, ...],
    output: Path,
    as_json: bool,
    reading: Reading,
) -> None:
    """Fit a predictor to labels and save it for 'cg rank --model', which reads its networks as the labelled ones were read.

    SOURCE, such as file.py:make, is the callable whose arguments are columns of the labels; a column 'arch' needs none.
    """
    reading = replace(reading, space=space)
    predictor = scorer_named("predictor", exclude, warn=True)
    known = read_labels(labels, metric, reading, None if source is None else callable_of([source]))
    predictor.fit(known.graphs, known.utilities)
    predictor.save(output)
    write_text(output / _READING, json.dumps(asdict(reading), indent=2) + "\n")
    facts = _fit_facts(predictor, known)
    count = len(predictor.labels_)
    say_written(output, _fit_words(facts), as_json, networks=count, sources=list(predictor.sources), fit=facts)


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


@dataclass(frozen=True)
class _Pool:
    """The networks that scores are relative to, how much that counts, and both in words."""

    graphs: Sequence[Graph] | None
    weight: float
    words: str

    @classmethod
    def of(cls, graphs: Sequence[Graph], space: str | None, everything: bool = False) -> _Pool:
        """Networks sampled from a named space, where few or all are ranked; otherwise the ranked ones, which count the more the more they are."""
        from cg_predict.ranking import pool_weight
        from cg_predict.sweep import representatives

        if everything and space is not None:
            around = representatives(space)
            return cls(around, 1.0, f"{len(around)} networks of {space}")
        own = {graph.hash: graph for graph in graphs}
        weight = pool_weight(len(own))
        if weight < 1.0 and space is not None:
            made, rng = get_space(space), np.random.default_rng(0)
            sampled = [made.graph(made.sample(rng)) for _ in range(_SAMPLED)]
            return cls(sampled, 1.0, f"{_SAMPLED} networks sampled from {space}")
        if not weight:
            return cls(None, 0.0, "all networks known, each by itself")
        share = "" if weight == 1.0 else f", which count for {100 * weight:.0f} %, and all networks known"
        return cls(list(own.values()), weight, f"the {len(own)} ranked networks{share}")
