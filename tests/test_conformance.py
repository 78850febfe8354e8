"""What the five packages register keeps the contracts that plugin authors are held to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cg_ir import Graph, get_evaluator, get_frontend, get_scorer, get_space, registry
from cg_ir.plugins import Evaluator, Frontend, Scorer, SearchSpace
from cg_ir.testing import EvaluatorSuite, FrontendSuite, ScorerSuite, SpaceSuite, sample_graphs

MODEL = """
from torch import nn


def tiny(width=8):
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10),
    )
"""
CELL = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"


class TestPyTorch(FrontendSuite):
    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        pytest.importorskip("torch")
        self.path = tmp_path / "model.py"
        self.path.write_text(MODEL)

    def make(self) -> Frontend:
        return get_frontend("torch")

    def sources(self) -> Sequence[Any]:
        return [f"{self.path}:tiny"]

    def options(self) -> dict[str, Any]:
        return {"input": "3x32x32"}


class TestOnnx(FrontendSuite):
    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        onnx = pytest.importorskip("onnx")
        tensor = onnx.helper.make_tensor_value_info
        weight = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, (4, 3, 3, 3), [0.5] * 108)
        nodes = [
            onnx.helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            onnx.helper.make_node("Relu", ["y"], ["z"]),
        ]
        shapes = [tensor("x", 1, [1, 3, 8, 8])], [tensor("z", 1, [1, 4, 8, 8])]
        graph = onnx.helper.make_graph(nodes, "tiny", *shapes, [weight])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)
        self.path = tmp_path / "net.onnx"
        onnx.save(model, str(self.path))

    def make(self) -> Frontend:
        return get_frontend("onnx")

    def sources(self) -> Sequence[Any]:
        return [str(self.path)]


class TestParameters(ScorerSuite):
    def make(self) -> Scorer:
        return get_scorer("params")


class TestMacs(ScorerSuite):
    def make(self) -> Scorer:
        return get_scorer("macs")


class TestDepth(ScorerSuite):
    def make(self) -> Scorer:
        return get_scorer("depth")


class _ZeroCost(ScorerSuite):
    @pytest.fixture(autouse=True)
    def _torch(self) -> None:
        pytest.importorskip("torch")
        pytest.importorskip("cg_predict.proxies")


class TestSynflow(_ZeroCost):
    def make(self) -> Scorer:
        return get_scorer("synflow")


class TestNaswot(_ZeroCost):
    def make(self) -> Scorer:
        return get_scorer("naswot")


class TestZen(_ZeroCost):
    def make(self) -> Scorer:
        return get_scorer("zen")


class TestScorerEvaluator(EvaluatorSuite):
    def make(self) -> Evaluator:
        return get_evaluator("scorer", target="params")

    def cases(self) -> Sequence[tuple[str, Graph]]:
        return [(graph.name, graph) for graph in sample_graphs(2)]


class TestBenchmarkEvaluator(EvaluatorSuite):
    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        self.path = tmp_path / "labels.csv"
        self.path.write_text(f"arch,accuracy\n{CELL},91.5\n")

    def make(self) -> Evaluator:
        return get_evaluator("benchmark", target=str(self.path), space="nb201")

    def cases(self) -> Sequence[tuple[str, Graph]]:
        return [(CELL, get_space("nb201").graph(CELL))]


@pytest.mark.parametrize(
    "name",
    [
        "nb101", "nb201", "nb301", "mobilenetv3", "natssize", "mnasnet",
        "transnas", "autoformer", "metaqnn", "naap440",
    ],
)  # fmt: skip
def test_the_spaces_of_the_mission_are_registered(name: str) -> None:
    assert name in registry().entries("space")
    assert name in registry().entries("benchmark")


# --- the suites notice what is wrong ----------------------------------------------------------------------------------


class _Wrapped:
    """A space with one thing broken."""

    def __init__(self, **broken: Any) -> None:
        self._space = get_space("natssize")
        self.__dict__.update(broken)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._space, name)


class _Suite(SpaceSuite):
    __test__ = False

    def __init__(self, space: Any) -> None:
        self.space = space

    def make(self) -> SearchSpace:
        return self.space


ARCHS = ["8:8:8:8:8", "8:16:24:32:40", "64:64:64:64:64"]


def _not_arch_error(arch: str) -> Graph:
    if len(arch.split(":")) != 5:
        raise ValueError(arch)
    return get_space("natssize").graph(arch)


@pytest.mark.parametrize(
    ("test", "broken"),
    [
        ("test_has_what_the_protocol_asks_for", {"name": "a:b"}),
        ("test_has_what_the_protocol_asks_for", {"size": 0}),
        ("test_neighbours_stay_inside", {"neighbors": lambda arch: [arch, *ARCHS]}),
        ("test_neighbours_stay_inside", {"neighbors": lambda arch: ["8:8:8:8:16"] * 2}),
        ("test_mutations_are_neighbours", {"mutate": lambda arch, rng: arch}),
        ("test_children_stay_inside", {"crossover": lambda a, b, rng: "64:8:64:8:64"}),
        ("test_enumeration", {"enumerate": lambda: iter(ARCHS)}),
        ("test_canonical_names_the_same_network", {"canonical": lambda arch: ARCHS[0]}),
    ],
)
def test_a_broken_space_fails(test: str, broken: dict[str, Any]) -> None:
    space = _Wrapped(**broken)
    suite = _Suite(space)
    method = getattr(suite, test)
    names = method.__func__.__code__.co_varnames[: method.__func__.__code__.co_argcount]
    arguments = {"space": space, "archs": ARCHS}
    with pytest.raises(AssertionError):
        method(**{name: arguments[name] for name in names if name != "self"})


def test_a_space_that_raises_other_errors_fails() -> None:
    space: Any = _Wrapped(graph=_not_arch_error)
    with pytest.raises(ValueError):
        _Suite(space).test_bad_architectures_are_refused_in_one_line(space, ARCHS)


def test_a_random_scorer_fails() -> None:
    import numpy as np

    rng = np.random.default_rng()

    class Scattered:
        name = "scattered"

        def predict(self, graphs: Sequence[Graph], return_std: bool = False) -> Any:
            return rng.normal(size=len(graphs))

    class Suite(ScorerSuite):
        __test__ = False

        def make(self) -> Scorer:
            return Scattered()

    with pytest.raises(AssertionError):
        Suite().test_is_deterministic(Scattered())
    with pytest.raises(AssertionError):
        Suite().test_is_independent_of_order_and_company(Scattered())
