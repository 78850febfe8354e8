"""Names of ATen operators that the recorder tells apart, against the operators that torch has."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from cg_frontends.pytorch import from_module, kinds  # noqa: E402
from cg_ir import SourceError  # noqa: E402

OPERATORS = {schema.name for schema in torch._C._jit_get_all_schemas()} | {
    f"aten::{name.removesuffix('_')}" for name in ("zero_", "fill_")
}
SETS = ["READS", "CHECKS", "ONE_DEVICE", "FILLS", "UNSET", "SHAPE_ONLY", "RECURRENT", "DEVICE_MOVES"]


@pytest.mark.parametrize("name", SETS)
def test_every_name_is_an_operator(name: str) -> None:
    assert set(getattr(kinds, name)) <= OPERATORS


@pytest.mark.parametrize("name", sorted(n for n, fill in kinds.FILLS.items() if isinstance(fill, str)))
def test_the_number_that_fills_stands_where_the_schema_has_it(name: str) -> None:
    schemas = [s for s in torch._C._jit_get_all_schemas() if s.name == name]
    assert schemas
    for schema in schemas:
        if not schema.overload_name.startswith("names"):
            argument = schema.arguments[int(kinds.FILLS[name])]
            assert argument.name in ("s", "value", "fill_value"), str(schema)


@pytest.mark.parametrize(
    "read",
    [
        lambda x: torch.equal(x, x + 1),
        lambda x: torch.allclose(x, x + 1),
        lambda x: x.nonzero(),
    ],
)
def test_a_program_that_reads_elements_is_refused(read: object) -> None:
    class Reads(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            read(x)  # type: ignore[operator]
            return x * 2

    with pytest.raises(SourceError, match="depends on the elements of a tensor"):
        from_module(Reads(), torch.zeros(1, 4))
