"""One HTML file from a title, scripts, styles and data."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from cg_ir.errors import CgError

#: Characters that could end a script element or, in old parsers, a JavaScript string, and halves of surrogate pairs, which UTF-8 cannot hold.
_UNSAFE = {code: f"\\u{code:04x}" for code in (*map(ord, "<>&\u2028\u2029"), *range(0xD800, 0xE000))}

_TEMPLATE = """<!DOCTYPE html>
<html lang="en"{theme}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="generator" content="cg-ir {version}">{refresh}
<title>{title}</title>
<link rel="icon" href="data:,">
{styles}
</head>
<body class="{body_class}">
<header class="page-head"><h1>{title}</h1><div id="head-tools"></div></header>
<main>
{main}
<noscript>This page draws with JavaScript, which is switched off here.</noscript>
</main>
{data}
{scripts}
</body>
</html>
"""


def asset(name: str, package: str = "cg_ir.page") -> str:
    """The text of a file in the folder ``assets`` of a package."""
    return resources.files(package).joinpath("assets", *name.split("/")).read_text(encoding="utf-8")


def embedded_json(value: Any) -> str:
    """JSON that may stand inside a ``<script>`` element, whatever strings it holds."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_UNSAFE)


def page(
    title: str,
    main: str,
    *,
    data: Mapping[str, Any],
    scripts: Sequence[str],
    styles: Sequence[str],
    body_class: str = "",
    theme: str = "auto",
    refresh: float | None = None,
) -> str:
    """A whole HTML document without outside references.

    Args:
        title: plain text; it is escaped, and halves of surrogate pairs stand as ``\\ud800``.
        main: markup of the page's body, the caller's own (nothing from data).
        data: JSON values by the id under which the scripts find them.
        scripts: JavaScript texts, run in this order after the markup; only these may run (their digests are in the policy).
        styles: CSS texts.
        body_class: class of the body element.
        theme: ``light`` or ``dark`` at first, ``auto`` for what the viewer prefers; a button changes it.
        refresh: seconds after which a browser reads the file anew; it does not by default.

    Raises:
        CgError: an unknown theme.
    """
    import cg_ir

    if theme not in ("auto", "light", "dark"):
        raise CgError(f"theme should be auto, light or dark, not {theme!r}")
    digests = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    policy = f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    return _TEMPLATE.format(
        policy=policy,
        theme="" if theme == "auto" else f' data-theme="{theme}"',
        version=cg_ir.__version__,
        refresh="" if refresh is None else f'\n<meta http-equiv="refresh" content="{max(1, round(refresh))}">',
        title=html.escape(title.encode("utf-8", "backslashreplace").decode("utf-8")),
        styles="\n".join(f"<style>{text}</style>" for text in styles),
        body_class=body_class,
        main=main,
        data="\n".join(
            f'<script type="application/json" id="{html.escape(key)}">{embedded_json(value)}</script>'
            for key, value in data.items()
        ),
        scripts="\n".join(f"<script>{text}</script>" for text in scripts),
    )
