"""The graph page in a real browser: drawn, folded, moved, searched and operated by keyboard, without a console message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cg_ir import Graph, GraphBuilder
from cg_ir.page import graph_page

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=document.title='owned'></script><script>document.title='owned'</script>"
WAIT_FOR_PAINT = "const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 50));"


def network(stages: int = 3, cells: int = 3, name: str = "staged") -> Graph:
    """Stages of residual cells, each a region; 17 nodes a cell."""
    builder = GraphBuilder(name)
    x = builder.input((1, 3, 32, 32))
    x = builder.add("Conv", x, channels=16, kernel_shape=(3, 3), pads=(1, 1, 1, 1), region="stem")
    for stage in range(stages):
        for cell in range(cells):
            region = f"stage_{stage + 1}.cell_{cell + 1}"
            y = x
            for _ in range(5):
                y = builder.add("Conv", y, channels=16, kernel_shape=(3, 3), pads=(1, 1, 1, 1), region=region)
                y = builder.add("BatchNormalization", y, region=region)
                y = builder.add("Relu", y, region=region)
            y = builder.add(
                "AveragePool", y, kernel_shape=(3, 3), pads=(1, 1, 1, 1), count_include_pad=False, region=region
            )
            x = builder.add("Add", x, y, region=region)
    x = builder.add("GlobalAveragePool", x, region="head")
    builder.output(builder.add("Gemm", builder.add("Flatten", x, shape=(1, 16)), channels=10, bias=True, region="head"))
    return builder.build()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Callable[..., Any]:
    def open_page(graph: Graph, **window: Any) -> Any:
        if window:
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"deviceScaleFactor": 1, **window})
        file = tmp_path / "g.html"
        file.write_text(graph_page(graph), encoding="utf-8")
        browser.get(file.as_uri())
        browser.execute_async_script(WAIT_FOR_PAINT)
        return browser

    return open_page


def labels(browser: Any, selector: str) -> list[str]:
    return browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map((e) => e.getAttribute('aria-label'))", selector
    )


def press(browser: Any, *keys: str) -> None:
    browser.switch_to.active_element.send_keys(*keys)


def button(browser: Any, text: str) -> Any:
    from selenium.webdriver.common.by import By

    return browser.find_element(By.XPATH, f"//button[normalize-space(.)='{text}' or @aria-label='{text}']")


def click_in_drawing(browser: Any, selector: str) -> None:
    """Click the first box that fits, also when it lies outside the part in sight."""
    browser.execute_script(
        "document.querySelector(arguments[0]).dispatchEvent(new MouseEvent('click', {bubbles: true}))", selector
    )


def axe_violations(browser: Any) -> list[str]:
    import axe_core_python
    from axe_core_python.selenium import Axe

    assert (Path(axe_core_python.__file__).parent / "axe.min.js").exists()
    found = Axe().run(browser)["violations"]
    return [f"{v['id']}: {v['help']}: {n['html'][:200]}" for v in found for n in v["nodes"]]


def test_a_small_network_is_unfolded_and_every_box_is_named(show):
    graph = network(stages=1, cells=2)
    browser = show(graph)
    assert len(labels(browser, ".node")) == len(graph)
    written = browser.execute_script(
        "return [...document.querySelectorAll('.node, .region')].map((e) => [...e.querySelectorAll('text')].map((t) => t.textContent).join(' '))"
    )
    assert all(label.startswith(text) for label, text in zip(labels(browser, ".node, .region"), written, strict=True))
    assert browser.execute_script("return document.querySelectorAll('.edges path').length") >= len(graph) - 1


def test_boxes_do_not_overlap_and_lie_inside_their_regions(show):
    browser = show(network(stages=1, cells=2))
    boxes = browser.execute_script(
        """return [...document.querySelectorAll('.node > .face, .frames .frame')].map((e) => {
             const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom, e.classList.contains('frame')]; })"""
    )
    nodes = [b for b in boxes if not b[4]]
    for i, a in enumerate(nodes):
        for b in nodes[:i]:
            assert a[2] <= b[0] + 1 or b[2] <= a[0] + 1 or a[3] <= b[1] + 1 or b[3] <= a[1] + 1
    for frame in (b for b in boxes if b[4]):
        for a in nodes:
            inside = frame[0] <= a[0] and a[2] <= frame[2] and frame[1] <= a[1] and a[3] <= frame[3]
            outside = a[2] <= frame[0] or frame[2] <= a[0] or a[3] <= frame[1] or frame[3] <= a[1]
            assert inside or outside


def test_edges_run_through_no_box_and_no_region(show):
    """Every point of an edge's way lies in the regions that the whole edge lies in, and in no box."""
    browser = show(network(stages=2, cells=2))
    button(browser, "Unfold all").click()
    browser.execute_async_script(WAIT_FOR_PAINT)
    edges, wrong = browser.execute_script(
        """const box = (e, r) => { const m = e.getCTM(), b = e.getBBox(), k = m.a;
             return { x0: b.x * k + m.e + r, y0: b.y * k + m.f + r, x1: (b.x + b.width) * k + m.e - r, y1: (b.y + b.height) * k + m.f - r }; };
           const holds = (b, p) => b.x0 < p.x && p.x < b.x1 && b.y0 < p.y && p.y < b.y1;
           const all = (s, r) => [...document.querySelectorAll(s)].map((e) => box(e, r));
           const nodes = all('.node > .face, .region.folded > .face', 2), frames = all('.frame', 2), loose = all('.frame', -2);
           const wrong = [], paths = [...document.querySelectorAll('.edges path')];
           for (const path of paths) {
             const length = path.getTotalLength(), m = path.getCTM(), around = new Set();
             const points = Array.from({ length: 60 }, (_, i) => path.getPointAtLength((length * (i + 0.5)) / 60).matrixTransform(m));
             if (points.some((p) => nodes.some((b) => holds(b, p)))) wrong.push('box');
             frames.forEach((b, i) => { if (points.some((p) => holds(b, p)) && !points.every((p) => holds(loose[i], p))) wrong.push('region'); });
           }
           return [paths.length, wrong];"""
    )
    assert edges > 60
    assert wrong == []


