"""Embeddings as a table: one row a network, one column a number (extra ``tables``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from cg_ir.errors import CgError, MissingExtra
from cg_ir.graph import Graph

if TYPE_CHECKING:
    import pandas


class Encoder(Protocol):
    """What turns graphs into vectors and names their numbers, such as :class:`cg_embed.Descriptors`."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the numbers, (d,)."""

    def encode(self, graphs: Sequence[Graph]) -> NDArray[np.float32]:
        """Vectors, (n, d)."""


def to_dataframe(graphs: Sequence[Graph], encoder: Encoder, names: Sequence[str] | None = None) -> pandas.DataFrame:
    """Vectors of networks as a data frame; ``frame.to_parquet(path)`` writes it.

    Args:
        graphs: n networks.
        encoder: what makes the vectors.
        names: the rows' index; the graphs' own names by default.

    Returns:
        (n, 3 + d): ``hash``, ``params``, ``macs``, and the encoder's numbers by their names, float32.

    Raises:
        CgError: another number of names than of networks.
        MissingExtra: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise MissingExtra("cg-embed", "tables", "a data frame") from None
    graphs = list(graphs)
    index = [graph.name for graph in graphs] if names is None else list(names)
    if len(index) != len(graphs):
        raise CgError(f"there should be as many names as networks, {len(graphs)}, not {len(index)}")
    facts = pandas.DataFrame(
        {
            "hash": [graph.hash for graph in graphs],
            "params": np.array([graph.params for graph in graphs], dtype=np.int64),
            "macs": np.array([graph.macs for graph in graphs], dtype=np.int64),
        }
    )
    vectors = pandas.DataFrame(encoder.encode(graphs), columns=list(encoder.names))
    frame = pandas.concat([facts, vectors], axis=1)
    frame.index = pandas.Index(index, name="name")
    return frame
