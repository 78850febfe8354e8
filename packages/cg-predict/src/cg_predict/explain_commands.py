"""``cg explain`` and ``cg improve``."""

from __future__ import annotations

import json
import operator
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from cg_ir import get_scorer
from cg_ir.commands import reading_options
from cg_ir.errors import CgError, SourceError
from cg_ir.graph import Graph
from cg_ir.sources import Reading
from cg_ir.terminal import NEW_FILE, NEW_FOLDER, json_option, plain_table, say_written, table_console
from cg_predict.commands import exclude_option, scorer_named, scorer_option

_BOUND = re.compile(r"\s*([\w@.]+)\s*(<=|<)\s*(\S+)\s*")


# --- explain -------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("source")
@click.option("--against", metavar="SOURCE", help="Another network: say which is better, and why.")
@click.option(
    "-o",
    "--output",
    type=NEW_FILE,
    help="Page (.html) with the drawings, painted by what regions and operators contribute.",
)
@scorer_option
@exclude_option
@json_option
@reading_options
def explain(
    source: str,
    against: str | None,
    output: Path | None,
    scorer: str,
    exclude: tuple[str, ...],
    as_json: bool,
    reading: Reading,
) -> None:
    """Share the score of SOURCE out among its regions: how much it falls when an identity takes a region's place, or the region with half its width.

    Contributions are Shapley values; with the score of what is left they add up to the score.
    """
    if output is not None and output.suffix != ".html":
        raise SourceError(f"{output}: the name should end in .html")
    made = scorer_named(scorer, exclude)
    names = [source] if against is None else [source, against]
    graphs = [reading.graph(name) for name in names]
    document: dict[str, Any] = {
        "scorer": scorer,
        "networks": [_explained(n, g, made, output is not None) for n, g in zip(names, graphs, strict=True)],
    }
    if against is not None:
        document["comparison"] = _compared(graphs, made)
    if output is not None:
        from cg_predict.explanation_page import save_explanation

        save_explanation(document, graphs, output)
        say_written(output, "", as_json, networks=len(graphs))
        return
    if as_json:
        click.echo(json.dumps(document, indent=1))
        return
    for row in document["networks"]:
        _print(row)
    if against is not None:
        _print_comparison(document["comparison"], names)


def _explained(name: str, graph: Graph, scorer: Any, operators: bool) -> dict[str, Any]:
    from cg_predict.explain import explain as share_out
    from cg_predict.explain import operator_falls
    from cg_predict.predictor import Predictor
    from cg_predict.properties import nearest_known

    found = share_out(scorer, graph)
    regions: list[dict[str, Any]] = [
        {"region": region, "contribution": float(value), "error": float(error)}
        for region, value, error in zip(found.regions, found.contributions, found.errors, strict=True)
    ]
    row = {
        "source": name, "score": found.score, "rest": found.rest, "regions": regions, "together": list(found.together), "fall": found.fall,
        "rest_narrower": _add_widths(regions, graph, scorer),
    }  # fmt: skip
    if isinstance(scorer, Predictor):
        row["nearest"] = [
            {
                "name": near.name,
                "family": near.family,
                "differs": [{"property": name, "here": here, "there": there} for name, here, there in near.differs],
            }
            for near in nearest_known(scorer, graph)
        ]
    if operators:
        row["operators"] = operator_falls(scorer, graph)
    return row


def _add_widths(regions: list[dict[str, Any]], graph: Graph, scorer: Any) -> float | None:
    """Note what half of each region's own width costs, where it has one; returns the score with all of them narrower."""
    from cg_predict.explain import explain_narrower

    try:
        found = explain_narrower(scorer, graph)
    except CgError:  # no region has a width of its own, or the space of changes is not installed
        return None
    values = dict(zip(found.regions, zip(found.contributions, found.errors, strict=True), strict=True))
    for part in regions:
        if part["region"] in values:
            part["narrower"], part["narrower_error"] = map(float, values[part["region"]])
    return found.rest


def _compared(graphs: Sequence[Graph], scorer: Any) -> dict[str, Any]:
    from cg_predict.comparison import probability_better
    from cg_predict.latency import LatencyPredictor
    from cg_predict.predictor import Predictor
    from cg_predict.properties import difference_by_property

    names = {"parameters": "params", "MACs": "macs", "depth": "depth"}
    costs = {name: [getattr(graph, cost) for graph in graphs] for name, cost in names.items()}
    latency = {d: LatencyPredictor(d).predict(graphs).tolist() for d in LatencyPredictor().devices}
    try:
        probability: float | None = probability_better(scorer, graphs[0], graphs[1])
    except (CgError, TypeError):
        probability = None
    shares = difference_by_property(scorer, graphs[0], graphs[1]) if isinstance(scorer, Predictor) else []
    properties = [
        {"property": s.name, "contribution": s.contribution, "error": s.error, "first": s.first, "second": s.second}
        for s in shares
    ]
    found = {"probability_first_is_better": probability, "properties": properties}
    return {**found, "costs": costs, "latency_ms": latency}


