"""The report: its data against the history, its page against a real browser."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cg_evolve.errors import SearchError
from cg_evolve.report import report_data, report_page, write_report
from cg_evolve.runs import Config, Run
from cg_ir import CgError

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>"


def run_search(folder: Path, budget: int = 40, **settings: Any) -> Path:
    with Run.open(folder, Config("toy", settings.pop("evaluator", "toy"), budget, **settings)) as run:
        run.execute()
    return folder


@pytest.fixture(scope="module")
def guided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "guided"
    return run_search(folder, algorithm="guided", scorer="toy-gp")


def enlarge(run: Path, rows: int) -> None:
    """Copy evaluations until the history has so many."""
    with contextlib.closing(sqlite3.connect(run / "history.sqlite")) as db, db:
        names = [row[1] for row in db.execute("PRAGMA table_info(evaluations)")]
        count = db.execute("SELECT count(*) FROM evaluations").fetchone()[0]
        others = ", ".join(name for name in names if name != "id")
        for start in range(count, rows, count):
            db.execute(
                f"INSERT INTO evaluations (id, {others}) SELECT id + ?, {others} FROM evaluations WHERE id < ?",
                (start, min(count, rows - start)),
            )


def test_the_data_is_the_history(guided: Path) -> None:
    data = report_data(guided)
    columns = data["columns"]
    with contextlib.closing(sqlite3.connect(guided / "history.sqlite")) as db, db:
        stored = db.execute("SELECT arch, value, metrics, parents FROM evaluations ORDER BY id").fetchall()
    assert columns["arch"] == [row[0] for row in stored]
    assert columns["value"] == pytest.approx([row[1] for row in stored], rel=1e-7)
    assert columns["metrics"]["length"] == [json.loads(row[2])["length"] for row in stored]
    assert columns["parents"] == [json.loads(row[3]) for row in stored]
    values = columns["value"]
    assert values[data["best"]] == max(values)
    assert data["run"]["objectives"] == [{"metric": "worth", "maximize": True}]
    assert data["graphs"][0]["id"] == data["best"]
    assert data["graphs"][0]["graph"]["hash"] == columns["hash"][data["best"]]
    assert sum(mean is not None for mean in columns["mean"]) > 10


def test_the_optimum_is_the_best_label_of_a_table(tmp_path: Path) -> None:
    from toy_plugin import ToySpace, worth

    archs = list(ToySpace().enumerate())[::50]
    table = tmp_path / "labels.csv"
    table.write_text("arch,worth\n" + "".join(f"{a},{float(worth(a))!r}\n" for a in archs))
    run = run_search(tmp_path / "run", 20, evaluator=f"benchmark:toy={table}", algorithm="random")
    optimum = report_data(run)["optimum"]
    assert optimum["value"] == pytest.approx(max(map(worth, archs)), rel=1e-6)
    assert optimum["among"] == len(archs)
    table.unlink()  # the page is made without it
    assert report_data(run)["optimum"] is None


def test_several_objectives_draw_networks_of_the_front(tmp_path: Path) -> None:
    pytest.importorskip("moocore")
    run = run_search(tmp_path / "run", 40, algorithm="nsga2", objectives=("worth", "macs"))
    data = report_data(run)
    values, macs = data["columns"]["value"], data["columns"]["metrics"]["macs"]
    assert len(data["graphs"]) > 1
    for drawn in (one["id"] for one in data["graphs"]):
        assert not any(v > values[drawn] and m < macs[drawn] for v, m in zip(values, macs, strict=True))


FALLING = """
def train(graph):
    for step in (1, 2, 3, 4):
        yield {"worth": graph.params / 1000 - 100 * step}
