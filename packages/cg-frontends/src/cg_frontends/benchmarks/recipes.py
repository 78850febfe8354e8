"""Training recipes as a nuisance: their effect on a label is estimated beside the architecture's, and taken out.

One architecture that several people trained stands in a table under several recipes, and most recipes were used for a few architectures
only. The label of an architecture without its recipe is then a matter of a two-way model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_MORE_DATA = re.compile(
    r"in22k|in21k|in12k|laion|openai|webli|jft|ig1b|yfcc|clip|mim|mae|dist|ssl|teacher|m30m|m38m|(^|_)ft(_|$)"
)
_RESOLUTION = re.compile(r"_?(?<![a-z0-9])[rs]?\d{3}(?=_|$)")
_ITERATIONS, _TOLERANCE = 50, 1e-3


def imagenet_only(tag: str) -> bool:
    """Whether a recipe of timm saw nothing but ImageNet-1k: no other images, no teacher, no self-supervised or earlier training.

    >>> imagenet_only("ra2_in1k"), imagenet_only("augreg_in21k_ft_in1k"), imagenet_only("fb_dist_in1k")
    (True, False, False)
    """
    return _MORE_DATA.search(tag) is None


def recipe_group(tag: str) -> str:
    """The recipe of a tag without the resolution.

    >>> recipe_group("ra4_e3600_r224_in1k"), recipe_group("sail_in22k_ft_in1k_384")
    ('ra4_e3600_in1k', 'sail_in22k_ft_in1k')
    """
    return _RESOLUTION.sub("", tag).strip("_")


class RecipeEffects(NamedTuple):
    """What recipes add to labels.

    Attributes:
        effects: by recipe, in units of the labels; they have mean 0 over the rows. All 0 where the covariates explain every row.
        deviations: standard deviations of the effects of each grouping of architectures, of the recipes, and of the remainder.
    """

    effects: dict[str, float]
    deviations: tuple[float, ...]


def recipe_effects(
    values: NDArray[np.float64],
    recipes: Sequence[str],
    groupings: Sequence[Sequence[str]],
    covariates: NDArray[np.float64],
) -> RecipeEffects:
    """Effects of recipes in a mixed linear model: covariates + effects of the architectures' groupings + effect of the recipe + remainder.

    All effects are random (normal, variances by restricted maximum likelihood), so that a recipe that was used for one architecture alone gets
    the share of its surprise that recipes have elsewhere, and none where the architecture explains it as well. Variances
    by the fixed-point iteration of its score equations (Harville, 1977), effects as best linear unbiased predictions (Henderson, 1975).

    Args:
        values: a label a row, (n,), on a scale on which effects add up (the logit of an accuracy).
        recipes: recipe of each row.
        groupings: for instance module family, architecture, and architecture with resolution of each row.
        covariates: what is known of the architecture of each row, (n, p), for instance the logarithm of its multiply-accumulates.
    """
    count = len(values)
    basis, singular, _ = np.linalg.svd(np.column_stack([np.ones(count), covariates]), full_matrices=False)
    design = basis[:, singular > 1e-9 * singular[0]]
    kernels = [_same(labels) for labels in (*groupings, recipes)] + [np.eye(count)]
    spread = values - design @ (design.T @ values)
    if count - design.shape[1] < 2 or spread.var() < 1e-12:
        return RecipeEffects(dict.fromkeys(recipes, 0.0), (0.0,) * len(kernels))
    variances = np.full(len(kernels), float(spread.var()) / len(kernels))
    for _ in range(_ITERATIONS):
        projector = _projector(design, kernels, variances)
        py = projector @ values
        gains = [(py @ k @ py) / max(float((projector * k).sum()), 1e-300) for k in kernels]
        before, variances = variances, np.maximum(variances * gains, 1e-12 * variances.max())
        if np.abs(variances - before).max() < _TOLERANCE * variances.max():
            break
    predicted = variances[-2] * kernels[-2] @ (_projector(design, kernels, variances) @ values)
    predicted -= predicted.mean()
    return RecipeEffects(dict(zip(recipes, predicted.tolist(), strict=True)), tuple(np.sqrt(variances).tolist()))


def _same(labels: Sequence[str]) -> NDArray[np.float64]:
    """1 where two rows have the same label, (n, n)."""
    codes = np.unique(np.asarray(labels), return_inverse=True)[1]
    return (codes[:, None] == codes[None, :]).astype(np.float64)


def _projector(
    design: NDArray[np.float64], kernels: Sequence[NDArray[np.float64]], variances: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The inverse covariance of the rows, made orthogonal to the covariates, (n, n)."""
    inverse = np.linalg.inv(sum(v * k for v, k in zip(variances, kernels, strict=True)))
    weighted = inverse @ design
    return inverse - weighted @ np.linalg.solve(design.T @ weighted, weighted.T)
