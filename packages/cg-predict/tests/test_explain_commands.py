"""``cg explain`` and ``cg improve``."""

from __future__ import annotations

import json
import re

import pytest
from predict_test_networks import bottlenecks, chain

from cg_ir import CgError
from cg_ir.cli import main
from cg_predict import LatencyPredictor
from cg_predict.explain_commands import _bound, _in_words, _told


def run(capsys, *args: object):
    """Exit status, standard output and standard error of ``cg``."""
    try:
        code = main([str(a) for a in args])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code or 0, captured.out, captured.err


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    for blocks in (3, 5):
        chain(blocks).save(folder / f"{blocks}.cg.json")
    return [str(folder / f"{blocks}.cg.json") for blocks in (3, 5)]


def test_explain_on_the_command_line(files, capsys):
    code, out, err = run(capsys, "explain", files[1], "--against", files[0], "--json")
    assert code == 0, err
    document = json.loads(out)
    first = document["networks"][0]
    assert first["rest"] + sum(r["contribution"] for r in first["regions"]) == pytest.approx(first["score"], abs=1e-9)
    assert 0 < document["comparison"]["probability_first_is_better"] < 1
    assert document["comparison"]["latency_ms"]["pixel3"][0] > 0
    code, out, err = run(capsys, "explain", files[1])
    assert code == 0
    assert "block_4" in out
    assert "everything else" in out
    assert "half its width" not in out  # all blocks share theirs


def test_explain_tells_what_half_a_width_costs(tmp_path, capsys):
    pytest.importorskip("cg_evolve")
    bottlenecks(2).save(tmp_path / "net.cg.json")
    code, out, err = run(capsys, "explain", tmp_path / "net.cg.json", "--json")
    assert code == 0, err
    row = json.loads(out)["networks"][0]
    told = [part["narrower"] for part in row["regions"] if "narrower" in part]
    assert len(told) == 2
    assert row["rest_narrower"] + sum(told) == pytest.approx(row["score"], abs=1e-9)
    assert "half its width" in run(capsys, "explain", tmp_path / "net.cg.json")[1]


def test_improve_keeps_to_the_constraint(files, capsys):
    pytest.importorskip("cg_evolve")
    base = chain(3)
    code, out, err = run(
        capsys, "improve", files[0], "--constraint", f"macs<={base.macs}", "--scorer", "macs", "--show", 3, "--json"
    )
    assert code == 0, err
    document = json.loads(out)
    assert len(document["changes"]) == 3
    assert all(row["macs"] <= base.macs for row in document["changes"])
    gains = [row["gain"] for row in document["changes"]]
    assert gains == sorted(gains, reverse=True)
    code, out, err = run(capsys, "improve", files[0], "--constraint", "latency@pixel3<1e-9", "--scorer", "macs")
    assert code == 2
    assert "none of the" in err
    assert "looks like" in run(capsys, "improve", files[0], "--constraint", "macs=5")[2]


def test_improve_writes_a_page_that_links_to_drawings(files, capsys, tmp_path):
    pytest.importorskip("cg_evolve")
    arguments = ("improve", files[0], "--constraint", "latency@pixel3<1e6", "--scorer", "macs", "--show", 3)
    code, out, err = run(capsys, *arguments, "-o", tmp_path / "changes")
    assert code == 0, err
    text = (tmp_path / "changes" / "index.html").read_text()
    for number in (1, 2, 3):
        assert f'href="{number}.html"' in text
        assert (tmp_path / "changes" / f"{number}.html").is_file()
    assert "ms on pixel3" in text
    code, out, err = run(capsys, *arguments, "--json")
    first = json.loads(out)["changes"][0]
    assert first["what"] in text
    assert first["latency@pixel3"] > 0
    assert first["what"] in run(capsys, *arguments)[1]


