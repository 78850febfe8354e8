"""``cg search`` and ``cg report``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cg_evolve.errors import SearchError
from cg_evolve.interrupts import interruptible, undisturbed
from cg_ir.terminal import json_option, say_written, table_console

if TYPE_CHECKING:
    from cg_evolve.config import Config
    from cg_evolve.history import Evaluation
    from cg_evolve.listeners import Listeners
    from cg_evolve.placement import Placement
    from cg_evolve.repeat import Repeat
    from cg_evolve.runs import Run

__all__ = ["report", "search"]


def _read_steps(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Numbers between commas; one number stands for itself and ever less of it."""
    if value is None:
        return ()
    try:
        numbers = tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"should be whole numbers such as 1,3,9, not '{value}'") from None
    if len(numbers) > 1:
        return numbers
    from cg_evolve.algorithms.halving import rungs

    return rungs(numbers[0], int(context.params.get("eta") or 3))


@click.command()
@click.argument("space", required=False)
@click.option("--budget", type=int, help="Evaluations in all, failed ones included.")
@click.option(
    "--evaluator",
    metavar="KIND:TARGET",
    help="file.py:function, benchmark:NAME=PATH, benchmark:FILE.csv, scorer:NAME, scorer:DIR, train:digits, or a plugin's.",
)
@click.option("--objective", "objectives", multiple=True, metavar="METRIC[:min|:max]", help="May be repeated.")
@click.option("--constraint", "constraints", multiple=True, metavar="'METRIC<NUMBER'", help="May be repeated.")
@click.option(
    "--algorithm", default="auto", show_default=True, help="random, local, regularized, nsga2, guided, bayesian."
)
@click.option("--scorer", default="predictor", show_default=True, help="The predictor that guides.")
@click.option("--exclude", multiple=True, metavar="FAMILY", help="The predictor must not have learned from it.")
@click.option("--pool", metavar="FILE", help="Restrict the search to these architectures, one a line.")
@click.option(
    "--input",
    multiple=True,
    metavar="SHAPE",
    help="What the networks of a callable take, such as 3x32x32; once an input.",
)
@click.option(
    "--steps",
    metavar="N,N,...",
    callback=_read_steps,
    help="Compare trainings after so many steps, such as 1,3,9: the evaluator yields a value after each; --budget counts whole trainings.",
)
@click.option(
    "--eta", type=int, default=3, show_default=True, is_eager=True, help="With --steps: one in so many goes on."
)
@click.option(
    "--compare",
    default="",
    metavar="METRIC[:min|:max]",
    help="With --steps: compare by this metric, such as loss:min, until they end.  [default: the evaluator's, or the objective]",
)
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
@click.option(
    "--workers",
    default="0",
    metavar="N|auto",
    help="Worker processes; 0 evaluates in this process, auto is one an accelerator, each of which it sees alone.  [default: 0]",
)
@click.option(
    "--dask", metavar="ADDRESS", help="Evaluate on a Dask cluster, also by its scheduler file; 'local' starts one."
)
@click.option(
    "--resources", metavar="NAME=N,...", help="With --dask: what an evaluation takes of a worker's resources: GPU=1."
)
@click.option("--timeout", type=float, help="Seconds that one evaluation may take.")
@click.option(
    "--log",
    "logs",
    multiple=True,
    metavar="NAME:TARGET",
    help="jsonl:FILE, tensorboard:FOLDER, mlflow:FOLDER, or a plugin's; may be repeated.",
)
@click.option("--memory", metavar="SIZE", help="Main memory that one worker may hold, such as 4G.")
@click.option(
    "--check", is_flag=True, help="At the end, do one evaluation again and say whether it gives the same result."
)
@click.option("--retries", type=int, default=1, show_default=True, help="Further tries of an evaluation that failed.")
@click.option(
    "--give-up",
    type=int,
    default=5,
    show_default=True,
    help="Stop after so many failures for one reason in a row; 0 never does.",
)
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the run."
)
@click.option(
    "--resume", is_flag=True, help="Go on with the run in the folder; what the command line leaves out is as it was."
)
@click.option("--retry-failed", is_flag=True, help="With --resume: try the evaluations that failed again.")
@click.option("--allow-python", is_flag=True, help="With --resume: run Python code that only the folder names.")
@json_option
@click.pass_context
def search(
    context: click.Context,
    workers: str,
    dask: str | None,
    resources: str | None,
    timeout: float | None,
    memory: str | None,
    logs: tuple[str, ...],
    check: bool,
    output: Path,
    resume: bool,
    retry_failed: bool,
    allow_python: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the best architectures of SPACE and keep every evaluation in a folder.

    SPACE is a search space with its options, 'graph?file=net.cg.json' for the changes of a network, or a function with typed arguments, file.py:make. An
    evaluator file.py:function is called with the runnable network and returns a number (higher is better) or metrics by name.
    """
    from cg_evolve.listeners import Listeners
    from cg_evolve.placement import Placement
    from cg_evolve.runs import GaveUp, Run
    from cg_evolve.winner import export_winner

    placement = Placement.of(workers, dask, resources, timeout, memory)
    if retry_failed and not resume:
        raise SearchError("--retry-failed goes with --resume")
    given = {name: value for name, value in options.items() if _is_given(context, name)}
    config = _config(output, options, given, resume)
    named = allow_python or {"space", "evaluator"} <= given.keys()
    listeners = Listeners(logs)
    with Run.open(output, config, resume=resume, retry_failed=retry_failed, allow_python=named) as run:
        _say_state(run, resume)
        again = stopped = None
        try:
            again = _execute(run, placement, listeners, check)
        except GaveUp as error:
            stopped = error
        document = _result(run, export_winner(run.search, output), again)
        if as_json:
            click.echo(json.dumps(document, indent=2))
        else:
            _print(run, document)
        if again is not None:
            click.echo(f"cg: {'note' if again.same else 'warning'}: {again}", err=True)
        if stopped is not None:
            raise stopped
        if document["failed"] == document["evaluations"] > 0:
            raise SearchError("no evaluation succeeded; --resume --retry-failed tries them again")


def _is_given(context: click.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _config(output: Path, options: dict[str, Any], given: dict[str, Any], resume: bool) -> Config:
    """What to run: of a run that goes on what it was, with what the command line says otherwise.

    Raises:
        UsageError: a new run lacks something.
    """
    from cg_evolve.config import CONFIG, Config

    there = output / CONFIG
    if resume and there.exists():
        return replace(Config.read(there), **given)
    missing = [
        n
        for n, key in (("SPACE", "space"), ("--budget", "budget"), ("--evaluator", "evaluator"))
        if options[key] is None
    ]
    if missing:
        raise click.UsageError(f"a new run needs {', '.join(missing)}")
    return Config(**options)


def _say_state(run: Run, resume: bool) -> None:
    """Say what a run that goes on has and what is left."""
    done, budget, steps = len(run.search.history.finished()), run.config.budget, run.config.steps
    if not resume or not len(run.search.history):
        return
    if run.used >= budget and done == len(run.search.history):
        failed = sum(row.status == "failed" for row in run.search.history)
        hints = [f"--budget {2 * budget} goes on", *(["--retry-failed tries the failed ones again"] if failed else [])]
        what = f"the steps of {budget} whole training{'s' * (budget != 1)}" if steps else f"all {budget} evaluations"
        click.echo(f"{run.directory}: {what} are there, nothing is left to do ({', '.join(hints)})", err=True)
    elif steps:
        click.echo(f"{run.directory}: goes on after {done} evaluations", err=True)
    else:
        click.echo(f"{run.directory}: goes on after {done} of {budget} evaluations", err=True)


def _execute(run: Run, placement: Placement, listeners: Listeners, check: bool) -> Repeat | None:
    """Evaluate, with progress on standard error; at the end once more, where ``check`` says so."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from cg_evolve.repeat import repeat

    console = Console(stderr=True)
    told: set[str] = set()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with interruptible(), listeners.of(run):
        backend = placement.backend(run)
        try:
            with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
                finished = len(run.search.history.finished())
                total = (
                    None if run.config.steps else run.config.budget
                )  # how many parts of trainings there will be nobody knows
                task = progress.add_task("evaluations", total=total, completed=finished)

                def advance(row: Evaluation) -> None:
                    _tell_objective(run, row, told)
                    if row.status == "failed" and row.error not in told:
                        told.add(row.error)
                        click.echo(f"cg: warning: evaluation {row.id} ({row.arch[:60]}) failed: {row.error}", err=True)
                    best = run.search.best
                    listeners.evaluated(row, None if best is None else best.value)
                    text = "evaluations" if best is None else f"best {best.value:.6g}"
                    progress.update(task, advance=1, description=text)

                run.execute(backend, on_result=advance, shared_disk=placement.dask is None)
            return repeat(run, backend) if check else None
        except KeyboardInterrupt:
            done = len(run.search.history.finished())
            click.echo(f"{run.directory}: stopped after {done} evaluations; --resume goes on", err=True)
            raise
        finally:
            with undisturbed():
                backend.stop()


def _tell_objective(run: Run, row: Evaluation, told: set[str]) -> None:
    """Say once which of several metrics is the objective, where nobody has said so."""
    from cg_evolve.objectives import COSTS

    problem = run.search.problem
    measured = [name for name in row.metrics if name not in COSTS]
    if problem.implicit and len(measured) > 1 and (text := f"the objective is {problem.objectives[0]}") not in told:
        told.add(text)
        click.echo(
            f"cg: {text}, of what the evaluator gives ({', '.join(measured)}); --objective says otherwise", err=True
        )


def _row(row: Evaluation) -> dict[str, Any]:
    return {
        "id": row.id,
        "arch": row.arch,
        "hash": row.hash,
        "value": row.value,
        "metrics": dict(row.metrics),
        "origin": row.candidate.origin,
    }


def _result(run: Run, files: dict[str, str], again: Repeat | None) -> dict[str, Any]:
    from cg_evolve.runs import reasons

    rows = run.search.history.finished()
    best = run.search.best
    several = len(run.search.problem.objectives) > 1
    return {
        "run": str(run.directory),
        "space": run.config.space,
        "evaluations": len(rows),
        "failed": sum(row.status == "failed" for row in rows),
        "failures": [{"reason": reason, "evaluations": count} for reason, count in reasons(run.search)],
        "objectives": [str(o) for o in run.search.problem.objectives],
        "best": None if best is None else _row(best),
        "front": [_row(row) for row in run.search.front] if several else None,
        "files": files,
        "same_again": None if again is None else again.same,
    }


def _print(run: Run, document: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = table_console()
    best = document["best"]
    title = f"{document['evaluations']} evaluations" + (f", {document['failed']} failed" if document["failed"] else "")
    if best is None:
        cut = run.config.steps and any(row.good for row in run.search.history)
        none = "none of a whole training: a larger --budget ends some" if cut else "none within the constraints"
        console.print(title if document["failed"] == document["evaluations"] else f"{title}; {none}")
        _print_failures(document)
        return
    several = document["front"] is not None
    shown = run.search.front if several else run.search.ranking[:5]
    metrics = run.search.problem.metrics
    title = f"{title}; {'Pareto front of' if several else 'best by'} {', '.join(document['objectives'])}"
    table = Table(title=Text(title, style="table.title"), title_justify="left")
    table.add_column("evaluation", justify="right")
    for metric in metrics:
        table.add_column(Text(metric), justify="right")
    table.add_column("architecture", overflow="fold")
    for row in shown:
        table.add_row(str(row.id), *(f"{row.metrics[metric]:.6g}" for metric in metrics), Text(row.arch))
    console.print(table)
    _print_failures(document)
    for kind, path in document["files"].items():
        console.print(f"winner ({kind}): {path}", markup=False, soft_wrap=True)
    console.print(f"report: cg report {document['run']} -o report.html", markup=False, soft_wrap=True)


def _print_failures(document: dict[str, Any]) -> None:
    """Why evaluations failed, the most frequent reasons first."""
    for failure in document["failures"][:5]:
        table_console().print(f"{failure['evaluations']} failed: {failure['reason']}", markup=False, soft_wrap=True)
    further = len(document["failures"]) - 5
    if further > 0:
        reasons = "1 further reason" if further == 1 else f"{further} further reasons"
        table_console().print(f"and {reasons}, in the column 'error' of the history")


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("report.html"), show_default=True
)
@click.option("--live", is_flag=True, help="Write the page again while a run goes on; an open page follows.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.5),
    default=5.0,
    show_default=True,
    help="With --live: seconds between two pages.",
)
@json_option
def report(runs: tuple[Path, ...], output: Path, live: bool, every: float, as_json: bool) -> None:
    """Turn the run in folder RUN into one self-contained HTML page; several runs are compared on one page."""
    from cg_evolve.comparison import comparison_page
    from cg_evolve.live import follow
    from cg_evolve.report import report_page
    from cg_ir.files import write_text

    def write(refresh: float | None) -> None:
        write_text(output, report_page(runs[0], refresh) if len(runs) == 1 else comparison_page(runs, refresh))

    if live:
        follow(runs, write, every)
    else:
        write(None)
    if as_json:
        say_written(output, "", as_json, bytes=output.stat().st_size)
    else:
        click.echo(str(output))