def _print(row: dict[str, Any]) -> None:
    widths = row["rest_narrower"] is not None
    heads = ("region", *(["half its width"] if widths else []), "contribution", "±", "")
    largest = max(abs(part["contribution"]) for part in row["regions"]) or 1.0
    lines = []
    for part in row["regions"]:
        half = [f"{-part['narrower']:+.3f}" if "narrower" in part else ""] if widths else []
        lines.append((part["region"], *half, *_told(part, largest)))
    lines.append(("everything else", *([""] if widths else []), f"{row['rest']:+.3f}", "", ""))
    title = f"{row['source']}: score {row['score']:.3f}"
    table_console().print(plain_table(heads, lines, ("region", ""), title=title))
    click.echo(f"together most: {', '.join(row['together'])} ({-row['fall']:+.3f} without them)")
    for near in row.get("nearest", ())[:1]:
        differs = "; ".join(
            f"{d['property']} ({d['here']} here, {d['there']} there)" if d["here"] else d["property"]
            for d in near["differs"]
        )
        click.echo(f"nearest labelled network: {near['name']}; what differs: {differs or 'hardly anything'}")


def _print_comparison(found: dict[str, Any], names: Sequence[str]) -> None:
    lines = [(name, f"{a:,}", f"{b:,}") for name, (a, b) in found["costs"].items()]
    lines += [(f"ms on {name}", f"{a:.3g}", f"{b:.3g}") for name, (a, b) in found["latency_ms"].items()]
    table_console().print(plain_table(("", "first", "second"), lines, ("",), title="side by side"))
    if shares := found["properties"]:
        title = f"what makes the difference of {sum(share['contribution'] for share in shares):+.3f}"
        heads = ("property", "first", "second", "contribution", "±", "")
        largest = abs(shares[0]["contribution"]) or 1.0
        rows = [(share["property"], share["first"], share["second"], *_told(share, largest)) for share in shares]
        table_console().print(plain_table(heads, rows, ("property", "first", "second", ""), title=title))
    probability = found["probability_first_is_better"]
    if probability is not None:
        click.echo(f"the first, {names[0]}, is the better one with probability {probability:.2f}")


def _told(part: dict[str, Any], largest: float) -> tuple[str, str, str]:
    """A contribution, its error and a bar."""
    value = part["contribution"]
    bar = ("+" if value >= 0 else "-") * round(20 * abs(value) / largest)
    return f"{value:+.3f}", f"{part['error']:.3f}" if part["error"] else "", bar