@pytest.mark.parametrize(
    ("arch", "told"),
    [("k1=5", "kernel 3 to 5 at stem"), ("w1=0.5", "width times 0.5 at stem"), ("s0_1=1", "a skip at stem")],
)
def test_changes_in_words(arch, told):
    assert _in_words(arch, chain(1)) == told


# --- bounds ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "metric", "inside", "outside"),
    [
        ("macs<{macs}", "macs", 2, 3),
        ("macs<={macs}", "macs", 3, 4),
        ("  params  <=  {params} ", "params", 3, 4),
        ("depth<1e3", "depth", 3, None),
        ("depth<{depth}", "depth", None, 3),
    ],
)
def test_bounds_hold_below_and_at_what_they_name(text, metric, inside, outside):
    graph = chain(3)
    bound = _bound(text.format(macs=graph.macs, params=graph.params, depth=graph.depth))
    assert bound.metric == metric
    assert bound.costs([graph, chain(2)]) == [getattr(graph, metric), getattr(chain(2), metric)]
    assert inside is None or bound.holds(*bound.costs([chain(inside)]))
    assert outside is None or not bound.holds(*bound.costs([chain(outside)]))


def test_a_bound_on_latency_is_in_milliseconds():
    graph = chain(3)
    (ms,) = LatencyPredictor("pixel3").predict([graph])
    bound = _bound("latency@pixel3<1")
    assert bound.costs([graph]) == pytest.approx([ms])
    assert bound.costs([]) == []
    assert bound.holds(0.99)
    assert not bound.holds(1.0)


@pytest.mark.parametrize("text", ["macs", "macs=5", "macs>5", "<5", "macs<", "macs<five", "macs<1<2", "macs < 1 2", ""])
def test_what_is_no_bound_is_told_with_what_is(text):
    with pytest.raises(CgError) as caught:
        _bound(text)
    assert str(caught.value) == f"a constraint looks like 'macs<600e6' or 'latency@rtx4090<3', not '{text}'"


def test_bounds_on_what_is_not_known_are_refused():
    with pytest.raises(CgError, match=r"^a constraint is on params, macs, depth or latency@DEVICE, not 'flops'$"):
        _bound("flops<1e9")
    with pytest.raises(CgError, match="toaster"):
        _bound("latency@toaster<1")


# --- what is printed ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (0.5, 0.0, ("+0.500", "", "+" * 10)),
        (-1.0, 0.01, ("-1.000", "0.010", "-" * 20)),
        (0.0, 0.0, ("+0.000", "", "")),
        (0.02, 0.0, ("+0.020", "", "")),
    ],
)
def test_contributions_have_bars_in_proportion(value, error, expected):
    assert _told({"contribution": value, "error": error}, 1.0) == expected


def test_two_networks_side_by_side(files, capsys):
    code, out, err = run(capsys, "explain", files[1], "--against", files[0], "--scorer", "macs")
    assert code == 0, err
    large, small = chain(5), chain(3)
    assert re.search(rf"MACs +{large.macs:,} +{small.macs:,}", out)
    assert re.search(r"ms on pixel3", out)
    assert "is the better one with probability" not in out  # a cost knows no deviation
    assert "nearest labelled network" not in out
    code, out, err = run(capsys, "explain", files[1], "--against", files[0])
    assert code == 0, err
    assert re.search(rf"the first, {re.escape(files[1])}, is the better one with probability [01]\.\d\d", out)
    assert "what makes the difference of" in out


def test_pages_end_in_html(files, capsys, tmp_path):
    code, _, err = run(capsys, "explain", files[0], "-o", tmp_path / "page.txt")
    assert code == 2
    assert f"{tmp_path / 'page.txt'}: the name should end in .html" in err
    code, out, err = run(capsys, "explain", files[0], "--scorer", "macs", "-o", tmp_path / "page.html", "--json")
    assert code == 0, err
    assert json.loads(out)["networks"] == 1
    assert "block_2" in (tmp_path / "page.html").read_text()
