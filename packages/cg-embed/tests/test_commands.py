"""``cg embed`` and ``cg pretrain`` as a user runs them."""

from __future__ import annotations

import csv
import subprocess
import sys

import numpy as np
import pytest

import cg_ir
from cg_embed import Descriptors, Neighbourhoods, PathConfig, PathEncoder
from cg_ir.cli import main


def run(*args: str) -> int:
    try:
        main(list(args))
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture
def graph_set(networks, tmp_path):
    cg_ir.save_set(networks, tmp_path / "graphs.jsonl")
    return tmp_path / "graphs.jsonl"


@pytest.mark.parametrize("encoder", [Descriptors, Neighbourhoods])
def test_embed_a_set_of_graphs(graph_set, networks, tmp_path, encoder):
    name = encoder.__name__.lower()
    assert run("embed", "--from", str(graph_set), "--with", name, "-o", str(tmp_path / "v.npz")) == 0
    with np.load(tmp_path / "v.npz", allow_pickle=False) as stored:
        d = encoder()
        np.testing.assert_array_equal(stored["values"], d.encode(networks))
        assert stored["names"].tolist() == list(d.names)


def test_embed_lines_with_several_encoders(networks, tmp_path):
    pytest.importorskip("safetensors")
    sources = []
    for i, graph in enumerate(networks[:5]):
        graph.save(tmp_path / f"{i}.cg.json")
        sources.append(str(tmp_path / f"{i}.cg.json"))
    (tmp_path / "list.txt").write_text("\n".join(sources) + "\n\n")
    with open(tmp_path / "list.csv", "w", newline="") as stream:
        csv.writer(stream).writerows([["accuracy", "arch"], *([i, s] for i, s in enumerate(sources))])
    PathEncoder(PathConfig(channels=2)).save(tmp_path / "model")
    for name in ("list.txt", "list.csv"):
        out = tmp_path / f"{name}.out.csv"
        encoders = ["--with", "descriptors", "--with", str(tmp_path / "model")]
        assert run("embed", "--from", str(tmp_path / name), *encoders, "-o", str(out)) == 0
        with open(out, newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert [row["arch"] for row in rows] == sources
        assert len(rows[0]) == 1 + len(Descriptors()) + 16
        column = [float(row["descriptors/plain/log_params"]) for row in rows]
        np.testing.assert_allclose(column, [np.log1p(g.params) for g in networks[:5]], rtol=1e-6)


def test_embed_parquet(graph_set, networks, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert run("embed", "--from", str(graph_set), "-o", str(tmp_path / "v.parquet")) == 0
    table = parquet.read_table(tmp_path / "v.parquet")
    d = Descriptors()
    assert table.column_names == ["arch", *d.names]
    np.testing.assert_array_equal(table[d.names[3]].to_numpy(), d.encode(networks)[:, 3])


@pytest.mark.parametrize(
    ("content", "name", "extra", "part"),
    [
        (None, "list.txt", [], "cannot be read"),
        (b"", "list.txt", [], "holds no architecture"),
        (b"\xff\xfe\x00", "list.txt", [], "not UTF-8"),
        (b"name\nx\n", "list.csv", [], "no column `arch`"),
        (b"arch,arch\nx,y\n", "list.csv", [], "list.csv: two columns are called `arch`"),
        (b'arch\n"x\n', "list.csv", [], "list.csv: is no CSV text file: unexpected end of data"),
        (b"x" * 200_000 + b"\n", "list.csv", [], "list.csv: is no CSV text file: field larger than field limit"),
        (b"arch,note\nx\n", "list.csv", [], "list.csv, line 2: "),
        (b"nonsense\n", "list.txt", [], "line 1"),
        (b"{}\n", "list.jsonl", [], "line 1"),
        (b"x\n", "list.txt", ["-o", "v.txt"], "should end in"),
    ],
)
def test_embed_refuses_in_one_line(content, name, extra, part, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    before = sorted(p.name for p in tmp_path.iterdir())
    assert run("embed", "--from", name, "-o", "v.npz", *extra) == 2
    out, err = capsys.readouterr()
    assert not out
    assert part in err
    assert err.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_embed_refuses_an_unknown_encoder(graph_set, tmp_path, capsys):
    assert run("embed", "--from", str(graph_set), "--with", "nothing", "-o", str(tmp_path / "v.npz")) == 2
    assert "'nothing' is no encoder" in capsys.readouterr().err


def test_pretrain_and_resume(graph_set, networks, tmp_path, capsys):
    pytest.importorskip("torch_geometric")
    config = tmp_path / "config.yaml"
    settings = f"options: {{channels: 2}}\ngraph_files: {{random: {graph_set}}}\nsteps: 3\nbatch: 8\nsave_every: 1\n"
    config.write_text(settings)
    assert run("pretrain", str(config), "-o", str(tmp_path / "a")) == 0
    out, err = capsys.readouterr()
    assert not out
    assert "checkpoint written" in err
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "state",
    ]
    card = (tmp_path / "a" / "README.md").read_text()
    assert f"| random | {len(networks)} |" in card
    assert run("pretrain", str(config), "-o", str(tmp_path / "a")) == 2
    assert "--resume" in capsys.readouterr().err
    assert run("pretrain", str(config), "-o", str(tmp_path / "a"), "--resume") == 0
    assert run("pretrain", str(config), "-o", str(tmp_path / "b"), "--resume") == 0
    a, b = (PathEncoder.load(tmp_path / x).encode(networks) for x in "ab")
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - PathEncoder(PathConfig(channels=2)).encode(networks)).max() > 1e-4


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("steps: [", "not YAML"),
        ("steps: " + "[" * 20_000, "not YAML"),
        ("- 1\n", "mapping"),
        ("step: 3\n", "unknown settings step"),
        ("steps: many\n", "steps"),
        ("steps: 3\n", "nothing to train on"),
        ("spaces: [no_such_space]\n", "no_such_space"),
    ],
)
def test_pretrain_refuses_in_one_line(content, part, tmp_path, capsys):
    pytest.importorskip("torch_geometric")
    (tmp_path / "config.yaml").write_text(content)
    assert run("pretrain", str(tmp_path / "config.yaml"), "-o", str(tmp_path / "out")) == 2
    err = capsys.readouterr().err
    assert part in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_plugin_imports_nothing_heavy():
    code = (
        "import sys, cg_embed.plugin; cg_embed.plugin.cg_commands(); assert not {'torch', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
