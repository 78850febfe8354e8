"""The effect of recipes."""

from __future__ import annotations

import numpy as np
import pytest

from cg_frontends.benchmarks.recipes import imagenet_only, recipe_effects, recipe_group


@pytest.mark.parametrize(
    ("tag", "alone", "group"),
    [
        ("in1k", True, "in1k"),
        ("ra4_e3600_r256_in1k", True, "ra4_e3600_in1k"),
        ("sail_in1k_384", True, "sail_in1k"),
        ("miil_in1k_448", True, "miil_in1k"),
        ("e300_s576_in1k", True, "e300_in1k"),
        ("300ep_in1k", True, "300ep_in1k"),
        ("fb_dist_in1k", False, "fb_dist_in1k"),
        ("augreg_in21k_ft_in1k", False, "augreg_in21k_ft_in1k"),
        ("ns_jft_in1k_475", False, "ns_jft_in1k"),
        ("sw_in12k_ft_in1k_288", False, "sw_in12k_ft_in1k"),
        ("openai_ft_in12k_in1k", False, "openai_ft_in12k_in1k"),
        ("fb_ssl_yfcc100m_ft_in1k", False, "fb_ssl_yfcc100m_ft_in1k"),
        ("in1k_ft_in1k", False, "in1k_ft_in1k"),
    ],
)
def test_tags(tag: str, alone: bool, group: str) -> None:
    assert imagenet_only(tag) is alone
    assert recipe_group(tag) == group


def simulated(seed: int) -> tuple[np.ndarray, list[str], list[list[str]], np.ndarray, dict[str, float]]:
    """Rows of 120 architectures in 12 families under 15 recipes, better recipes on larger networks: what a plain mean confuses."""
    rng = np.random.default_rng(seed)
    effects = {f"r{i}": float(e) for i, e in enumerate(rng.normal(0, 0.3, 15))}
    ranked = sorted(effects, key=effects.__getitem__)
    families, own, size = rng.normal(0, 0.3, 12), rng.normal(0, 0.1, 120), rng.uniform(-1, 1, 120)
    values, recipes, archs, modules, sizes = [], [], [], [], []
    for arch in range(120):
        centre = 7 + 6 * size[arch]
        for _ in range(int(rng.integers(1, 4))):
            recipe = ranked[int(np.clip(rng.normal(centre, 3), 0, 14))]
            noise = rng.normal(0, 0.03)
            values.append(0.8 * size[arch] + families[arch % 12] + own[arch] + effects[recipe] + noise)
            recipes.append(recipe)
            archs.append(f"a{arch}")
            modules.append(f"m{arch % 12}")
            sizes.append([size[arch]])
    return np.array(values), recipes, [modules, archs], np.array(sizes), effects


@pytest.mark.parametrize("seed", range(3))
def test_effects_of_recipes_are_found_beside_the_architectures(seed: int) -> None:
    values, recipes, groupings, covariates, truth = simulated(seed)
    found = recipe_effects(values, recipes, groupings, covariates)
    estimated = np.array([found.effects[recipe] for recipe in found.effects])
    true = np.array([truth[recipe] for recipe in found.effects])
    error = (estimated - estimated.mean()) - (true - true.mean())
    assert np.sqrt((error**2).mean()) < 0.05
    assert np.average(estimated, weights=[recipes.count(r) for r in found.effects]) == pytest.approx(0, abs=1e-9)
    assert found.deviations == pytest.approx((0.3, 0.1, 0.3, 0.03), rel=0.6)
    # the mean of a recipe's rows mistakes its large architectures for its own merit
    plain = np.array([values[[r == recipe for r in recipes]].mean() for recipe in found.effects])
    assert np.sqrt((((plain - plain.mean()) - (true - true.mean())) ** 2).mean()) > 0.3


def test_a_recipe_that_matters_to_nobody_gets_nothing() -> None:
    rng = np.random.default_rng(0)
    archs = [f"a{i}" for i in range(40) for _ in range(2)]
    values = np.repeat(rng.normal(0, 1, 40), 2) + rng.normal(0, 0.01, 80)
    found = recipe_effects(values, [f"r{i % 5}" for i in range(80)], [archs], np.zeros((80, 0)))
    assert max(map(abs, found.effects.values())) < 0.01
