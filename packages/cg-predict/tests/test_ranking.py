"""Rankings as rows, tables and files."""

from __future__ import annotations

import csv
import html.parser
import itertools
import json

import numpy as np
import pytest

from cg_ir import CgError, Graph, GraphBuilder
from cg_predict import Predictor
from cg_predict.ranking import Ranking, left_out_correlation, pool_weight, rank

HOSTILE = "<script>alert(1)</script>"


class ByWidth:
    """Scores a network by the logarithm of its parameters."""

    name = "by-width"

    def __init__(self, deviations: bool = True) -> None:
        self.deviations = deviations

    def predict(self, graphs: list[Graph], return_std: bool = False):
        scores = np.log([float(graph.params) for graph in graphs])
        return (scores, np.full(len(graphs), 0.5)) if return_std and self.deviations else scores


def networks(*widths: int) -> list[Graph]:
    result = []
    for width in widths:
        builder = GraphBuilder(f"width {width}")
        x = builder.add("Conv", builder.input((1, 3, 8, 8)), channels=width, kernel_shape=(3, 3))
        builder.output(x)
        result.append(builder.build())
    return result


def strided(width: int) -> Graph:
    """Another network with the parameters of `networks(width)`."""
    builder = GraphBuilder(f"strided {width}")
    x = builder.add("Conv", builder.input((1, 3, 8, 8)), channels=width, kernel_shape=(3, 3), strides=(2, 2))
    builder.output(x)
    return builder.build()


@pytest.fixture
def ranking() -> Ranking:
    return rank(ByWidth(), networks(8, 32, 16))


def test_the_best_comes_first_with_its_numbers(ranking):
    assert [row.name for row in ranking] == ["width 32", "width 16", "width 8"]
    assert [row.rank for row in ranking] == [1, 2, 3]
    first = ranking[0]
    assert first.params == ranking.best.params == 32 * 27
    assert first.macs == ranking.best.macs == 32 * 27 * 36
    assert first.hash == ranking.best.hash
    assert (first.high - first.low) / 2 == pytest.approx(1.6449 * 0.5)


def test_ties_keep_their_order_and_deviations_may_be_unknown():
    ranking = rank(ByWidth(deviations=False), [*networks(8), strided(8)], names=["a", "b"])
    assert [row.name for row in ranking] == ["a", "b"]
    assert ranking[0].std is None
    assert "…" not in str(ranking)


def test_the_text_lines_up(ranking):
    lines = str(ranking).splitlines()
    assert len(lines) == 4
    assert len({line.index("width") for line in lines[1:]}) == 1
    assert "864" in lines[1]


class Cells(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        self.rows[-1][-1] += data


def test_the_notebook_table_holds_every_row_and_escapes_names():
    ranking = rank(ByWidth(), networks(8, 32), names=[HOSTILE, "other"])
    cells = Cells(ranking._repr_html_())
    assert [row[1] for row in cells.rows] == ["network", "other", HOSTILE]
    assert "script" not in cells.tags


def test_files_hold_the_same_rows(ranking, tmp_path):
    ranking.save(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text()) == ranking.to_records()
    ranking.save(tmp_path / "r.csv")
    with open(tmp_path / "r.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["score"]) for row in rows] == [row.score for row in ranking]
    with pytest.raises(CgError, match=r"should end in \.csv"):
        ranking.save(tmp_path / "r.xls")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.csv", "r.json"]


def test_the_nearest_networks_are_known_where_they_are_asked_for(tmp_path):
    predictor, graphs = Predictor(warn=False), networks(8, 32)
    plain, told = rank(predictor, graphs), rank(predictor, graphs, nearest=True)
    assert [row.score for row in plain] == [row.score for row in told]
    assert "nearest" not in str(plain)
    for row in told:
        assert row.nearest_family in predictor.sources
        assert row.unfamiliar is (row.distance > 1)
        assert row.nearest_networks[0] in str(told)
    told.save(tmp_path / "r.csv")
    with open(tmp_path / "r.csv", newline="") as stream:
        assert next(csv.DictReader(stream))["nearest_networks"] == "; ".join(told[0].nearest_networks)


def test_parquet_reads_back_as_the_data_frame(ranking, tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    ranking.save(tmp_path / "r.parquet")
    frame = pandas.read_parquet(tmp_path / "r.parquet")
    assert list(frame["name"]) == [row.name for row in ranking]
    assert frame["params"].tolist() == [row.params for row in ranking]


def test_names_must_match():
    with pytest.raises(CgError, match="as many names as networks, 2, not 1"):
        rank(ByWidth(), networks(8, 16), names=["a"])


def test_one_network_has_one_place_whatever_it_is_called(tmp_path):
    graphs = networks(8, 32, 8, 16, 8)
    ranking = rank(ByWidth(), graphs, names=["a", "b", "c", "d", "a"], labels={graphs[0].hash: 61.5})
    assert [row.name for row in ranking] == ["b", "d", "a"]
    assert ranking[2].notations == ("a", "c")
    assert [row.label for row in ranking] == [None, None, 61.5]
    assert "a (and 1 more notation)" in str(ranking)
    assert "61.5" in str(ranking)
    ranking.save(tmp_path / "r.csv")
    with open(tmp_path / "r.csv", newline="") as stream:
        last = list(csv.DictReader(stream))[-1]
    assert (last["notations"], last["label"]) == ("a; c", "61.5")


class Leaning(ByWidth):
    """Scores the wrong way round by itself."""

    def predict(self, graphs, return_std=False, pool=None):
        scores, std = super().predict(graphs, True)
        return (scores if pool is not None else -scores), std


def test_the_weight_of_a_pool_grows_without_a_leap():
    weights = [pool_weight(n) for n in range(1, 60)]
    assert weights[2] == 0.0
    assert weights[39] == 1.0
    assert all(0 <= b - a < 0.3 for a, b in itertools.pairwise(weights))
    assert max(b - a for a, b in itertools.pairwise(weights[5:])) < 0.07
    graphs = networks(8, 32, 16)
    own = {w: rank(Leaning(), graphs, pool=graphs, weight=w)[0].score for w in (0.0, 0.25, 1.0)}
    best = {w: rank(Leaning(), graphs, pool=graphs, weight=w)[0].name for w in (0.0, 0.25, 1.0)}
    assert best == {0.0: "width 8", 0.25: "width 8", 1.0: "width 32"}
    small, large = np.log(8 * 27), np.log(32 * 27)
    assert own == pytest.approx({0.0: -small, 0.25: 0.25 * small - 0.75 * small, 1.0: large})


class Remembering(ByWidth):
    """Gives back labels that it was fitted to, and what it scores anyway for others."""

    def fit(self, graphs, y):
        self.known = {graph.hash: label for graph, label in zip(graphs, y, strict=True)}
        return self

    def predict(self, graphs, return_std=False):
        return np.array([self.known.get(graph.hash, -graph.params) for graph in graphs])


def test_the_left_out_correlation_is_of_labels_that_were_left_out():
    graphs = networks(*range(1, 13))
    scorer = Remembering()
    assert left_out_correlation(scorer, graphs, list(range(12))) == (pytest.approx(-1.0), 12)
    assert not hasattr(scorer, "known")
    assert left_out_correlation(scorer, graphs[:9], list(range(9))) is None
    assert left_out_correlation(scorer, graphs, [1.0] * 12) is None
    assert left_out_correlation(scorer, [*graphs, *graphs], [*range(12), *range(12)]) == (pytest.approx(-1.0), 12)
