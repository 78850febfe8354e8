"""A ranking of networks: scores with uncertainty, best first, as rows, a table, a data frame or a file."""

from __future__ import annotations

import copy
import csv
import html
import io
import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_ir import scoring
from cg_ir.errors import CgError, MissingExtra, SourceError
from cg_ir.files import atomic_path, write_text
from cg_ir.graph import Graph
from cg_ir.plugins import Prediction
from cg_ir.terminal import fitting, plain_table
from cg_predict.calibration import NINE_OF_TEN
from cg_predict.metrics import spearman
from cg_predict.targets import merge_duplicates

if TYPE_CHECKING:
    import pandas
    from rich.console import Console, ConsoleOptions
    from rich.table import Table as RichTable

    from cg_ir.plugins import Scorer

#: Columns of text, and those that may be broken over several lines.
_LEFT = ("#", "network", "nearest family", "nearest known network")
_FOLDED = ("network", "nearest known network")
#: Fields that hold several names.
_LISTS = ("notations", "nearest_networks")
#: Most labelled networks among which the left-out correlation is measured.
_CHECKED = 300


@dataclass(frozen=True)
class Ranked:
    """One network of a ranking.

    Attributes:
        rank: 1 for the best.
        name: the network's name, or what the caller calls it.
        score: higher is better; only differences within one ranking mean something.
        std: standard deviation of the score, or None where the scorer does not know it.
        low: lower end of the interval that holds the network's own score in nine of ten cases, or None.
        high: its upper end, or None.
        params: learned scalars.
        macs: multiply-accumulates at batch size 1.
        hash: of the graph.
        notations: every name under which the network was given, the first one included.
        label: its own label, where it has one.
        nearest_family: the family learned from that is most like the network, or None where that was not asked for.
        distance: to that family; 99 % of its own networks lie within 1.
        unfamiliar: whether the network is unlike every family learned from.
        nearest_networks: names of the known networks most like it, nearest first.
    """

    rank: int
    name: str
    score: float
    std: float | None
    low: float | None
    high: float | None
    params: int
    macs: int
    hash: str
    notations: tuple[str, ...] = ()
    label: float | None = None
    nearest_family: str | None = None
    distance: float | None = None
    unfamiliar: bool | None = None
    nearest_networks: tuple[str, ...] = ()


