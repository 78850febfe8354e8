"""The page of `recipe.py`: ways to use labels of the target, from what the networks have made of its graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cg_bench.ranking.methods import random_labels
from cg_ir.files import write_text
from cg_predict.gp import AveragedGaussianProcess, Structure
from cg_predict.kernels import Whitening
from cg_predict.metrics import spearman
from cg_predict.pool import PoolScale
from cg_predict.readout_process import ReadoutProcess
from cg_predict.targets import normal_scores
from cg_predict.threads import single_threaded

__all__ = ["write_page"]

#: Labels of the target, and draws of them where no weight is trained.
LABELS, DRAWS = 50, 4
#: What a process may read: half-whitened principal components, unless said otherwise. The last is what `ReadoutProcess` does.
MESSAGES, ATTENTION, WHOLE = "messages", "attention", "whole readout"
AS_THEY_ARE, WHITENED, MEAN = "messages, as they are", "messages, whitened", "messages, from the score without labels"
AVERAGED = "messages and whole readout, averaged"
FORMS = (MESSAGES, AS_THEY_ARE, WHITENED, MEAN, ATTENTION, WHOLE, AVERAGED)
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ranked:
    """What a network that the sources have trained makes of the target.

    Args:
        readout: (n, width); columns of message passing first.
        score: without labels, (n,).
        labels: (n,).
        tuned: scores after the labels of one draw have trained all weights, (n,), or None.
        seed: of the weights, and the draw of ``tuned``.
        attention: whether the second half of the columns is attention's.
    """

    readout: NDArray[np.float32]
    score: Floats
    labels: Floats
    tuned: Floats | None
    seed: int
    attention: bool

    def process(self, form: str, draw: int) -> Floats:
        """Scores by a Gaussian process on labels of a draw, (n,)."""
        return _process(self, form, draw)


@cache
@single_threaded
def _process(ranked: Ranked, form: str, draw: int) -> Floats:
    chosen, seed = random_labels(len(ranked.labels), LABELS, draw), draw
    whole = ranked.readout
    x, half = whole, whole.shape[1] // 2
    if ranked.attention and form != WHOLE:
        x = x[:, half:] if form == ATTENTION else x[:, :half]
    targets = normal_scores(ranked.labels[chosen])
    if form == AVERAGED:
        return ReadoutProcess(whole, x.shape[1], seed).fit(whole[chosen], targets).predict(whole)
    views = {"columns": _white(x, {AS_THEY_ARE: 0.0, WHITENED: 1.0}.get(form, 0.5))}
    structures = [Structure(("columns",), mean=form == MEAN)]
    mean = (ranked.score - ranked.score.mean()) / (ranked.score.std() + 1e-9)
    process = AveragedGaussianProcess(structures, rng=np.random.default_rng([seed, 0]), draws=150)
    process.prepare(views)
    process.fit({name: v[chosen] for name, v in views.items()}, targets, mean[chosen])
    return np.asarray(process.predict(views, mean), dtype=np.float64)


def _white(x: NDArray[np.float32], power: float) -> NDArray[np.float32]:
    """Columns in standard deviations, or their principal components divided by a power of theirs."""
    z = PoolScale(x).standardise(x)
    return Whitening(power).fit(z).transform(z).astype(np.float32) if power else z


def _told(ranked: Ranked, scores: Floats, draw: int | None) -> float:
    """Spearman's correlation over the networks without label."""
    count = len(ranked.labels)
    known = np.zeros(0, dtype=int) if draw is None else random_labels(count, LABELS, draw)
    rest = np.setdiff1d(np.arange(count), known)
    return spearman(scores[rest], ranked.labels[rest])


# --- measures: a list of values, one for each seed ------------------------------------------------------------------


def _no_label(rows: Sequence[Ranked]) -> list[float]:
    return [_told(r, r.score, None) for r in rows]


def _by_process(form: str) -> Callable[[Sequence[Ranked]], list[float]]:
    return lambda rows: [float(np.mean([_told(r, r.process(form, d), d) for d in range(DRAWS)])) for r in rows]


def _all(rows: Sequence[Ranked]) -> list[float]:
    return [_told(r, r.tuned, r.seed) for r in rows if r.tuned is not None]


def _both(rows: Sequence[Ranked]) -> list[float]:
    return [_told(r, r.tuned + r.process(AVERAGED, r.seed), r.seed) for r in rows if r.tuned is not None]


def _same_draw(rows: Sequence[Ranked]) -> list[float]:
    return [_told(r, r.process(AVERAGED, r.seed), r.seed) for r in rows if r.tuned is not None]


