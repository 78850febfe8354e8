"""from_module: its name, warnings, strictness and verification."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch_programs import wrap  # noqa: E402

from cg_frontends.lowering.lowering import LOWERINGS  # noqa: E402
from cg_frontends.pytorch import UnknownOperatorWarning, from_module  # noqa: E402
from cg_ir import SourceError  # noqa: E402


def test_unknown_operators_are_custom_and_say_so():
    module = wrap(lambda self, x: torch.special.i0(self.a(x)), a=nn.Linear(4, 4))
    with pytest.warns(UnknownOperatorWarning, match="i0") as found:
        graph = from_module(module, torch.zeros(1, 4))
    assert found[0].filename == __file__
    assert [n.attrs["name"] for n in graph.nodes if n.op == "Custom"] == ["i0"]
    with pytest.raises(SourceError, match="i0"):
        from_module(module, torch.zeros(1, 4), strict=True)


def test_unknown_operators_are_listed_with_their_counts():
    module = wrap(lambda self, x: torch.special.i0e(torch.special.i0(torch.special.i0(x))))
    with pytest.warns(UnknownOperatorWarning) as found:
        graph = from_module(module, torch.zeros(1, 4), name="mine")
    assert [str(w.message) for w in found] == [
        "mine: operators outside the vocabulary became Custom: aten::i0 (2x), aten::special_i0e (1x)"
    ]
    assert graph.name == "mine"
    with pytest.raises(SourceError, match=r"^mine: operators outside the vocabulary: aten::i0 \(2x\), "):
        from_module(module, torch.zeros(1, 4), name="mine", strict=True)


def test_a_graph_is_called_like_the_module_unless_it_is_told_otherwise():
    x = torch.zeros(1, 4)
    assert from_module(nn.Linear(4, 2), x).name == "Linear"
    assert from_module(nn.Linear(4, 2), x, name="head").name == "head"
    module = nn.Linear(4, 2)
    module._get_name = lambda: "Mine"
    assert from_module(module, x).name == "Mine"


def test_example_inputs_by_position_and_by_name_are_verified():
    module = wrap(lambda self, x, *, y: self.a(x) * y, a=nn.Linear(4, 3))
    graph = from_module(module, torch.zeros(2, 4), y=torch.zeros(2, 3), verify=True)
    assert [node.shape for node in graph.nodes if node.op == "Input"] == [(1, 4), (1, 3)]


def test_an_exported_program_is_verified_with_its_own_inputs(monkeypatch):
    class Twice(nn.Module):
        def forward(self, x):
            return torch.relu(x) * 2

    program = torch.export.export(Twice(), (torch.ones(1, 4),), strict=False)
    assert [n.op for n in from_module(program, verify=True).nodes] == ["Input", "Relu", "Constant", "Mul", "Output"]
    monkeypatch.setitem(LOWERINGS, "aten::relu", lambda low, out, x: low.add("Neg", x, shape=out[0].shape))
    with pytest.raises(SourceError, match="the graph does not compute what the module does"):
        from_module(program, verify=True)


def test_a_module_without_inputs_is_refused():
    with pytest.raises(SourceError, match="missing 1 required positional argument"):
        from_module(nn.Linear(4, 2))
