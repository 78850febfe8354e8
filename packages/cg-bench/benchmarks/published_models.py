"""Real models ranked before anybody trains them: torchvision's classifiers, by the accuracies that torchvision publishes with their weights.

    python3 -m nox -s published-models      # results.csv, results.md, results.svg into docs/results/torchvision

The accuracies come from the metadata of the weights ``IMAGENET1K_V1``; no weight is downloaded. The predictor knows labels of six benchmark
families, none of these models'.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import bootstrap
from zoo import build_on_meta, define_torchvision_operators, torchvision_models

from cg_frontends.pytorch import from_module
from cg_ir.files import write_text
from cg_predict import Predictor
from cg_predict.metrics import kendall, spearman

COUNTS, DRAWS, RESAMPLES = (10, 20, 40), 20, 2000
#: Fewest models of a recipe that are ranked by themselves.
ALIKE = 5


def classifiers(names: tuple[str, ...] = ()) -> pd.DataFrame:
    """Name, graph, accuracy in per cent, whether it has attention, and recipe of each classifier; of all unless ``names`` are given.

    Graphs are those at the resolution at which the accuracy was measured.
    """
    import torchvision

    registered = set(torchvision.models.list_models(module=torchvision.models))
    rows = []
    for name, build in torchvision_models():
        if name not in registered or (names and name not in names):
            continue
        weights = {w.name: w for w in torchvision.models.get_model_weights(name)}
        if "IMAGENET1K_V1" not in weights:
            continue
        published = weights["IMAGENET1K_V1"]
        model, _, _ = build_on_meta(build)
        size = published.transforms.keywords["crop_size"]
        graph = from_module(model.eval(), torch.empty((1, 3, size, size), device="meta"), name=name)
        meta = published.meta
        operators = {graph.signatures.op(int(code)) for code in set(graph.codes.tolist())}
        row = {"model": name, "graph": graph, "accuracy": float(meta["_metrics"]["ImageNet-1K"]["acc@1"])}
        rows.append(row | {"attention": bool(operators & {"Attention", "Softmax"}), "recipe": meta["recipe"]})
    return pd.DataFrame(rows)


def measure(models: pd.DataFrame) -> pd.DataFrame:
    """The models with parameters, MACs and the score without labels, relative to all of them; best score first."""
    graphs = models["graph"].tolist()
    found = models.drop(columns="graph")
    found["parameters"] = [g.params for g in graphs]
    found["macs"] = [g.macs for g in graphs]
    found["score"] = Predictor(warn=False).predict(graphs, pool=graphs)
    found["score alone"] = Predictor(warn=False).predict(graphs)
    found["score without timm"] = Predictor(exclude=("timm",), warn=False).predict(graphs, pool=graphs)
    found["among its recipe"] = np.nan
    for _, part in models.groupby("recipe"):
        if len(part) >= ALIKE:
            alike = part["graph"].tolist()
            found.loc[part.index, "among its recipe"] = Predictor(warn=False).predict(alike, pool=alike)
    return found.sort_values("score", ascending=False, ignore_index=True)


def few_labels(models: pd.DataFrame) -> pd.DataFrame:
    """Spearman over the models without labels, by number of labels, draw and method."""
    graphs, labels, rows = models["graph"].tolist(), models["accuracy"].to_numpy(), []
    methods = {
        "predictor": Predictor(warn=False),
        "descriptors + GP": Predictor(use_prior=False, embedding=False, neighbourhoods=False, warn=False),
    }
    for count in COUNTS:
        for draw in range(DRAWS):
            chosen, rest = np.split(np.random.default_rng([2023, draw]).permutation(len(graphs)), [count])
            for name, predictor in methods.items():
                predictor.set_params(seed=draw).fit([graphs[i] for i in chosen], labels[chosen])
                value = spearman(predictor.predict([graphs[i] for i in rest], pool=graphs), labels[rest])
                rows.append({"labels": count, "draw": draw, "method": name, "spearman": value})
    return pd.DataFrame(rows)


def markdown(found: pd.DataFrame, few: pd.DataFrame) -> str:
    """The page."""
    lines = [*_without_labels(found), *_by_recipe(found), *_with_labels(few)]
    return "\n".join([*lines, "", "![Score without labels against published accuracy](results.svg)", ""])


def _without_labels(found: pd.DataFrame) -> list[str]:
    groups = {"all": found, "without attention": found[~found["attention"]]}
    lines = [
        "# Real models",
        "",
        "Written by `nox -s published-models`. The classifiers of torchvision with weights `IMAGENET1K_V1`, ranked by the shipped predictor,",
        "against the top-1 accuracies on ImageNet that torchvision publishes. The predictor has learned from published networks of timm, among them",
        "architectures that torchvision has, too, trained by others: of these it knows more than it would of a network of yours. One row leaves all of",
        "timm out; the [table of left-out families](../transfer/results.md) has torchvision with timm's relatives of it left out alone. These models were",
        "trained by different recipes, from AlexNet's to ConvNeXt's, which no ranking of architectures can know; below, those that share one are",
        "ranked by themselves. Graphs are those at the resolution at which the accuracy was measured.",
        "",
        f"## Without labels: {len(found)} models, {int((~found['attention']).sum())} of them without attention",
        "",
        f"Spearman's rank correlation with the accuracy, in brackets its 95 % interval by bootstrap over the models ({RESAMPLES:,} resamples); Kendall's.",
        "",
        "| ranked by | " + " | ".join(f"{name}: Spearman | Kendall" for name in groups) + " |",
        "|---" * (1 + 2 * len(groups)) + "|",
    ]
    for label, column in (
        ("predictor, all models as pool", "score"),
        ("predictor, each model alone", "score alone"),
        ("predictor that has not learned from timm, all models as pool", "score without timm"),
        ("parameters", "parameters"),
        ("MACs", "macs"),
    ):
        cells = []
        for group in groups.values():
            x, y = group[column].to_numpy(), group["accuracy"].to_numpy()
            interval = bootstrap(
                (x, y),
                lambda a, b: spearman(a, b),
                paired=True,
                vectorized=False,
                rng=np.random.default_rng(0),
                method="percentile",
            ).confidence_interval
            cells += [f"{spearman(x, y):.2f} ({interval.low:.2f} to {interval.high:.2f})", f"{kendall(x, y):.2f}"]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines


def _by_recipe(found: pd.DataFrame) -> list[str]:
    lines = [
        "",
        f"Where torchvision names one recipe for at least {ALIKE} of the models (MnasNets, ShuffleNets and others have one for each):",
        "",
        "| models | recipe | predictor, these as pool | predictor, each alone | parameters | MACs |",
        "|---|---|---|---|---|---|",
    ]
    for recipe, part in found.groupby("recipe"):
        if len(part) >= ALIKE:
            values = [
                spearman(part[c].to_numpy(), part["accuracy"].to_numpy())
                for c in ("among its recipe", "score alone", "parameters", "macs")
            ]
            name = recipe.rsplit("/", 1)[-1]
            lines.append(
                f"| {', '.join(sorted(part['model']))} | [{name}]({recipe}) | "
                + " | ".join(f"{v:.2f}" for v in values)
                + " |"
            )
    return lines


def _with_labels(few: pd.DataFrame) -> list[str]:
    lines = [
        "",
        "## With labels of some of them",
        "",
        f"Spearman over the models that were not labelled, mean ± standard deviation over {DRAWS} draws.",
        "",
        "| labels | " + " | ".join(few["method"].unique()) + " | predictor minus the other, ± standard error |",
        "|---" * (2 + few["method"].nunique()) + "|",
    ]
    for count, part in few.groupby("labels"):
        table = part.pivot_table(index="draw", columns="method", values="spearman")[few["method"].unique()]
        means = [f"{m:.2f} ± {s:.2f}" for m, s in zip(table.mean(), table.std(), strict=True)]
        gain = table.iloc[:, 0] - table.iloc[:, 1]
        lines.append(f"| {count} | " + " | ".join(means) + f" | {gain.mean():+.3f} ± {gain.sem():.3f} |")
    return lines


def plot(found: pd.DataFrame, path: Path) -> None:
    """Score without labels against accuracy."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "cg"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 5))
    for attention, marker, label in ((False, "o", "without attention"), (True, "^", "with attention")):
        part = found[found["attention"] == attention]
        axes.scatter(part["score"], part["accuracy"], s=18, marker=marker, label=label)
    for row in found.itertuples():
        axes.annotate(row.model, (row.score, row.accuracy), fontsize=4, xytext=(2, 2), textcoords="offset points")
    axes.set(xlabel="score without labels", ylabel="published top-1 accuracy, per cent")
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close(figure)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    folder = parser.parse_args().output
    define_torchvision_operators()
    torch.manual_seed(0)  # constructors that need elements draw them
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = classifiers()
    found, few = measure(models), few_labels(models)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "results.csv", found.to_csv(index=False, float_format="%.6g"))
    plot(found, folder / "results.svg")
    write_text(folder / "results.md", markdown(found, few))
    print(folder / "results.md")


if __name__ == "__main__":
    main()
