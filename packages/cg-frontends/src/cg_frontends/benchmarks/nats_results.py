"""Training results as the NAS-Bench-201 and NATS-Bench files store them, summarised as labels.

The results of an architecture under one schedule are a dictionary with ``all_results``, which holds by (data set, seed) the curves of each training
(github.com/D-X-Y/NATS-Bench, ``api_utils.py``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

#: Metrics that come first in a table.
MAIN_METRICS = (
    "cifar10_valid",
    "cifar10_test",
    "cifar100_valid",
    "cifar100_test",
    "imagenet16_valid",
    "imagenet16_test",
)

#: Name of the accuracy on a set of images after training on a data set.
_SETS = {
    ("cifar10-valid", "x-valid"): "cifar10_valid",
    ("cifar10", "ori-test"): "cifar10_test",
    ("cifar100", "x-valid"): "cifar100_valid",
    ("cifar100", "x-test"): "cifar100_test",
    ("ImageNet16-120", "x-valid"): "imagenet16_valid",
    ("ImageNet16-120", "x-test"): "imagenet16_test",
}
#: Data sets from whose trainings the costs are taken, the first that is there.
_COSTS = ("cifar10-valid", "cifar10")
_NAMED = {"full": 200, "less": 12}


def schedule_epochs(name: Any) -> int:
    """Epochs of a schedule by its name: ``200``, ``12``, ``01``, or ``full`` and ``less`` in the older file."""
    return _NAMED[name] if name in _NAMED else int(name)


def is_results(value: Any) -> bool:
    """Whether a value is the results of an architecture under one schedule."""
    return isinstance(value, dict) and "all_results" in value and "dataset_seed" in value


def labels_of(schedules: Mapping[Any, Mapping[str, Any]]) -> dict[str, float]:
    """Labels of an architecture: final accuracies in percent, averaged over seeds, and costs.

    Args:
        schedules: results by schedule. The longest schedule's accuracies have plain names (``cifar10_valid``), those of shorter ones say
            their epochs (``cifar10_valid_12ep``). Costs, of CIFAR-10: ``params_m`` and ``flops_m`` in millions, ``latency_s`` and
            ``train_time_s`` in seconds.

    Raises:
        KeyError, TypeError, ValueError: the results have another layout.
    """
    result: dict[str, float] = {}
    longest = max(schedule_epochs(name) for name in schedules)
    for name, results in schedules.items():
        epochs = schedule_epochs(name)
        suffix = "" if epochs == longest else f"_{epochs}ep"
        found: dict[str, list[float]] = defaultdict(list)
        for (dataset, _), training in results["all_results"].items():
            last = int(training["epochs"]) - 1
            accuracies = training["eval_acc1es"]
            for (other, images), metric in _SETS.items():
                if other == dataset and f"{images}@{last}" in accuracies:
                    found[metric + suffix].append(float(accuracies[f"{images}@{last}"]))
        if not suffix:
            found.update(_costs(results["all_results"]))
        result.update({metric: sum(values) / len(values) for metric, values in found.items()})
    return result


def _costs(trainings: Mapping[tuple[str, Any], Mapping[str, Any]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    datasets = {dataset for dataset, _ in trainings}
    chosen = next((dataset for dataset in _COSTS if dataset in datasets), None)
    for (dataset, _), training in trainings.items():
        if dataset != chosen:
            continue
        found["params_m"].append(float(training["params"]))
        found["flops_m"].append(float(training["flop"]))
        latency = [float(value) for value in training.get("latency") or () if value > 0]
        if latency:
            found["latency_s"].append(sum(latency) / len(latency))
        times = training.get("train_times")
        if isinstance(times, Mapping):
            found["train_time_s"].append(float(sum(times.values())))
    return found
