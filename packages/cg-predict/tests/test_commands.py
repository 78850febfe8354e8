"""``cg rank`` and ``cg fit`` as a user runs them."""

from __future__ import annotations

import csv
import json

import pytest

import cg_ir
from cg_ir import SourceError
from cg_ir.cli import main
from cg_ir.sources import Reading
from cg_predict import Predictor
from cg_predict import rank as make_ranking
from cg_predict.labels import read_labels
from cg_predict.ranking import pool_weight


@pytest.fixture(scope="module")
def files(tmp_path_factory, family):
    """Graph files of twelve networks, and a labels CSV that names them."""
    folder = tmp_path_factory.mktemp("networks")
    graphs, labels = family
    names = []
    for i, graph in enumerate(graphs[:12]):
        names.append(str(folder / f"{i}.cg.json"))
        graph.save(names[-1])
    (folder / "labels.csv").write_text(
        "arch,note,acc\n" + "".join(f"{n},x,{y}\n" for n, y in zip(names, labels, strict=False))
    )
    (folder / "list.txt").write_text("\n".join(names) + "\n")
    return folder, names


def run(capsys, *args: object):
    """Exit status, standard output and standard error of ``cg``."""
    try:
        code = main([str(a) for a in args])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code or 0, captured.out, captured.err


def test_rank_without_labels(files, capsys):
    folder, names = files
    code, out, err = run(capsys, "rank", "--from", folder / "list.txt", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert [row["rank"] for row in document["ranking"]] == list(range(1, 13))
    assert {row["source"] for row in document["ranking"]} == set(names)
    scores = [row["score"] for row in document["ranking"]]
    assert scores == sorted(scores, reverse=True)
    for row in document["ranking"]:
        assert row["interval"][0] < row["score"] < row["interval"][1]
        assert row["nearest_family"] in document["sources"]
        assert row["nearest_networks"]
    assert 0.0 < document["expected_correlation"] < 1.0
    assert f"about {document['expected_correlation']:.2f}" in run(capsys, "rank", "--from", folder / "list.txt")[2]


def test_a_list_among_the_networks_is_told_from_them(files, capsys):
    folder, _ = files
    code, _, err = run(capsys, "rank", folder / "list.txt", "--space", "nb201")
    assert code == 2
    assert "list.txt is a list, not a network: give it as --from" in err


def test_rank_with_labels_and_from_a_saved_model(files, capsys, tmp_path):
    folder, names = files
    code, out, err = run(
        capsys, "rank", *names, "--labels", folder / "labels.csv", "--metric", "acc", "--exclude", "nb201", "--json"
    )
    assert code == 0, err
    direct = json.loads(out)
    assert direct["labels"] == 12
    assert "nb201" not in direct["sources"]
    assert run(capsys, "fit", "--labels", folder / "labels.csv", "--exclude", "nb201", "-o", tmp_path / "model")[0] == 0
    code, out, _ = run(capsys, "rank", *names, "--model", tmp_path / "model", "--json")
    assert [row["source"] for row in json.loads(out)["ranking"]] == [row["source"] for row in direct["ranking"]]


def test_the_table_is_that_of_a_ranking(files, capsys, monkeypatch):
    _, names = files
    monkeypatch.setenv("COLUMNS", "1000")  # no line is folded
    code, out, _ = run(capsys, "rank", *names[:5])
    assert code == 0
    predictor = Predictor(warn=False)
    graphs = [cg_ir.load(name) for name in names[:5]]
    expected = make_ranking(predictor, graphs, names[:5], graphs, nearest=True, weight=pool_weight(5))
    assert [line.split() for line in out.splitlines()] == [line.split() for line in str(expected).splitlines()]
    assert "nearest known network" in out


def test_rank_by_cost_prints_a_table(files, capsys):
    _, names = files
    code, out, _ = run(capsys, "rank", *names[:3], "--scorer", "params")
    assert code == 0
    assert "score" in out
    assert "3" in out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arch,acc\nBEST,1\nBEST,abc\n", "line 3.*no number"),
        ("arch,acc\nmissing.cg.json,1\n", "line 2"),
        ("network,acc\nBEST,1\n", "column 'arch'"),
        ("arch,note\nBEST,x\n", "holds numbers"),
        ("arch,acc\nBEST,1\nBEST,nan\n", "bad.csv, line 3: the label 'nan' in column 'acc' is no finite number"),
        ("arch,acc\nBEST,1e999\n", "line 2.*no finite number"),
        ("arch;acc\nBEST;1\n", "bad.csv: its columns are separated by semicolons; save it with commas"),
        ("arch\tacc\nBEST\t1\n", "separated by tabs"),
        ("PK\x03\x04rest", "bad.csv: is a spreadsheet; save it as CSV"),
        ("arch,acc,acc\nBEST,1,2\n", "two columns are called 'acc'"),
        ("arch,acc\nBEST,1,2\n", "line 2: has 3 cells"),
        ("", "column 'arch'"),
    ],
)
def test_bad_label_files_give_one_line(files, capsys, tmp_path, text, message):
    import re

    _, names = files
    (tmp_path / "bad.csv").write_text(text.replace("BEST", names[0]))
    code, out, err = run(capsys, "rank", names[0], "--labels", tmp_path / "bad.csv")
    assert code == 2
    assert out == ""
    assert re.search(message, err)
    assert len(err.strip().splitlines()) == 1


