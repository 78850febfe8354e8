"""A run as one self-contained HTML page."""

from __future__ import annotations

import html
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cg_evolve import pareto
from cg_evolve.charts import Series, chart
from cg_evolve.errors import SearchError
from cg_evolve.evaluators import make_evaluator
from cg_evolve.runs import Config, read_run
from cg_ir.errors import CgError
from cg_ir.page import asset, page

if TYPE_CHECKING:
    from cg_evolve.history import Evaluation
    from cg_evolve.search import Search

__all__ = ["report_page", "write_report"]

_DRAWING_LIMIT = 1_500_000
_SHOWN = 20
_STYLE = """
main { max-width: 900px; margin: 0 auto; padding: 8px 16px 48px; }
main section { margin-top: 32px; }
main h2 { margin-bottom: 8px; }
.chart { width: 100%; height: auto; max-width: 760px; display: block; }
.scroll { overflow-x: auto; }
main table { font-size: 0.9rem; }
main th, main td { padding: 4px 12px 4px 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
main td.number, main th.number { text-align: right; }
td.arch { font-family: var(--mono); font-size: 0.85em; overflow-wrap: anywhere; min-width: 16em; }
.drawing svg { max-width: 100%; height: auto; }
"""


def write_report(run: str | os.PathLike[str], output: str | os.PathLike[str]) -> None:
    """Write the report of the run in a folder; the file appears whole or not at all.

    Raises:
        SearchError: the folder holds no run, or no evaluation has ended.
    """
    config, search = read_run(run)
    text = report_page(config, search)
    path = Path(output)
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise SearchError(f"{path}: cannot be written: {error.strerror}") from None


def report_page(config: Config, search: Search) -> str:
    """The page."""
    rows = search.history.finished()
    if not rows:
        raise SearchError("no evaluation has ended yet: there is nothing to report")
    sections = [
        _summary(config, search, rows),
        _trajectory(config, search, rows),
        _front(search),
        _best(search),
        _prediction(search),
        _ancestry(search),
        _origins(rows),
        _failures(rows),
        _drawing(search),
    ]
    return page(
        f"Search of {config.space}", "\n".join(filter(None, sections)), data={}, scripts=[], styles=[asset("base.css"), _STYLE]
    )


# --- pieces -----------------------------------------------------------------------------------------------------------


def _section(title: str, *body: str) -> str:
    return f"<section><h2>{html.escape(title)}</h2>\n{''.join(body)}</section>"


