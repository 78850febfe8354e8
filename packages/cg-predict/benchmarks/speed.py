"""How fast networks are ranked: all cells of NAS-Bench-201, beside synflow on the same cells in the same run; a fit on few labels and on many.

No label table is needed: labels are a formula of the networks' costs, since only the time is looked at. Times are wall-clock seconds and, in brackets in the
table, seconds of the process's CPU, which other work on the machine disturbs less.

    python packages/cg-predict/benchmarks/speed.py [--many N] [--synflow N] [-o FILE.md]
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir import Graph, get_scorer, get_space
from cg_ir.files import atomic_path
from cg_predict import Predictor
from cg_predict.features import descriptors, neighbourhoods, path_vectors

#: What is asked: seconds for all cells, times faster than synflow, seconds of a fit on 50 labels.
SECONDS, TIMES, FIT = 10.0, 500.0, 2.0
CELLS = 15_625


@dataclass(frozen=True)
class Took:
    """Wall-clock and CPU seconds."""

    wall: float
    cpu: float

    def __add__(self, other: Took) -> Took:
        return Took(self.wall + other.wall, self.cpu + other.cpu)

    def __str__(self) -> str:
        return f"{self.wall:.2f} s ({self.cpu:.2f})"


def timed(work: Callable[[], Any]) -> tuple[Any, Took]:
    """What the work gives, and what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, Took(time.perf_counter() - wall, time.process_time() - cpu)


def costs(graphs: Sequence[Graph], seed: int = 0) -> NDArray[np.float64]:
    """Labels that a formula gives: logarithms of costs and some noise."""
    noise = np.random.default_rng(seed).normal(0.0, 0.3, len(graphs))
    return np.array([np.log1p(graph.macs) + 0.5 * np.log1p(graph.params) for graph in graphs]) + noise


