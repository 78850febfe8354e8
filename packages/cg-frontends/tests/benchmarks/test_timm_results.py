"""Timm's results: one label an architecture, free of its recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cg_frontends.benchmarks.recipes import recipe_group
from cg_frontends.benchmarks.timm_results import METRICS, read_timm
from cg_ir import PluginError, SourceError, get_benchmark

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
