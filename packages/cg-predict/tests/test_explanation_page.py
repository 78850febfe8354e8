"""The page of an explanation: two networks side by side in a real browser, painted, by keyboard, on a phone, light and dark."""

from __future__ import annotations

import pytest

from cg_ir import GraphBuilder
from cg_predict.explain_commands import _compared, _explained
from cg_predict.explanation_page import explanation_page, save_changes
from cg_predict.predictor import Predictor

HOSTILE = "<img src=x onerror=document.title='owned'></script><script>document.title='owned'</script>"


def chain(blocks, width):
    b = GraphBuilder(f"chain of {blocks}")
    x = b.add("Conv", b.input((1, 3, 8, 8)), channels=width, kernel_shape=(3, 3), pads=(1, 1, 1, 1), region="stem")
    for number in range(blocks):
        region = f"block_{number}"
        y = b.add("Conv", x, channels=width, kernel_shape=(3, 3), pads=(1, 1, 1, 1), region=region)
        y = b.add("Relu", b.add("BatchNormalization", y, region=region), region=region)
        x = b.add("Add", x, y, region=region)
    x = b.add("Flatten", b.add("GlobalAveragePool", x), shape=(1, width))
    b.output(b.add("Gemm", x, channels=10))
    return b.build()


@pytest.fixture(scope="module")
def explained():
    graphs, scorer = [chain(4, 16), chain(2, 8)], Predictor(warn=False)
    networks = [_explained(name, graph, scorer, True) for name, graph in zip(("wide", HOSTILE), graphs, strict=True)]
    return {"scorer": "predictor", "networks": networks, "comparison": _compared(graphs, scorer)}, graphs


@pytest.fixture
def show(browser, tmp_path, explained):
    def open_page(width=1280, theme="light"):
        window = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
        features = [
            {"name": "prefers-color-scheme", "value": theme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        (tmp_path / "why.html").write_text(explanation_page(*explained), encoding="utf-8")
        browser.get((tmp_path / "why.html").as_uri())
        browser.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 50));")
        return browser

    return open_page


def test_the_document_adds_up(explained):
    document, _ = explained
    first, second = document["networks"]
    total = sum(share["contribution"] for share in document["comparison"]["properties"])
    assert total == pytest.approx(first["score"] - second["score"], abs=1e-6)
    for row in document["networks"]:
        assert row["rest"] + sum(r["contribution"] for r in row["regions"]) == pytest.approx(row["score"], abs=1e-6)


@pytest.mark.browser
def test_drawings_are_painted_and_say_what_parts_contribute(show, explained):
    from selenium.webdriver.common.by import By

    document, graphs = explained
    browser = show()
    assert browser.title != "owned"
    assert browser.execute_script("return document.querySelectorAll('img').length") == 0
    assert len(browser.find_elements(By.CSS_SELECTOR, ".drawing-of")) == 2
    heats = browser.execute_script("return document.querySelectorAll('.drawing-of:first-of-type .heat').length")
    assert heats >= len(document["networks"][0]["regions"])
    script = "document.querySelector(arguments[0]).dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    browser.find_element(By.CSS_SELECTOR, "button.details").click()
    browser.execute_script(script, "[aria-label*='block_2'].region")
    contribution = document["networks"][0]["regions"][2]["contribution"]
    assert f"{contribution:+.3f}".replace("-", "−") in browser.find_element(By.CSS_SELECTOR, ".panel").text
    text = browser.find_element(By.TAG_NAME, "main").text
    for expected in (
        "is the better one with probability",
        "path flow",
        "ms on rtx4090",
        "Nearest labelled networks",
        HOSTILE,
    ):
        assert expected in text
    assert len(graphs) == 2


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_for_everyone(show, theme, width):
    from axe_core_python.selenium import Axe
    from selenium.webdriver.common.keys import Keys

    browser = show(width, theme)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    found = Axe().run(browser)["violations"]
    assert [f"{v['id']}: {n['html'][:160]}" for v in found for n in v["nodes"]] == []
    browser.execute_script("document.querySelector('.canvas [tabindex=\"0\"]').focus()")
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.execute_script("return document.querySelectorAll('.selected').length") == 1


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_of_changes_is_for_everyone(browser, tmp_path, theme, width):
    from axe_core_python.selenium import Axe
    from selenium.webdriver.common.by import By

    rows = [{"change": HOSTILE, "what": HOSTILE, "gain": 0.1, "parameters": 5, "macs": 7, "latency@raspi4": 1.0}]
    document = {
        "source": HOSTILE,
        "score": 0.0,
        "parameters": 4,
        "macs": 6,
        "latency@raspi4": 0.9,
        "considered": 9,
        "changes": rows,
    }
    save_changes(document, [chain(1, 8)], tmp_path / "changes")
    window = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get((tmp_path / "changes" / "index.html").as_uri())
    assert browser.title != "owned"
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    found = Axe().run(browser)["violations"]
    assert [f"{v['id']}: {n['html'][:160]}" for v in found for n in v["nodes"]] == []
    browser.find_element(By.LINK_TEXT, "drawing").click()
    assert browser.find_elements(By.CSS_SELECTOR, "#graph .canvas")
