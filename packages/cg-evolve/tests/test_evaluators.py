from __future__ import annotations

import gzip
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from cg_evolve import SearchError
from cg_evolve.evaluators import make_evaluator
from cg_evolve.evaluators.benchmark import BenchmarkEvaluator
from cg_evolve.evaluators.datasets import load_images
from cg_evolve.evaluators.resolution import at_resolution
from cg_evolve.steps import Progress
from cg_ir import CgError, Graph, GraphBuilder, GraphError, get_space, registry

TABLE = "arch,valid,test\ncccccc,91.5,90\niccccc,80,79.5\nkkkkkk,,70\n"


def test_a_table_gives_its_labels(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(TABLE)
    evaluator = make_evaluator(f"benchmark:toy={path}", "toy")
    assert isinstance(evaluator, BenchmarkEvaluator)
    graph = get_space("toy").graph("cccccc")
    assert evaluator.evaluate("cccccc", graph, 0) == {"valid": 91.5, "test": 90.0}
    assert evaluator.archs() == ["cccccc", "iccccc"]
    with pytest.raises(SearchError, match="no valid of kkkkkk"):
        evaluator.evaluate("kkkkkk", graph, 0)
    other = make_evaluator(f"benchmark:toy={path}?metric=test", "toy")
    assert list(other.evaluate("cccccc", graph, 0)) == ["test", "valid"]
    with pytest.raises(SearchError, match="no column 'loss'; it has valid, test"):
        make_evaluator(f"benchmark:toy={path}?metric=loss", "toy")
    with pytest.raises(SearchError, match="is of the space 'toy', not 'graph'"):
        make_evaluator(f"benchmark:toy={path}", "graph")


def test_a_csv_is_read_by_whoever_reads_csv(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(TABLE.encode()))
    if "csv" not in registry().entries("benchmark"):
        with pytest.raises(SearchError, match="pip install cg-frontends"):
            make_evaluator(f"benchmark:{path}", "toy")
        return
    evaluator = make_evaluator(f"benchmark:{path}", "toy?channels=4")
    assert isinstance(evaluator, BenchmarkEvaluator)
    assert evaluator.evaluate("cccccc", get_space("toy").graph("cccccc"), 0) == {"valid": 91.5, "test": 90.0}
    assert evaluator.archs() == ["cccccc", "iccccc"]


def test_the_pool_of_a_table_keeps_to_the_options_of_the_space(tmp_path: Path) -> None:
    if "transnas" not in registry().entries("space"):
        pytest.skip("cg-frontends is not installed")
    path = tmp_path / "t.csv"
    path.write_text("arch,object\n64-1132-basic,44\n64-41414-1_02_333,45\n")
    for space, expected in (
        ("transnas", ["64-1132-basic", "64-41414-1_02_333"]),
        ("transnas?level=macro", ["64-1132-basic"]),
        ("transnas?level=micro", ["64-41414-1_02_333"]),
    ):
        evaluator = make_evaluator(f"benchmark:{path}", space)
        assert isinstance(evaluator, BenchmarkEvaluator)
        assert evaluator.archs() == expected
    path.write_text("arch,object\n64-1132-basic,44\n64-1199-basic,45\n")
    with pytest.raises(CgError, match="4 to 6 modules"):
        make_evaluator(f"benchmark:{path}", "transnas?level=macro").archs()  # type: ignore[attr-defined]
    path.write_text("arch,object\n64-1132-basic,44\n")
    with pytest.raises(SearchError, match=r"nothing of the space 'transnas\?level=micro'"):
        make_evaluator(f"benchmark:{path}", "transnas?level=micro").archs()  # type: ignore[attr-defined]


def test_a_scorer_evaluates() -> None:
    graph = get_space("toy").graph("wcwcii")
    evaluator = make_evaluator("scorer:toy-gp")
    assert evaluator.evaluate("wcwcii", graph, 0) == {"score": pytest.approx(2 / 3)}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("scorer", "needs a target, as in scorer:NAME"),
        ("train:", "needs a target, as in train:digits"),
        ("scorer:toy-pg", "did you mean 'toy-gp'"),
        ("benchmark:nowhere=x", "no benchmark is called 'nowhere'"),
        ("toy?speed=9", "does not take these options"),
        ("toy?speed", "should look like 'toy\\?key=value"),
    ],
)
def test_bad_evaluators_are_refused(spec: str, message: str) -> None:
    with pytest.raises(CgError, match=message):
        make_evaluator(spec, "toy")


def test_a_folder_without_a_model_is_no_scorer(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="is no saved scorer"):
        make_evaluator(f"scorer:{tmp_path}")


# --- images -----------------------------------------------------------------------------------------------------------


def test_digits_are_split_by_class() -> None:
    pytest.importorskip("sklearn")
    data = load_images("digits")
    assert data.train.shape[1:] == (1, 8, 8)
    assert len(data.train) + len(data.valid) + len(data.test) == 1797
    for labels in (data.train_labels, data.valid_labels, data.test_labels):
        counts = np.bincount(labels, minlength=10)
        assert counts.max() - counts.min() <= 0.1 * counts.mean() + 2
    assert data.subset(100).train.shape[0] == 100
    with pytest.raises(SearchError, match="train should lie between"):
        data.subset(5000)