"""


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose trainings get worse with every step."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "own.py").write_text(FALLING)
    return run_search(folder / "stepped", 4, evaluator=f"{folder}/own.py:train", algorithm="random", steps=(1, 4))


def test_where_trainings_have_steps_only_a_whole_one_wins(stepped: Path) -> None:
    data = report_data(stepped)
    steps, values = data["columns"]["step"], data["columns"]["value"]
    assert set(steps) == {1, 4}
    whole = [i for i, step in enumerate(steps) if step == 4]
    assert data["best"] == max(whole, key=lambda i: values[i]) != max(range(len(values)), key=lambda i: values[i])
    assert {one["id"] for one in data["graphs"]} <= set(whole)


@pytest.mark.browser
def test_the_charts_show_whole_trainings(show: Any, stepped: Path) -> None:
    browser = show(stepped)
    steps = report_data(stepped)["columns"]["step"]
    trainings, whole = steps.count(1), steps.count(4)
    assert f"of {trainings} trainings, of which {whole} whole, budget 4 whole trainings" in texts(browser, ".card")[1]
    assert "step" in [text.strip() for text in texts(browser, ".evaluations th")]
    assert "1, 4 steps; only whole trainings are in the charts" in "".join(texts(browser, ".settings"))


def test_a_folder_without_a_run_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="holds no run"):
        write_report(tmp_path, tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_leaves_nothing(guided: Path, tmp_path: Path) -> None:
    with pytest.raises(CgError, match="cannot write"):
        write_report(guided, tmp_path / "absent" / "r.html")


def test_two_thousand_evaluations_stay_under_three_megabytes(tmp_path: Path) -> None:
    run = run_search(tmp_path / "run", 40, algorithm="random")
    enlarge(run, 2000)
    assert len(report_data(run)["columns"]["arch"]) == 2000
    assert len(report_page(run).encode()) < 3e6


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Callable[..., Any]:
    def open_page(run: Path, **window: Any) -> Any:
        if window:
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"deviceScaleFactor": 1, **window})
        write_report(run, tmp_path / "r.html")
        browser.get((tmp_path / "r.html").as_uri())
        browser.execute_async_script(
            """const done = arguments[0];
               const there = () => document.documentElement.dataset.ready && document.querySelector('.node');
               (function wait() { there() ? done() : setTimeout(wait, 20); })();"""
        )
        return browser

    return open_page


def texts(browser: Any, selector: str) -> list[str]:
    return browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector
    )


def click(browser: Any, selector: str) -> None:
    browser.execute_script("document.querySelector(arguments[0]).click()", selector)


@pytest.mark.browser
def test_every_part_is_there(show: Any, guided: Path) -> None:
    browser = show(guided)
    assert texts(browser, "section > h2") == [
        "Result", "Trajectory", "Trade-off", "Predicted and measured", "Winner", "All evaluations",
    ]  # fmt: skip
    assert len(texts(browser, ".plot canvas")) == 3
    data = report_data(guided)
    assert f"#{data['best']}" in texts(browser, ".ancestry .winner")[0]
    assert len(texts(browser, ".evaluations tbody tr")) == 40
    scipy_stats = pytest.importorskip("scipy.stats")
    pairs = [(m, v) for m, v in zip(data["columns"]["mean"], data["columns"]["value"], strict=True) if m is not None]
    assert float(texts(browser, "#spearman")[0]) == pytest.approx(scipy_stats.spearmanr(pairs).statistic, abs=6e-4)


@pytest.mark.browser
def test_the_table_sorts_filters_and_turns_pages(show: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By

    run = run_search(tmp_path / "run", 40, algorithm="random")
    enlarge(run, 120)
    browser = show(run)
    values = report_data(run)["columns"]["value"]

    def first() -> list[float]:
        return [float(text) for text in texts(browser, ".evaluations tbody td:nth-child(2)")]

    assert first() == pytest.approx(sorted(values, reverse=True)[:50], rel=1e-5)
    click(browser, ".evaluations th:nth-child(2) button")
    assert first() == pytest.approx(sorted(values)[:50], rel=1e-5)
    assert browser.find_element(By.CSS_SELECTOR, "th[aria-sort]").get_attribute("aria-sort") == "ascending"
    click(browser, ".pager button:last-of-type")
    assert first() == pytest.approx(sorted(values)[50:100], rel=1e-5)
    arch = report_data(run)["columns"]["arch"][7]
    browser.find_element(By.CSS_SELECTOR, "#evaluations input").send_keys(arch)
    assert set(texts(browser, ".evaluations td:last-child")) == {arch}
    assert texts(browser, "#row-count") == ["3 of 120 evaluations"]


@pytest.mark.browser
def test_an_evaluation_opens_by_keyboard_from_plot_and_table(show: Any, guided: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    browser = show(guided)
    browser.execute_script("document.querySelector('#trajectory .plot-frame').focus()")
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert texts(browser, "#trajectory .tip")[0].startswith("#1 worth")
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert texts(browser, "dialog[open] h2") == ["Evaluation #1"]
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert texts(browser, "dialog[open]") == []
    child = next(i for i, parents in enumerate(report_data(guided)["columns"]["parents"]) if parents)
    click(browser, f".evaluations button[aria-label='Evaluation {child}']")
    assert len(texts(browser, "dialog mark")) == 1


@pytest.mark.browser
def test_regret_and_pareto_axes_can_be_chosen(show: Any, tmp_path: Path) -> None:
    from toy_plugin import ToySpace, worth

    table = tmp_path / "labels.csv"
    table.write_text("arch,worth\n" + "".join(f"{a},{float(worth(a))!r}\n" for a in ToySpace().enumerate()))
    browser = show(run_search(tmp_path / "run", 30, evaluator=f"benchmark:toy={table}", algorithm="regularized"))
    choose = """const select = document.querySelector(arguments[0]); select.value = arguments[1];
                select.dispatchEvent(new Event('change')); return true;"""
    browser.execute_script(choose, "#trajectory select", "regret")
    assert "Regret over evaluations" in browser.execute_script(
        "return document.querySelector('#trajectory .plot-frame').getAttribute('aria-label')"
    )
    browser.execute_script(choose, "#tradeoff label:nth-child(2) select", "params")
    assert "worth against params" in browser.execute_script(
        "return document.querySelector('#tradeoff .plot-frame').getAttribute('aria-label')"
    )


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_barrier(show: Any, guided: Path, theme: str, width: int) -> None:
    from axe_core_python.selenium import Axe

    browser = show(guided, width=width, height=900, mobile=width < 600)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {
            "features": [
                {"name": "prefers-color-scheme", "value": theme},
                {"name": "prefers-reduced-motion", "value": "reduce"},  # colours are read settled
            ]
        },
    )
    for _ in range(2):
        result = Axe().run(browser)
        assert len(result["passes"]) > 15
        assert [f"{v['id']}: {n['html'][:200]}" for v in result["violations"] for n in v["nodes"]] == []
        click(browser, ".evaluations tbody button")  # and once more with the dialog open


@pytest.mark.browser
def test_a_phone_needs_no_sideways_scrolling(show: Any, guided: Path) -> None:
    browser = show(guided, width=390, height=844, mobile=True)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390


@pytest.mark.browser
def test_two_thousand_evaluations_paint_within_a_second(show: Any, tmp_path: Path) -> None:
    run = run_search(tmp_path / "run", 40, algorithm="random")
    enlarge(run, 2000)
    times = []
    for _ in range(5):
        browser = show(run)
        times += browser.execute_script(
            "return performance.getEntriesByName('first-contentful-paint').map((entry) => entry.startTime)"
        )
    assert times
    assert min(times) < 1000


@pytest.mark.browser
def test_hostile_texts_do_nothing(show: Any, tmp_path: Path) -> None:
    run = run_search(tmp_path / "run", 12, algorithm="random")
    with contextlib.closing(sqlite3.connect(run / "history.sqlite")) as db, db:
        db.execute(
            "UPDATE evaluations SET arch = ?, origin = ?, error = ?, status = 'failed', metrics = ? WHERE id = 3",
            (HOSTILE, HOSTILE, HOSTILE, json.dumps({HOSTILE: 1.0, "__proto__": 2.0})),
        )
    browser = show(run)
    click(browser, ".evaluations button[aria-label='Evaluation 3']")
    assert HOSTILE in texts(browser, "dialog .arch")[0]
    assert browser.title == "Search of toy"
    assert browser.execute_script("return document.querySelectorAll('img').length") == 0


# --- folders that others sent -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of four evaluations."""
    return run_search(tmp_path_factory.mktemp("four") / "run", budget=4, algorithm="random")