def _all_seeds(rows: Sequence[Ranked]) -> list[float]:
    """The scores without label of all seeds, standardised and added."""
    if len(rows) < 2:
        return []
    return [_told(rows[0], np.sum([(r.score - r.score.mean()) / r.score.std() for r in rows], axis=0), None)]


def _processes_of_all_seeds(rows: Sequence[Ranked]) -> list[float]:
    if len(rows) < 2:
        return []
    scores = [np.sum([r.process(AVERAGED, d) for r in rows], axis=0) for d in range(DRAWS)]
    return [float(np.mean([_told(rows[0], s, d) for d, s in enumerate(scores)]))]


# --- the page ----------------------------------------------------------------------------------------------------------


def write_page(folder: Path, page: Path, families: Sequence[str], kinds: Sequence[str], settings: str) -> None:
    """Write the page from what ``folder`` keeps of the families and kinds of networks.

    Args:
        settings: a sentence on data and lengths.
    """
    found = {(f, k): _read(folder, f, k) for f in families for k in kinds}
    seeds = max((len(rows) for rows in found.values()), default=0)
    lines = [
        "# The paper's recipe, stage by stage",
        "",
        "Written by `python packages/cg-bench/benchmarks/recipe.py`. Spearman's correlation over networks without label; the target's family is in no",
        f"stage before its own labels. {settings}",
        "Mean ± standard error over seeds of the weights, their number in brackets where it is less than the greatest."
        if seeds > 1
        else "One seed of the weights.",
        "",
    ]
    for title, measure in _TABLES:
        lines += _table(title, measure, found, seeds)
    lines += [
        "## What a process reads",
        "",
        f"{LABELS} labels, {DRAWS} draws; half-whitened principal components, unless a row says otherwise. The last row is the `process` of the tables",
        "above. It was chosen with mnasnet, nb101 and nb301 in sight; nb201 was measured after it.",
        "",
    ]
    for number, form in enumerate(FORMS):
        own = {(family, form): rows for (family, kind), rows in found.items() if kind == kinds[0]}
        part = _table(f"{kinds[0]}, {LABELS} labels", _by_process(form), own, seeds)
        lines += part[2:-1] if number else part[:-1]
    write_text(page, "\n".join([*lines, ""]))


_TABLES: tuple[tuple[str, Callable[[Sequence[Ranked]], list[float]]], ...] = (
    ("no label", _no_label),
    ("no label, all seeds added", _all_seeds),
    (f"{LABELS} labels, process", _by_process(AVERAGED)),
    (f"{LABELS} labels, process, all seeds added", _processes_of_all_seeds),
    (f"{LABELS} labels, process, one draw for each seed", _same_draw),
    (f"{LABELS} labels, all weights, the same draws", _all),
    (f"{LABELS} labels, both, the same draws", _both),
)


def _read(folder: Path, family: str, kind: str) -> list[Ranked]:
    rows = []
    for path in sorted(folder.glob(f"{family}-{kind}-[0-9].npz")):
        seed = int(path.stem.rpartition("-")[2])
        arrays = dict(np.load(path, allow_pickle=False))
        tuned = path.with_name(f"{path.stem}-tuned.npz")
        score = np.load(tuned, allow_pickle=False)["score"] if tuned.exists() else None
        rows.append(
            Ranked(arrays["readout"], arrays["score"], arrays["labels"], score, seed, attention=kind != "k-GNN")
        )
    return rows


def _table(
    title: str,
    measure: Callable[[Sequence[Ranked]], list[float]],
    found: dict[tuple[str, str], list[Ranked]],
    seeds: int,
) -> list[str]:
    """A row for each kind; families and kinds of which nothing is measured are left out, and the mean stands where a kind has all families."""
    values = {key: measure(rows) for key, rows in found.items()}
    kinds = [k for k in dict.fromkeys(k for _, k in values) if any(values[f, k] for f, j in values if j == k)]
    families = [f for f in dict.fromkeys(f for f, _ in values) if any(values[f, k] for k in kinds)]
    if not kinds:
        return []
    lines = [f"| {title} | " + " | ".join(families) + " | mean |", "|---" * (len(families) + 2) + "|"]
    for kind in kinds:
        whole = all(values[f, kind] for f in families)
        mean = f"{np.mean([np.mean(values[f, kind]) for f in families]):.3f}" if whole else ""
        cells = [_cell(values[f, kind], seeds) for f in families]
        lines.append(f"| {kind} | " + " | ".join([*cells, mean]) + " |")
    return [*lines, ""]


def _cell(values: list[float], seeds: int) -> str:
    if not values:
        return ""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.3f}" if seeds < 2 else f"{mean:.3f} (1)"
    text = f"{mean:.3f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.3f}"
    return text if len(values) == seeds else f"{text} ({len(values)})"
