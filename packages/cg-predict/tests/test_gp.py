"""The averaged Gaussian process against scikit-learn and against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from cg_predict.gp import LENGTHS, OFFSET, AveragedGaussianProcess, Structure


def data(n: int = 40, m: int = 25, d: int = 3, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n + m, d))
    y = np.sin(2 * x[:, 0]) + 0.5 * x[:, 1] + 0.1 * rng.normal(size=n + m)
    return x[:n], y[:n], x[n:], y[n:]


def test_each_draw_predicts_as_scikit_learn_does():
    x, y, new, _ = data()
    process = AveragedGaussianProcess([Structure(("x",))], rng=np.random.default_rng(1)).fit({"x": x}, y)
    draw = process.draws_[0]
    process.draws_, process.weights_ = [draw], np.ones(1)
    process._factors, process._solutions = process._factors[:1], process._solutions[:1]
    process.inflation_ = 1.0
    mean, std = process.predict({"x": new}, return_std=True)
    length = LENGTHS[draw.lengths[0]] * process.scales_["x"]
    kernel = ConstantKernel(draw.signal) * Matern(length, nu=2.5) + ConstantKernel(OFFSET)
    oracle = GaussianProcessRegressor(kernel, alpha=draw.noise, optimizer=None).fit(x, y)
    expected, spread = oracle.predict(new, return_std=True)
    np.testing.assert_allclose(mean, expected, atol=1e-5)  # covariances with new networks are of single precision
    np.testing.assert_allclose(std, np.sqrt(spread**2 + draw.noise), atol=1e-5)


def test_of_many_labels_some_choose_the_settings_and_all_are_learned_from(monkeypatch):
    x, y, new, truth = data(n=90, m=60)

    def fitted():
        return AveragedGaussianProcess([Structure(("x",))], rng=np.random.default_rng(1)).fit({"x": x}, y)

    whole = fitted()
    monkeypatch.setattr("cg_predict.gp.SCREENED", 45)
    screened = fitted()
    assert [len(factor) for factor in screened._factors] == [90] * len(screened.draws_)
    best = screened.draws_[0]
    assert screened._evaluate(best)[0] == pytest.approx(whole._evaluate(best)[0], abs=1e-9)  # all labels count
    error, whole_error = (np.mean((p.predict({"x": new}) - truth) ** 2) for p in (screened, whole))
    assert error < 1.2 * whole_error + 1e-3


def test_evidence_is_scikit_learns():
    x, y, _, _ = data()
    process = AveragedGaussianProcess([Structure(("x",))], rng=np.random.default_rng(1)).fit({"x": x}, y)
    draw = process.draws_[0]
    length = LENGTHS[draw.lengths[0]] * process.scales_["x"]
    kernel = ConstantKernel(draw.signal) * Matern(length, nu=2.5) + ConstantKernel(OFFSET) + WhiteKernel(draw.noise)
    oracle = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None).fit(x, y)
    process._cache = {}
    assert process._evaluate(draw)[0] == pytest.approx(oracle.log_marginal_likelihood_value_, abs=1e-6)


def test_labels_left_out_are_predicted_as_by_fits_without_them():
    x, y, _, _ = data()
    process = AveragedGaussianProcess([Structure(("x",))], rng=np.random.default_rng(1)).fit({"x": x}, y)
    draw = process.draws_[0]
    mean, variance = process._left_out([0], np.ones(1))
    length = LENGTHS[draw.lengths[0]] * process.scales_["x"]
    kernel = ConstantKernel(draw.signal) * Matern(length, nu=2.5) + ConstantKernel(OFFSET)
    for i in range(0, len(y), 7):
        rest = np.delete(np.arange(len(y)), i)
        oracle = GaussianProcessRegressor(kernel, alpha=draw.noise, optimizer=None).fit(x[rest], y[rest])
        expected, spread = oracle.predict(x[i : i + 1], return_std=True)
        assert mean[i] == pytest.approx(expected[0], abs=1e-8)
        assert variance[i] == pytest.approx(spread[0] ** 2 + draw.noise, abs=1e-8)


def test_another_prediction_weighs_what_the_labels_say_of_it():
    x, y, _, _ = data()
    process = AveragedGaussianProcess([Structure(("x",))], rng=np.random.default_rng(1)).fit({"x": x}, y)
    own = process._left_out(range(len(process.draws_)), process.weights_)
    assert process.share_against(*own, 0.3) == pytest.approx(0.3)
    sure = np.full(len(y), 0.01)
    assert process.share_against(y, sure, 0.3) > 0.9
    assert process.share_against(-y, sure, 0.3) < 1e-3
    oracle = [norm.logpdf(y, mean, np.sqrt(variance)).sum() for mean, variance in ((y / 2, sure + 0.5), own)]
    odds = 0.3 / 0.7 * np.exp((oracle[0] - oracle[1]) / process.temper)
    assert process.share_against(y / 2, sure + 0.5, 0.3) == pytest.approx(odds / (1 + odds))


@pytest.mark.parametrize("left_out", [True, False])
def test_the_kernel_that_fits_takes_the_weight(left_out):
    x, y, _, _ = data(80)
    noise = np.random.default_rng(5).normal(size=x.shape)
    structures = [Structure(("noise",)), Structure(("x",))]
    process = AveragedGaussianProcess(structures, rng=np.random.default_rng(3), left_out=left_out)
    process.fit({"x": x, "noise": noise}, y)
    assert sum(w for w, d in zip(process.weights_, process.draws_, strict=True) if d.structure == 1) > 0.8


def test_weights_add_up_and_equal_seeds_agree():
    x, y, new, _ = data()
    structures = [Structure(("x",)), Structure(("x", "z")), Structure(("z",), mean=True)]
    runs = []
    for _ in range(2):
        process = AveragedGaussianProcess(structures, rng=np.random.default_rng(3))
        process.fit({"x": x, "z": x[:, :1]}, y, 0.5 * x[:, 1])
        assert process.weights_.sum() == pytest.approx(1.0)
        runs.append(process.predict({"x": new, "z": new[:, :1]}, 0.5 * new[:, 1]))
    np.testing.assert_array_equal(runs[0], runs[1])


def test_a_good_mean_carries_where_there_are_few_labels():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 20))
    y = x @ rng.normal(size=20) / 4.5
    structures = [Structure(("x",)), Structure(("x",), mean=True)]
    with_mean = AveragedGaussianProcess(structures, rng=np.random.default_rng(1)).fit({"x": x[:10]}, y[:10], y[:10])
    without = AveragedGaussianProcess(structures[:1], rng=np.random.default_rng(1)).fit({"x": x[:10]}, y[:10])
    error = np.mean((with_mean.predict({"x": x[10:]}, y[10:]) - y[10:]) ** 2)
    assert error < 0.5 * np.mean((without.predict({"x": x[10:]}) - y[10:]) ** 2)


def test_nine_of_ten_lie_in_the_interval():
    inside = []
    for seed in range(8):
        x, y, new, truth = data(50, 400, seed=seed)
        process = AveragedGaussianProcess([Structure(("x",))], rng=np.random.default_rng(seed)).fit({"x": x}, y)
        mean, std = process.predict({"x": new}, return_std=True)
        inside.append(np.mean(np.abs(truth - mean) <= 1.645 * std))
    assert 0.83 < np.mean(inside) < 0.97


@pytest.mark.parametrize("labelled", [0, 12])
def test_suggest_is_the_greedy_choice_by_definition(labelled):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    process = AveragedGaussianProcess([Structure(("x",))], rng=np.random.default_rng(1))
    if labelled:
        process.fit({"x": x[:labelled]}, x[:labelled, 0])
    else:
        process.prepare({"x": x})
        process.draw_prior(3)
    candidates = x[labelled:]

    def variance(draw, points):
        total = np.full(len(x), OFFSET + draw.signal)
        if len(points):
            within = process._prior_covariance(draw, {"x": points}, {"x": points}, {})
            across = process._prior_covariance(draw, {"x": points}, {"x": x}, {})
            total -= (across * np.linalg.solve(within + draw.noise * np.eye(len(points)), across)).sum(axis=0)
        return total.sum()

    chosen: list[int] = []
    for _ in range(5):
        known = np.concatenate([x[:labelled], candidates[chosen]])
        gains = [
            -1.0
            if j in chosen
            else sum(
                w * (variance(d, known) - variance(d, np.concatenate([known, candidates[[j]]])))
                for w, d in sorted(zip(process.weights_, process.draws_, strict=True), key=lambda p: -p[0])[:6]
            )
            for j in range(len(candidates))
        ]
        chosen.append(int(np.argmax(gains)))
    assert process.suggest({"x": candidates}, {"x": x}, 5) == chosen
