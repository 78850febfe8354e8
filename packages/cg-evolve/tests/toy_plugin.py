"""A plugin for the tests: a space of small convolutional networks, a Gaussian process, evaluators that behave and misbehave."""

from __future__ import annotations

import contextlib
import csv
import functools
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cg_ir import ArchError, Graph, GraphBuilder, SourceError
from cg_ir.plugins import hookimpl

_LENGTH = 6
_LETTERS = "ickwp"  # identity, convolution, large kernel, wide, pooling
_COUNTS: dict[str, list[int]] = {}  # what the scorer reads of a network, by its hash


class ToySpace:
    """Six steps of five kinds; identities make many strings one network."""

    name = "toy"
    family = "toy"
    size = len(_LETTERS) ** _LENGTH

    def __init__(self, channels: str | int = 4) -> None:
        self.channels = int(channels)

    def sample(self, rng: np.random.Generator) -> str:
        return "".join(_LETTERS[i] for i in rng.integers(len(_LETTERS), size=_LENGTH))

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        place = int(rng.integers(_LENGTH))
        others = [letter for letter in _LETTERS if letter != arch[place]]
        return arch[:place] + others[int(rng.integers(len(others)))] + arch[place + 1 :]

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        return "".join(x if rng.random() < 0.5 else y for x, y in zip(a, b, strict=True))

    def neighbors(self, arch: str) -> list[str]:
        return [arch[:i] + letter + arch[i + 1 :] for i in range(_LENGTH) for letter in _LETTERS if letter != arch[i]]

    def enumerate(self) -> Iterator[str]:
        return map("".join, itertools.product(_LETTERS, repeat=_LENGTH))

    def graph(self, arch: str) -> Graph:
        if len(arch) != _LENGTH or set(arch) - set(_LETTERS):
            raise ArchError(f"an architecture has {_LENGTH} of the letters {_LETTERS}, not '{arch}'")
        return _network(arch, self.channels)


