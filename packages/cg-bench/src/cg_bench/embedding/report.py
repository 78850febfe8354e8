"""The page of ``cg bench embedding``: means, paired differences with their errors, and what was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_bench.embedding.study import (
    ALONE,
    BESIDE,
    DESCRIPTORS,
    NOISE,
    NOTHING,
    PAPER_UNTRAINED,
    PATH_SHIPPED,
    PATH_UNTRAINED,
    PREDICTOR,
)
from cg_ir.files import write_text

__all__ = ["Difference", "markdown", "write_report"]

Row = dict[str, Any]
_MEAN = "mean"


class Table:
    """Spearman by vectors and use: an array over seeds and draws for each family and number of labels."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._values: dict[tuple[str, str, str, int], dict[tuple[int, int], float]] = {}
        for row in rows:
            key = (row["vectors"], row["use"], row["family"], row["labels"])
            self._values.setdefault(key, {})[row["seed"], row["draw"]] = row["spearman"]

    def __call__(self, vectors: str, use: str, family: str, labels: int) -> NDArray[np.float64] | None:
        """(seeds, draws); None unless every draw of every seed that was begun is there."""
        values = self._values.get((vectors, use, family, labels))
        if values is None:
            return None
        seeds, draws = sorted({s for s, _ in values}), sorted({d for _, d in values})
        if len(values) != len(seeds) * len(draws):
            return None
        return np.array([[values[s, d] for d in draws] for s in seeds])


class Difference:
    """Mean of paired differences, and its standard error over draws and over seeds of the weights.

    Args:
        own, other: (seeds, draws); one seed of ``other`` serves for all of ``own``.
    """

    def __init__(self, own: NDArray[np.float64], other: NDArray[np.float64]) -> None:
        seeds = len(own) if len(other) == 1 else min(len(own), len(other))
        draws = min(own.shape[1], other.shape[1])
        self.values = own[:seeds, :draws] - other[: seeds if len(other) > 1 else 1, :draws]

    @property
    def mean(self) -> float:
        """Over seeds and draws."""
        return float(self.values.mean())

    @property
    def by_draw(self) -> float:
        """Standard error over draws, seeds averaged; NaN with one draw."""
        return _error(self.values.mean(axis=0))

    @property
    def by_seed(self) -> float:
        """Standard error over seeds, draws averaged; NaN with one seed."""
        return _error(self.values.mean(axis=1))

    def __str__(self) -> str:
        return self.text()

    def text(self, digits: int = 3) -> str:
        """Mean ± error over draws, error over seeds."""
        text = f"{self.mean:+.{digits}f} ± {self.by_draw:.{digits}f}"
        return text if np.isnan(self.by_seed) else f"{text}, {self.by_seed:.{digits}f}"

    @property
    def error(self) -> float:
        """The larger of the two errors."""
        return float(np.nanmax([self.by_draw, self.by_seed, 0.0]))


def _error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def _mean_difference(parts: Sequence[Difference]) -> Difference:
    """Over families: differences are averaged seed by seed and draw by draw."""
    seeds, draws = (min(p.values.shape[i] for p in parts) for i in (0, 1))
    stacked = np.mean([p.values[:seeds, :draws] for p in parts], axis=0)
    return Difference(stacked, np.zeros((1, draws)))


def _unique(rows: Iterable[Row], key: str) -> list[Any]:
    return list(dict.fromkeys(row[key] for row in rows))


class _Page:
    def __init__(self, rows: Sequence[Row]) -> None:
        self.table = Table(rows)
        self.families = _unique(rows, "family")
        self.counts = sorted(_unique(rows, "labels"))
        self.vectors = _unique(rows, "vectors")

    def difference(self, own: tuple[str, str], other: tuple[str, str], family: str, count: int) -> Difference | None:
        """Between two (vectors, use); ``family`` may be the mean over families, which needs all of them."""
        if family == _MEAN:
            parts = [self.difference(own, other, f, count) for f in self.families]
            return _mean_difference([p for p in parts if p is not None]) if parts and None not in parts else None
        a, b = self.table(*own, family, count), self.table(*other, family, count)
        return None if a is None or b is None else Difference(a, b)

    def cells(self, what: Callable[[str], Any]) -> list[str]:
        found = [what(family) for family in (*self.families, _MEAN)]
        return ["" if cell is None else str(cell) for cell in found]

    def grid(self, title: str, lines: Iterable[tuple[str, list[str]]]) -> list[str]:
        body = [f"| {name} | " + " | ".join(cells) + " |" for name, cells in lines if any(cells)]
        head = f"| {title} | " + " | ".join([*self.families, "mean over families"]) + " |"
        return [head, "|---" * (len(self.families) + 2) + "|", *body, ""] if body else []

    def mean(self, vectors: str, use: str, count: int) -> Callable[[str], str | None]:
        def cell(family: str) -> str | None:
            if family == _MEAN:
                values = [self.table(vectors, use, f, count) for f in self.families]
                means = [v.mean() for v in values if v is not None]
                return f"{np.mean(means):.3f}" if len(means) == len(values) else None
            value = self.table(vectors, use, family, count)
            return None if value is None else f"{value.mean():.3f}"

        return cell


