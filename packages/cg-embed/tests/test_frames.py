"""Vectors of networks as a data frame."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from cg_embed import Descriptors
from cg_ir import CgError, Graph, GraphBuilder
from cg_ir.errors import MissingExtra


def network(width: int = 8, depth: int = 2) -> Graph:
    builder = GraphBuilder(f"width {width}, depth {depth}")
    x = builder.add("Conv", builder.input((1, 3, 16, 16)), channels=width, kernel_shape=(3, 3), strides=(2, 2))
    for _ in range(depth):
        y = builder.add("Conv", x, channels=width, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
        x = builder.add("Add", x, builder.add("Relu", y))
    builder.output(builder.add("Sub", x, builder.add("Sigmoid", x)))
    return builder.build()


def test_the_data_frame_holds_vectors_and_costs(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    from cg_embed.frames import to_dataframe

    graphs, encoder = [network(4), network(8)], Descriptors()
    frame = to_dataframe(graphs, encoder)
    assert list(frame.index) == [graph.name for graph in graphs]
    assert frame["macs"].tolist() == [graph.macs for graph in graphs]
    np.testing.assert_array_equal(frame[list(encoder.names)].to_numpy(), encoder.encode(graphs))
    frame.to_parquet(tmp_path / "v.parquet")
    pandas.testing.assert_frame_equal(pandas.read_parquet(tmp_path / "v.parquet"), frame)
    with pytest.raises(CgError, match="as many names"):
        to_dataframe(graphs, encoder, names=["one"])


def test_rows_are_named_as_asked():
    pytest.importorskip("pandas")
    from cg_embed.frames import to_dataframe

    graphs, encoder = [network(4), network(8)], Descriptors()
    frame = to_dataframe(iter(graphs), encoder, names=("a", "b"))
    assert list(frame.index) == ["a", "b"]
    assert frame.index.name == "name"
    assert list(frame.columns) == ["hash", "params", "macs", *encoder.names]
    assert frame["hash"].tolist() == [g.hash for g in graphs]
    assert (frame.dtypes[list(encoder.names)] == np.float32).all()
    assert to_dataframe([], encoder).shape == (0, 3 + len(encoder.names))
    with pytest.raises(CgError, match=r"^there should be as many names as networks, 2, not 3$"):
        to_dataframe(graphs, encoder, names="abc")


def test_without_pandas_it_is_said_what_to_install(monkeypatch):
    from cg_embed.frames import to_dataframe

    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r"cg-embed\[tables\]"):
        to_dataframe([network()], Descriptors())