# --- improve -------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("source")
@click.option(
    "--constraint",
    "constraints",
    multiple=True,
    metavar="METRIC<BOUND",
    help="macs<600e6, params<5e6, latency@rtx4090<3; may be repeated.",
)
@click.option("--show", default=10, show_default=True, type=click.IntRange(min=1), help="Changes to list.")
@click.option(
    "-o",
    "--output",
    type=NEW_FOLDER,
    help="Folder for a page (index.html) with the list, and the drawing of every network on it.",
)
@scorer_option
@exclude_option
@json_option
@reading_options
def improve(
    source: str,
    constraints: tuple[str, ...],
    show: int,
    output: Path | None,
    scorer: str,
    exclude: tuple[str, ...],
    as_json: bool,
    reading: Reading,
) -> None:
    """List the best single changes to SOURCE, by predicted gain, among those within the constraints.

    Changes are those of the space graph?file=..., whose notation is listed: kernels (k), widths (w), groups (g), activations (a), depth (d), skips (s).
    """
    bounds = [_bound(text) for text in constraints]
    graph = reading.graph(source)
    made = scorer_named(scorer, exclude)
    changes = _changes(graph)
    kept = changes
    for bound in bounds:
        values = bound.costs([change.graph for change in kept])
        kept = [change for change, value in zip(kept, values, strict=True) if bound.holds(value)]
    if not kept:
        raise CgError(f"none of the {len(changes)} single changes is within {', '.join(constraints)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        scores = np.asarray(made.predict([graph, *(change.graph for change in kept)]), dtype=float)
    best = np.argsort(-scores[1:], kind="stable")[:show].tolist()
    told = [graph, *(kept[j].graph for j in best)]
    costs: list[dict[str, float]] = [{"parameters": network.params, "macs": network.macs} for network in told]
    for bound in bounds:
        if bound.metric.startswith("latency@"):
            for own, value in zip(costs, bound.costs(told), strict=True):
                own[bound.metric] = value
    rows = []
    for change, score, own in zip((kept[j] for j in best), scores[1:][best].tolist(), costs[1:], strict=True):
        gain = {"gain": score - float(scores[0]), "score": score}
        rows.append({"change": change.arch, "what": change.what, **gain, **own})
    head = {"source": source, "score": float(scores[0]), **costs[0]}
    document = {**head, "considered": len(kept), "changes": rows}
    if output is not None:
        from cg_predict.explanation_page import save_changes

        save_changes(document, [kept[j].graph for j in best], output)
        say_written(output / "index.html", "", as_json, changes=len(rows))
    elif as_json:
        click.echo(json.dumps(document, indent=1))
    else:
        _print_changes(document)


def _print_changes(document: dict[str, Any]) -> None:
    costs = [name for name in document if name in ("parameters", "macs") or name.startswith("latency@")]
    heads = {"parameters": "parameters", "macs": "MACs"}
    told = [f"{document[name]:,} {heads[name]}" if name in heads else f"{document[name]:.3g} ms" for name in costs]
    rows = []
    for row in document["changes"]:
        cells = [
            f"{100 * (row[name] / max(1, document[name]) - 1):+.1f} %" if name in heads else f"{row[name]:.3g}"
            for name in costs
        ]
        rows.append((row["change"], f"{row['gain']:+.3f}", *cells, row["what"]))
    click.echo(f"{document['source']}: score {document['score']:.3f}, {', '.join(told)}")
    headings = ("change", "gain", *(heads.get(name, "ms") for name in costs), "what")
    table_console().print(plain_table(headings, rows, ("change", "what")))


class _Change(NamedTuple):
    """A network one change away.

    Attributes:
        arch: in the notation of the space around the network.
        what: the change in words.
        graph: the network.
    """

    arch: str
    what: str
    graph: Graph


#: What the letters of sites change.
_WORDS = {"k": "kernel", "w": "width times", "g": "groups", "a": "activation", "h": "heads", "d": "depth"}


def _changes(graph: Graph) -> list[_Change]:
    from cg_predict.around import space_around

    space = space_around(graph)
    base: Graph = space.graph("base")
    return [_Change(arch, _in_words(arch, base), space.graph(arch)) for arch in space.neighbors("base")]


def _in_words(arch: str, base: Graph) -> str:
    """A single change, such as ``kernel 3 to 5 at stage_1.cell_2``."""
    site, _, value = arch.partition("=")
    node = base.nodes[int(re.findall(r"\d+", site)[-1])]
    before = {
        "k": lambda: node.attrs["kernel_shape"][0],
        "g": lambda: node.attrs["group"],
        "a": lambda: node.op.lower(),
    }
    there = f"{before[site[0]]()} to " if site[0] in before else ""
    what = "a skip" if site[0] == "s" else f"{_WORDS.get(site[0], site)} {there}{value}"
    return f"{what} at {node.region or node.op}"


class _Bound(NamedTuple):
    """A constraint.

    Attributes:
        metric: its name.
        costs: its values of networks.
        holds: whether a value keeps to it.
    """

    metric: str
    costs: Callable[[list[Graph]], list[float]]
    holds: Callable[[float], bool]


def _bound(text: str) -> _Bound:
    """From ``metric<bound``."""
    match = _BOUND.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        metric, relation, bound = match[1], {"<": operator.lt, "<=": operator.le}[match[2]], float(match[3])
    except ValueError:
        raise CgError(f"a constraint looks like 'macs<600e6' or 'latency@rtx4090<3', not '{text}'") from None
    latency = get_scorer(metric) if metric.startswith("latency@") else None
    if latency is None and metric not in ("params", "macs", "depth"):
        raise CgError(f"a constraint is on params, macs, depth or latency@DEVICE, not '{metric}'")

    def costs(graphs: list[Graph]) -> list[float]:
        if latency is None:
            return [float(getattr(graph, metric)) for graph in graphs]
        return [-float(value) for value in latency.predict(graphs)] if graphs else []

    return _Bound(metric, costs, lambda value: bool(relation(value, bound)))
