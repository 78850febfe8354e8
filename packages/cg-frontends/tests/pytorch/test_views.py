"""Writes through views: what a tensor holds after a view of it was written to, against PyTorch itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from cg_frontends.pytorch import UnknownOperatorWarning, from_module  # noqa: E402
from cg_ir import to_module  # noqa: E402

#: A view of a tensor (1, 4, 6, 6).
VIEWS: dict[str, Callable[..., object]] = {
    "itself": lambda y: y.detach(),
    "view": lambda y: y.view(4, 36),
    "flatten": lambda y: y.flatten(1),
    "unflatten": lambda y: y.unflatten(1, (2, 2)),
    "squeeze": lambda y: y.squeeze(0),
    "unsqueeze": lambda y: y.unsqueeze(2),
    "transpose": lambda y: y.transpose(1, 3),
    "swapped": lambda y: y.swapaxes(-1, 1),
    "matrix transpose": lambda y: y.mT,
    "permute": lambda y: y.permute(0, 2, 3, 1),
    "permute from the end": lambda y: y.permute(-4, -1, 1, 2),
    "select": lambda y: y.select(1, 2),
    "select from the end": lambda y: y[:, -1],
    "slice": lambda y: y[:, 1:3],
    "slice with steps": lambda y: y[:, :, ::2],
    "slice of a slice": lambda y: y[:, 1:][:, :, 2:5],
    "slice of a transpose": lambda y: y.transpose(1, 2)[:, 1:4],
    "first of a split": lambda y: y.split(3, 1)[0],
    "last of a split": lambda y: y.split(3, 1)[1],
    "split by sizes": lambda y: y.split([1, 2, 1], dim=1)[1],
    "chunk": lambda y: y.chunk(3, -1)[2],
    "narrow": lambda y: y.narrow(2, 1, 3),
    "narrow from the end": lambda y: y.narrow(-1, 2, 2),
    "unbind": lambda y: y.unbind(1)[3],
    "unbind the first": lambda y: y.unbind(2)[0],
}


class Written(torch.nn.Module):
    """Writes to a view of a copy of its input, and gives the copy."""

    def __init__(self, view: Callable[..., object], write: Callable[..., object]) -> None:
        super().__init__()
        self.view, self.write = view, write

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.tanh()
        self.write(self.view(y))
        return y * 1.5


WRITES: dict[str, Callable[..., object]] = {
    "product": lambda part: part.mul_(3.0),
    "copy": lambda part: part.copy_(part.abs() - 0.25),
    "bounds": lambda part: part.clamp_(-0.1, 0.1),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("name", VIEWS)
def test_a_write_through_a_view_reaches_the_tensor(name: str, write: str) -> None:
    module = Written(VIEWS[name], WRITES[write]).eval()
    x = torch.randn((1, 4, 6, 6), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(to_module(from_module(module, x))(x), module(x))
    assert not torch.equal(module(x), x.tanh() * 1.5)


def test_a_write_that_the_vocabulary_lacks_is_named() -> None:
    module = Written(lambda y: y.diagonal(0, 2, 3), WRITES["product"]).eval()
    with pytest.warns(UnknownOperatorWarning, match="diagonal_scatter"):
        graph = from_module(module, torch.randn(1, 4, 6, 6))
    assert [node.attrs["name"] for node in graph.nodes if node.op == "Custom"] == ["diagonal_scatter"]
