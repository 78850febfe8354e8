"""Is what the search finds better than the network it began with, and than what random search finds for the same budget?

    python claim.py 0 20 > searches.jsonl        # seeds 0 to 19, a line of JSON a search
    python claim.py searches.jsonl               # what they say

Each search keeps 30 networks' trainings; its best is trained anew eight times and judged by test digits that neither training nor search has seen.
"""

import json
import sys
import tempfile

import torch
from own import TEST, accuracy, net, train

import cg_evolve

BUDGET = 30


def judged(make, seed, trainings=8):
    """Mean test accuracy of trainings from new weights."""
    found = []
    for k in range(trainings):
        torch.manual_seed(10**6 + 1000 * seed + k)
        found.append(accuracy(make(), TEST))
    return sum(found) / trainings


def search(seed, algorithm):
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        result = cg_evolve.run(
            net(),
            train,
            budget=BUDGET,
            input=(1, 8, 8),
            constraints=["params<=5e3"],
            seed=seed,
            algorithm=algorithm,
            directory=folder,
        )
        row = {"seed": seed, "algorithm": algorithm, "arch": result.best.arch, "value": round(result.best.value, 5)}
        return {**row, "test": round(judged(result.module, seed), 5)}


def summary(rows):
    from scipy.stats import wilcoxon

    of = {name: {row["seed"]: row for row in rows if row["algorithm"] == name} for name in ("auto", "random", "start")}
    seeds = sorted(of["auto"].keys() & of["random"].keys() & of["start"].keys())
    ours = [of["auto"][seed]["test"] for seed in seeds]
    for name in ("start", "random"):
        theirs = [of[name][seed]["test"] for seed in seeds]
        better = sum(a > b for a, b in zip(ours, theirs, strict=True))
        p = wilcoxon(ours, theirs).pvalue
        mean = sum(ours) / len(seeds), sum(theirs) / len(seeds)
        print(
            f"better than {name} in {better} of {len(seeds)} seeds, {mean[0]:.4f} against {mean[1]:.4f} on average, p = {p:.2g}"
        )


if __name__ == "__main__":
    if len(sys.argv) == 2:
        with open(sys.argv[1]) as file:
            summary([json.loads(line) for line in file])
    else:
        for seed in range(int(sys.argv[1]), int(sys.argv[2])):
            rows = [{"seed": seed, "algorithm": "start", "test": round(judged(net, seed), 5)}]
            for row in (*rows, search(seed, "auto"), search(seed, "random")):
                print(json.dumps(row), flush=True)
