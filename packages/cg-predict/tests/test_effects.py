"""Effects that families share, against dense algebra and against families made for the purpose."""

from __future__ import annotations

import numpy as np

from cg_predict.effects import NOISE, common_effects, family_effects


def test_precision_and_information_are_those_of_the_meta_analysis():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(400, 6)), rng.normal(size=400)
    moments = z.T @ z / 400
    slopes = np.linalg.solve(moments, z.T @ y / 400)
    precision = np.linalg.inv(NOISE * np.linalg.inv(moments) + np.eye(6))
    found = family_effects(z, y)
    np.testing.assert_allclose(found.precision, precision, atol=1e-10)
    np.testing.assert_allclose(found.information, precision @ slopes, atol=1e-10)


def test_a_constant_descriptor_says_nothing():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(300, 3))
    z[:, 1] = 0.0
    found = family_effects(z, z[:, 0])
    np.testing.assert_allclose(found.precision[1], 0.0, atol=1e-12)
    assert abs(found.information[1]) < 1e-12


def test_what_families_agree_on_counts_for_more():
    rng = np.random.default_rng(2)
    families = []
    for sign in (1.0, -1.0, 1.0, -1.0):
        z = rng.normal(size=(500, 2))
        families.append(family_effects(z, z[:, 0] + 2.0 * sign * z[:, 1]))
    agreed, contested = common_effects(families, np.ones(4))
    assert agreed > 0.5
    assert abs(contested) < 0.1
    np.testing.assert_allclose(common_effects(families[:1], np.zeros(1)), 0.0)
