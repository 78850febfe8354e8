"""Linear effects that families share: a random-effects meta-analysis of one regression a family.

In family F, normal scores of labels are a linear function of the standardised descriptors, with effects w_F that scatter around effects common to
all families: w_F = w + d_F, d_F ~ N(0, t^2 I). With A the descriptors' second moments in F, b their covariances with the scores, and noise s^2, the
least-squares effects A^-1 b have covariance s^2 A^-1 about w_F, so F says of w (DerSimonian and Laird 1986, for vectors)

    precision P_F = (s^2 A^-1 + t^2 I)^-1,        information h_F = P_F A^-1 b,

both finite where A is singular: of a direction in which F does not vary, F says nothing. Families weighted by c_F, with w ~ N(0, I), give

    w = (sum_F c_F P_F + I)^-1 sum_F c_F h_F.

The scatter t^2 is large beside the noise s^2: it counts how many families agree on an effect, hardly how large the sample of one is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Variance of the noise of a family's effects, t^2 = 1.
NOISE = 0.1


@dataclass(frozen=True)
class Effects:
    """What one family says of the common effects of d descriptors.

    Args:
        precision: (d, d), symmetric.
        information: (d,).
    """

    precision: NDArray[np.floating[Any]]
    information: NDArray[np.floating[Any]]


def family_effects(z: NDArray[np.floating[Any]], scores: NDArray[np.floating[Any]]) -> Effects:
    """What labels of a family say.

    Args:
        z: descriptors standardised within the family, (n, d); constant ones zero.
        scores: normal scores of the labels, (n,).
    """
    z = np.asarray(z, dtype=np.float64)
    values, vectors = np.linalg.eigh(z.T @ z / len(z))
    values = np.maximum(values, 0.0)
    scale = 1.0 / (NOISE + values)
    projected = vectors.T @ (z.T @ scores / len(z))
    return Effects((vectors * (values * scale)) @ vectors.T, vectors @ (projected * scale))


def common_effects(families: Sequence[Effects], shares: NDArray[np.floating[Any]]) -> Floats:
    """The effects common to families, (d,).

    Args:
        families: what each says.
        shares: weight of each.
    """
    precision = np.eye(len(families[0].information))
    information = np.zeros(len(precision))
    for share, family in zip(shares, families, strict=True):
        precision += share * family.precision
        information += share * family.information
    return np.asarray(np.linalg.solve(precision, information), dtype=np.float64)