def rank_all(count: int | None = None) -> dict[str, Any]:
    """Build, embed and score the cells: without labels, and fitted to 50."""
    space = get_space("nb201")
    archs = list(space.enumerate())[:count]
    warm = [space.graph(arch) for arch in archs[:: max(1, len(archs) // 50)]]  # modules are imported, fragments cached
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Predictor(exclude=("nb201",)).fit(warm, costs(warm)).predict(warm, pool=warm)
        for encoder in (descriptors(), path_vectors(), neighbourhoods()):
            encoder._memory.clear()
        graphs, build = timed(lambda: [space.graph(arch) for arch in archs])
        parts = [
            timed(lambda encoder=encoder: encoder.encode(graphs))[1]
            for encoder in (descriptors(), path_vectors(), neighbourhoods())
        ]  # type: ignore[misc]
        _, zero = timed(lambda: Predictor(exclude=("nb201",)).predict(graphs, pool=graphs))
        chosen = np.random.default_rng(0).permutation(len(graphs))[:50]
        predictor = Predictor(exclude=("nb201",))
        labelled = [graphs[i] for i in chosen]
        _, fit = timed(lambda: predictor.fit(labelled, costs(labelled)))
        _, score = timed(lambda: predictor.predict(graphs, return_std=True, pool=graphs))
    return {"archs": archs, "graphs": graphs, "build": build, "embed": parts, "zero": zero, "fit": fit, "score": score}


def synflow(archs: Sequence[str], count: int) -> Took:
    """Building and scoring of a sample of the cells, each."""
    space = get_space("nb201")
    scorer = get_scorer("synflow")
    chosen = np.random.default_rng(1).permutation(len(archs))[: count + 1]
    scorer.predict([space.graph(archs[chosen[0]])])  # torch is imported
    import torch

    torch.set_num_threads(1)  # as the predictor has one
    _, took = timed(lambda: scorer.predict([space.graph(archs[i]) for i in chosen[1:]]))
    return Took(took.wall / count, took.cpu / count)


def many_labels(count: int) -> dict[str, Any]:
    """Fit on ``count`` labels of networks of three spaces, and predict 2,000 others."""
    shares = {"natssize": 0.32, "nb201": 0.15, "nb101": 0.53}
    rng = np.random.default_rng(2)
    graphs: list[Graph] = []
    said = []
    for name, share in shares.items():
        space = get_space(name)
        wanted = round((count + 2000) * share)
        archs: dict[str, None] = {}
        while len(archs) < wanted:
            archs.setdefault(space.sample(rng))
        graphs += [space.graph(arch) for arch in archs]
        said.append(f"{len(archs):,} of {name}")
    graphs = [graphs[i] for i in rng.permutation(len(graphs))]
    rest, labelled = graphs[:2000], graphs[2000 : 2000 + count]
    predictor = Predictor(warn=False)
    labels = costs(labelled)
    _, fit = timed(lambda: predictor.fit(labelled, labels))
    scores, predict = timed(lambda: predictor.predict(rest))
    from cg_predict.metrics import spearman

    return {
        "count": len(labelled), "networks": ", ".join(said), "fit": fit, "predict": predict,
        "spearman": spearman(scores, costs(rest, 1)), "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }  # fmt: skip


def _holds(good: bool) -> str:
    return "yes" if good else "no"


def page(ranked: dict[str, Any], proxy: Took, many: dict[str, Any] | None) -> str:
    """The table as Markdown."""
    n = len(ranked["graphs"])
    embed = ranked["embed"][0] + ranked["embed"][1] + ranked["embed"][2]
    whole = ranked["build"] + embed + ranked["score"]
    each = Took(whole.wall / n, whole.cpu / n)
    plain = ranked["build"] + ranked["embed"][0] + ranked["zero"]
    without = Took(plain.wall / n, plain.cpu / n)
    faster, faster_without = (
        Took(proxy.wall / each.wall, proxy.cpu / each.cpu),
        Took(proxy.wall / without.wall, proxy.cpu / without.cpu),
    )
    lines = [
        "# Speed of the predictor",
        "",
        "Written by `python packages/cg-predict/benchmarks/speed.py`, which `nox -s bench` runs. Wall-clock seconds and, in brackets, seconds of",
        "the process's CPU; one process,",
        "linear algebra on one thread. What holds is judged by the CPU's seconds, which an idle machine would take.",
        "Labels are a formula: only the time is looked at.",
        "",
        f"| {n:,} cells of NAS-Bench-201 | |",
        "|---|---|",
        f"| build the graphs | {ranked['build']} |",
        f"| descriptors | {ranked['embed'][0]} |",
        f"| vectors of the path encoder | {ranked['embed'][1]} |",
        f"| neighbourhoods | {ranked['embed'][2]} |",
        f"| score without labels, pool given | {ranked['zero']} |",
        f"| fit on 50 labels (and predict these) | {ranked['fit']} |",
        f"| score with 50 labels, pool given | {ranked['score']} |",
        f"| **built, embedded and scored with 50 labels** | {whole} |",
        f"| **built, embedded and scored without labels** | {plain} |",
        "",
        "| asked | measured | holds |",
        "|---|---|---|",
    ]
    if n == CELLS:
        lines.append(f"| all {CELLS:,} cells within {SECONDS:.0f} s | {whole} | {_holds(whole.cpu <= SECONDS)} |")
    lines += [
        f"| fit on 50 labels under {FIT:.0f} s | {ranked['fit']} | {_holds(ranked['fit'].cpu < FIT)} |",
        f"| {TIMES:.0f} times faster an architecture than synflow ({1000 * proxy.wall:.0f} ms ({1000 * proxy.cpu:.0f})), with 50 labels | "
        f"{faster.wall:.0f} times ({faster.cpu:.0f}) | {_holds(faster.cpu >= TIMES)} |",
        f"| the same, without labels | {faster_without.wall:.0f} times ({faster_without.cpu:.0f}) | {_holds(faster_without.cpu >= TIMES)} |",
    ]
    if many is not None:
        lines += [
            "",
            f"With {many['count']:,} labels of random networks ({many['networks']}, 2,000 of them held out):",
            f"`fit` {many['fit']}, `predict` of the 2,000 {many['predict']} (the first call fits the model),",
            f"peak memory of the process {many['peak']:.1f} GB; the rank correlation with the formula is {many['spearman']:.2f}.",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, help="cells of NAS-Bench-201; all if absent")
    parser.add_argument("--synflow", type=int, default=40, help="cells that synflow scores")
    parser.add_argument("--many", type=int, default=100_000, help="labels of the large fit; 0 leaves it out")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file for the table")
    arguments = parser.parse_args()
    ranked = rank_all(arguments.cells)
    proxy = synflow(ranked["archs"], arguments.synflow)
    text = page(ranked, proxy, many_labels(arguments.many) if arguments.many else None)
    if arguments.output is None:
        print(text)
    else:
        with atomic_path(arguments.output) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
