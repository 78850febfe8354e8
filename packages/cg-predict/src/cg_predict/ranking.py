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

    from cg_ir.plugins import Scorer

__all__ = ["Ranked", "Ranking", "rank"]

#: Half the width of the interval that holds nine of ten normal variables, in standard deviations.
NINE_OF_TEN = 1.6449


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
        return [asdict(row) for row in self.rows]

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
            writer.writerows(self.to_records())
            write_text(path, stream.getvalue())
        elif name.endswith(".parquet"):
            from pathlib import Path

            from cg_ir.serialization import atomic_path

            frame = self.to_dataframe()
            try:
                import pyarrow  # noqa: F401
            except ImportError:
                raise MissingExtra("cg-predict", "tables", "writing .parquet") from None
            with atomic_path(Path(path)) as temporary:
                frame.to_parquet(temporary, index=False)
        else:
            raise SourceError(f"{name}: the name should end in .csv, .json or .parquet")

    def _cells(self, row: Ranked) -> list[str]:
        interval = "" if row.low is None else f"{row.low:.2f} … {row.high:.2f}"
        return [str(row.rank), row.name, f"{row.score:.3f}", interval, f"{row.params:,}", f"{row.macs:,}"]

    def __str__(self) -> str:
        """A plain table."""
        table = [["", "network", "score", "90 %", "parameters", "MACs"], *map(self._cells, self.rows)]
        widths = [max(len(line[i]) for line in table) for i in range(6)]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if i == 1 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in table
        )

    def __repr__(self) -> str:
        return f"<Ranking of {len(self)} networks>\n{self}"

    def _repr_html_(self) -> str:
        """A table with a bar for every score; the networks' names are escaped."""
        scores = [row.score for row in self.rows]
        low, span = min(scores, default=0.0), (max(scores, default=0.0) - min(scores, default=0.0)) or 1.0
        lines = []
        for row in self.rows:
            rank, name, score, interval, params, macs = map(html.escape, self._cells(row))
            width = 4 + 96 * (row.score - low) / span
            bar = f'<div style="height:3px;width:{width:.0f}%;background:#1f6fd0;border-radius:2px"></div>'
            cells = (rank, score + bar, interval, params, macs)
            rest = "".join(f'<td style="text-align:right">{cell}</td>' for cell in cells[1:])
            lines.append(
                f'<tr><td style="text-align:right">{rank}</td><td style="text-align:left">{name}</td>{rest}</tr>'
            )
        heads = "".join(f"<th>{text}</th>" for text in ("", "network", "score", "90 %", "parameters", "MACs"))
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def rank(
    scorer: Scorer, graphs: Sequence[Graph], names: Sequence[str] | None = None, pool: Sequence[Graph] | None = None
) -> Ranking:
    """Rank networks by a scorer.

    Args:
        scorer: a :class:`cg_predict.Predictor` or any other scorer.
        graphs: the networks.
        names: what to call them; the graphs' own names by default.
        pool: the networks among which one ranks, for scorers that take one.

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
    rows = []
    order = np.argsort(-scores, kind="stable").tolist()
    for place, i in enumerate(order, 1):
        score, std = float(scores[i]), None if deviations is None else float(deviations[i])
        low = None if std is None else score - NINE_OF_TEN * std
        high = None if std is None else score + NINE_OF_TEN * std
        graph = graphs[i]
        rows.append(Ranked(place, names[i], score, std, low, high, graph.params, graph.macs, graph.hash))
    return Ranking(rows, [graphs[i] for i in order])
