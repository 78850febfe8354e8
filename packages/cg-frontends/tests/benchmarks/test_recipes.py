"""The effect of recipes, and timm's results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cg_frontends.benchmarks.recipes import imagenet_only, recipe_effects, recipe_group
from cg_frontends.benchmarks.timm_results import METRICS, read_timm
from cg_ir import PluginError, SourceError, get_benchmark


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


HEADER = "model,arch,recipe_tag,timm_module,img_size,top1,top1_real,top1_v2,param_count_m,infer_gmacs,infer_macts,infer_img_size\n"


def write_timm(folder: Path) -> Path:
    """Networks under a good and a bad recipe; one of the networks under the bad one alone, one under one with more data."""
    rows = []
    for i in range(12):
        base = 70 + i / 2
        for recipe, gain in (("a1_in1k", 1.0), ("a3_in1k", -1.0)):
            if (i, recipe) != (7, "a1_in1k"):
                accuracy = base + gain
                costs = f"{5 + i},{1 + i / 4},9,224"
                rows.append(f"m,net{i},{recipe},mod{i % 3},{224 if i else 288},{accuracy},{accuracy + 5},,{costs}")
    rows.append("m,net3,goog_in21k_ft_in1k,mod0,224,90,91,80,8,1.75,9,224")
    rows.append("m,net40,goog_in21k_ft_in1k,mod0,224,90,91,80,8,1.75,9,224")
    path = folder / "timm_imagenet.csv"
    path.write_text(HEADER + "\n".join(rows) + "\n")
    return path


def test_a_label_is_free_of_its_recipe(tmp_path: Path) -> None:
    table = read_timm(write_timm(tmp_path))
    assert table.metrics == (*METRICS, "params_m", "gmacs")
    assert len(table) == 12
    assert table.query("net3@224", "top1") == pytest.approx(71.5, abs=0.1)
    # trained by the bad recipe alone, it comes out about where the others say it belongs
    assert table.query("net7@224", "top1") == pytest.approx(73.5, abs=0.25)
    best, mean = (read_timm(tmp_path / "timm_imagenet.csv", label=label) for label in ("best", "mean"))
    assert best.query("net7@224", "top1") == mean.query("net7@224", "top1") == 72.5
    assert best.query("net3@224", "top1") == 72.5
    assert mean.query("net3@224", "top1") == 71.5
    with pytest.raises(KeyError):
        table.query("net3@224", "top1_v2")


def test_rows_recipes_and_groups_are_kept(tmp_path: Path) -> None:
    table = read_timm(write_timm(tmp_path))
    assert [row.recipe for row in table.rows if row.arch == "net3@224"] == ["a1_in1k", "a3_in1k"]
    assert table.group("net4@224") == "mod1"
    assert table.recipes["top1"]["a1_in1k"] > 0 > table.recipes["top1"]["a3_in1k"]
    # costs are scaled from the resolution at which they were counted
    assert table.query("net0@288", "gmacs") == pytest.approx((288 / 224) ** 2)
    everything = read_timm(tmp_path / "timm_imagenet.csv", recipes="all")
    assert len(everything) == 13
    assert everything.query("net40@224", "top1_v2") > 0


def test_options_and_bad_tables(tmp_path: Path) -> None:
    write_timm(tmp_path)
    assert get_benchmark("timm?recipes=all&label=best").open(str(tmp_path)).query("net40@224", "top1") == 90
    with pytest.raises(PluginError, match="label should be one of adjusted, best, mean"):
        get_benchmark("timm?label=worst")
    bad = tmp_path / "bad.csv"
    bad.write_text("arch,top1\nnet,70\n")
    with pytest.raises(SourceError, match="it has no column img_size"):
        get_benchmark("timm").open(str(bad))
    bad.write_text(HEADER + "m,net,in1k,mod,224,700,,,1,1,1,224\n")
    with pytest.raises(SourceError, match=r"bad.csv, line 2: top1 should be a percentage"):
        get_benchmark("timm").open(str(bad))


@pytest.mark.realdata
def test_labels_of_the_published_results(data_dir: Path) -> None:
    """One architecture's weights differ less once their recipes are known, also where those were estimated without them."""
    table = read_timm(data_dir / "timm_imagenet.csv.gz")
    assert len({arch.partition("@")[0] for arch in table.archs()}) == 454
    assert len(set(table.groups)) > 40
    effects = table.recipes["top1"]
    assert effects["a3_in1k"] < effects["a2_in1k"] < effects["a1_in1k"]  # 100, 300 and 600 epochs of one recipe
    assert effects["300ep_in1k"] < effects["600ep_in1k"] < effects["1200ep_in1k"]
    logits: dict[str, list[tuple[float, float]]] = {}
    for row in table.rows:
        share = row.accuracies[0] / 100
        logit = float(np.log(share / (1 - share)))
        logits.setdefault(row.arch, []).append((logit, logit - effects[recipe_group(row.recipe)]))
    raw, adjusted = (
        np.concatenate([np.subtract(v, np.mean(v)) for v in ([pair[i] for pair in rows] for rows in logits.values())])
        for i in (0, 1)
    )
    assert adjusted.std() < 0.5 * raw.std()