def _named(page: _Page, vectors: str, use: str, count: int) -> str:
    found = [page.table(vectors, use, family, count) for family in page.families]
    seeds = min((len(values) for values in found if values is not None), default=1)
    return f"{vectors} ({seeds} seeds)" if seeds > 1 else vectors


def markdown(rows: Sequence[Row], training: Sequence[Row], settings: str) -> str:
    """The page.

    Args:
        rows: of ``results.csv``.
        training: of ``training.csv``.
        settings: the text of ``embedding.yaml``.
    """
    page = _Page(rows)
    networks = {f: max(r["networks"] + r["labels"] for r in rows if r["family"] == f) for f in page.families}
    draws = [(max(r["draw"] for r in rows if r["labels"] == count) + 1, count) for count in page.counts]
    said = ", ".join(f"{number} at {count} labels" for number, count in draws)
    lines = [
        "# What the learned embedding adds",
        "",
        "Written by `cg bench embedding`. Spearman's rank correlation over the networks that were not labelled, means over draws of labels",
        f"({said}), the same for all rows. The Gaussian process of every row averages over several kernels",
        "by how well they predict labels left out: *alone* over those of the vectors and their half-whitened principal components, *beside",
        "descriptors* over those of the descriptors, their components, and both with the vectors. *noise* are as many columns of random numbers as",
        "the path encoder has.",
        "Rows with several seeds of the weights say so. `path` is the path-weighted encoder, `paper's` the paper's",
        "k-GNN and Transformer. Trained encoders saw unlabelled graphs of all spaces; how is said below.",
        "",
        "Networks: " + ", ".join(f"{family} {count:,}" for family, count in networks.items()) + ".",
        "",
        *_asked(page),
    ]  # fmt: skip
    for use in (ALONE, BESIDE, PREDICTOR):
        lines += _levels(page, use)
    lines += _trained(page)
    lines += _training(training, settings)
    return "\n".join(lines).rstrip() + "\n"


def _levels(page: _Page, use: str) -> list[str]:
    """Means, and paired differences to the same without vectors."""
    baseline = (NOTHING, PREDICTOR) if use == PREDICTOR else (DESCRIPTORS, BESIDE)
    own = [v for v in page.vectors if v not in (DESCRIPTORS, NOTHING)]
    parts: list[str] = []
    for count in page.counts:
        first = [(baseline[0], page.cells(page.mean(*baseline, count)))]
        rest = [(_named(page, v, use, count), page.cells(page.mean(v, use, count))) for v in own]
        if any(any(cells) for _, cells in rest):
            parts += page.grid(f"{count} labels", [*first, *rest])
    if not parts:
        return []
    title = "In the predictor, beside descriptors and prior" if use == PREDICTOR else f"Vectors {use}"
    reference = "the predictor without vectors" if use == PREDICTOR else "descriptors"
    weighted = [
        "The prior brings weights of the shipped encoder's columns, learned on the other families, and noise is weighted like it. Columns of other",
        "encoders, and in one row the shipped one's, are not weighted.",
        "",
    ]
    lines = [
        f"## {title}",
        "",
        *(weighted if use == PREDICTOR else ()),
        *parts,
        f"### Paired difference to {reference}",
        "",
    ]
    lines += ["Mean ± standard error over draws, and, after the comma, over seeds of the weights.", ""]
    for count in page.counts:
        found = [
            (_named(page, v, use, count), page.cells(lambda f, v=v: page.difference((v, use), baseline, f, count)))  # type: ignore[misc]  # noqa: B023
            for v in own
        ]
        lines += page.grid(f"{count} labels", found)
    return lines