def cifar_pickle(images: np.ndarray, labels: list[int], key: bytes) -> bytes:
    return pickle.dumps({b"data": images, key: labels}, protocol=2)


@pytest.mark.parametrize("archive", [False, True])
@pytest.mark.parametrize(("name", "key"), [("cifar10", b"labels"), ("cifar100", b"fine_labels")])
def test_cifar_pickles(tmp_path: Path, archive: bool, name: str, key: bytes) -> None:
    rng = np.random.default_rng(0)
    folder = tmp_path / "files"
    folder.mkdir()
    train, test = ("data_batch_1", "test_batch") if name == "cifar10" else ("train", "test")
    for file, count in ((train, 40), (test, 10)):
        images = rng.integers(0, 256, size=(count, 3072), dtype=np.uint8)
        (folder / file).write_bytes(cifar_pickle(images, [i % 4 for i in range(count)], key))
    path = folder
    if archive:
        path = tmp_path / "cifar.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            tar.add(folder, "cifar")
    data = load_images(f"{name}={path}")
    assert data.train.shape == (36, 3, 32, 32)
    assert data.valid.shape == (4, 3, 32, 32)
    assert data.test.shape == (10, 3, 32, 32)
    assert data.classes == (10 if name == "cifar10" else 100)
    assert data.flip


@pytest.mark.parametrize(("name", "head"), [("cifar10", 1), ("cifar100", 2)])
def test_cifar_binaries(tmp_path: Path, name: str, head: int) -> None:
    rng = np.random.default_rng(0)
    for file, count in (("data_batch_1.bin" if head == 1 else "train.bin", 20), ("test.bin", 6)):
        rows = rng.integers(0, 256, size=(count, head + 3072), dtype=np.uint8)
        rows[:, head - 1] = np.arange(count) % 2
        (tmp_path / file).write_bytes(rows.tobytes())
    data = load_images(f"{name}={tmp_path}")
    assert (len(data.train), len(data.valid), len(data.test)) == (18, 2, 6)
    (tmp_path / "test.bin").write_bytes(b"short")
    with pytest.raises(SearchError, match="is no multiple of"):
        load_images(f"{name}={tmp_path}")


class Nasty:
    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("raise SystemExit('unpickled')",)


def test_cifar_pickles_run_no_code(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({b"data": Nasty()}, protocol=2))
    with pytest.raises(SearchError, match="does not belong in a CIFAR file"):
        load_images(f"cifar10={tmp_path}")


def test_folders_of_images(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name, colour in (("cats", 40), ("dogs", 200)):
        (tmp_path / name).mkdir()
        for number in range(12):
            image.new("RGB", (20, 14), (colour, number, 0)).save(tmp_path / name / f"{number}.png")
        (tmp_path / name / "notes.txt").write_text("not an image")
    data = load_images(f"images={tmp_path}", side=8)
    assert data.train.shape == (16, 3, 8, 8)
    assert (len(data.valid), len(data.test), data.classes) == (4, 4, 2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SearchError, match="empty: a class needs at least 4 images"):
        load_images(f"images={tmp_path}")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("digit", "no data set is called 'digit'"),
        ("digits=here", "no data set is called 'digits'|there are digits"),
        ("cifar10", "where are the files"),
        ("cifar10=/nowhere/at/all", "there is no such file"),
    ],
)
def test_bad_data_sets_are_refused(target: str, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        load_images(target)


# --- training ---------------------------------------------------------------------------------------------------------


def test_networks_at_another_resolution_keep_their_weights() -> None:
    graph = get_space("toy").graph("ckwpic")
    small = at_resolution(graph, 8, 8)
    assert small.params == graph.params
    assert small.macs < graph.macs / 3
    assert at_resolution(small, 16, 16).hash == graph.hash
    b = GraphBuilder()
    x = b.add("Flatten", b.input((1, 3, 4, 4)), shape=(1, 48))
    b.output(b.add("Gemm", x, channels=2))
    with pytest.raises(GraphError):
        at_resolution(b.build(), 8, 8)


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
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
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
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
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
    with pytest.raises(SearchError, match="the steps end at 3, the training at 4 epochs"):
        make_evaluator("train:digits?epochs=4", steps=3)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("train:digits?epochs=many", "should be numbers"),
        ("train:digits?epochs=0", "should be positive"),
        ("train:digits?speed=1", "does not take these options"),
    ],
)
def test_bad_training_options_are_refused(spec: str, message: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    with pytest.raises(CgError, match=message):
        make_evaluator(spec)


def test_networks_that_cannot_be_trained_on_the_data_are_refused() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
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


def test_latency_is_measured() -> None:
    pytest.importorskip("torch")
    from cg_evolve.latency import measure_latency

    space = get_space("toy", channels=32)
    light, heavy = (min(measure_latency(space.graph(arch)) for _ in range(3)) for arch in ("iiiiic", "kwkwkw"))
    assert 0 < light < heavy
