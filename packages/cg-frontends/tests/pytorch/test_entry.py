"""from_module: its name, warnings, strictness and verification."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch_programs import wrap  # noqa: E402

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