def test_other_mistakes(files, capsys, tmp_path):
    _, names = files
    assert run(capsys, "rank")[0] == 2
    assert "learns nothing" in run(capsys, "rank", names[0], "--scorer", "macs", "--labels", files[0] / "labels.csv")[2]
    assert "did you mean" in run(capsys, "rank", names[0], "--scorer", "parms")[2]
    (tmp_path / "empty").mkdir()
    assert run(capsys, "rank", names[0], "--model", tmp_path / "empty")[0] == 2


def test_the_ranking_is_written_and_says_what_it_rests_on(files, capsys, tmp_path):
    folder, names = files
    out = tmp_path / "ranking.csv"
    code, _, err = run(capsys, "rank", *names, names[0], "--labels", folder / "labels.csv", "-o", out)
    assert code == 0, err
    assert "scores: among the 12 ranked networks, which count for 54 %" in err
    assert "fitted to 12 labels of 'acc'; rank correlation with labels left out of the fit: " in err
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 12
    assert all(row["label"] for row in rows)
    assert run(capsys, "rank", *names, "-o", tmp_path / "ranking.xls")[0] == 2
    code, text, _ = run(capsys, "fit", "--labels", folder / "labels.csv", "-o", tmp_path / "model", "--json")
    fit = json.loads(text)["fit"]
    assert (fit["metric"], fit["left_out_networks"]) == ("acc", 12)
    assert -1 <= fit["left_out_spearman"] <= 1


def test_a_ranking_fits_the_terminal(files, capsys, monkeypatch):
    folder, names = files
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = run(capsys, "rank", "--from", folder / "list.txt")
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 1 + 4 * len(names)  # long names are folded, but not to shreds
    assert "MACs" in lines[0]
    assert "nearest known network" not in lines[0]
    assert "nearest known network" in err
    code, out, err = run(capsys, "rank", "--from", folder / "list.txt", "--wide")
    assert "nearest known network" in out.splitlines()[0]
    assert "not shown" not in err


def test_less_of_a_loss_is_better(files, capsys):
    """Labels that are turned, and said to be, rank as they did before; the table shows them as they are written."""
    folder, names = files
    rows = [line.split(",") for line in (folder / "labels.csv").read_text().splitlines()[1:]]
    (folder / "turned.csv").write_text("arch,val_loss\n" + "".join(f"{name},{-float(y)}\n" for name, _, y in rows))
    given = run(capsys, "rank", *names, "--json", "--labels", folder / "labels.csv", "--metric", "acc")[1]
    _, _, err = run(capsys, "rank", *names, "--labels", folder / "turned.csv", "-o", folder / "ranking.json")
    assert (
        "fitted to 12 labels of 'val_loss', less is better; rank correlation with labels left out of the fit: " in err
    )
    expected = [(row["source"], -row["label"]) for row in json.loads(given)["ranking"]]
    found = json.loads((folder / "ranking.json").read_text())
    assert [(row["name"], row["label"]) for row in found] == expected


@pytest.mark.parametrize(
    ("column", "metric", "turned"),
    [
        ("worth", "worth", False),
        ("worth", "worth:min", True),
        ("val_loss", None, True),
        ("val_loss", "val_loss:max", False),
        ("top:min", "top:min", False),
        ("top:min", "top:min:min", True),
    ],
)
def test_the_direction_of_a_metric_is_in_its_name_or_behind_a_colon(files, column, metric, turned):
    folder, names = files
    (folder / "own.csv").write_text(f"arch,{column}\n{names[0]},3\n{names[1]},-2\n")
    labels = read_labels(folder / "own.csv", metric, Reading())
    assert (labels.metric, labels.less_is_better, labels.values) == (column, turned, [3.0, -2.0])
    assert labels.utilities == ([-3.0, 2.0] if turned else [3.0, -2.0])
    with pytest.raises(SourceError, match=f"there is no column 'none'; there are {column}"):
        read_labels(folder / "own.csv", "none:min", Reading())
