"""Spectra against networkx and dense solvers."""

from __future__ import annotations

import networkx
import numpy as np
import pytest

import cg_ir
from cg_embed.spectrum import SpectrumCache, laplacian_spectrum, normalized_laplacian, spectrum_vectors


def undirected(graph: cg_ir.Graph) -> networkx.Graph:
    result = networkx.Graph()
    result.add_nodes_from(range(len(graph)))
    for i, node in enumerate(graph.nodes):
        result.add_edges_from((j, i) for j in node.inputs)
    return result


def test_against_networkx(networks):
    for graph in networks:
        exact = np.sort(networkx.normalized_laplacian_spectrum(undirected(graph)))
        k = min(21, len(graph))
        np.testing.assert_allclose(laplacian_spectrum(graph)[:k], exact[:k], atol=1e-9)
        assert (laplacian_spectrum(graph)[k:] == 2).all()


def test_long_and_wide_graphs():
    """A chain (closed form) is solved in bands, a star of many branches densely."""
    b = cg_ir.GraphBuilder()
    x = b.input((1, 4))
    for i in range(98):
        x = b.add("Relu" if i % 2 else "Tanh", x)
    b.output(x)
    chain = b.build()
    n = len(chain)
    np.testing.assert_allclose(laplacian_spectrum(chain), 1 - np.cos(np.pi * np.arange(21) / (n - 1)), atol=1e-9)
    b = cg_ir.GraphBuilder()
    x = b.input((1, 4))
    b.output(b.add("Add", *[b.add("Gemm", x, channels=4, region=str(i)) for i in range(40)]))
    star = b.build()
    exact = np.sort(networkx.normalized_laplacian_spectrum(undirected(star)))
    np.testing.assert_allclose(laplacian_spectrum(star), exact[:21], atol=1e-9)


def test_eigenvectors(networks):
    for graph in networks[:20]:
        values, vectors = spectrum_vectors(graph, 8)
        laplacian = normalized_laplacian(graph).toarray()
        np.testing.assert_allclose(laplacian @ vectors, vectors * values, atol=1e-9)
        k = min(8, len(graph))
        np.testing.assert_allclose(vectors[:, :k].T @ vectors[:, :k], np.eye(k), atol=1e-9)


def test_cache(networks, tmp_path, monkeypatch):
    cache = SpectrumCache(path=tmp_path / "spectra.npz")
    first = cache(networks)
    cache.save()
    monkeypatch.setattr("cg_embed.spectrum.laplacian_spectrum", lambda *_: pytest.fail("computed twice"))
    np.testing.assert_array_equal(cache(networks), first)
    again = SpectrumCache(path=tmp_path / "spectra.npz")
    assert len(again) == len(cache) == len({g.hash for g in networks})
    np.testing.assert_array_equal(again(networks), first)
    assert len(SpectrumCache(k=5, path=tmp_path / "spectra.npz")) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["spectra.npz"]
