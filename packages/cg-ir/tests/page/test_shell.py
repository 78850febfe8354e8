"""The shell of every page: what is escaped, what may run, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cg_ir
from cg_ir import CgError
from cg_ir.page.shell import asset, embedded_json, page


def made(**options: Any) -> str:
    return page(**{"title": "t", "main": "<p>", "data": {}, "scripts": [], "styles": [], **options})


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda s: st.lists(s) | st.dictionaries(st.text(), s), max_leaves=5
    )
)
def test_embedded_json_reads_back_and_cannot_end_its_element(value):
    text = embedded_json(value)
    assert json.loads(text) == value
    assert not set(text) & set("<>&\u2028\u2029")


def test_numbers_that_json_lacks_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        page("t", "", data={"d": float("nan")}, scripts=[], styles=[])


def test_only_scripts_whose_digests_are_in_the_policy_may_run() -> None:
    scripts = ["let a = 1;", 'größe("</b>")']
    text = made(scripts=scripts)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    wanted = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert re.findall(r"'sha256-([^']*)'", policy[1]) == wanted
    first, second = (text.index(f"<script>{s}</script>") for s in scripts)
    assert first < second


@pytest.mark.parametrize(
    ("theme", "tag"),
    [
        ("auto", '<html lang="en">'),
        ("dark", '<html lang="en" data-theme="dark">'),
        ("light", '<html lang="en" data-theme="light">'),
    ],
)
def test_the_theme_is_an_attribute_of_the_document(theme: str, tag: str) -> None:
    assert tag in made(theme=theme)


def test_another_theme_is_refused() -> None:
    with pytest.raises(CgError, match=r"^theme should be auto, light or dark, not 'blue'$"):
        made(theme="blue")


@pytest.mark.parametrize(("seconds", "content"), [(0.2, "1"), (2.6, "3"), (30, "30")])
def test_a_page_is_read_anew_after_whole_seconds(seconds: float, content: str) -> None:
    assert f'<meta http-equiv="refresh" content="{content}">' in made(refresh=seconds)
    assert 'http-equiv="refresh"' not in made()


@pytest.mark.parametrize(
    ("title", "shown"),
    [('a < b & "c"', "a &lt; b &amp; &quot;c&quot;"), ("\ud800", "\\ud800"), ("größe", "größe"), ("{main}", "{main}")],
)
def test_a_title_is_text(title: str, shown: str) -> None:
    text = made(title=title)
    assert f"<title>{shown}</title>" in text
    assert f"<h1>{shown}</h1>" in text


def test_data_lies_under_its_key_and_markup_where_it_was_given() -> None:
    text = made(
        data={'a"b': {"x": "</script>"}, "c": [1]}, styles=["p{color:red}"], body_class="wide", main="<b id='m'>"
    )
    (first, second) = re.findall(r'<script type="application/json" id="([^"]*)">(.*?)</script>', text)
    assert first[0] == "a&quot;b"
    assert json.loads(first[1]) == {"x": "</script>"}
    assert second == ("c", "[1]")
    assert "<style>p{color:red}</style>" in text
    assert '<body class="wide">' in text
    assert "<main>\n<b id='m'>" in text
    assert f'content="cg-ir {cg_ir.__version__}"' in text


def test_assets_are_texts_of_a_package() -> None:
    assert "dagre" in asset("vendor/dagre.min.js")
    with pytest.raises(FileNotFoundError):
        asset("none.js")
