"""A machine that was never measured, from a few measurements on it and the models of other machines.

Two views of the machine are weighed against each other by how far off they are on measurements that are left out one by one (`DeviceTransfer`).

- *Near* a known one: the logarithm of its latency is that of a known machine, plus a constant, plus a linear function and a smooth function of what all known
  machines say and four ideal ones (`cg_predict.roofline.ideal`), which do nothing but compute, move, read weights or launch: a Gaussian process
  (`NearMachine`). Which machine is nearest, and how large each part and the noise are, is not decided: every combination of a small grid predicts, weighted by
  the marginal likelihood of the measurements (Rasmussen and Williams 2006, chapter 5).
- *Made of* the others: its latency is a sum of those of known and ideal machines and a constant, with non-negative weights (`cg_predict.time_sum`).
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular

from cg_predict.calibration import NINE_OF_TEN
from cg_predict.time_sum import fit_coefficients, left_out

Floats = NDArray[np.float64]

_CONSTANT = 5.0  # e-folds that a machine may be faster or slower
_SLOPES = (0.02, 0.1, 0.4)  # standard deviation of the weights of other machines
_SMOOTH = (0.05, 0.2)  # of the smooth part, in e-folds
_LENGTHS = (0.3, 1.0, 3.0)  # e-folds of the other machines' latencies over which it changes
_NOISE = (0.01, 0.03, 0.08, 0.2)
#: Combinations with less weight than this are left out.
_LEAST = 0.005
#: Measurements from which on combinations are weighed on a part of them.
_WEIGHED = 150
#: Candidates that are weighed against each other.
_CANDIDATES = 2000
#: Measurements from which on the two views are weighed, and how: by this power of their median errors.
_BOTH, _POWER = 4, 4.0
#: No view is known to be better than this, in logarithms.
_LEAST_ERROR = 0.005


class _Combination(NamedTuple):
    """One row of the grid: the column of the machine that is taken as the mean, and the rest as above."""

    base: int
    slope: float
    smooth: float
    length: float
    noise: float


class NearMachine:
    """The process, conditioned on measurements.

    Args:
        known: logarithms of the latencies that models of other machines give the measured networks, and then those of ideal machines, (n, columns).
        measured: logarithms of what was measured, (n,).
        ideal: how many of the columns, the last ones, are of ideal machines, which are like no real one.
    """

    def __init__(self, known: Floats, measured: Floats, ideal: int = 0) -> None:
        self._known, self._measured = np.asarray(known, dtype=np.float64), np.asarray(measured, dtype=np.float64)
        grid = [
            _Combination(*values)
            for values in product(range(self._known.shape[1] - ideal), _SLOPES, _SMOOTH, _LENGTHS, _NOISE)
        ]
        part = slice(None)
        if len(measured) > _WEIGHED:
            part = slice(None, None, -(-len(measured) // _WEIGHED))
        kernels = _Kernels(self._known[part], self._known[part])
        likelihood = np.array([_evidence(c, kernels, self._known[part], self._measured[part]) for c in grid])
        weights = np.exp(likelihood - likelihood.max())
        weights /= weights.sum()
        kept = np.flatnonzero(weights >= min(_LEAST, weights.max()))
        self.weights: Floats = weights[kept] / weights[kept].sum()
        self.combinations = [grid[i] for i in kept]
        full = _Kernels(self._known, self._known)
        self._solved = []
        for combination in self.combinations:
            factor = np.linalg.cholesky(full(combination) + combination.noise**2 * np.eye(len(measured)))
            rest = self._measured - self._known[:, combination.base]
            self._solved.append((factor, cho_solve((factor, True), rest)))

    def predict(self, known: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the logarithm of a measurement, (n,) each."""
        known = np.asarray(known, dtype=np.float64)
        across, size = _Kernels(known, self._known), (known**2).mean(axis=1)
        first, second = np.zeros(len(known)), np.zeros(len(known))
        for weight, combination, (factor, solution) in zip(self.weights, self.combinations, self._solved, strict=True):
            k = across(combination)
            mean = known[:, combination.base] + k @ solution
            half = solve_triangular(factor, k.T, lower=True)
            own = _CONSTANT**2 + combination.slope**2 * size + combination.smooth**2
            variance = np.maximum(own - (half**2).sum(axis=0), 0.0) + combination.noise**2
            first += weight * mean
            second += weight * (variance + mean**2)
        return first, np.sqrt(np.maximum(second - first**2, 1e-12))

    def left_out(self) -> Floats:
        """What the process says of each measurement from the others, (n,) (Rasmussen and Williams 2006, eq. 5.12)."""
        result = np.zeros(len(self._measured))
        for weight, (factor, solution) in zip(self.weights, self._solved, strict=True):
            inverse = cho_solve((factor, True), np.eye(len(result)))
            result += weight * (self._measured - solution / np.diag(inverse))
        return result


