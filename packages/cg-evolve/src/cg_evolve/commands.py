"""``cg search`` and ``cg report``."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cg_evolve.errors import SearchError
from cg_ir.terminal import json_option, say_written, table_console

if TYPE_CHECKING:
    from cg_evolve.executors import Backend
    from cg_evolve.history import Evaluation
    from cg_evolve.runs import Run

__all__ = ["report", "search"]


@click.command()
@click.argument("space", required=False)
@click.option("--budget", type=int, help="Evaluations in all, failed ones included.")
@click.option(
    "--evaluator",
    metavar="KIND:TARGET",
    help="benchmark:NAME=PATH, benchmark:FILE.csv, scorer:NAME, scorer:DIR, train:digits, or a plugin's.",
)
@click.option("--objective", "objectives", multiple=True, metavar="METRIC[:min|:max]", help="May be repeated.")
@click.option("--constraint", "constraints", multiple=True, metavar="'METRIC<NUMBER'", help="May be repeated.")
@click.option(
    "--algorithm", default="auto", show_default=True, help="random, local, regularized, nsga2, guided, bayesian."
)
@click.option("--scorer", default="predictor", show_default=True, help="The predictor that guides.")
@click.option("--exclude", multiple=True, metavar="FAMILY", help="The predictor must not have learned from it.")
@click.option("--pool", metavar="FILE", help="Restrict the search to these architectures, one a line.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "-q",
    "--lag",
    "q",
    type=int,
    default=4,
    show_default=True,
    help="Proposal n uses the results up to n - q: up to q evaluations run at once.",
)
@click.option("--workers", type=int, default=0, help="Worker processes; 0 evaluates in this process.  [default: 0]")
@click.option("--dask", metavar="ADDRESS", help="Evaluate on a Dask cluster; 'local' starts one.")
@click.option("--timeout", type=float, help="Seconds that one evaluation may take.")
@click.option("--retries", type=int, default=1, show_default=True, help="Further tries of an evaluation that failed.")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the run."
)
@click.option("--resume", is_flag=True, help="Go on with the run in the folder; without SPACE, as it was configured.")
@json_option
def search(
    space: str | None,
    budget: int | None,
    evaluator: str | None,
    workers: int,
    dask: str | None,
    timeout: float | None,
    output: Path,
    resume: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the best architectures of SPACE and keep every evaluation in a folder."""
    from cg_evolve.runs import CONFIG, Config, Run

    if workers < 0 or (timeout is not None and timeout <= 0):
        raise SearchError("workers should not be negative, a timeout should be positive")
    there = output / CONFIG
    if space is None and resume and there.exists():
        config = Config.read(there)
        if budget is not None:
            config = Config(**{**config.__dict__, "budget": budget})
    else:
        missing = [n for n, v in (("SPACE", space), ("--budget", budget), ("--evaluator", evaluator)) if v is None]
        if missing:
            raise click.UsageError(f"a new run needs {', '.join(missing)}")
        assert space is not None
        assert budget is not None
        assert evaluator is not None
        config = Config(space, evaluator, budget, **options)
    with Run.open(output, config, resume=resume) as run:
        _execute(run, workers, dask, timeout)
        from cg_evolve.winner import export_winner

        files = export_winner(run.search, output)
        document = _result(run, files)
        if as_json:
            click.echo(json.dumps(document, indent=2))
        else:
            _print(run, document)


def _backend(run: Run, workers: int, dask: str | None, timeout: float | None) -> Backend:
    from cg_evolve import executors

    if dask is not None:
        return executors.DaskBackend(dask, timeout, workers or 2)
    if workers or timeout is not None:  # only a process of its own can be stopped
        return executors.ProcessBackend(workers or 1, timeout, run.workers_lock)
    return executors.InlineBackend()


@contextmanager
def _terminable() -> Iterator[None]:
    """Make a request to terminate end the run as Ctrl-C does."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _execute(run: Run, workers: int, dask: str | None, timeout: float | None) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    finished = len(run.search.history.finished())
    with _terminable():
        backend = _backend(run, workers, dask, timeout)
        try:
            with Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=console,
                disable=not console.is_terminal,
            ) as progress:
                task = progress.add_task("evaluations", total=run.config.budget, completed=finished)

                def advance(row: Evaluation) -> None:
                    best = run.search.best
                    text = "evaluations" if best is None else f"best {best.value:.6g}"
                    progress.update(task, advance=1, description=text)

                run.execute(backend, on_result=advance, shared_disk=dask is None)
        except KeyboardInterrupt:
            done = len(run.search.history.finished())
            click.echo(f"{run.directory}: stopped after {done} evaluations; --resume goes on", err=True)
            raise
        finally:
            backend.stop()


def _row(row: Evaluation) -> dict[str, Any]:
    return {
        "id": row.id,
        "arch": row.arch,
        "hash": row.hash,
        "value": row.value,
        "metrics": dict(row.metrics),
        "origin": row.candidate.origin,
    }


def _result(run: Run, files: dict[str, str]) -> dict[str, Any]:
    rows = run.search.history.finished()
    best = run.search.best
    several = len(run.search.problem.objectives) > 1
    return {
        "run": str(run.directory),
        "space": run.config.space,
        "evaluations": len(rows),
        "failed": sum(row.status == "failed" for row in rows),
        "objectives": [str(o) for o in run.search.problem.objectives],
        "best": None if best is None else _row(best),
        "front": [_row(row) for row in run.search.front] if several else None,
        "files": files,
    }


def _print(run: Run, document: dict[str, Any]) -> None:
    from rich.table import Table

    console = table_console()
    best = document["best"]
    title = f"{document['evaluations']} evaluations" + (f", {document['failed']} failed" if document["failed"] else "")
    if best is None:
        console.print(f"{title}; none within the constraints")
        return
    several = document["front"] is not None
    shown = run.search.front if several else run.search.ranking[:5]
    metrics = run.search.problem.metrics
    table = Table(title=f"{title}; {'Pareto front' if several else 'best'}", title_justify="left")
    table.add_column("evaluation", justify="right")
    for metric in metrics:
        table.add_column(metric, justify="right")
    table.add_column("architecture", overflow="fold")
    for row in shown:
        values = [row.metrics.get(metric, next(iter(row.metrics.values()))) for metric in metrics]
        table.add_row(str(row.id), *(f"{value:.6g}" for value in values), row.arch)
    console.print(table)
    for kind, path in document["files"].items():
        console.print(f"winner ({kind}): {path}", soft_wrap=True)
    console.print(f"report: cg report {document['run']} -o report.html", soft_wrap=True)


@click.command()
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("report.html"), show_default=True
)
@json_option
def report(run: Path, output: Path, as_json: bool) -> None:
    """Turn the run in folder RUN into one self-contained HTML page."""
    from cg_evolve.report import write_report

    write_report(run, output)
    if as_json:
        say_written(output, "", as_json, bytes=output.stat().st_size)
    else:
        click.echo(str(output))
