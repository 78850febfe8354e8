"""The averaged Gaussian process against scikit-learn and against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from cg_predict.gp import LENGTHS, OFFSET, AveragedGaussianProcess, Draw, Structure


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
            within = process.covariances({"x": points}, {"x": points})(draw)
            across = process.covariances({"x": points}, {"x": x})(draw)
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


def kept(**options):
    x, y, new, _ = data()
    structures = [Structure(("x",)), Structure(("x", "z"), mean=True)]
    process = AveragedGaussianProcess(structures, rng=np.random.default_rng(3), **options)
    return process.fit({"x": x, "z": x[:, :1]}, y, 0.5 * x[:, 1]), x, y, new


def test_the_scale_of_a_view_is_its_median_distance():
    x = np.random.default_rng(0).normal(size=(30, 4))
    process = AveragedGaussianProcess([Structure(("x",))], rng=np.random.default_rng(0))
    process.prepare({"x": np.vstack([x, x[:3]]), "same": np.ones((5, 2))})
    above = pdist(np.vstack([x, x[:3]]))
    assert process.scales_["x"] == pytest.approx(np.median(above[above > 1e-6]))
    assert process.scales_["same"] == 1.0
    many = np.random.default_rng(1).normal(size=(2000, 2))
    process.prepare({"x": many})
    assert process.scales_["x"] == pytest.approx(np.median(pdist(many[::3][:512])))
    assert not process.fitted


def test_settings_from_the_prior_have_equal_weights_and_stand_for_plausible_kernels():
    structures = [Structure(("x",), weight=3.0), Structure(("x", "z"), weight=1.0, mean=True)]
    process = AveragedGaussianProcess(structures, rng=np.random.default_rng(0))
    process.draw_prior(800)
    assert process.fitted
    np.testing.assert_allclose(process.weights_, 1 / 800)
    plain = [draw for draw in process.draws_ if draw.structure == 0]
    assert 0.7 < len(plain) / 800 < 0.8
    assert all(draw.slope == 0.0 for draw in plain)
    means = [draw for draw in process.draws_ if draw.structure == 1]
    slopes = np.array([draw.slope for draw in means])
    assert 0.0 <= slopes.min() < 0.05 < 0.75 < slopes.max() <= 0.8
    assert all(len(draw.shares) == len(draw.lengths) == 2 and sum(draw.shares) == pytest.approx(1.0) for draw in means)
    assert {length for draw in process.draws_ for length in draw.lengths} == set(range(len(LENGTHS)))
    assert np.median([draw.signal for draw in plain]) == pytest.approx(1.0, rel=0.15)
    assert np.median([draw.noise for draw in plain]) == pytest.approx(0.05, rel=0.25)
    # what the mean explains is no longer the kernel's to explain
    explained = [draw.signal / (1 - 0.8 * draw.slope**2) for draw in means]
    assert np.median(explained) == pytest.approx(1.0, rel=0.2)


def test_settings_vary_within_their_bounds():
    process = AveragedGaussianProcess([Structure(("x", "z"), mean=True)], rng=np.random.default_rng(0))
    draw = Draw(0, (0.5, 0.5), (0, len(LENGTHS) - 1), 1.0, 1e-4, 1.0)
    varied = [process._vary(draw) for _ in range(300)]
    assert all(sum(v.shares) == pytest.approx(1.0) and min(v.shares) > 0 for v in varied)
    assert {v.lengths[0] for v in varied} == {0, 1}
    assert {v.lengths[1] for v in varied} == {len(LENGTHS) - 2, len(LENGTHS) - 1}
    assert min(v.noise for v in varied) == 1e-4
    assert max(v.slope for v in varied) == 1.0
    assert np.std(np.log([v.signal for v in varied])) == pytest.approx(0.3, rel=0.2)
    assert np.mean([v.lengths[0] for v in varied]) == pytest.approx(0.25, abs=0.08)
    plain = AveragedGaussianProcess([Structure(("x", "z"))], rng=np.random.default_rng(0))
    assert plain._vary(draw).slope == 1.0


def test_few_settings_of_each_kernel_are_kept_and_the_best_first():
    process, *_ = kept(keep=3)
    for structure in (0, 1):
        own = [w for w, d in zip(process.weights_, process.draws_, strict=True) if d.structure == structure]
        assert 1 <= len(own) <= 3
        assert min(own) > 0.02 * max(own)
    assert list(process.weights_) == sorted(process.weights_, reverse=True)
    assert len(process._factors) == len(process._solutions) == len(process.draws_)


def test_predictions_are_the_mixtures():
    process, x, y, new = kept()
    views, mean = {"x": new, "z": new[:, :1]}, 0.5 * new[:, 1]
    found, std = process.predict(views, mean, return_std=True)
    np.testing.assert_array_equal(found, process.predict(views, mean))
    parts = []
    for draw in process.draws_:
        one, _, _, _ = kept()
        place = process.draws_.index(draw)
        one.draws_, one.weights_, one.inflation_ = [draw], np.ones(1), 1.0
        one._factors, one._solutions = [process._factors[place]], [process._solutions[place]]
        parts.append(one.predict(views, mean, return_std=True))
        covariance = OFFSET + process.covariances({"x": x, "z": x[:, :1]}, {"x": x, "z": x[:, :1]})(draw) - OFFSET
        noisy = covariance + draw.noise * np.eye(len(x))
        across = process.covariances(views, {"x": x, "z": x[:, :1]})(draw)
        expected = across @ np.linalg.solve(noisy, y - draw.slope * 0.5 * x[:, 1]) + draw.slope * mean
        np.testing.assert_allclose(parts[-1][0], expected, atol=1e-4)
    means, deviations = (np.array(p) for p in zip(*parts, strict=True))
    weights = process.weights_[:, None]
    np.testing.assert_allclose(found, (weights * means).sum(axis=0), atol=1e-6)
    variance = (weights * (deviations**2 + means**2)).sum(axis=0) - found**2
    np.testing.assert_allclose(std, process.inflation_ * np.sqrt(variance), rtol=1e-4)


def test_other_labels_of_the_same_networks_need_no_new_settings():
    process, _, y, new = kept()
    views, mean = {"x": new, "z": new[:, :1]}, 0.5 * new[:, 1]
    before, draws = process.predict(views, mean), list(process.draws_)
    process.relabel(2.0 * y)
    assert process.draws_ == draws
    assert not np.allclose(process.predict(views, mean), before)
    process.relabel(y)
    np.testing.assert_allclose(process.predict(views, mean), before, atol=1e-6)


def test_deviations_are_scaled_by_where_nine_of_ten_errors_end():
    process, _, y, _ = kept()
    mean, variance = process._left_out(range(len(process.draws_)), process.weights_)
    factor = np.quantile(np.abs(y - mean) / np.sqrt(variance), 0.9) / norm.ppf(0.95)
    assert process.inflation_ == pytest.approx(np.clip((40 * factor + 5) / 45, 0.5, 2.0))
    process.calibration_labels = 0.0
    assert process._calibrate() == pytest.approx(np.clip(factor, 0.5, 2.0))
    process._solutions = [100.0 * solution for solution in process._solutions]
    assert process._calibrate() == 2.0
    process._solutions = [np.zeros(40)] * len(process.draws_)
    assert process._calibrate() == 0.5


def test_how_plausible_the_only_kernel_is_changes_nothing():
    x, y, _, _ = data()
    found = []
    for weight in (1.0, 0.01):
        process = AveragedGaussianProcess([Structure(("x",), weight)], rng=np.random.default_rng(3)).fit({"x": x}, y)
        found.append((process.draws_, process.weights_.round(9).tolist()))
    assert found[0] == found[1]
