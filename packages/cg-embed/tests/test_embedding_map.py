"""Maps of networks: principal components, UMAP, and the picture."""

import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from cg_embed.embedding_map import embedding_map
from cg_ir.errors import CgError, MissingExtra

HOSTILE = "</title><script>alert(1)</script>"
SVG = "{http://www.w3.org/2000/svg}"


def test_principal_components_are_those_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    x = np.random.default_rng(0).normal(size=(40, 5)) @ np.diag([3.0, 2.0, 1.0, 1.0, 0.0])
    found = embedding_map(x, method="pca")
    expected = decomposition.PCA(2).fit(preprocessing.StandardScaler().fit_transform(x))
    np.testing.assert_allclose(found.explained, expected.explained_variance_ratio_, rtol=1e-9)
    scores = expected.transform(preprocessing.StandardScaler().fit_transform(x))
    np.testing.assert_allclose(np.abs(found.positions), np.abs(scores), atol=1e-9)


def points_of(found) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(found.to_svg())
    return root.findall(f".//{SVG}g[@id='networks']//{SVG}use")


def test_the_picture_shows_and_names_every_network():
    pytest.importorskip("matplotlib")
    found = embedding_map(np.eye(3), names=["a", HOSTILE, "c"], values=[1.0, np.nan, 3.0], label="accuracy <$1>")
    points = points_of(found)
    assert [p.find(f"{SVG}title").text for p in points] == [
        "a: accuracy <$1> 1",
        f"{HOSTILE}: accuracy <$1> nan",
        "c: accuracy <$1> 3",
    ]
    low, hollow, high = (p.get("style") for p in points)
    assert "fill: #440154" in low
    assert "fill: none" in hollow
    assert "fill: #fde725" in high
    assert "accuracy &lt;$1&gt;" in found.to_svg()  # beside the colours, not read as a formula
    assert found.to_svg() == found.to_svg()
    assert not ElementTree.fromstring(found._repr_html_()).findall(f".//{SVG}script")


def test_points_lie_where_the_components_are():
    pytest.importorskip("matplotlib")
    found = embedding_map(np.random.default_rng(0).normal(size=(30, 4)))
    drawn = np.array([[float(p.get("x")), float(p.get("y"))] for p in points_of(found)])
    for axis, sign in ((0, 1), (1, -1)):
        assert np.corrcoef(drawn[:, axis], found.positions[:, axis])[0, 1] == pytest.approx(sign)
    assert [p.find(f"{SVG}title").text for p in points_of(found)] == [str(i) for i in range(30)]


@pytest.mark.parametrize("values", [None, [np.nan] * 4, [np.inf, -np.inf, 0.0, 0.0]])
def test_networks_that_do_not_differ_and_values_that_are_not_finite_are_drawn(values):
    pytest.importorskip("matplotlib")
    assert len(points_of(embedding_map(np.ones((4, 3)), ["a\x00", *"bcd"], values))) == 4


def test_without_matplotlib_a_map_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    found = embedding_map(np.eye(3))
    with pytest.raises(MissingExtra, match=r"pip install 'cg-embed\[maps\]'"):
        found.to_svg()
    assert found._repr_html_() == "&lt;Map of 3 networks by PCA&gt;"


@pytest.mark.slow
def test_umap_keeps_clusters_apart_and_is_seeded():
    pytest.importorskip("umap")
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(30, 6)), rng.normal(size=(30, 6)) + 12])
    found = embedding_map(x, method="umap", seed=1)
    assert found.method == "umap"
    centres = found.positions[:30].mean(axis=0), found.positions[30:].mean(axis=0)
    spread = found.positions[:30].std() + found.positions[30:].std()
    assert np.linalg.norm(centres[0] - centres[1]) > spread
    np.testing.assert_array_equal(embedding_map(x, method="umap", seed=1).positions, found.positions)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vectors": np.ones((1, 3))}, "two vectors"),
        ({"vectors": [[np.nan, 1.0], [1.0, 2.0]]}, "finite"),
        ({"vectors": np.eye(2), "names": ["a"]}, "as many names"),
        ({"vectors": np.eye(2), "values": [1.0]}, "as many values"),
        ({"vectors": np.eye(2), "method": "tsne"}, "pca or umap"),
    ],
)
def test_what_cannot_be_mapped_is_refused(arguments, message):
    with pytest.raises(CgError, match=message):
        embedding_map(**arguments)


def test_only_svg_is_written(tmp_path):
    pytest.importorskip("matplotlib")
    found = embedding_map(np.eye(2))
    found.save(tmp_path / "map.svg")
    ElementTree.parse(tmp_path / "map.svg")
    with pytest.raises(CgError, match=r"should end in \.svg"):
        found.save(tmp_path / "map.png")
