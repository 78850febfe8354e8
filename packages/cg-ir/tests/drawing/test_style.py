"""Colours of drawings: every kind has some, both themes have the same names, and they can be read."""

from __future__ import annotations

import re

import pytest

from cg_ir.drawing import to_svg
from cg_ir.drawing.labels import kind
from cg_ir.drawing.style import HUES, KINDS, literal, stylesheet
from cg_ir.operators import OPERATORS


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


def value(name: str, dark: bool) -> str:
    return literal(f"var(--cg-{name})", dark)


def test_every_operator_has_a_colour_and_a_name_in_the_legend() -> None:
    assert {kind(op) for op in OPERATORS} <= set(KINDS)
    assert list(KINDS) == list(HUES)


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read_on_what_is_behind_it(dark: bool) -> None:
    for ground in ("page", "box", "tint0", "tint1"):
        assert contrast(value("ink", dark), value(ground, dark)) >= 7, ground
        assert contrast(value("quiet", dark), value(ground, dark)) >= 4.3, ground


@pytest.mark.parametrize("dark", [False, True])
def test_hues_stand_out_from_the_box(dark: bool) -> None:
    for name in KINDS:
        assert contrast(value(name, dark), value("box", dark)) >= 2.5, name


def test_every_variable_that_is_used_is_set_in_both_themes() -> None:
    text = stylesheet()
    used = set(re.findall(r"var\((--cg-[\w-]+)\)", text))
    blocks = re.findall(r"\.cg-(?:svg|theme-dark|theme-auto)\{((?:--cg-[^}]*)+)\}", text)
    assert len(blocks) == 3
    for block in blocks:
        assert used <= set(re.findall(r"(--cg-[\w-]+):", block))
    assert blocks[1] == blocks[2] != blocks[0]


def test_variables_become_the_colours_of_a_theme_and_nothing_else_changes() -> None:
    text = "<a fill='var(--cg-ink)' stroke='var(--cg-conv)'/>"
    assert literal(text, False) == "<a fill='#1c2230' stroke='#2f6fde'/>"
    assert literal(text, True) == "<a fill='#e6eaf2' stroke='#6ea3ff'/>"
    with pytest.raises(KeyError):
        literal("var(--cg-none)", False)


def test_literal_colours_leave_no_variable(networks):
    text = to_svg(networks.cells())
    assert "var(--cg-" in text
    assert "var(--cg-" not in literal(text, dark=True)
    assert literal(text, dark=True) != literal(text, dark=False)
