"""Accuracies of timm's published weights on ImageNet: one label of an architecture that stands there under several recipes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cg_frontends.benchmarks.csv_table import csv_rows
from cg_frontends.benchmarks.recipes import imagenet_only, recipe_effects, recipe_group
from cg_frontends.benchmarks.table import LabelTable
from cg_ir import SourceError, get_space

#: Accuracies in percent, the main one first.
METRICS = ("top1", "top1_real", "top1_v2")
#: Which rows count: recipes that saw nothing but ImageNet-1k, or all.
RECIPES = ("in1k", "all")
#: How an architecture's rows become one label: without their recipes' effects, the best, the mean.
LABELS = ("adjusted", "best", "mean")

_COSTS = ("param_count_m", "infer_gmacs")
_COLUMNS = ("arch", "recipe_tag", "timm_module", "img_size", "top1", *_COSTS)


class TimmRow(NamedTuple):
    """One set of weights.

    Attributes:
        arch: ``name@resolution``.
        recipe: the tag of its training.
        module: the module of timm that the architecture is in.
        resolution: side of the image in pixels at which it was measured.
        params: parameters in millions.
        gmacs: multiply-accumulates in billions, at that resolution.
        accuracies: ``METRICS`` in percent, nan where there is none.
    """

    arch: str
    recipe: str
    module: str
    resolution: int
    params: float
    gmacs: float
    accuracies: tuple[float, ...]


class TimmTable(LabelTable):
    """One label an architecture and resolution; :meth:`group` is its module of timm.

    Attributes:
        rows: the weights that the labels were made of.
        recipes: effect of each recipe on the logit of each accuracy, by metric and recipe; empty where none was estimated.
    """

    rows: tuple[TimmRow, ...]
    recipes: Mapping[str, Mapping[str, float]]


def read_timm(path: Path, recipes: str = "in1k", label: str = "adjusted") -> TimmTable:
    """The table in a CSV with the columns ``arch``, ``recipe_tag``, ``timm_module``, ``img_size``, ``top1``, ``param_count_m`` and ``infer_gmacs``.

    With ``label="adjusted"`` the logit of each accuracy is taken as covariates (logarithms of parameters, multiply-accumulates and resolution, squares
    of the first two) + effects of module, architecture and recipe (:func:`~cg_frontends.benchmarks.recipes.recipe_effects`); a label is the mean of its
    architecture's logits less their recipes' effects, as an accuracy in percent. The covariates serve to tell recipes from
    architectures; nothing of them enters a label.

    Args:
        path: the file.
        recipes: ``in1k``: rows whose recipe saw ImageNet-1k alone; ``all``.
        label: ``adjusted``, ``best`` or ``mean``.

    Raises:
        SourceError: the file cannot be read, or a cell is no number.
    """
    rows = [row for row in _read(path) if recipes == "all" or imagenet_only(row.recipe)]
    if not rows:
        raise SourceError(f"{path}: no row with a recipe that saw ImageNet-1k alone")
    values = np.array([row.accuracies for row in rows])
    effects: dict[str, dict[str, float]] = {}
    if label == "adjusted":
        values, effects = _adjusted(rows, values)
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.arch, []).append(place)
    labels = [_one_label(values[found], label) for found in places.values()]
    first = [rows[found[0]] for found in places.values()]
    costs = [[row.params, row.gmacs] for row in first]
    table = TimmTable(
        list(places),
        (*METRICS, "params_m", "gmacs"),
        np.column_stack([labels, costs]),
        getattr(get_space("timm"), "canonical", None),
        [row.module for row in first],
    )
    table.rows, table.recipes = tuple(rows), effects
    return table


def _read(path: Path) -> Iterator[TimmRow]:
    with csv_rows(path) as (header, lines):
        missing = sorted(set(_COLUMNS) - set(header))
        if missing:
            raise SourceError(f"{path}: no table of timm's results; it has no column {missing[0]}")
        for line, row in lines:
            try:
                side, measured = int(row["img_size"]), float(row.get("infer_img_size") or row["img_size"])
                params, gmacs = float(row["param_count_m"]), float(row["infer_gmacs"])
                accuracies = tuple([float(row.get(metric) or "nan") for metric in METRICS])
            except ValueError as error:
                raise SourceError(f"{path}, line {line}: {error}") from None
            if not (accuracies[0] != accuracies[0] or 0 < accuracies[0] < 100) or side < 1 or measured <= 0:
                raise SourceError(f"{path}, line {line}: top1 should be a percentage and img_size a number of pixels")
            arch = f"{row['arch']}@{side}"
            gmacs *= (side / measured) ** 2
            yield TimmRow(arch, row["recipe_tag"], row["timm_module"], side, params, gmacs, accuracies)


def _adjusted(
    rows: Sequence[TimmRow], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], dict[str, dict[str, float]]]:
    """Accuracies as if all had been trained by an average recipe, and the recipes' effects by metric."""
    tags = [recipe_group(row.recipe) for row in rows]
    size = np.log([[max(row.params, 0.01), max(row.gmacs, 0.01), row.resolution] for row in rows])
    covariates = np.column_stack([size, size[:, :2] ** 2])
    result = np.full_like(values, np.nan)
    effects: dict[str, dict[str, float]] = {}
    for column, metric in enumerate(METRICS):
        kept = np.flatnonzero((values[:, column] > 0) & (values[:, column] < 100)).tolist()
        if not kept:
            continue
        share = values[kept, column] / 100
        logits = np.log(share / (1 - share))
        groupings = [[rows[i].module for i in kept], [rows[i].arch.partition("@")[0] for i in kept]]
        found = recipe_effects(logits, [tags[i] for i in kept], groupings, covariates[kept])
        effects[metric] = found.effects
        logits -= [found.effects[tags[i]] for i in kept]
        result[kept, column] = 100 / (1 + np.exp(-logits))
    return result, effects


def _one_label(values: NDArray[np.float64], label: str) -> list[float]:
    """The labels of one architecture, of (rows, metrics); nan where no row has one. Adjusted ones are averaged as logits."""
    result = []
    for column in values.T:
        known = column[~np.isnan(column)]
        if len(known) == 0:
            result.append(math.nan)
        elif label == "best":
            result.append(float(known.max()))
        elif label == "mean":
            result.append(float(known.mean()))
        else:
            result.append(float(100 / (1 + np.exp(-np.log(known / (100 - known)).mean()))))
    return result