def _trained(page: _Page) -> list[str]:
    """What training adds to the weights that it starts from."""
    lines: list[str] = []
    for count in page.counts:
        body = []
        for name in page.vectors:
            start = PATH_UNTRAINED if name.startswith("path, ") else PAPER_UNTRAINED
            if name in (start, PATH_SHIPPED) or "positives" not in name:
                continue
            for use in (ALONE, BESIDE, PREDICTOR):
                own, other = (name, use), (start, use)
                cells = page.cells(lambda f, a=own, b=other, c=count: _precise(page.difference(a, b, f, c)))  # type: ignore[misc]
                body.append((f"{name}, {use}", cells))
        lines += page.grid(f"{count} labels", body)
    if not lines:
        return []
    head = [
        "## Trained against untrained",
        "",
        "The same seeds of weights, draw by draw. Mean ± standard error over draws, and over seeds.",
        "",
    ]
    return [*head, *lines]


def _precise(difference: Difference | None) -> str | None:
    return None if difference is None else difference.text(4)


def _asked(page: _Page) -> list[str]:
    """Each thing that was asked of the embedding, what was measured, and whether it holds."""
    found: list[tuple[str, Difference | None, float]] = []
    for vectors in (PATH_SHIPPED, "path, functional positives"):
        for family in ("nb201", "nb101"):
            for count in (50, 100):
                text = f"{vectors}: alone at least as good as the descriptors, {family}, {count} labels"
                found.append((text, page.difference((vectors, ALONE), (DESCRIPTORS, BESIDE), family, count), 0.0))
    for vectors in (PATH_SHIPPED, "path, functional positives"):
        for family, gain in (("nb201", 0.008), (_MEAN, 0.005)):
            where = "the mean over families" if family == _MEAN else family
            own = (vectors, PREDICTOR)
            text = f"{vectors}: beside descriptors and prior at least +{gain}, {where}, 50 labels"
            found.append((f"{text}, to none", page.difference(own, (NOTHING, PREDICTOR), family, 50), gain))
            noise = page.difference(own, (NOISE, PREDICTOR), family, 50)
            found.append((f"{text}, to noise", noise, gain))
    for use in (ALONE, BESIDE, PREDICTOR):
        for count in (50, 100):
            text = f"path, functional positives: better than untrained, {use}, mean over families, {count} labels"
            own, other = ("path, functional positives", use), (PATH_UNTRAINED, use)
            found.append((text, page.difference(own, other, _MEAN, count), 0.0))
    body = [f"| {text} | {d.text(4)} | {_verdict(d, least)} |" for text, d, least in found if d is not None]
    if not body:
        return []
    head = [
        "## What was asked",
        "",
        "*yes* or *no* where the difference is more than one standard error from what was asked, else *not clear*.",
        "",
    ]
    return [*head, "| asked | measured | holds |", "|---|---|---|", *body, ""]


def _verdict(difference: Difference, least: float) -> str:
    gap = difference.mean - least
    return "not clear" if abs(gap) <= difference.error else "yes" if gap > 0 else "no"


def _training(rows: Sequence[Row], settings: str) -> list[str]:
    if not rows:
        return []
    lines = [
        "## Training",
        "",
        "| vectors | seeds | graphs seen by each | seconds each, median | loss, first and last 20 steps |",
        "|---|---|---|---|---|",
    ]
    for name in _unique(rows, "vectors"):
        own = [r for r in rows if r["vectors"] == name]
        seconds = np.median([r["seconds"] for r in own])
        first, last = np.nanmean([r["first_loss"] for r in own]), np.nanmean([r["last_loss"] for r in own])
        graphs = own[0]["steps"] * own[0]["batch"]
        lines.append(f"| {name} | {len(own)} | {graphs:,} | {seconds:.0f} | {first:.3f}, {last:.3f} |")
    return [*lines, "", "```yaml", settings.strip(), "```", ""]


def write_report(folder: Path, rows: Sequence[Row], training: Sequence[Row]) -> None:
    """Write ``results.md``, whole or not at all."""
    if rows:
        settings = Path(__file__).with_name("embedding.yaml").read_text(encoding="utf-8")
        write_text(folder / "results.md", markdown(rows, training, settings))