class Ranking(Sequence[Ranked]):
    """Networks, best first. In a notebook it shows itself as a table.

    Args:
        rows: the networks in order.
        graphs: their graphs in the same order.
    """

    def __init__(self, rows: Sequence[Ranked], graphs: Sequence[Graph]) -> None:
        self.rows = tuple(rows)
        self.graphs = tuple(graphs)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __iter__(self) -> Iterator[Ranked]:
        return iter(self.rows)

    def best_of(self, count: int) -> Ranking:
        """The first ``count`` places."""
        return Ranking(self.rows[:count], self.graphs[:count])

    @property
    def best(self) -> Graph:
        """The network in the first place."""
        return self.graphs[0]

    def to_records(self) -> list[dict[str, Any]]:
        """One dictionary a row, JSON values."""
        return [asdict(row) | {name: list(getattr(row, name)) for name in _LISTS} for row in self.rows]

    def to_dataframe(self) -> pandas.DataFrame:
        """A pandas data frame, one row a network.

        Raises:
            MissingExtra: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingExtra("cg-predict", "tables", "a data frame") from None
        return pandas.DataFrame(self.to_records(), columns=list(Ranked.__dataclass_fields__))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table as ``.csv``, ``.json`` or ``.parquet``; the file appears whole or not at all.

        Raises:
            SourceError: another ending.
            MissingExtra: ``.parquet`` without pandas and pyarrow.
        """
        name = os.fspath(path)
        if name.endswith(".json"):
            write_text(path, json.dumps(self.to_records(), indent=2) + "\n")
        elif name.endswith(".csv"):
            stream = io.StringIO()
            writer = csv.DictWriter(stream, list(Ranked.__dataclass_fields__), lineterminator="\n")
            writer.writeheader()
            for record in self.to_records():
                writer.writerow(record | {name: "; ".join(record[name]) for name in _LISTS})
            write_text(path, stream.getvalue())
        elif name.endswith(".parquet"):
            frame = self.to_dataframe()
            try:
                import pyarrow  # noqa: F401
            except ImportError:
                raise MissingExtra("cg-predict", "tables", "writing .parquet") from None
            with atomic_path(Path(path)) as temporary:
                frame.to_parquet(temporary, index=False)
        else:
            raise SourceError(f"{name}: the name should end in .csv, .json or .parquet")

    def columns(self) -> list[tuple[str, list[str]]]:
        """The table as text: heading and cells of each column; columns of which nothing is known are left out."""
        rows = self.rows
        places = _decimals([row.score for row in rows])
        found = [
            ("#", [str(row.rank) for row in rows]),
            ("network", [_called(row) for row in rows]),
            ("score", [f"{row.score:.{places}f}" for row in rows]),
        ]
        if any(row.low is not None for row in rows):
            ends = ["" if row.low is None else f"{row.low:.{places - 1}f} … {row.high:.{places - 1}f}" for row in rows]
            found.append(("90 %", ends))
        if any(row.label is not None for row in rows):
            found.append(("label", ["" if row.label is None else f"{row.label:g}" for row in rows]))
        found.append(("parameters", [_short(row.params) for row in rows]))
        found.append(("MACs", [_short(row.macs) for row in rows]))
        if any(row.nearest_family for row in rows):
            found.append(("nearest family", [_family(row) for row in rows]))
            found.append(("nearest known network", [next(iter(row.nearest_networks), "") for row in rows]))
        return found

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RichTable]:
        """The table for a terminal: the columns that fit."""
        columns = self.columns()[: self.fitting(options.max_width)]
        rows = zip(*(cells for _, cells in columns), strict=True)
        yield plain_table([heading for heading, _ in columns], rows, _LEFT, _FOLDED)

    def fitting(self, width: int) -> int:
        """How many of `columns` fit a terminal."""
        return fitting(self.columns(), width, _FOLDED, always=3)

    def __str__(self) -> str:
        """The table as plain text, a line a network."""
        from rich.console import Console

        stream = io.StringIO()
        # in a notebook rich would show the table instead of writing it
        Console(file=stream, width=10_000, color_system=None, force_jupyter=False).print(self)
        return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())

    def __repr__(self) -> str:
        return f"<Ranking of {len(self)} networks>\n{self}"

    def _repr_html_(self) -> str:
        """A table with a bar for every score; the networks' names are escaped."""
        scores = [row.score for row in self.rows]
        low, span = min(scores, default=0.0), (max(scores, default=0.0) - min(scores, default=0.0)) or 1.0
        columns = self.columns()
        lines = []
        for row, cells in zip(self.rows, zip(*(cells for _, cells in columns), strict=True), strict=True):
            bar = (
                f'<div style="height:3px;width:{4 + 96 * (row.score - low) / span:.0f}%;'
                'background:#1f6fd0;border-radius:2px"></div>'
            )
            lines.append("<tr>")
            for (heading, _), cell in zip(columns, cells, strict=True):
                text = html.escape(cell) + (bar if heading == "score" else "")
                align = "left" if heading in _LEFT else "right"
                wrap = "overflow-wrap:anywhere" if heading in _FOLDED else "white-space:nowrap"
                lines.append(f'<td style="text-align:{align};{wrap}">{text}</td>')
            lines.append("</tr>")
        heads = "".join(f"<th>{heading}</th>" for heading, _ in columns)
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def rank(
    scorer: Scorer,
    graphs: Sequence[Graph],
    names: Sequence[str] | None = None,
    pool: Sequence[Graph] | None = None,
    *,
    nearest: bool = False,
    weight: float = 1.0,
    labels: Mapping[str, float] | None = None,
) -> Ranking:
    """Rank networks by a scorer; one that is given several times, under whatever names, has one place.

    Args:
        scorer: a :class:`cg_predict.Predictor` or any other scorer.
        graphs: the networks.
        names: what to call them; the graphs' own names by default.
        pool: the networks among which one ranks, for scorers that take one.
        nearest: also say which known family and networks each is most like; only a :class:`cg_predict.Predictor` knows.
        weight: of the scores among the pool; the rest has the scores without one. See :func:`pool_weight`.
        labels: known labels by graph hash, to be shown beside the scores.

    Raises:
        CgError: another number of names than of networks, or scores that are not finite.
    """
    graphs = list(graphs)
    names = [graph.name or f"network {i}" for i, graph in enumerate(graphs, 1)] if names is None else list(names)
    if len(names) != len(graphs):
        raise CgError(f"there should be as many names as networks, {len(graphs)}, not {len(names)}")
    graphs, called = _distinct(graphs, names)
    scores, deviations = scores_of(scorer, graphs, None if not weight else pool)
    if pool is not None and 0.0 < weight < 1.0:
        alone, spread = scores_of(scorer, graphs, None)
        scores = weight * scores + (1.0 - weight) * alone
        deviations = None if deviations is None or spread is None else weight * deviations + (1.0 - weight) * spread
    alike = _alike(scorer, graphs) if nearest else [{}] * len(graphs)
    rows = []
    order = np.argsort(-scores, kind="stable").tolist()
    for place, i in enumerate(order, 1):
        score, std = float(scores[i]), None if deviations is None else float(deviations[i])
        low = None if std is None else score - NINE_OF_TEN * std
        high = None if std is None else score + NINE_OF_TEN * std
        graph = graphs[i]
        label = None if labels is None else labels.get(graph.hash)
        costs = (graph.params, graph.macs, graph.hash)
        rows.append(Ranked(place, called[i][0], score, std, low, high, *costs, called[i], label, **alike[i]))
    return Ranking(rows, [graphs[i] for i in order])


