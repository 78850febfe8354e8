"""The pictures of README.md and of the documentation, into docs/pictures: a ranking, a drawing, a report, and the reports of the guide.

Reports need a Chromium to take their pictures, and the first the labels of NAS-Bench-201 in the folder that CG_DATA names; without these it is left as it is.
"""

from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "pictures"
CELL = "nb201:|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
#: Models that the ranking names, and where: points right and up of theirs.
NAMED = {
    "alexnet": (5, -9), "squeezenet1_0": (5, -9), "resnet18": (-5, -9), "resnet152": (5, -9), "efficientnet_b7": (4, -12),
    "mobilenet_v2": (-6, 3), "convnext_large": (-6, 2),
}  # fmt: skip


def ranking() -> None:
    """Published accuracies of torchvision's networks against scores without a label, from the results of `nox -s published-models`."""
    with open(ROOT / "docs/results/torchvision/results.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["attention"] == "False"]
    scores = [float(row["score"]) for row in rows]
    accuracies = [float(row["accuracy"]) for row in rows]
    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    axes.scatter(scores, accuracies, s=22, color="#2f6fde", alpha=0.75, linewidths=0)
    for row, x, y in zip(rows, scores, accuracies, strict=True):
        if row["model"] in NAMED:
            right, up = NAMED[row["model"]]
            side = "left" if right > 4 else "right"
            place = {"xytext": (right, up), "textcoords": "offset points", "horizontalalignment": side}
            axes.annotate(row["model"], (x, y), **place, fontsize=8, color="#1c2230")
    axes.set_xlabel("score, no label of these networks seen")
    axes.set_ylabel("published top-1 accuracy, %")
    axes.spines[["top", "right"]].set_visible(False)
    plt.rcParams.update({"svg.hashsalt": "cg", "svg.fonttype": "none"})
    figure.savefig(TARGET / "ranking.svg", metadata={"Date": None}, facecolor="white")
    print(f"ranking.svg: {len(rows)} models")


def drawing() -> None:
    """A cell's network with its stages folded."""
    run("draw", CELL, "-o", str(TARGET / "drawing.svg"), "--depth", "1", "--theme", "light")


def report() -> None:
    """The page of a search, as Chromium shows its top."""
    data = os.environ.get("CG_DATA")
    if not data:
        print("report.png is left as it is: CG_DATA names no folder")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        searched = ["search", "nb201", "--evaluator", f"benchmark:nb201={data}", "--exclude", "nb201"]
        run(*searched, "--budget", "60", "--seed", "0", "-o", "run", folder=folder)
        run("report", "run", "-o", "report.html", folder=folder)
        photograph(folder / "report.html", "report.png")


def guide() -> None:
    """The reports that the guide's commands write, after its searches; each in an empty folder, as a reader would."""
    for page in ("quickstart", "search"):
        text = (ROOT / "docs" / "guide" / f"{page}.md").read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for file, body in re.findall(r"```{code-block} \w+\n:caption: (\S+)\n\n?(.*?)```", text, re.DOTALL):
                (folder / file).write_text(body, encoding="utf-8")
            found = re.findall(r"(<!-- not run: [^\n]*\n)?```(sh|python)\n(.*?)```", text, re.DOTALL)
            for language, body in (block[1:] for block in found if not block[0]):
                if language == "python" and "directory=" in body:
                    subprocess.run([sys.executable, "-c", body], cwd=folder, check=True)
                for line in body.splitlines() if language == "sh" else ():
                    words = shlex.split(line)[1:]
                    if words[:1] in (["search"], ["report"]) and not {"--resume", "--steps"} & set(words):
                        run(*words, folder=folder)
            for report in folder.glob("*.html"):
                photograph(report, f"{page}-{report.stem}.png")


def photograph(page: Path, name: str) -> None:
    """The top of a page as Chromium shows it."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--window-size=1100,1000"):
        options.add_argument(argument)
    with webdriver.Chrome(options=options) as browser:
        browser.get(page.as_uri())
        browser.save_screenshot(str(TARGET / name))


def run(*arguments: str, folder: Path | None = None) -> None:
    """Run a `cg` command."""
    subprocess.run([sys.executable, "-c", "from cg_ir.cli import main; main()", *arguments], cwd=folder, check=True)


if __name__ == "__main__":
    TARGET.mkdir(exist_ok=True)
    for make in (ranking, drawing, report, guide):
        if not sys.argv[1:] or make.__name__ in sys.argv[1:]:
            make()