def _table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; numbers are set to the right, strings that name architectures in a fixed width."""

    def cell(value: Any, heading: str) -> str:
        if isinstance(value, float):
            return f'<td class="number">{value:.6g}</td>'
        if isinstance(value, int):
            return f'<td class="number">{value:,}</td>'
        kind = ' class="arch"' if heading == "architecture" else ""
        return f"<td{kind}>{html.escape(str(value))}</td>"

    head = "".join(f'<th scope="col">{html.escape(h)}</th>' for h in headings)
    body = "".join(
        "<tr>" + "".join(cell(v, h) for v, h in zip(row, headings, strict=True)) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _value(row: Evaluation, metric: str) -> float:
    return float(row.metrics.get(metric, next(iter(row.metrics.values()))))


def _main(search: Search) -> str:
    """The main metric under the name that the evaluator gives it."""
    metric = search.problem.objectives[0].metric
    row = next((row for row in search.history if row.good), None)
    return metric if row is None or metric in row.metrics else next(iter(row.metrics))


def _summary(config: Config, search: Search, rows: Sequence[Evaluation]) -> str:
    failed = sum(row.status == "failed" for row in rows)
    facts: list[tuple[str, Any]] = [
        ("space", config.space),
        ("evaluator", config.evaluator),
        ("algorithm", config.algorithm),
        ("objectives", ", ".join(map(str, search.problem.objectives))),
        ("constraints", ", ".join(map(str, search.problem.constraints)) or "none"),
        ("families left out of the predictor", ", ".join(config.exclude) or "none"),
        ("seed", str(config.seed)),
        ("evaluations", f"{len(rows):,} of {config.budget:,}" + (f", {failed:,} failed" if failed else "")),
        ("time spent evaluating", f"{sum(row.cost for row in rows):,.1f} s"),
    ]
    best = search.best
    if best is not None:
        facts.append((f"best {_main(search)}", f"{best.value:.6g} (evaluation {best.id})"))
    body = "".join(f'<tr><th scope="row">{html.escape(k)}</th><td>{html.escape(str(v))}</td></tr>' for k, v in facts)
    return f'<section><div class="scroll"><table><tbody>{body}</tbody></table></div></section>'


def _trajectory(config: Config, search: Search, rows: Sequence[Evaluation]) -> str:
    good = [row for row in rows if row.good]
    if not good:
        return ""
    objective = search.problem.objectives[0]
    x = [float(row.id) for row in good]
    y = [objective.utility(row.utilities[0]) for row in good]
    best = [objective.utility(u) for u in np.maximum.accumulate([row.utilities[0] for row in good])]
    metric = _main(search)
    series: list[Series] = [("best so far", x, best, "steps"), ("evaluation", x, y, "faint")]
    body = [chart(f"Best {metric} so far", "evaluation", metric, series)]
    optimum = _optimum(config, search)
    if optimum is not None:
        regret = [abs(optimum - b) for b in best]
        positive = [r for r in regret if r > 0]
        floor = min(positive) / 3 if positive else 1e-3
        body.append("<h3>Regret</h3>")
        body.append(
            chart(
                "Regret",
                "evaluation",
                "distance from the table's best",
                [("regret", x, [max(r, floor) for r in regret], "steps")],
                log_y=True,
            )
        )
        if regret[-1] == 0:
            first = next(row.id for row, r in zip(good, regret, strict=True) if r == 0)
            body.append(f'<p class="muted">The table\'s best, {optimum:.6g}, was found at evaluation {first}.</p>')
    return _section("Trajectory", *body)


def _optimum(config: Config, search: Search) -> float | None:
    """The best value of the main objective in the table, where the evaluator is one and its file is at hand."""
    if not config.evaluator.startswith("benchmark:") or search.problem.constraints:
        return None
    try:
        evaluator: Any = make_evaluator(config.evaluator, config.space)
        objective = search.problem.objectives[0]
        metric = objective.metric if objective.metric in evaluator.metrics else evaluator.metrics[0]
        values = [objective.utility(evaluator.table.query(arch, metric)) for arch in evaluator.archs()]
    except (CgError, KeyError):
        return None
    return objective.utility(max(values))


def _front(search: Search) -> str:
    objectives = search.problem.objectives
    good = [row for row in search.history if row.good]
    if len(objectives) < 2 or not good:
        return ""
    front = search.front
    a, b = objectives[1], objectives[0]
    order = sorted(front, key=lambda row: row.utilities[1])
    names = [objective.metric for objective in objectives]
    names[0] = _main(search)
    series: list[Series] = [
        ("evaluations", [a.utility(r.utilities[1]) for r in good], [b.utility(r.utilities[0]) for r in good], "faint"),
        ("Pareto front", [a.utility(r.utilities[1]) for r in order], [b.utility(r.utilities[0]) for r in order], "dots"),
    ]
    utilities = np.array([row.utilities for row in good])
    reference = utilities.min(axis=0)
    span = np.where(utilities.max(axis=0) > reference, utilities.max(axis=0) - reference, 1.0)
    scaled = (utilities - reference) / span
    step = max(1, len(good) // 50)
    points = list(range(step, len(good) + 1, step))
    volumes = [pareto.hypervolume(scaled[:n], [-1e-9] * scaled.shape[1]) for n in points]
    table = _table(
        ["evaluation", *names, "architecture"],
        [(row.id, *(o.utility(u) for o, u in zip(objectives, row.utilities, strict=True)), row.arch) for row in front],
    )
    return _section(
        "Pareto front",
        chart("Pareto front", names[1], names[0], series),
        "<h3>Hypervolume</h3>",
        chart(
            "Hypervolume",
            "evaluation",
            "share of the box of all evaluations",
            [("hypervolume", [float(good[n - 1].id) for n in points], volumes, "line")],
        ),
        table,
    )


def _best(search: Search) -> str:
    ranking = search.ranking[:_SHOWN]
    if not ranking:
        return ""
    main = _main(search)
    others = [name for name in ranking[0].metrics if name != main][:5]
    rows = [
        (row.id, float(row.metrics[main]), *(float(row.metrics.get(name, float("nan"))) for name in others), row.arch)
        for row in ranking
    ]
    return _section("Best architectures", _table(["evaluation", main, *others, "architecture"], rows))


def _prediction(search: Search) -> str:
    rows = [row for row in search.history if row.good and row.candidate.mean is not None]
    if len(rows) < 5:
        return ""
    predicted = np.array([float(row.candidate.mean or 0.0) for row in rows])
    measured = np.array([row.utilities[0] for row in rows])
    correlation = np.corrcoef(_rank(predicted), _rank(measured))[0, 1] if np.ptp(predicted) and np.ptp(measured) else 0.0
    objective = search.problem.objectives[0]
    x, y = predicted.tolist(), [objective.utility(u) for u in measured.tolist()]
    return _section(
        "Predicted against measured",
        chart("Predicted against measured", "predicted before the evaluation (scorer's scale)", _main(search), [("", x, y, "dots")]),
        f'<p class="muted">Spearman {correlation:.3f} over {len(rows)} proposals. They were chosen to be good, which narrows the range.</p>',
    )


def _rank(values: np.ndarray) -> np.ndarray:
    """Mean ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]


