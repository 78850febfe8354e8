"""Every network of a space ranked, in parts and processes."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cg_ir import CgError, get_space
from cg_ir.cli import cg
from cg_predict import Predictor
from cg_predict.ranking import rank
from cg_predict.sweep import rank_space, representatives


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> str:
    """A space of 3,256 networks, in parts of a thousand."""
    pytest.importorskip("cg_frontends")
    monkeypatch.setattr("cg_predict.sweep._PART", 1000)
    return "transnas?level=macro"


def test_parts_rank_as_the_whole_does(small: str) -> None:
    space = get_space(small)
    archs = list(space.enumerate())
    pool = representatives(small, 200)
    predictor = Predictor(exclude=("transnas",), warn=False)
    whole = rank(predictor, [space.graph(arch) for arch in archs], archs, pool)
    parts = rank_space(predictor, small, 10, pool=pool, workers=1)
    assert [row.hash for row in parts] == [row.hash for row in whole[:10]]
    assert [row.score for row in parts] == pytest.approx([row.score for row in whole[:10]])
    assert [row.rank for row in parts] == list(range(1, 11))


def test_processes_change_nothing(small: str) -> None:
    pool = representatives(small, 100)
    seen: list[tuple[int, int]] = []
    predictor = Predictor(warn=False)
    one = rank_space(predictor, small, 5, pool=pool, workers=1, progress=lambda *n: seen.append(n))
    two = rank_space(predictor, small, 5, pool=pool, workers=2)
    assert one.to_records() == two.to_records()
    total = get_space(small).size
    assert seen[-1] == (total, total)


def test_what_cannot_be_ranked_is_said() -> None:
    pytest.importorskip("cg_frontends")
    with pytest.raises(CgError, match="'mobilenetv3' has too many networks to rank all"):
        rank_space(Predictor(), "mobilenetv3", 3)
    with pytest.raises(CgError, match="at least 1, not 0"):
        rank_space(Predictor(), "natssize", 0)
    answer = CliRunner().invoke(cg, ["rank", "--all", "resnet.py:net"])
    assert "--all ranks the networks of a space: give --space NAME and no SOURCEs" in str(answer.exception)


def test_a_command_ranks_a_whole_space(small: str) -> None:
    command = ["rank", "--space", small, "--all", "--top", "4", "--exclude", "transnas", "--json"]
    answer = CliRunner().invoke(cg, command)
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    assert [row["rank"] for row in document["ranking"]] == [1, 2, 3, 4]
    assert len({row["hash"] for row in document["ranking"]}) == 4
    assert document["pool"].endswith(f"networks of {small}")
