"""Labels from training results of NATS-Bench: which curves they are taken from, means over seeds, names of schedules, costs."""

from __future__ import annotations

from typing import Any

import pytest
from label_files import results, training

from cg_frontends.benchmarks.nats_results import is_results, labels_of, schedule_epochs

SETS = {"cifar10-valid": ["cifar10_valid"], "cifar10": ["cifar10_test"], "cifar100": ["cifar100_valid", "cifar100_test"],
        "ImageNet16-120": ["imagenet16_valid", "imagenet16_test"]}  # fmt: skip


def trained(*runs: dict[str, Any], datasets: tuple[str, ...] = ()) -> dict[str, Any]:
    """Results of one schedule: a training a seed."""
    keys = datasets or ("cifar10-valid",) * len(runs)
    return {
        "all_results": {(key, 777 + i): run for i, (key, run) in enumerate(zip(keys, runs, strict=True))},
        "dataset_seed": {},
    }


@pytest.mark.parametrize(
    ("name", "epochs"), [("200", 200), ("12", 12), ("01", 1), ("90", 90), ("full", 200), ("less", 12), (90, 90)]
)
def test_schedules_are_named_by_their_epochs(name: object, epochs: int) -> None:
    assert schedule_epochs(name) == epochs


@pytest.mark.parametrize("name", ["", "many", None])
def test_a_schedule_of_no_number_of_epochs_is_an_error(name: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        schedule_epochs(name)


def test_results_are_told_by_what_they_hold() -> None:
    assert is_results(results(0, "a", 2, 1.0))
    assert not is_results({"all_results": {}})
    assert not is_results({"dataset_seed": {}})
    assert not is_results([("all_results", {}), ("dataset_seed", {})])


@pytest.mark.parametrize("dataset", SETS)
def test_every_training_gives_the_accuracies_of_its_sets_of_images(dataset: str) -> None:
    labels = labels_of({"200": trained(training(dataset, 777, 3, 60.0), datasets=(dataset,))})
    accuracies = {name: value for name, value in labels.items() if name.startswith(("cifar", "imagenet"))}
    assert accuracies == pytest.approx(dict.fromkeys(SETS[dataset], 60.0))


def test_the_last_epoch_counts_and_seeds_are_averaged() -> None:
    first, second = training("cifar10-valid", 777, 4, 80.0), training("cifar10-valid", 888, 4, 90.0)
    second["eval_acc1es"]["x-valid@3"] = 91.0
    second["eval_acc1es"]["x-valid@4"] = 10.0  # beyond the epochs that the training says it had
    assert labels_of({"200": trained(first, second)})["cifar10_valid"] == pytest.approx(85.5)


def test_a_seed_without_the_last_epoch_is_left_out_of_the_mean() -> None:
    first, second = training("cifar10-valid", 777, 4, 80.0), training("cifar10-valid", 888, 4, 90.0)
    del second["eval_acc1es"]["x-valid@3"]
    assert labels_of({"200": trained(first, second)})["cifar10_valid"] == 80.0


def test_the_longest_schedule_has_plain_names_and_the_costs() -> None:
    short, long = training("cifar10-valid", 777, 2, 50.0), training("cifar10-valid", 777, 2, 90.0)
    short["params"] = 99.0
    labels = labels_of({"full": trained(long), "less": trained(short)})
    assert labels == pytest.approx(
        {
            "cifar10_valid_12ep": 50.0,
            "cifar10_valid": 90.0,
            "params_m": 0.5,
            "flops_m": 12.5,
            "latency_s": 0.02,
            "train_time_s": 4.0,
        }
    )


def test_costs_are_those_of_cifar10_with_its_validation_set_first() -> None:
    runs = [training(name, 777, 2, 50.0) for name in ("cifar100", "cifar10", "cifar10-valid")]
    for size, run in zip((1.0, 2.0, 3.0), runs, strict=True):
        run["params"] = size
    datasets = ("cifar100", "cifar10", "cifar10-valid")
    for count, wanted in ((3, 3.0), (2, 2.0), (1, None)):
        labels = labels_of({"200": trained(*runs[:count], datasets=datasets[:count])})
        assert labels.get("params_m") == wanted


def test_latencies_and_times_that_were_not_measured_are_left_out() -> None:
    measured, other = training("cifar10-valid", 777, 2, 50.0), training("cifar10-valid", 888, 2, 50.0)
    measured["latency"] = [-1.0, 0.02, 0.04]
    other["latency"], other["train_times"] = [-1.0], None
    labels = labels_of({"200": trained(measured, other)})
    assert labels["latency_s"] == pytest.approx(0.03)
    assert labels["train_time_s"] == 4.0
    del other["latency"]
    assert "latency_s" not in labels_of({"200": trained(other)})


@pytest.mark.parametrize("damage", ["epochs", "eval_acc1es", "params", "flop"])
def test_another_layout_is_an_error(damage: str) -> None:
    run = training("cifar10-valid", 777, 2, 50.0)
    del run[damage]
    with pytest.raises(KeyError, match=damage):
        labels_of({"200": trained(run)})