@functools.cache
def _network(arch: str, channels: int) -> Graph:
    b = GraphBuilder(f"toy/{arch}")
    x = b.input((1, 3, 16, 16))
    x = b.add("Conv", x, channels=channels, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    for letter in arch:
        if letter == "p":
            x = b.add("MaxPool", x, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
        elif letter != "i":
            k = 5 if letter == "k" else 3
            width = 2 * channels if letter == "w" else channels
            x = b.add("Conv", x, channels=width, kernel_shape=(k, k), pads=(k // 2,) * 4)
            x = b.add("Relu", x)
    x = b.add("GlobalAveragePool", x)
    x = b.add("Flatten", x, shape=(1, b.shape(x)[1]))
    x = b.add("Gemm", x, channels=10, bias=True)
    b.output(x)
    return b.build()


def worth(arch: str) -> float:
    """The made-up accuracy of a network, a function of its graph: identities do not count."""
    steps = arch.replace("i", "")
    value = sum({"c": 1.0, "k": 1.4, "w": 1.8, "p": 0.4}[letter] for letter in steps)
    value += 0.9 * steps.count("wk") - 0.7 * steps.count("pp") - 0.25 * max(0, len(steps) - 4) ** 2
    return value + 0.05 * np.sin(7.0 * value)


class ToyScorer:
    """A Gaussian process with a squared-exponential kernel on operator counts."""

    name = "toy-gp"

    def __init__(self, exclude: tuple[str, ...] = ()) -> None:
        self.exclude = exclude
        self.sources = tuple(f for f in ("elsewhere",) if f not in exclude)
        self._x: np.ndarray | None = None

    @staticmethod
    def _features(graphs: list[Graph]) -> np.ndarray:
        for graph in graphs:
            if graph.hash not in _COUNTS:
                convs = [node for node in graph.nodes if node.op == "Conv"][1:]
                large = [i for i, n in enumerate(convs) if n.attrs["kernel_shape"] == (5, 5)]
                wide = [i for i, n in enumerate(convs) if n.shape[1] > 4]
                pools = sum(n.op == "MaxPool" for n in graph.nodes)
                pairs = sum(i + 1 in large for i in wide)
                _COUNTS[graph.hash] = [len(convs), len(large), len(wide), pools, pairs]
        return np.array([_COUNTS[graph.hash] for graph in graphs], dtype=float)

    def fit(self, graphs: list[Graph], y: np.ndarray) -> ToyScorer:
        self._x = self._features(graphs)
        self._mean, self._scale = float(np.mean(y)), float(np.std(y)) or 1.0
        kernel = self._kernel(self._x, self._x) + 0.01 * np.eye(len(y))
        self._inverse = np.linalg.inv(kernel)
        self._weights = self._inverse @ ((np.asarray(y) - self._mean) / self._scale)
        return self

    @staticmethod
    def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * ((a[:, None] - b[None]) ** 2).sum(axis=2) / 4.0)

    def predict(self, graphs: list[Graph], return_std: bool = False):
        x = self._features(graphs)
        if self._x is None:
            mean, std = x[:, 2] / 3, np.ones(len(x))
        else:
            k = self._kernel(x, self._x)
            mean = self._mean + self._scale * (k @ self._weights)
            std = self._scale * np.sqrt(np.maximum(1e-9, 1 - np.einsum("ij,jk,ik->i", k, self._inverse, k)))
        return (mean, std) if return_std else mean

    def suggest(self, graphs: list[Graph], k: int) -> list[int]:
        """Farthest-first."""
        x = self._features(graphs)
        chosen = [0]
        while len(chosen) < k:
            gaps = ((x[:, None] - x[chosen][None]) ** 2).sum(axis=2).min(axis=1)
            chosen.append(int(gaps.argmax()))
        return chosen


class ToyEvaluator:
    """Worth of a network; `pause` seconds of work, a line in `log` when an evaluation ends."""

    name = "toy"

    def __init__(self, pause: str = "0", log: str = "", target: str = "") -> None:
        self.pause = float(pause)
        self.log = log

    def evaluate(self, arch: str, graph: Graph, seed: int) -> dict[str, float]:
        time.sleep(self.pause * (1 + seed % 3))
        if self.log:
            with open(self.log, "a") as file:
                file.write(graph.hash + "\n")
        return {"worth": worth(arch), "seed": float(seed % 1000), "length": float(len(arch.replace("i", "")))}


class MoodyEvaluator:
    """Raises, hangs, dies or returns nonsense on some networks: the number of pooling steps decides."""

    name = "moody"

    def __init__(self, marks: str = "") -> None:
        self.marks = Path(marks) if marks else None

    def evaluate(self, arch: str, graph: Graph, seed: int) -> dict[str, float]:
        pools = arch.count("p")
        if pools == 1:
            raise RuntimeError("no memory\nleft")
        if pools == 2:
            time.sleep(3600)
        if pools == 3:
            os._exit(7)
        if pools >= 4:
            return {"worth": float("nan")}
        if self.marks is not None:  # fails the first time only
            mark = self.marks / arch
            if not mark.exists():
                mark.touch()
                raise RuntimeError("flaky")
        return {"worth": worth(arch)}


class BrokenEvaluator:
    """Fails for one reason, until it is mended."""

    name = "broken"

    def evaluate(self, arch: str, graph: Graph, seed: int) -> dict[str, float]:
        if "TOY_MENDED" not in os.environ:
            raise RuntimeError(f"no weights for layer {seed}")
        return {"worth": worth(arch)}


class DeviceEvaluator:
    """Says which accelerator its process sees."""

    name = "device"

    def evaluate(self, arch: str, graph: Graph, seed: int) -> dict[str, float]:
        return {"device": float(os.environ["CUDA_VISIBLE_DEVICES"])}


class Unprintable(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError("no text")


class WildEvaluator:
    """Ends in as many ways as an evaluation can; the architecture decides, see `wild_archs`."""

    name = "wild"
    #: What happens, and what the row should say of it; `None` where it succeeds.
    ways = {
        "succeeds": None,
        "raises": "ValueError: of two lines",
        "exits": "SystemExit: 0",
        "interrupts": "KeyboardInterrupt",
        "ends as a generator": "GeneratorExit",
        "has no text": "Unprintable",
        "recurses": "RecursionError",
        "stops iteration": "StopIteration",
        "returns None": "should return metrics by name, not None",
        "returns text": "should return metrics by name, not 'good'",
        "returns no metrics": "returned no metrics",
        "returns NaN": "the metric 'worth' is nan",
        "returns infinity": "the metric 'worth' is inf",
        "returns text as a metric": "the metric 'worth' is no number but 'high'",
        "returns a list as a metric": "the metric 'worth' is no number but [1]",
        "changes the folder": None,
        "prints": None,
        "forks": None,
        "forks and raises": "ValueError: in both",
        "leaves a thread": None,
        "returns what lies": "RuntimeError: no items",
        "names a metric by what has no text": "ValueError: no text",
        "returns a thousand metrics": None,
        "loses standard output": None,
        "floods standard error": None,
        "wraps its exception": "ValueError: outer",
    }
    #: Further ways for workers only: they end the process.
    deadly = {
        "dies": "died with exit status 7",
        "dies quietly": "died with exit status 0",
        "is killed": "killed by SIGKILL, as the system does when memory runs out",
        "crashes": "killed by SIG",
        "closes its files": None,
        "hangs": "timeout after 3 s",
        "hangs deaf": "timeout after 3 s",
        "hoards": "memory: more than 0.5 GiB",
        "stops": "timeout after 3 s",
        "dies in a thread": "died with exit status 9",
        "sets an alarm": "killed by SIGALRM",
    }

    def evaluate(self, arch: str, graph: Graph, seed: int) -> object:
        way = next(way for way, own in wild_archs().items() if own == arch)
        return getattr(self, "_" + way.replace(" ", "_"))(arch)

    def _succeeds(self, arch):
        return {"worth": worth(arch)}

    def _raises(self, arch):
        raise ValueError("of\ntwo lines")

    def _exits(self, arch):
        sys.exit(0)

    def _interrupts(self, arch):
        raise KeyboardInterrupt

    def _ends_as_a_generator(self, arch):
        raise GeneratorExit

    def _has_no_text(self, arch):
        raise Unprintable

    def _recurses(self, arch):
        return self._recurses(arch)

    def _stops_iteration(self, arch):
        raise StopIteration

    def _returns_None(self, arch):
        return None

    def _returns_text(self, arch):
        return "good"

    def _returns_no_metrics(self, arch):
        return {}

    def _returns_NaN(self, arch):
        return {"worth": float("nan"), "loss": 1.0}

    def _returns_infinity(self, arch):
        return {"worth": float("inf")}

    def _returns_text_as_a_metric(self, arch):
        return {"worth": "high"}

    def _returns_a_list_as_a_metric(self, arch):
        return {"worth": [1]}

    def _changes_the_folder(self, arch):
        os.chdir("/")
        return self._succeeds(arch)

    def _prints(self, arch):
        print("{this is no result}", flush=True)
        return self._succeeds(arch)

    def _forks(self, arch):
        os.fork()
        return self._succeeds(arch)

    def _forks_and_raises(self, arch):
        os.fork()
        raise ValueError("in both")

    def _leaves_a_thread(self, arch):
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
        return self._succeeds(arch)

    def _returns_what_lies(self, arch):
        class Lies(dict):
            def items(self):
                raise RuntimeError("no items")

        return Lies(worth=1.0)

    def _names_a_metric_by_what_has_no_text(self, arch):
        return {Unprintable(): 1.0}

    def _returns_a_thousand_metrics(self, arch):
        return {**self._succeeds(arch), **{f"metric {i}": float(i) for i in range(1000)}}

    def _loses_standard_output(self, arch):
        sys.stdout = None
        return self._succeeds(arch)

    def _floods_standard_error(self, arch):
        print("nothing of worth " * 10_000, file=sys.stderr)
        return self._succeeds(arch)

    def _wraps_its_exception(self, arch):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as inner:
            raise ValueError("outer") from inner

    def _stops(self, arch):
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(3600)  # in a process of several threads this one runs on until another has taken the signal

    def _dies_in_a_thread(self, arch):
        threading.Thread(target=os._exit, args=(9,)).start()
        time.sleep(3600)

    def _sets_an_alarm(self, arch):
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        time.sleep(3600)

    def _dies(self, arch):
        os._exit(7)

    def _dies_quietly(self, arch):
        os._exit(0)

    def _is_killed(self, arch):
        os.kill(os.getpid(), signal.SIGKILL)

    def _crashes(self, arch):
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(3600)

    def _closes_its_files(self, arch):
        os.closerange(0, 256)
        return self._succeeds(arch)

    def _hangs(self, arch):
        time.sleep(3600)

    def _hangs_deaf(self, arch):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(3600)

    def _hoards(self, arch):
        kept = [bytearray(b"x") * 2**26 for _ in range(10)]
        time.sleep(3600)
        return {"worth": len(kept)}


def wild_archs(deadly: bool = True) -> dict[str, str]:
    """The architecture that leads to each way."""
    ways = [*WildEvaluator.ways, *(WildEvaluator.deadly if deadly else ())]
    return dict(zip(ways, map("".join, itertools.product("ckwp", repeat=_LENGTH)), strict=False))


def classifier(channels: int = 1, side: int = 8, classes: int = 10) -> Graph:
    """A small network for images."""
    b = GraphBuilder("net")
    x = b.add("Conv", b.input((1, channels, side, side)), channels=4, kernel_shape=(3, 3), pads=(1, 1, 1, 1), bias=True)
    x = b.add("Flatten", b.add("GlobalAveragePool", b.add("Relu", x)), shape=(1, 4))
    b.output(b.add("Gemm", x, channels=classes, bias=True))
    return b.build()


class ToyTable:
    """Labels from a CSV with a column `arch` and columns of numbers."""

    def __init__(self, path: str) -> None:
        with open(path, newline="") as file:
            self._rows = {row.pop("arch"): row for row in csv.DictReader(file)}
        self.metrics = list(next(iter(self._rows.values())))

    def archs(self) -> Iterator[str]:
        return iter(self._rows)

    def query(self, arch: str, metric: str) -> float:
        return float(self._rows[arch][metric] or "nan")


class ToyBenchmark:
    """Tables of toy networks."""

    name = "toy"
    space = "toy"

    def open(self, path: str) -> ToyTable:
        if not Path(path).exists():
            raise SourceError(f"{path}: no such file")
        return ToyTable(path)


@hookimpl
def cg_benchmarks() -> list[type]:
    return [ToyBenchmark]


@hookimpl
def cg_spaces() -> list[type]:
    return [ToySpace]


@hookimpl
def cg_scorers() -> list[type]:
    return [ToyScorer]


@hookimpl
def cg_evaluators() -> list[type]:
    return [ToyEvaluator, MoodyEvaluator, BrokenEvaluator, DeviceEvaluator, WildEvaluator]