class DeviceTransfer:
    """A machine, from measurements on it.

    Args:
        known, measured, ideal: see `NearMachine`.

    Attributes:
        near: the first view.
        share: of the second view in predictions.
    """

    def __init__(self, known: Floats, measured: Floats, ideal: int = 0) -> None:
        self.near = NearMachine(known, measured, ideal)
        measured = np.asarray(measured, dtype=np.float64)
        self.share, self._deviation = 0.0, 0.0
        if len(measured) < _BOTH:
            return
        machines, ms = _machines(known), np.exp(measured)
        self._coefficients = fit_coefficients(machines, ms)
        off = np.abs(_log(left_out(machines, ms)) - measured)
        errors = [np.median(rest) + _LEAST_ERROR for rest in (off, np.abs(self.near.left_out() - measured))]
        self.share = float(1.0 / (1.0 + (errors[0] / errors[1]) ** _POWER))
        self._deviation = float(np.quantile(off, 0.9)) / NINE_OF_TEN

    def predict(self, known: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the logarithm of a measurement, (n,) each."""
        mean, deviation = self.near.predict(known)
        if not self.share:
            return mean, deviation
        made = _log(_machines(known) @ self._coefficients)
        both = (1 - self.share) * mean + self.share * made
        apart = (1 - self.share) * self.share * (mean - made) ** 2
        return both, np.sqrt((1 - self.share) * deviation**2 + self.share * self._deviation**2 + apart)

    def suggest(self, known: Floats, k: int) -> list[int]:
        """Which networks to measure next: see `most_telling`."""
        near = self.near
        return most_telling(known, k, near._known, near.combinations[int(near.weights.argmax())])


def _machines(known: Floats) -> Floats:
    """Times of known and ideal machines, and a constant, (n, columns + 1)."""
    return np.concatenate([np.exp(np.asarray(known, dtype=np.float64)), np.ones((len(known), 1))], axis=1)


def _log(ms: Floats) -> Floats:
    return np.log(np.maximum(ms, 1e-12))


#: What is assumed of a machine before anything was measured on it.
BEFORE = _Combination(0, 0.1, 0.2, 0.5, 0.1)


def most_telling(
    known: Floats, k: int, measured: Floats | None = None, combination: _Combination = BEFORE
) -> list[int]:
    """Greedily the networks whose measurement takes most from the summed variance of all, given those before (A-optimal design).

    The networks of which least is known would be the odd ones, which tell little of the others.

    Args:
        known: what other machines say of the candidates, (n, columns); evenly spaced ones stand for all where there are more than two thousand.
        k: how many.
        measured: the same of networks measured already, (m, columns).
    """
    rows = np.linspace(0, len(known) - 1, min(len(known), max(_CANDIDATES, k))).astype(int)
    covariance = _Kernels(known[rows], known[rows])(combination)
    if measured is not None:
        across = _Kernels(measured, known[rows])(combination)
        factor = np.linalg.cholesky(
            _Kernels(measured, measured)(combination) + combination.noise**2 * np.eye(len(measured))
        )
        half = solve_triangular(factor, across, lower=True)
        covariance = covariance - half.T @ half
    chosen: list[int] = []
    for _ in range(k):
        gain = (covariance**2).sum(axis=0) / (np.maximum(np.diag(covariance), 0.0) + combination.noise**2)
        gain[chosen] = -1.0
        pick = int(gain.argmax())
        chosen.append(pick)
        row = covariance[pick]
        covariance = covariance - np.outer(row, row) / (max(row[pick], 0.0) + combination.noise**2)
    return rows[chosen].tolist()


class _Kernels:
    """Covariances between two sets of networks, by combination.

    Args:
        a: what other machines say, (n, machines).
        b: the same, (m, machines).
    """

    def __init__(self, a: Floats, b: Floats) -> None:
        self._linear = a @ b.T / a.shape[1]
        self._distance = np.maximum((a**2).mean(axis=1)[:, None] + (b**2).mean(axis=1) - 2 * self._linear, 0.0)

    def __call__(self, c: _Combination) -> Floats:
        smooth = c.smooth**2 * np.exp(-0.5 * self._distance / c.length**2)
        return np.asarray(_CONSTANT**2 + c.slope**2 * self._linear + smooth)


def _evidence(c: _Combination, kernels: _Kernels, known: Floats, measured: Floats) -> float:
    """Logarithm of the marginal likelihood, up to a constant."""
    rest: Any = measured - known[:, c.base]
    factor = np.linalg.cholesky(kernels(c) + c.noise**2 * np.eye(len(rest)))
    half = solve_triangular(factor, rest, lower=True)
    return float(-0.5 * half @ half - np.log(np.diag(factor)).sum())