def pool_weight(count: int) -> float:
    """How much scores among a pool of so many ranked networks count beside scores of each by itself: nothing up to 3, all from 40, ever more between.

    Networks drawn at random from NAS-Bench-101 and 201, MobileNetV3 and the NATS widths, each left out of the prior, rank with a mean correlation of 0.755 by
    themselves and 0.759 among each other where they are 5, 0.802 and 0.825 where they are 10, 0.829 and 0.857 where they are 39.
    """
    few, many = 3, 40
    return float(np.clip(np.log(max(count, 1) / few) / np.log(many / few), 0.0, 1.0))


def _distinct(graphs: Sequence[Graph], names: Sequence[str]) -> tuple[list[Graph], list[tuple[str, ...]]]:
    """Every network once, and the different names of each."""
    called: dict[str, dict[str, None]] = {}
    kept: dict[str, Graph] = {}
    for graph, name in zip(graphs, names, strict=True):
        kept.setdefault(graph.hash, graph)
        called.setdefault(graph.hash, {})[name] = None
    return list(kept.values()), [tuple(each) for each in called.values()]


def scores_of(scorer: Any, graphs: Sequence[Graph], pool: Sequence[Graph] | None) -> Prediction:
    """Scores, and standard deviations where the scorer knows them.

    Raises:
        CgError: a score is not finite.
    """
    found = scoring.predict(scorer, graphs, pool)
    if not np.isfinite(found.mean).all():
        raise CgError(f"the scorer '{scorer.name}' gave a score that is not finite")
    return found


def left_out_correlation(
    scorer: Any, graphs: Sequence[Graph], values: Sequence[float], folds: int = 5
) -> tuple[float, int] | None:
    """Spearman's rank correlation of labels with scores from a fit to the other labels, and how many labels took part.

    Networks are dealt to the folds in the order of their hashes. Scores of different folds compare, for they are normal scores.

    Args:
        scorer: what is fitted; copies of it, it stays as it is.
        graphs: labelled networks; one that occurs twice counts once, with the mean of its labels.
        values: their labels.
        folds: how many fits.

    Returns:
        nothing where there are fewer than two different networks a fold, or labels that are all alike.
    """
    kept, labels = merge_duplicates([graph.hash for graph in graphs], np.asarray(values, dtype=np.float64))
    order = sorted(range(len(kept)), key=lambda i: graphs[kept[i]].hash)
    if len(order) > _CHECKED:
        order = [order[i] for i in np.linspace(0, len(order) - 1, _CHECKED).astype(int)]
    networks, y = [graphs[kept[i]] for i in order], labels[order]
    if len(order) < 2 * folds or np.ptp(y) == 0:
        return None
    scores, fold = np.zeros(len(order)), np.arange(len(order)) % folds
    for k in range(folds):
        rest, out = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        fitted = copy.deepcopy(scorer)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # labels that happen to be alike in one fold
            fitted.fit([networks[i] for i in rest], y[rest])
            scores[out] = np.asarray(fitted.predict([networks[i] for i in out]))
    return spearman(scores, y), len(order)


def _alike(scorer: Any, graphs: Sequence[Graph]) -> list[dict[str, Any]]:
    """What `Ranked` says of the nearest family and networks, one a network."""
    from cg_predict.features import descriptors

    names = scorer.knowledge.nearest(descriptors().encode(graphs))
    return [
        {
            "nearest_family": familiar.family,
            "distance": familiar.distance if np.isfinite(familiar.distance) else None,
            "unfamiliar": not familiar.known,
            "nearest_networks": tuple(near),
        }
        for near, familiar in zip(names, scorer.familiarity(graphs), strict=True)
    ]


def _family(row: Ranked) -> str:
    """The nearest family with its distance, and a mark where the network is unlike all."""
    distance = "" if row.distance is None else f" {row.distance:.2f}"
    return f"{row.nearest_family or ''}{distance}{' !' if row.unfamiliar else ''}"


def _decimals(scores: Sequence[float]) -> int:
    """Decimals that scores are told with: three, and more where all are small, as milliseconds on graphics cards are."""
    largest = max((abs(score) for score in scores if np.isfinite(score)), default=0.0)
    return 3 if largest == 0 else min(max(3, 2 - int(np.floor(np.log10(largest)))), 9)


def _called(row: Ranked) -> str:
    """The network's name, and how many more it has."""
    more = len(row.notations) - 1
    return row.name if more < 1 else f"{row.name} (and {more} more notation{'s' if more > 1 else ''})"


def _short(count: int) -> str:
    """A count in thousands, millions or thousand millions."""
    for limit, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= limit:
            return f"{count / limit:.2f}{unit}"
    return str(count)
