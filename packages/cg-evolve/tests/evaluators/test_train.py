"""Real training: its options, what it takes, and what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch
from toy_plugin import classifier

from cg_evolve import SearchError
from cg_evolve.evaluators import make_evaluator
from cg_evolve.evaluators.function import best_device
from cg_evolve.evaluators.train import TrainEvaluator
from cg_evolve.steps import Progress
from cg_ir import Graph, GraphBuilder


@pytest.mark.parametrize(
    "options",
    [{"epochs": 0}, {"batch": "0"}, {"threads": -1}, {"lr": 0}, {"lr": "nan"}, {"lr": "inf"}, {"lr": "-0.1"}, {"resolution": -1}],
    ids=str,
)  # fmt: skip
def test_options_are_positive_and_finite(options: dict[str, Any]) -> None:
    with pytest.raises(
        SearchError, match=r"^epochs, batch, threads and lr of the evaluator 'train' should be positive$"
    ):
        TrainEvaluator("digits", **options)


@pytest.mark.parametrize("options", [{"epochs": "many"}, {"lr": ""}, {"train": "1e3"}])
def test_options_are_numbers(options: dict[str, str]) -> None:
    with pytest.raises(SearchError, match="options of the evaluator 'train' should be numbers: "):
        TrainEvaluator("digits", **options)  # type: ignore[arg-type]


def test_threads_and_the_global_generator_are_what_they_were() -> None:
    threads = torch.get_num_threads()
    state = torch.get_rng_state()
    metrics = TrainEvaluator("digits", epochs=1, train=20, threads=2).evaluate("a", classifier(), 0)
    assert set(metrics) == {"accuracy", "test_accuracy", "train_loss", "diverged"}
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_the_best_device_is_one_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert torch.zeros(1, device=best_device()).sum() == 0
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert best_device() == "cuda"


def small_network() -> Graph:
    b = GraphBuilder()
    x = b.input((1, 3, 16, 16))
    for channels in (12, 24):
        x = b.add("Conv", x, channels=channels, kernel_shape=(3, 3), pads=(1, 1, 1, 1), strides=(2, 2))
        x = b.add("Relu", b.add("BatchNormalization", x))
    x = b.add("GlobalAveragePool", x)
    b.output(b.add("Gemm", b.add("Flatten", x, shape=(1, 24)), channels=10, bias=True))
    return b.build()


def test_training_learns_is_seeded_and_ends_early_when_it_diverges() -> None:
    graph = small_network()
    evaluator = make_evaluator("train:digits?train=400&epochs=6")
    first, again, other = (evaluator.evaluate("", graph, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first["accuracy"] > 40
    assert first["diverged"] == 0
    wild = make_evaluator("train:digits?train=400&epochs=6&lr=1e6").evaluate("", graph, 1)
    assert wild["diverged"] == 1
    assert wild["accuracy"] < 40


def test_a_training_in_steps_is_the_whole_training(tmp_path: Path) -> None:
    graph = small_network()
    whole = make_evaluator("train:digits?train=60", steps=3).evaluate("", graph, 1)
    evaluator = make_evaluator("train:digits?train=60", steps=3)
    first = evaluator.evaluate("", graph, 1, Progress(1, tmp_path / "state"))
    assert first["train_loss"] > whole["train_loss"]
    again = make_evaluator("train:digits?train=60", steps=3)
    progress = Progress(3, tmp_path / "state")
    assert again.evaluate("", graph, 1, progress) == whole
    assert list(progress.curve) == [1, 2, 3]
    assert progress.curve[1] == {"train_loss": first["train_loss"]}
    assert again.evaluate("", graph, 1, Progress(3, tmp_path / "state")) == whole  # nothing is left to do


def test_networks_that_cannot_be_trained_on_the_data_are_refused() -> None:
    evaluator = make_evaluator("train:digits?train=100&epochs=1")
    b = GraphBuilder()
    b.output(b.add("Gemm", b.input((1, 7)), channels=10))
    with pytest.raises(SearchError, match="one image as its input"):
        evaluator.evaluate("", b.build(), 0)
    b = GraphBuilder()
    x = b.add("GlobalAveragePool", b.input((1, 3, 16, 16)))
    b.output(b.add("Gemm", b.add("Flatten", x, shape=(1, 3)), channels=4))
    with pytest.raises(SearchError, match="10 classes"):
        evaluator.evaluate("", b.build(), 0)
