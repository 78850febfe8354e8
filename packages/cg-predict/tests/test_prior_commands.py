"""``cg fit-prior``: a family of one's own joins the prior, or makes one."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("cg_frontends")

from cg_ir.cli import main
from cg_predict import Predictor
from cg_predict.features import descriptors
from cg_predict.pool import PoolScale
from cg_predict.prior import PriorError, load_prior


@pytest.fixture(scope="module")
def folder(tmp_path_factory, family):
    """Labelled graph documents, and the prior that has them beside the shipped families but MnasNet."""
    graphs, labels = family
    path = tmp_path_factory.mktemp("own")
    lines = [
        json.dumps({"id": f"net_{i}", "labels": {"accuracy": float(y)}, "graph": g.to_dict()})
        for i, (g, y) in enumerate(zip(graphs[:100], labels, strict=False))
    ]
    (path / "stacks.jsonl").write_text("\n".join(lines))
    command = ["fit-prior", "--source", str(path / "stacks.jsonl"), "--exclude", "mnasnet", "-o", str(path / "prior")]
    assert main(command) == 0
    return path


def test_a_family_of_ones_own_is_learned_from_and_can_be_left_out(folder, family):
    graphs, labels = family
    rest, truth = graphs[100:], labels[100:]
    shipped = Predictor(warn=False, exclude=("mnasnet",))
    own = Predictor(warn=False, prior=folder / "prior")
    assert set(own.sources) == {*shipped.sources, "stacks"}
    assert own.score(rest, truth, pool=rest) > shipped.score(rest, truth, pool=rest)
    without = Predictor(warn=False, prior=folder / "prior", exclude=("stacks",))
    np.testing.assert_allclose(without.predict(rest, pool=rest), shipped.predict(rest, pool=rest), atol=1e-6)
    card = (folder / "prior" / "README.md").read_text()
    assert "| stacks | stacks | 100 | `accuracy` | `own` | own |" in card


def test_a_table_with_groups_of_relatives_is_a_zoo(folder, family, tmp_path):
    graphs, labels = family
    lines = [
        json.dumps(
            {"id": f"net_{i}", "labels": {"accuracy": float(y)}, "group": f"group_{i % 7}", "graph": g.to_dict()}
        )
        for i, (g, y) in enumerate(zip(graphs[:100], labels, strict=False))
    ]
    (tmp_path / "zoo.jsonl").write_text("\n".join(lines))
    assert main(["fit-prior", "--source", str(tmp_path / "zoo.jsonl"), "-o", str(tmp_path / "prior")]) == 0
    zoo, plain = load_prior(directory=tmp_path / "prior"), load_prior(directory=folder / "prior")
    assert zoo.experts["zoo"].zoo
    assert not plain.experts["stacks"].zoo
    # its trees on descriptors learn labels as they are, so that equal steps of the label are equal steps of the prediction
    x = descriptors().encode(graphs[:100])
    taught = np.array(labels[:100], dtype=float)
    z = (taught - taught.mean()) / taught.std()
    assert np.corrcoef(zoo.experts["zoo"].absolute.predict(x), z)[0, 1] > 0.9
    pool = graphs[100:]
    among = zoo.among(descriptors().encode(pool), PoolScale(descriptors().encode(pool)))
    assert max(among.weights, key=lambda view: among.weights[view]) == ("absolute", "zoo")


def test_a_prior_of_its_own_file_is_saved_with_a_predictor(folder, family, tmp_path):
    graphs, labels = family
    predictor = Predictor(prior=folder / "prior").fit(graphs[:20], labels[:20], pool=graphs)
    predictor.save(tmp_path / "model")
    np.testing.assert_array_equal(
        Predictor.load(tmp_path / "model").predict(graphs, pool=graphs), predictor.predict(graphs)
    )


def test_what_cannot_be_learned_from_is_refused(folder, tmp_path, capsys):
    few = tmp_path / "few.jsonl"
    few.write_text("\n".join((folder / "stacks.jsonl").read_text().splitlines()[:10]))
    for arguments, words in (
        ([], "nothing to learn from"),
        (["--source", str(few)], "at least 40"),
        (
            ["--source", str(folder / "stacks.jsonl"), "--source", str(folder / "stacks.jsonl")],
            "two sources are called 'stacks'",
        ),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["fit-prior", *arguments, "-o", str(tmp_path / "out")])
        assert stop.value.code == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("cg: error: ")
        assert words in error
    assert not (tmp_path / "out").exists()


def test_a_damaged_prior_is_refused(folder, tmp_path):
    for name in ("config.json", "model.safetensors", "README.md"):
        (tmp_path / name).write_bytes((folder / "prior" / name).read_bytes())
    document = json.loads((tmp_path / "config.json").read_text())
    del document["config"]["descriptors"]
    (tmp_path / "config.json").write_text(json.dumps(document))
    with pytest.raises(PriorError, match="damaged"):
        load_prior(directory=tmp_path)
