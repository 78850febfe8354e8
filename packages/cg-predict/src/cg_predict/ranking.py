"""A ranking of networks: scores with uncertainty, best first, as rows, a table, a data frame or a file."""

from __future__ import annotations

import csv
import html
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_ir.errors import CgError, MissingExtra, SourceError
from cg_ir.graph import Graph
from cg_ir.output_formats import write_text

if TYPE_CHECKING:
    import pandas
    from rich.table import Table as RichTable

    from cg_ir.plugins import Scorer

__all__ = ["Ranked", "Ranking", "rank"]

#: Half the width of the interval that holds nine of ten normal variables, in standard deviations.
NINE_OF_TEN = 1.6449

#: Columns of text, and those that may be broken over several lines.
_LEFT = ("#", "network", "nearest family", "nearest known network")
_FOLDED = ("network", "nearest known network")


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

    @property
    def best(self) -> Graph:
        """The network in the first place."""
        return self.graphs[0]

    def to_records(self) -> list[dict[str, Any]]:
        """One dictionary a row, JSON values."""
        return [asdict(row) | {"nearest_networks": list(row.nearest_networks)} for row in self.rows]

    def to_dataframe(self) -> pandas.DataFrame:
        """A pandas data frame, one row a network.

        Raises:
            MissingExtra: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingExtra("cg-predict", "tables", "a data frame") from None
        columns = list(Ranked.__dataclass_fields__)
        return pandas.DataFrame(self.to_records(), columns=columns)

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
                writer.writerow(record | {"nearest_networks": "; ".join(record["nearest_networks"])})
            write_text(path, stream.getvalue())
        elif name.endswith(".parquet"):
            from pathlib import Path

            from cg_ir.files import atomic_path

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
        found = [
            ("#", [str(row.rank) for row in rows]),
            ("network", [row.name for row in rows]),
            ("score", [f"{row.score:.3f}" for row in rows]),
        ]
        if any(row.low is not None for row in rows):
            found.append(("90 %", ["" if row.low is None else f"{row.low:.2f} … {row.high:.2f}" for row in rows]))
        found.append(("parameters", [_short(row.params) for row in rows]))
        found.append(("MACs", [_short(row.macs) for row in rows]))
        if any(row.nearest_family for row in rows):
            found.append(("nearest family", [_family(row) for row in rows]))
            found.append(("nearest known network", [next(iter(row.nearest_networks), "") for row in rows]))
        return found

    def __rich__(self) -> RichTable:
        """The table for a terminal."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False)
        columns = self.columns()
        for heading, _ in columns:
            left = heading in _LEFT
            folded = heading in _FOLDED
            table.add_column(heading, justify="left" if left else "right", no_wrap=not folded, overflow="fold")
        for cells in zip(*(cells for _, cells in columns), strict=True):
            table.add_row(*map(Text, cells))
        return table

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
) -> Ranking:
    """Rank networks by a scorer.

    Args:
        scorer: a :class:`cg_predict.Predictor` or any other scorer.
        graphs: the networks.
        names: what to call them; the graphs' own names by default.
        pool: the networks among which one ranks, for scorers that take one.
        nearest: also say which known family and networks each is most like; only a :class:`cg_predict.Predictor` knows.

    Raises:
        CgError: another number of names than of networks, or scores that are not finite.
    """
    graphs = list(graphs)
    names = [graph.name or f"network {i}" for i, graph in enumerate(graphs, 1)] if names is None else list(names)
    if len(names) != len(graphs):
        raise CgError(f"there should be as many names as networks, {len(graphs)}, not {len(names)}")
    options: dict[str, Any] = {} if pool is None else {"pool": pool}
    found: Any = scorer.predict(graphs, return_std=True, **options)
    scores, deviations = found if isinstance(found, tuple) else (found, None)
    scores = np.asarray(scores, dtype=float)
    if not np.isfinite(scores).all():
        raise CgError(f"the scorer '{scorer.name}' gave a score that is not finite")
    alike = _alike(scorer, graphs) if nearest else [{}] * len(graphs)
    rows = []
    order = np.argsort(-scores, kind="stable").tolist()
    for place, i in enumerate(order, 1):
        score, std = float(scores[i]), None if deviations is None else float(deviations[i])
        low = None if std is None else score - NINE_OF_TEN * std
        high = None if std is None else score + NINE_OF_TEN * std
        graph = graphs[i]
        rows.append(Ranked(place, names[i], score, std, low, high, graph.params, graph.macs, graph.hash, **alike[i]))
    return Ranking(rows, [graphs[i] for i in order])


def _alike(scorer: Any, graphs: Sequence[Graph]) -> list[dict[str, Any]]:
    """What `Ranked` says of the nearest family and networks, one a network."""
    from cg_predict.features import descriptors

    names = scorer.prior.nearest(descriptors().encode(graphs))
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


def _short(count: int) -> str:
    """A count in thousands, millions or thousand millions."""
    for limit, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= limit:
            return f"{count / limit:.2f}{unit}"
    return str(count)
