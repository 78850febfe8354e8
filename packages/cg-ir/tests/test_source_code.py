"""Generated PyTorch source: imports only torch, runs, and computes what to_module computes."""

from __future__ import annotations

import ast
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings

torch = pytest.importorskip("torch")

from operator_samples import SAMPLES  # noqa: E402
from sample_tensors import tensor  # noqa: E402
from strategies import networks as random_networks  # noqa: E402

from cg_ir import GraphBuilder, GraphError, to_module, to_source  # noqa: E402
from cg_ir.cli import main  # noqa: E402
from cg_ir.source_code.bodies import TAKEN  # noqa: E402


def execute(text):
    space = {"__name__": "generated"}
    exec(compile(text, "generated.py", "exec"), space)
    return space["build"]()


def owner(module, path):
    head, _, leaf = path.rpartition(".")
    return getattr(module.get_submodule(head), leaf)


def copied(graph, source):
    """The generated module with the weights of ``to_module``'s."""
    torch.manual_seed(0)
    reference, generated = to_module(graph).eval(), execute(source.text).eval()
    with torch.no_grad():
        for p in reference.parameters():
            p.add_(0.1 * torch.randn(p.shape))
        for index, path in source.paths.items():
            ours, theirs = reference.owned(index), owner(generated, path)
            if isinstance(theirs, torch.Tensor):
                theirs.copy_(ours.weight if isinstance(ours, torch.nn.Module) else ours)
            else:
                theirs.load_state_dict(ours.state_dict())
    return reference, generated


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def check(graph, inputs):
    reference, generated = copied(graph, to_source(graph))
    assert sum(p.numel() for p in generated.parameters()) == graph.params
    with torch.no_grad():
        for found, wanted in zip(as_tuple(generated(*inputs)), as_tuple(reference(*inputs)), strict=True):
            assert found.dtype == wanted.dtype
            torch.testing.assert_close(found, wanted, equal_nan=True)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.op}-{s.inputs}-{s.attrs}")
def test_every_operator(sample):
    graph = sample.graph()
    generator = torch.Generator().manual_seed(0)
    if sample.op == "Custom":
        with pytest.raises(GraphError, match=r"node \d+ \(Custom\)"):
            to_source(graph)
        return
    inputs = [tensor(shape, dtype, generator) for shape, dtype in sample.given()]
    check(graph, inputs)


@pytest.mark.parametrize("name", ["cells", "unet", "attention_block"])
@pytest.mark.parametrize("batch", [1, 3])
def test_networks(networks, name, batch):
    graph = getattr(networks, name)()
    check(graph, [torch.randn(batch, *n.shape[1:]) for n in graph.nodes if n.op == "Input"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random_networks())
def test_random_networks(graph):
    check(graph, [torch.randn(n.shape) for n in graph.nodes if n.op == "Input"])


def test_regions_become_classes_and_repeats_loops(networks):
    text = to_source(networks.cells(repeats=3)).text
    tree = ast.parse(text)
    classes = [n.name for n in tree.body if isinstance(n, ast.ClassDef)]
    assert classes.count("Network") == 1
    assert {"Cell", "Stage", "Head"} <= set(classes)
    assert len(classes) <= 8
    assert "for _ in range(3)" in text
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert imported == {"torch", "torch.nn.functional"}


def test_shared_weights_are_shared():
    b = GraphBuilder("shared")
    x = b.input((1, 4, 8, 8))
    for i in range(3):
        for _ in range(2):
            x = b.add("Conv", x, channels=4, kernel_shape=(3, 3), pads=(1, 1, 1, 1), weights="w", region=f"cell_{i}")
            x = b.add("Relu", x, region=f"cell_{i}")
    b.output(x)
    graph = b.build()
    check(graph, [torch.randn(2, 4, 8, 8)])
    module = execute(to_source(graph).text)
    assert sum(p.numel() for p in module.parameters()) == 144


def test_names_that_are_no_identifiers():
    b = GraphBuilder('a "quoted" \\ name\n')
    x = b.input((1, 4))
    for region in ("0", "0.class", "forward.1", "größe", "F.torch", "nn", "self"):
        x = b.add("Tanh", b.add("Gemm", x, channels=4, region=region), region=region)
    b.output(x)
    check(b.build(), [torch.randn(2, 4)])


def test_the_file_runs_by_itself(tmp_path, networks):
    networks.cells().save(tmp_path / "g.cg.json")
    main(["convert", str(tmp_path / "g.cg.json"), "-o", str(tmp_path / "net.py")])
    done = subprocess.run([sys.executable, "-I", str(tmp_path / "net.py")], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == f"{networks.cells().params:,} parameters, output [(1, 10)]"


def test_names_of_modules_themselves_are_taken() -> None:
    assert {name for name in dir(torch.nn.Module()) if not name.startswith("_")} <= TAKEN


@pytest.mark.parametrize("letters", ["'+exit()+'", '"+exit()+"', "\\'+exit()#", "{own}{x}{0}"])
def test_texts_of_attributes_stay_texts(letters):
    """An equation is the one text that a document chooses freely; it is no Python, in a module as in a file."""
    b = GraphBuilder("hostile", canonical=False)
    x = b.input((1,) * len(letters))
    b.output(b.add("Einsum", x, equation=f"{letters}->{letters}"))
    graph = b.build()
    assert repr(f"{letters}->{letters}") in to_source(graph).text
    for module in (to_module(graph), execute(to_source(graph).text)):
        with pytest.raises(RuntimeError, match="einsum"):
            module(torch.zeros((1,) * len(letters)))


def test_numbers_beside_tensors():
    """A negative base, a number for which PyTorch wants a tensor, numbers that Where chooses between."""
    b = GraphBuilder()
    x = b.input((1, 4))
    minus, two = b.constant((), [-1.5]), b.constant((), [2.0])
    b.output(b.add("Pow", minus, x))
    b.output(b.add("Mod", two, x, fmod=True))
    b.output(b.add("Div", two, x, rounding="trunc"))
    b.output(b.add("Where", b.add("Greater", x, two), minus, two))
    values = torch.tensor([[1.0, -2.0, 3.0, 4.0]])
    expected = [(-1.5) ** values, torch.fmod(two_ := torch.tensor(2.0), values), (two_ / values).trunc()]
    expected.append(torch.where(values > 2, -1.5, 2.0))
    graph = b.build()
    for module in (to_module(graph), execute(to_source(graph).text)):
        for found, wanted in zip(module(values), expected, strict=True):
            torch.testing.assert_close(found.float(), wanted)


def test_what_is_returned_keeps_its_name():
    """Outputs stand where they were made, and other values are read before and after."""
    b = GraphBuilder("early")
    x = b.input((1, 4))
    first = b.add("Exp", x)
    b.output(first)
    second = b.add("Sin", x)
    b.output(b.add("Mul", second, first))
    third = b.add("Cos", b.add("Add", second, x))
    b.output(third)
    b.output(b.add("Sub", third, x))
    check(b.build(), [torch.randn(2, 4)])


def test_ten_thousand_nodes_take_linear_time() -> None:
    b = GraphBuilder("long")
    x = b.input((1, 8, 4, 4))
    for i in range(10_000):
        x = b.add("Relu" if i % 3 else "Sigmoid", x)
    b.output(b.add("Softmax", x, axis=1))
    graph = b.build()
    start = time.process_time()
    text = to_source(graph).text
    assert time.process_time() - start < 5
    ast.parse(text)
