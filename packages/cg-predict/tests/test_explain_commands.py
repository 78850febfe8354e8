"""``cg explain`` and ``cg improve``."""

from __future__ import annotations

import json

import pytest
from predict_test_networks import bottlenecks, chain

from cg_ir.cli import main
from cg_predict.explain_commands import _in_words


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