def test_a_module_that_is_used_twice_is_two_regions_and_every_edge_goes_down(show):
    builder = GraphBuilder("twice")
    x = builder.input((1, 8))
    for region in ("encoder", "", "encoder", ""):
        for op in ("Relu", "Sigmoid")[: 2 if region else 1]:
            x = builder.add(op if region else "Tanh", x, region=region)
    builder.output(x)
    browser = show(builder.build(), width=1280, height=2400, mobile=False)  # one column
    assert labels(browser, ".region.open") == ["encoder, unfolded region encoder"] * 2
    ends = browser.execute_script(
        """return [...document.querySelectorAll('.edges path')].map((path) =>
             [path.getPointAtLength(0).y, path.getPointAtLength(path.getTotalLength()).y]);"""
    )
    assert len(ends) > 7
    assert all(start < end for start, end in ends)


@pytest.mark.parametrize(("width", "least"), [(1280, 6.5), (390, 3.2)])
def test_a_long_network_is_readable_as_a_whole(show, width, least):
    """A chain of 122 nodes is broken into columns: its captions have a size that can be read, where one column would be 2 % of the page wide."""
    builder = GraphBuilder("long")
    x = builder.input((1, 3, 32, 32))
    for i in range(40):
        x = builder.add("Conv", x, channels=16, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
        x = builder.add("BatchNormalization", x)
        x = builder.add("Relu" if i % 2 else "Sigmoid", x)
    builder.output(x)
    browser = show(builder.build(), width=width, height=844, mobile=width < 600)
    button(browser, "Show everything").click()
    browser.execute_async_script(WAIT_FOR_PAINT)
    size, share = browser.execute_script(
        """const v = document.querySelector('.viewport'), c = document.querySelector('.canvas'), b = v.getBoundingClientRect();
           const text = document.querySelector('.node .caption');
           return [parseFloat(getComputedStyle(text).fontSize) * v.getCTM().a, (b.width * b.height) / (c.clientWidth * c.clientHeight)];"""
    )
    assert size > least
    assert share > 0.5


def test_costs_stand_on_operators_and_regions(show):
    browser = show(network(stages=1, cells=1))
    convolution = next(label for label in labels(browser, ".node") if label.startswith("Conv 3×3"))
    assert "448 par · 442 k MACs" in convolution or "432 par · 442 k MACs" in convolution
    lines = browser.execute_script(
        "return [...document.querySelectorAll('.region.open .line')].map((e) => e.textContent)"
    )
    assert any("MACs" in line for line in lines)


def test_folding_and_unfolding(show):
    from selenium.webdriver.common.by import By

    graph = network()
    browser = show(graph)
    folded = labels(browser, ".region.folded")
    assert folded
    assert len(labels(browser, ".node")) < len(graph)
    browser.find_element(By.CSS_SELECTOR, ".region.folded .fold").click()
    assert len(labels(browser, ".region.folded")) == len(folded) - 1
    button(browser, "Unfold all").click()
    browser.execute_async_script(WAIT_FOR_PAINT)
    assert len(labels(browser, ".node")) == len(graph)
    button(browser, "Fold all").click()
    assert labels(browser, ".region.open") == []
    assert any("stage_2" in label for label in labels(browser, ".region.folded"))


def test_zooming_by_button_wheel_and_drag(show):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
    from selenium.webdriver.common.by import By

    browser = show(network())

    def view() -> str:
        return browser.find_element(By.CSS_SELECTOR, ".viewport").get_attribute("transform")

    def scale() -> float:
        return float(view().split("scale(")[1].rstrip(")"))

    before = scale()
    button(browser, "Zoom in").click()
    assert scale() == pytest.approx(1.35 * before)
    canvas = browser.find_element(By.CSS_SELECTOR, ".canvas")
    ActionChains(browser).scroll_from_origin(ScrollOrigin.from_element(canvas), 0, 400).perform()
    assert scale() < 1.35 * before
    moved = view()
    ActionChains(browser).move_to_element_with_offset(canvas, -300, 0).click_and_hold().move_by_offset(
        60, 40
    ).release().perform()
    assert view() != moved
    button(browser, "Show everything").click()
    box = browser.execute_script(
        "const [b, c] = ['.viewport', '.canvas'].map((s) => document.querySelector(s).getBoundingClientRect());"
        "return [b.top >= c.top, b.bottom <= c.bottom, b.left >= c.left, b.right <= c.right]"
    )
    assert all(box)


def test_searching_marks_counts_and_goes_to_folded_nodes(show):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    graph = network()
    browser = show(graph)
    field = browser.find_element(By.CSS_SELECTOR, "input[type=search]")
    field.send_keys("avgpool 3x3 1x16x32x32 stage_3")
    wanted = sum(node.op == "AveragePool" and node.region.startswith("stage_3") for node in graph.nodes)
    assert browser.find_element(By.CSS_SELECTOR, ".count").text == f"{wanted} matches"
    assert browser.find_elements(By.CSS_SELECTOR, ".badge")
    field.send_keys(Keys.ENTER)
    assert browser.find_element(By.CSS_SELECTOR, ".count").text == f"1 of {wanted}"
    selected = labels(browser, ".selected")
    assert len(selected) == 1
    assert selected[0].startswith("A")
    assert "stage_3.cell_1" in selected[0]
    field.send_keys(Keys.ESCAPE)
    assert browser.find_elements(By.CSS_SELECTOR, ".hit") == []


def test_filtering_by_operator(show):
    from selenium.webdriver.common.by import By

    graph = network(stages=1, cells=2)
    browser = show(graph)
    browser.find_element(By.CSS_SELECTOR, "button[data-op=Relu]").click()
    hits = labels(browser, ".node.hit")
    assert len(hits) == sum(node.op == "Relu" for node in graph.nodes)
    assert all(label.startswith("Relu") for label in hits)


def test_the_panel_shows_the_numbers_of_a_node(show):
    from selenium.webdriver.common.by import By

    graph = network(stages=1, cells=1)
    browser = show(graph)
    click_in_drawing(browser, ".node.kind-matmul")
    text = browser.find_element(By.CSS_SELECTOR, ".panel").text
    node = next(node for node in graph.nodes if node.op == "Gemm")
    for expected in ("Gemm", f"{node.params:,}", f"{node.macs:,}", "1 × 16", "1 × 10", "head", "bias", "Flatten"):
        assert expected in text
    browser.find_element(By.XPATH, "//*[@class='panel']//button[normalize-space(.)='Flatten']").click()
    assert "Flatten" in browser.find_element(By.CSS_SELECTOR, ".panel h2").text


def test_everything_works_by_keyboard(show):
    from selenium.webdriver.common.keys import Keys

    browser = show(network())
    browser.execute_script("document.querySelector('.canvas [tabindex=\"0\"]').focus()")
    start = browser.switch_to.active_element.get_attribute("aria-label")
    assert start.startswith("Input")
    for _ in range(12):
        press(browser, Keys.ARROW_DOWN)
        if expanded := browser.switch_to.active_element.get_attribute("aria-expanded"):
            break
    assert expanded
    press(browser, Keys.SPACE)
    assert browser.switch_to.active_element.get_attribute("aria-expanded") != expanded
    press(browser, Keys.ENTER)
    assert labels(browser, ".selected")
    press(browser, Keys.ESCAPE)
    assert labels(browser, ".selected") == []
    press(browser, "/")
    assert browser.switch_to.active_element.get_attribute("type") == "search"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_barrier(show, theme, width):
    from selenium.webdriver.common.by import By

    browser = show(network(stages=1, cells=2), width=width, height=844, mobile=width < 600)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {
            "features": [
                {"name": "prefers-color-scheme", "value": theme},
                {"name": "prefers-reduced-motion", "value": "reduce"},  # colours are read settled
            ]
        },
    )
    assert axe_violations(browser) == []
    click_in_drawing(browser, ".node.kind-conv")
    assert browser.find_element(By.CSS_SELECTOR, ".panel h2").text
    assert axe_violations(browser) == []