def _ancestry(search: Search) -> str:
    best = search.best
    if best is None or not best.candidate.parents:
        return ""
    seen: dict[int, Evaluation] = {}
    todo = [best.id]
    while todo:
        number = todo.pop()
        if number not in seen:
            seen[number] = search.history[number]
            todo += search.history[number].candidate.parents
    rows = [
        (
            row.id,
            row.candidate.origin,
            ", ".join(map(str, row.candidate.parents)) or "none",
            "" if row.value is None else float(row.value),
            row.arch,
        )
        for row in sorted(seen.values(), key=lambda row: row.id)[-40:]
    ]
    return _section("Ancestry of the winner", _table(["evaluation", "origin", "parents", _main(search), "architecture"], rows))


def _origins(rows: Sequence[Evaluation]) -> str:
    counts = Counter(row.candidate.origin.split(" ")[0] or "unknown" for row in rows)
    means: dict[str, list[float]] = {}
    for row in rows:
        if row.value is not None:
            means.setdefault(row.candidate.origin.split(" ")[0] or "unknown", []).append(row.value)
    table = [
        (origin, count, float(np.mean(means[origin])) if origin in means else "") for origin, count in counts.most_common()
    ]
    return _section("Where the proposals came from", _table(["origin", "evaluations", "mean value"], table))


def _failures(rows: Sequence[Evaluation]) -> str:
    failed = [row for row in rows if row.status == "failed"]
    if not failed:
        return ""
    table = [(row.id, row.attempts, row.error, row.arch) for row in failed[:_SHOWN]]
    more = f'<p class="muted">{len(failed) - _SHOWN} more.</p>' if len(failed) > _SHOWN else ""
    return _section("Failed evaluations", _table(["evaluation", "attempts", "reason", "architecture"], table), more)


def _drawing(search: Search) -> str:
    best = search.best
    if best is None:
        return ""
    for depth in (None, 2, 1, 0):
        svg = best.graph.to_svg(**({} if depth is None else {"depth": depth}))
        if len(svg) <= _DRAWING_LIMIT:
            return _section("The winner", f'<div class="drawing scroll">{svg[svg.index("<svg") :]}</div>')
    return ""
