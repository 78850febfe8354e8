"""Whether a temperature helps probabilities without labels: chosen on other families, tried on the one that is left out.

Without labels the probability that one network is better than another follows from the correlation that is expected of the score
(`cg_predict.trust`). Where scores and labels are jointly normal, how far such probabilities are off follows from the correlation that came instead, so the rows
that the shipped prior learned its trust from are enough. The expected correlation r becomes tanh(gain artanh r + shift). Other treatments, which choose nothing
from a grid, stand below: what r was off by on the other families added in the mean, or in the median, or averaged over; one for all; half of each. ::

    python packages/cg-predict/benchmarks/trust_temperature.py
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from itertools import product

import click
import numpy as np
from scipy.special import ndtr

from cg_predict.trust import Trust

GAINS, SHIFTS = (0.8, 1.0, 1.1, 1.2, 1.3), (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
#: Differences between the scores of two networks.
DIFFERENCES = np.random.default_rng(0).normal(scale=np.sqrt(2.0), size=2000)


def better(correlation: float) -> np.ndarray:
    """The probability, by difference of scores, that the first of two networks is the better one."""
    return np.asarray(ndtr(correlation * DIFFERENCES / np.sqrt(2.0 * (1.0 - correlation**2))))


def of_normal(spearman: float) -> float:
    """The correlation of normal variables with this rank correlation."""
    return float(np.clip(2.0 * np.sin(np.pi * spearman / 6.0), -0.99, 0.99))


def error(expected: float, spearman: float) -> float:
    """The calibration error where ``expected`` is believed and Spearman's correlation is another."""
    return off(better(expected), spearman)


def off(probabilities: np.ndarray, spearman: float) -> float:
    """The calibration error of probabilities where this is the correlation."""
    return float(np.abs(probabilities - better(of_normal(spearman))).mean())


def errors(trust: Trust, of: str, among: Sequence[str], gain: float, shift: float) -> list[float]:
    """The errors on the pools of one family, by what came of the others among some families."""
    assert trust.evidence is not None
    assert trust.outcome is not None
    seen = trust.without([f for f in trust.families if f == of or f not in among])
    found = []
    for family, evidence, outcome in zip(trust.families, trust.evidence, trust.outcome, strict=True):
        if family == of:
            expected = np.tanh(gain * np.arctanh(seen.expected(evidence)) + shift)
            found.append(error(float(np.clip(expected, 0.0, 0.99)), float(outcome)))
    return found


def treatments(trust: Trust, of: str) -> dict[str, float]:
    """The error on one family's table by treatments that the other families decide."""
    assert trust.evidence is not None
    assert trust.outcome is not None
    rests, weights, others = [], [], []
    for family, evidence, outcome in zip(trust.families, trust.evidence, trust.outcome, strict=True):
        if family != of:
            told = trust.without([of, family]).expected(evidence)
            rests.append(np.arctanh(of_normal(outcome)) - np.arctanh(min(told, 0.97)))
            others.append(np.arctanh(of_normal(outcome)))
            weights.append(1.0 / trust.families.count(family))
    share = np.array(weights) / np.sum(weights)
    order = np.argsort(rests)
    median = rests[order[np.searchsorted(np.cumsum(share[order]), 0.5)]]
    place = trust.families.index(of)
    own = np.arctanh(min(trust.without([of]).expected(trust.evidence[place]), 0.97))
    same = float(share @ others)
    told = {
        "as it is": better(np.tanh(own)),
        "mean of what it was off by": better(np.tanh(own + share @ rests)),
        "median of what it was off by": better(np.tanh(own + median)),
        "averaged over what it was off by": sum(
            w * better(np.tanh(own + r)) for w, r in zip(share, rests, strict=True)
        ),
        "one correlation for all": better(np.tanh(same)),
        "half of each": better(np.tanh((own + same) / 2)),
    }
    return {name: off(p, float(trust.outcome[place])) for name, p in told.items()}


@click.command()
def main() -> None:
    """Print the error on each family's table, and its mean over tables and their slices, as it is and with the temperature that the others choose."""
    config = json.loads(files("cg_predict").joinpath("checkpoints/prior/config.json").read_text())["config"]
    trust = Trust.from_rows(config["trust"])
    names = list(dict.fromkeys(trust.families))
    rows = []
    for name in names:
        others = [n for n in names if n != name]
        options = list(product(GAINS, SHIFTS))
        costs = [np.mean([np.mean(errors(trust, n, others, *o)) for n in others]) for o in options]
        chosen = options[int(np.argmin(costs))]
        now, then = errors(trust, name, names, 1.0, 0.0), errors(trust, name, names, *chosen)
        rows.append((now[0], then[0], np.mean(now), np.mean(then)))
        click.echo(f"{name}: {now[0]:.3f}, with gain {chosen[0]} and shift {chosen[1]} {then[0]:.3f}")
    mean = np.mean(rows, axis=0)
    click.echo(
        f"mean of tables {mean[0]:.3f}, with a temperature {mean[1]:.3f}; with slices {mean[2]:.3f} and {mean[3]:.3f}"
    )
    found = [treatments(trust, name) for name in names]
    for name in found[0]:
        own = [row[name] for row in found]
        click.echo(
            f"{name}: mean of tables {np.mean(own):.3f}, above 0.05 on {sum(e > 0.05 for e in own)} of {len(own)}"
        )


if __name__ == "__main__":
    main()
