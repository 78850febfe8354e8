"""Whether a temperature helps probabilities without labels: chosen on other families, tried on the one that is left out.

Without labels the probability that one network is better than another follows from the correlation that is expected of the score
(`cg_predict.trust`). Where scores and labels are jointly normal, how far such probabilities are off follows from the correlation that came instead, so the rows
that the shipped prior learned its trust from are enough. The expected correlation r becomes tanh(gain artanh r + shift). ::

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


def error(expected: float, spearman: float) -> float:
    """The calibration error where ``expected`` is believed and Spearman's correlation is another."""
    came = float(np.clip(2.0 * np.sin(np.pi * spearman / 6.0), -0.99, 0.99))
    return float(np.abs(better(expected) - better(came)).mean())


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


if __name__ == "__main__":
    main()
