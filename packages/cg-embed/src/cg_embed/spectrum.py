"""Spectra of the normalised Laplacian, the paper's measure of how alike two networks are wired.

For the undirected simple graph with adjacency A and degrees D, L = I - D^(-1/2) A D^(-1/2) has eigenvalues in [0, 2] (Chung, *Spectral Graph Theory*,
1997). Two computation graphs are compared by the Euclidean distance of their k smallest eigenvalues, k = 21 (Han et al., SDM 2023, arXiv 2302.10835).
Computation graphs are long and narrow: in reverse Cuthill-McKee order L is a band of a few diagonals, which makes its eigenvalues cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eig_banded, eigh
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from cg_ir.files import atomic_path

Floats = NDArray[np.float64]
SMALLEST = 21
_PADDING = 2.0  # the largest possible eigenvalue, for graphs with fewer than k nodes


def normalized_laplacian(graph: Any) -> csr_array:
    """L of the undirected simple graph under a computation graph, (nodes, nodes); 0 on the diagonal of isolated nodes."""
    n = len(graph)
    source = np.asarray(graph.indices, dtype=np.int64)
    target = np.repeat(np.arange(n), np.diff(graph.indptr))
    pairs = np.unique(np.stack([np.minimum(source, target), np.maximum(source, target)]), axis=1)
    low, high = pairs[:, pairs[0] != pairs[1]]
    degree = np.bincount(low, minlength=n) + np.bincount(high, minlength=n)
    value = -1 / np.sqrt(degree[low] * degree[high])
    loops = np.flatnonzero(degree)
    rows = np.concatenate([low, high, loops])
    columns = np.concatenate([high, low, loops])
    values = np.concatenate([value, value, np.ones(len(loops))])
    return csr_array(coo_array((values, (rows, columns)), shape=(n, n)))


def laplacian_spectrum(graph: Any, k: int = SMALLEST) -> Floats:
    """The k smallest eigenvalues of L in rising order, (k,); 2 where the graph has fewer than k nodes."""
    values = _solve(normalized_laplacian(graph), k, vectors=False)[0]
    return np.concatenate([values, np.full(k - len(values), _PADDING)])


def spectrum_vectors(graph: Any, k: int) -> tuple[Floats, Floats]:
    """The k smallest eigenvalues, as `laplacian_spectrum`, and their unit eigenvectors (nodes, k), 0 for missing ones.

    The sign of a vector, and the basis of the space of a repeated eigenvalue, are arbitrary.
    """
    values, vectors = _solve(normalized_laplacian(graph), k, vectors=True)
    missing = k - len(values)
    return np.concatenate([values, np.full(missing, _PADDING)]), np.pad(vectors, ((0, 0), (0, missing)))


def _solve(laplacian: csr_array, k: int, vectors: bool) -> tuple[Floats, Floats]:
    n = laplacian.shape[0]
    k = min(k, n)
    if n == 1:
        return laplacian.toarray()[0], np.ones((1, 1))
    order = reverse_cuthill_mckee(laplacian, symmetric_mode=True)
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    entries = laplacian.tocoo()
    row, column = place[entries.row], place[entries.col]
    lower = row >= column
    width = int((row - column).max())
    if width > n // 4:
        dense = np.zeros((n, n))
        dense[row, column] = entries.data
        values = eigh(dense, eigvals_only=not vectors, subset_by_index=(0, k - 1), check_finite=False)
    else:
        band = np.zeros((width + 1, n))
        band[(row - column)[lower], column[lower]] = entries.data[lower]
        values = eig_banded(
            band, lower=True, eigvals_only=not vectors, select="i", select_range=(0, k - 1), check_finite=False
        )
    if not vectors:
        return np.clip(values, 0, 2), np.zeros((n, 0))
    return np.clip(values[0], 0, 2), values[1][place]


class SpectrumCache:
    """Spectra by graph hash, in memory and, if a path is given, in an ``.npz`` file.

    Args:
        k: how many eigenvalues.
        path: file to read now, if it exists, and to write by `save`.
    """

    def __init__(self, k: int = SMALLEST, path: str | Path | None = None) -> None:
        self.k = k
        self.path = None if path is None else Path(path)
        self._known: dict[str, Floats] = {}
        if self.path is not None and self.path.exists():
            with np.load(self.path, allow_pickle=False) as stored:
                if int(stored["k"]) == k:
                    self._known = dict(zip(stored["hash"].tolist(), stored["spectrum"], strict=True))

    def __len__(self) -> int:
        return len(self._known)

    def __call__(self, graphs: Sequence[Any]) -> Floats:
        """Spectra of the graphs, (len(graphs), k); each graph is computed once."""
        out = np.empty((len(graphs), self.k))
        for i, graph in enumerate(graphs):
            known = self._known.get(graph.hash)
            if known is None:
                known = self._known[graph.hash] = laplacian_spectrum(graph, self.k)
            out[i] = known
        return out

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if self.path is None:
            raise ValueError("this SpectrumCache has no path")
        names = np.array(list(self._known), dtype=np.str_)
        values = np.array(list(self._known.values())).reshape(-1, self.k)
        with atomic_path(self.path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, k=self.k, hash=names, spectrum=values)