@pytest.fixture
def sent(four: Path, tmp_path: Path) -> Path:
    """The same in a folder of its own."""
    return Path(shutil.copytree(four, tmp_path / "run"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("space", {}), ("space", None), ("evaluator", ["a"]), ("budget", "5"), ("budget", True), ("seed", 1.5), ("seed", 10**30), ("objectives", "accuracy"),
        ("objectives", [1]), ("objectives", {"a": 1}), ("constraints", [None]), ("exclude", 3), ("pool", 3), ("steps", ["x"]), ("algorithm", [1]),
    ],
)  # fmt: skip
def test_a_setting_of_another_type_is_refused_in_one_line(sent: Path, name: str, value: Any) -> None:
    config = json.loads((sent / "config.json").read_text())
    (sent / "config.json").write_text(json.dumps({**config, name: value}))
    with pytest.raises(SearchError, match=f"is no readable run configuration: {name} "):
        report_data(sent)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("arch", b"a"), ("hash", b"x"), ("value", "best"), ("cost", "a"), ("metrics", "[1]"), ("metrics", '{"a": [1]}'), ("metrics", "{"), ("parents", "5"),
        ("predicted_mean", "x"), ("attempts", "many"), ("seed", "x"), ("finished_at", "noon"), ("network", b"\x1f\x8bx"), ("network", "text"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_in_one_line(sent: Path, column: str, value: Any) -> None:
    with contextlib.closing(sqlite3.connect(sent / "history.sqlite")) as connection, connection:
        connection.execute(f"UPDATE evaluations SET {column} = ?", (value,))
    connection.close()
    if column == "network":
        assert "is damaged" in report_data(sent)["note"]
        return
    with pytest.raises(SearchError, match="is damaged"):
        report_data(sent)


def test_a_history_with_damaged_pages_is_refused_in_one_line(sent: Path) -> None:
    whole = (sent / "history.sqlite").read_bytes()
    place = whole.index(b"CREATE TABLE")
    for text in (b"CREATE TABLX", b"\x84\x84\x84\x84"):
        (sent / "history.sqlite").write_bytes(whole[:place] + text + whole[place + len(text) :])
        with pytest.raises(SearchError, match=r"is damaged|is no history"):
            report_data(sent)