def test_a_phone_shows_drawing_and_panel_without_sideways_scrolling(show):
    browser = show(network(), width=390, height=844, mobile=True)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    drawing, panel = browser.execute_script(
        """return ['.canvas', '.panel'].map((s) => {
             const b = document.querySelector(s).getBoundingClientRect(); return [b.width, b.height, b.top]; })"""
    )
    assert drawing[0] == panel[0] == 390
    assert drawing[1] > 250
    assert panel[2] > drawing[2]


def test_the_switch_changes_the_colours(show):
    browser = show(network(stages=1, cells=1))
    background = "return getComputedStyle(document.documentElement).backgroundColor"
    before = browser.execute_script(background)
    browser.execute_script("document.getElementById('theme').click()")
    assert browser.execute_script(background) != before


def test_hostile_names_do_nothing(show):
    builder = GraphBuilder(HOSTILE)
    x = builder.input((1, 3, 8, 8))
    x = builder.add("Custom", x, shape=(1, 3, 8, 8), name=HOSTILE, params=7, region=HOSTILE + ".__proto__")
    builder.output(builder.add("Relu", x, region="constructor.prototype.__proto__"))
    browser = show(builder.build())
    click_in_drawing(browser, ".kind-custom")
    assert browser.title == HOSTILE
    assert browser.execute_script("return document.querySelectorAll('img').length") == 0


def test_a_network_of_thousands_of_nodes_opens_at_once(show):
    graph = network(stages=6, cells=40)
    assert len(graph) > 4000
    browser = show(graph)
    ready = browser.execute_script("return performance.getEntriesByType('navigation')[0].domComplete")
    assert ready < 3000
    assert 0 < len(labels(browser, ".node, .region")) < 200
