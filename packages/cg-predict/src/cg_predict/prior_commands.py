"""``cg fit-prior``: what the predictor knows of other families, learned anew."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from cg_ir.errors import CgError
from cg_ir.terminal import EXISTING_FILE, EXISTING_FOLDER, NEW_FOLDER, json_option, say_written


@click.command("fit-prior")
@click.option(
    "--source", "own", multiple=True, type=EXISTING_FILE,
    help="A family of your own: labelled graph documents, one a line (see the guide on labels).",
)  # fmt: skip
@click.option("--data", type=EXISTING_FOLDER, help="Folder with the open tables that the shipped prior learns from.")
@click.option(
    "--graphs", type=EXISTING_FILE,
    help="Graph documents whose ids are architectures of the tables, for those that take long to build or need a library (timm).",
)  # fmt: skip
@click.option("--exclude", multiple=True, metavar="FAMILY", help="Family to leave out, with its relatives.")
@click.option("--seed", default=0, show_default=True, help="Of samples and trees.")
@click.option("-o", "--output", required=True, type=NEW_FOLDER, help="Folder to write.")
@json_option
def fit_prior(
    own: tuple[Path, ...],
    data: Path | None,
    graphs: Path | None,
    exclude: tuple[str, ...],
    seed: int,
    output: Path,
    as_json: bool,
) -> None:
    """Learn a prior from labelled families, for Predictor(prior=OUTPUT).

    With --source alone the families of the shipped prior are kept and yours are added; with --data all are learned anew from the tables.
    """
    from cg_embed.checkpoint import write_checkpoint
    from cg_predict.features import descriptors
    from cg_predict.train_prior import extend, model_card, read_sources, train

    if not own and data is None:
        raise CgError(
            "nothing to learn from: give --source FILE with labelled graphs, or --data DIR with the open tables"
        )

    progress = partial(click.echo, err=True)
    sources = read_sources(data, own, graphs, exclude, seed, progress)
    encoder = descriptors().encoder
    config, arrays = train(sources, encoder.names, encoder.groups, seed, progress)  # type: ignore[attr-defined]
    if data is None:
        config, arrays = extend(config, arrays, exclude)
    write_checkpoint(output, "prior", config, arrays, model_card(config))
    say_written(output, f"prior of {len(config['tables'])} tables", as_json, tables=list(config["tables"]))
