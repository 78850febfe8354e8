"""Gaussian process regression averaged over hyper-parameters and kernels.

With few labels no single kernel is right everywhere and no optimum of the marginal likelihood can be trusted. Hyper-parameters are therefore
drawn from a prior, weighted by the marginal likelihood of the labels (Rasmussen and Williams 2006, eq. 2.30), and the predictions are averaged;
draws near the best ones are added until the mixture settles. scikit-learn's regressor offers neither averaging nor a sum of kernels over several
feature views; its predictions for one setting of the hyper-parameters serve as the oracle in the tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpotrf, dpotrs
from scipy.special import expit, logit, ndtri

from cg_predict.kernels import matern52, squared_distances

__all__ = ["AveragedGaussianProcess", "Draw", "Structure"]

Floats = NDArray[np.floating[Any]]
Views = Mapping[str, NDArray[np.floating[Any]]]

#: Length scales that draws choose from, as multiples of the view's median distance.
LENGTHS = (0.25, 0.4, 0.65, 1.0, 1.6, 2.6, 4.2, 8.0)
#: Variance of the unknown offset of the labels.
OFFSET = 0.25
_BLOCK = 4096
#: Labels, evenly spaced, by which settings are compared; of more than these only the best settings see all.
SCREENED = 500


@dataclass(frozen=True)
class Structure:
    """A kernel: the sum of Matern 5/2 covariances of some views.

    Args:
        views: their names.
        weight: how plausible the structure is before labels are seen, relative to the others.
        mean: whether the prior's score enters as the mean.
    """

    views: tuple[str, ...]
    weight: float = 1.0
    mean: bool = False


@dataclass(frozen=True)
class Draw:
    """One setting of the hyper-parameters.

    Args:
        structure: index of the structure.
        shares: share of each view in the signal variance, in the structure's order.
        lengths: index into LENGTHS, for each view.
        signal: signal variance.
        noise: noise variance.
        slope: coefficient of the mean.
    """

    structure: int
    shares: tuple[float, ...]
    lengths: tuple[int, ...]
    signal: float
    noise: float
    slope: float


class AveragedGaussianProcess:
    """A mixture of Gaussian processes.

    Args:
        structures: the kernels to average over.
        draws: hyper-parameter settings drawn at first for each structure.
        refinements: rounds in which the best settings are varied.
        keep: how many settings of each structure take part in predictions at most.
        temper: divides differences of log density between structures.
        left_out: whether labels that are left out say how structures share; otherwise the marginal likelihood does.
        calibration_labels: pseudo-labels that speak for the process's own standard deviations.
        rng: source of randomness.

    Attributes:
        draws_: settings kept, heaviest first.
        weights_: their weights, which add up to 1.
        inflation_: factor of standard deviations, from labels left out.
    """

    def __init__(
        self,
        structures: Sequence[Structure],
        *,
        rng: np.random.Generator,
        draws: int = 40,
        refinements: int = 6,
        keep: int = 4,
        temper: float = 8.0,
        left_out: bool = True,
        calibration_labels: float = 5.0,
    ) -> None:
        self.structures = tuple(structures)
        self.rng = rng
        self.draws = draws
        self.refinements = refinements
        self.keep = keep
        self.temper = temper
        self.left_out = left_out
        self.calibration_labels = calibration_labels
        self.draws_: list[Draw] = []
        self.scales_: dict[str, float] = {}
        self._factors: list[Floats] = []

    @property
    def fitted(self) -> bool:
        """Whether there are settings to predict with."""
        return bool(self.draws_)

    # --- hyper-parameters ---------------------------------------------------------------------------------------------

    def _draw(self, index: int) -> Draw:
        structure, rng = self.structures[index], self.rng
        shares = rng.dirichlet(np.full(len(structure.views), 0.8))
        lengths = rng.choice(len(LENGTHS), size=len(structure.views), p=_LENGTH_PRIOR)
        slope = float(rng.uniform(0.0, 0.8)) if structure.mean else 0.0
        signal = float(np.exp(rng.normal(0.0, 0.5))) * (1.0 - 0.8 * slope * slope)
        noise = float(np.exp(rng.normal(np.log(0.05), 1.0)))
        return Draw(index, tuple(map(float, shares)), tuple(map(int, lengths)), signal, noise, slope)

    def _vary(self, draw: Draw) -> Draw:
        rng = self.rng
        shares = np.array(draw.shares) ** np.exp(rng.normal(0.0, 0.25, len(draw.shares))) + 1e-4
        steps = rng.choice([-1, 0, 1], size=len(draw.lengths), p=[0.25, 0.5, 0.25])
        lengths = np.clip(np.array(draw.lengths) + steps, 0, len(LENGTHS) - 1)
        slope = draw.slope
        if self.structures[draw.structure].mean:
            slope = float(np.clip(slope + rng.normal(0.0, 0.1), 0.0, 1.0))
        return replace(
            draw,
            shares=tuple(map(float, shares / shares.sum())),
            lengths=tuple(map(int, lengths)),
            signal=draw.signal * float(np.exp(rng.normal(0.0, 0.3))),
            noise=max(draw.noise * float(np.exp(rng.normal(0.0, 0.4))), 1e-4),
            slope=slope,
        )

    def _evaluate(self, draw: Draw) -> tuple[float, Floats, Floats]:
        """Log marginal likelihood, Cholesky factor, and the residual's solution."""
        residual = self._y - draw.slope * self._mean
        covariance = self._within(draw)
        covariance[np.diag_indices(self._n)] += draw.noise
        # LAPACK itself: hundreds of small matrices a fit, for which checks and copies would take as long as the work.
        factor, failed = dpotrf(covariance, lower=1, clean=1)
        if failed:
            return -np.inf, covariance, residual
        solution, _ = dpotrs(factor, residual, lower=1)
        value = -0.5 * float(residual @ solution) - float(np.log(np.diag(factor)).sum())
        return value - 0.5 * self._n * np.log(2 * np.pi), factor, solution

    # --- fit ----------------------------------------------------------------------------------------------------------

    def prepare(self, views: Views) -> None:
        """Set the scale of each view's distances (the median over ``views``), which needs no labels."""
        self.scales_ = {}
        for name, x in views.items():
            x = np.asarray(x[:: max(1, len(x) // 512)][:512], dtype=np.float64)
            squared = squared_distances(x, x)
            above = squared[np.triu_indices(len(x), 1)]
            above = above[above > 1e-12]
            self.scales_[name] = float(np.sqrt(np.median(above))) if len(above) else 1.0

    def draw_prior(self, count: int) -> None:
        """Take settings from the prior, all of one weight, as what is believed before any label."""
        plausible = np.array([s.weight for s in self.structures])
        picks = self.rng.choice(len(self.structures), size=count, p=plausible / plausible.sum())
        self.draws_ = [self._draw(int(i)) for i in picks]
        self.weights_ = np.full(count, 1.0 / count)

    def fit(
        self, views: Views, y: NDArray[np.floating[Any]], mean: NDArray[np.floating[Any]] | None = None
    ) -> AveragedGaussianProcess:
        """Condition on labels.

        Args:
            views: features of the labelled networks, (n, d) each, by name.
            y: labels of about unit variance, (n,).
            mean: the prior's score of each network, (n,); needed where a structure uses it.
        """
        y = np.asarray(y, dtype=np.float64)
        mean = np.zeros(len(y)) if mean is None else np.asarray(mean, dtype=np.float64)
        if not self.scales_:
            self.prepare(views)
        some = np.linspace(0, len(y) - 1, min(len(y), SCREENED)).astype(int)
        self._look_at({name: x[some] for name, x in views.items()}, y[some], mean[some])
        candidates, values = self._search()
        if len(some) < len(y):
            self._look_at(views, y, mean)
            candidates = self._best(candidates, values)
            values = self._values(candidates)
        self._select(candidates, values)
        self.inflation_ = self._calibrate()
        self._within = self.covariances(self._train, self._train)  # without the kernels, which take most of the memory
        return self

    def _look_at(self, views: Views, y: Floats, mean: Floats) -> None:
        self._y, self._n, self._mean = y, len(y), mean
        self._train = {name: np.asarray(x, dtype=np.float64) for name, x in views.items()}
        self._within = self.covariances(self._train, self._train)

    def covariances(self, a: Views, b: Views, dtype: Any = np.float64) -> Covariances:
        """Between two sets of networks, by setting."""
        return Covariances(self.structures, self.scales_, a, b, dtype)

    def _values(self, draws: list[Draw]) -> Floats:
        """Log densities of settings given the labels, without the constant."""
        return np.array([self._evaluate(d)[0] + np.log(self.structures[d.structure].weight) for d in draws])

    def _search(self) -> tuple[list[Draw], Floats]:
        """Settings drawn from their prior, variations of the best of them, and their log densities."""
        candidates = [self._draw(i) for i in range(len(self.structures)) for _ in range(self.draws)]
        values = self._values(candidates)
        for _ in range(self.refinements):
            best = np.argsort(-values, kind="stable")[:12]
            fresh = [self._vary(candidates[i]) for i in best for _ in range(2)]
            candidates += fresh
            values = np.concatenate([values, self._values(fresh)])
        return candidates, values

    def _best(self, candidates: list[Draw], values: Floats) -> list[Draw]:
        """Those that each structure would keep."""
        structure = np.array([d.structure for d in candidates])
        order = np.argsort(-values, kind="stable")
        return [candidates[i] for index in np.unique(structure) for i in order[structure[order] == index][: self.keep]]

    def relabel(self, y: NDArray[np.floating[Any]]) -> AveragedGaussianProcess:
        """Condition on other labels of the same networks, with the settings that ``fit`` found."""
        self._y = np.asarray(y, dtype=np.float64)
        self._solutions = [
            dpotrs(factor, self._y - draw.slope * self._mean, lower=1)[0]
            for draw, factor in zip(self.draws_, self._factors, strict=True)
        ]
        self.inflation_ = self._calibrate()
        return self

    def _left_out(self, members: Iterable[int], weights: Floats) -> tuple[Floats, Floats]:
        """Mean and variance of each label as a mixture of settings predicts it from the others (Rasmussen and Williams 2006, eqs. 5.10 to 5.12)."""
        mean, second = np.zeros(self._n), np.zeros(self._n)
        for weight, member in zip(weights, members, strict=True):
            left_out = self._y - self._solutions[member] / self._precisions[member]
            mean += weight * left_out
            second += weight * (1.0 / self._precisions[member] + left_out * left_out)
        return mean, np.maximum(second - mean * mean, 1e-12)

    def _log_density(self, mean: Floats, variance: Floats) -> float:
        """Log density of the labels under normal distributions, without the constant."""
        return -0.5 * float(((self._y - mean) ** 2 / variance + np.log(variance)).sum())

    def share_against(self, mean: Floats, variance: Floats, share: float) -> float:
        """Weight of another prediction of the labels beside this one, tempered as between structures.

        Args:
            mean: of the labels by the other, (n,).
            variance: theirs, (n,).
            share: the weight before labels are seen, between 0 and 1.
        """
        own = self._log_density(*self._left_out(range(len(self.draws_)), self.weights_))
        return float(expit(logit(share) + (self._log_density(mean, variance) - own) / self.temper))

    def _calibrate(self) -> float:
        """Factor of standard deviations that makes left-out labels as surprising as they should be.

        Where nine tenths of the standardised errors end says whether the mixture is too sure or not sure enough; so do pseudo-labels.
        """
        mean, variance = self._left_out(range(len(self.draws_)), self.weights_)
        errors = np.abs(self._y - mean) / np.sqrt(variance)
        factor = float(np.quantile(errors, 0.9)) / ndtri(0.95)
        count, pseudo = self._n, self.calibration_labels
        return float(np.clip((count * factor + pseudo) / (count + pseudo), 0.5, 2.0))

    def _select(self, candidates: list[Draw], values: Floats) -> None:
        """Keep the best draws of each structure; structures share by how well they predict labels that are left out.

        Within a structure the marginal likelihood decides. Between structures it is too noisy an arbiter at these numbers of labels, and holds for
        the kernel that is the least wrong over all functions, not for the one that predicts best: the log density of left-out labels decides
        (pseudo-Bayesian model averaging, Yao et al. 2018), unless ``left_out`` is off: where labels are crowded, what is left out is easily told from
        its neighbours. Tempering keeps an average of several kernels, which errs less than the one that
        chance preferred.
        """
        structure = np.array([d.structure for d in candidates])
        self._factors, self._solutions, self._precisions = [], [], []
        kept: list[Draw] = []
        groups: list[tuple[range, Floats]] = []
        evidence = []
        for index in np.unique(structure):
            own = np.flatnonzero(structure == index)
            best = own[np.argsort(-values[own], kind="stable")[: self.keep]]
            weights = np.exp(values[best] - values[best[0]])
            best, weights = best[weights > 0.02], weights[weights > 0.02]
            members = range(len(kept), len(kept) + len(best))
            for i in best.tolist():
                _, factor, solution = self._evaluate(candidates[i])
                half = solve_triangular(factor, np.eye(self._n), lower=True, check_finite=False)
                kept.append(candidates[i])
                self._factors.append(factor)
                self._solutions.append(solution)
                self._precisions.append(np.einsum("ij,ij->j", half, half))
            groups.append((members, weights / weights.sum()))
            if self.left_out:
                density = self._log_density(*self._left_out(*groups[-1]))
                evidence.append(density + float(np.log(self.structures[int(index)].weight)))
            else:
                evidence.append(float(values[best[0]]))
        shares = np.exp((np.array(evidence) - max(evidence)) / self.temper)
        shares /= shares.sum()
        weight = np.concatenate([share * weights for share, (_, weights) in zip(shares, groups, strict=True)])
        order = [i for i in np.argsort(-weight, kind="stable").tolist() if weight[i] > 5e-3]
        self.draws_ = [kept[i] for i in order]
        self.weights_ = weight[order] / weight[order].sum()
        self._factors = [self._factors[i] for i in order]
        self._solutions = [self._solutions[i] for i in order]
        self._precisions = [self._precisions[i] for i in order]

    # --- predict ------------------------------------------------------------------------------------------------------

    def predict(
        self, views: Views, mean: NDArray[np.floating[Any]] | None = None, return_std: bool = False
    ) -> Floats | tuple[Floats, Floats]:
        """Mean of the mixture, (m,), and with ``return_std`` the standard deviation of a label, noise included."""
        count = len(next(iter(views.values())))
        mu, second = np.empty(count), np.empty(count)
        prior = np.zeros(count) if mean is None else np.asarray(mean, dtype=np.float64)
        # Covariances with labelled networks need no more than single precision, in which they take a third of the time.
        train = {name: x.astype(np.float32) for name, x in self._train.items()}
        factors = [factor.astype(np.float32) for factor in self._factors] if return_std else self._factors
        for begin in range(0, count, _BLOCK):
            block = slice(begin, begin + _BLOCK)
            part = {name: np.asarray(x[block], dtype=np.float32) for name, x in views.items()}
            mu[block], second[block] = self._predict_block(part, prior[block], train, factors, return_std)
        if not return_std:
            return mu
        return mu, self.inflation_ * np.sqrt(np.maximum(second - mu * mu, 1e-12))

    def _predict_block(
        self, views: Views, mean: Floats, train: Views, factors: Sequence[Floats], return_std: bool
    ) -> tuple[Floats, Floats]:
        across = self.covariances(views, train, np.float32)
        mu, second = np.zeros(len(mean)), np.zeros(len(mean))
        for weight, draw, factor, solution in zip(self.weights_, self.draws_, factors, self._solutions, strict=True):
            cross = across(draw)
            value = cross @ solution + draw.slope * mean
            mu += weight * value
            if return_std:
                explained = solve_triangular(factor, cross.T, lower=True, check_finite=False, overwrite_b=True)
                variance = OFFSET + draw.signal + draw.noise - np.einsum("ij,ij->j", explained, explained)
                second += weight * (np.maximum(variance, draw.noise) + value * value)
        return mu, second

    # --- which labels would teach most --------------------------------------------------------------------------------

    def suggest(self, candidates: Views, pool: Views, count: int) -> list[int]:
        """Greedily the candidates whose labels reduce the summed predictive variance of the pool most.

        The reduction is averaged over the kept settings; labels that ``fit`` has seen are accounted for. Variances of a Gaussian process do not
        depend on label values, so all ``count`` are chosen before the first is measured (cf. Krause, Singh and Guestrin 2008).

        Args:
            candidates: features of the networks to choose from, (m, d) each.
            pool: features of the networks whose variance matters, (p, d) each; often the same.
            count: how many to choose, at most m.

        Returns:
            Indices of candidates, in the order of choice.
        """
        known = self._train if self._factors else {}
        pairs = [(pool, candidates), (candidates, candidates), (known, pool), (known, candidates)]
        covariances = [self.covariances(a, b) for a, b in pairs]
        states = [_Reduction(self, int(i), *covariances) for i in np.argsort(-self.weights_, kind="stable")[:6]]
        chosen: list[int] = []
        free = np.ones(len(next(iter(candidates.values()))), dtype=bool)
        for _ in range(min(count, len(free))):
            gain = np.sum([state.weight * state.gain() for state in states], axis=0)
            gain[~free] = -1.0
            pick = int(gain.argmax())
            chosen.append(pick)
            free[pick] = False
            for state in states:
                state.observe(pick)
        return chosen


class Covariances:
    """Covariances of two sets of networks under settings of the hyper-parameters, without noise; what several settings share is computed once.

    Args:
        structures: the kernels.
        scales: of each view's distances.
        a: features of n networks, by view.
        b: those of m.
        dtype: of the arithmetic.
    """

    def __init__(
        self, structures: Sequence[Structure], scales: Mapping[str, float], a: Views, b: Views, dtype: Any
    ) -> None:
        self._structures, self._scales = structures, scales
        self._a, self._b, self._dtype = a, b, dtype
        self._squared: dict[str, Floats] = {}
        self._kernels: dict[tuple[str, int], Floats] = {}

    def __call__(self, draw: Draw) -> Floats:
        """Under one setting, (n, m)."""
        views = self._structures[draw.structure].views
        result = np.full((len(self._a[views[0]]), len(self._b[views[0]])), OFFSET, dtype=self._dtype)
        for view, share, length in zip(views, draw.shares, draw.lengths, strict=True):
            result += (draw.signal * share) * self._kernel(view, length)
        return result

    def _kernel(self, view: str, length: int) -> Floats:
        if view not in self._squared:
            a, b = (np.asarray(x[view], dtype=self._dtype) for x in (self._a, self._b))
            self._squared[view] = squared_distances(a, b)
        if (view, length) not in self._kernels:
            self._kernels[view, length] = matern52(self._squared[view], LENGTHS[length] * self._scales[view])
        return self._kernels[view, length]


class _Reduction:
    """What one more label would take from the pool's summed variance under one setting, as labels are chosen.

    Choosing candidate p changes covariances by a rank-one term, so only its vectors are kept: with c = cov(pool, p), r = cov(candidates, p) and
    s = 1 / (var(p) + noise), cov(pool, candidates) falls by s c r' and var(candidates) by s r^2.
    """

    def __init__(
        self,
        process: AveragedGaussianProcess,
        index: int,
        across: Covariances,
        within: Covariances,
        known_pool: Covariances,
        known_candidates: Covariances,
    ) -> None:
        draw = process.draws_[index]
        self.weight = float(process.weights_[index])
        self.noise = draw.noise
        self._across, self._within = across(draw), within(draw)
        self._variance = np.full(len(self._within), OFFSET + draw.signal)
        if process._factors:
            factor = process._factors[index]
            left, right = (solve_triangular(factor, k(draw), lower=True) for k in (known_pool, known_candidates))
            self._across -= left.T @ right
            self._within -= right.T @ right
            self._variance -= np.einsum("ij,ij->j", right, right)
        self._squares = np.einsum("ij,ij->j", self._across, self._across)
        self._pool: list[Floats] = []
        self._rows: list[Floats] = []
        self._scales: list[float] = []

    def gain(self) -> Floats:
        """Reduction by each candidate's label, (m,)."""
        return self._squares / (np.maximum(self._variance, 0.0) + self.noise)

    def observe(self, pick: int) -> None:
        """Account for the label of candidate ``pick``."""
        column, row = self._across[:, pick].copy(), self._within[pick].copy()
        for scaled, earlier in zip(self._pool, self._rows, strict=True):
            column -= scaled * earlier[pick]
        scale = 1.0 / (max(float(self._variance[pick]), 0.0) + self.noise)
        product = column @ self._across
        for scaled, earlier, factor in zip(self._pool, self._rows, self._scales, strict=True):
            product -= float(column @ scaled) * earlier
            row -= earlier * (earlier[pick] * factor)
        self._squares = np.maximum(
            self._squares - 2.0 * scale * row * product + (scale * row) ** 2 * float(column @ column), 0.0
        )
        self._variance = self._variance - scale * row * row
        self._pool.append(scale * column)
        self._rows.append(row)
        self._scales.append(scale)


_LENGTH_PRIOR = np.array([0.5, 1.0, 1.5, 2.0, 2.0, 1.5, 1.0, 0.5])
_LENGTH_PRIOR /= _LENGTH_PRIOR.sum()
