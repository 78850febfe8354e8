"""Colours and type of drawings, light and dark."""

from __future__ import annotations

import re

#: Colour groups in the order of the legend, and how it calls them.
KINDS = {
    "source": "input, output",
    "conv": "convolution",
    "matmul": "matrix product",
    "attention": "attention, recurrent",
    "norm": "normalisation",
    "activation": "activation",
    "pool": "pooling, reduction",
    "join": "arithmetic, join",
    "layout": "layout",
    "custom": "custom",
}
HUES = {
    "source": ("#5b6472", "#9aa5b5"),
    "conv": ("#2f6fde", "#6ea3ff"),
    "matmul": ("#6a4fd8", "#a792ff"),
    "attention": ("#b03fb4", "#e07fe3"),
    "norm": ("#1d8f8a", "#4fcac4"),
    "activation": ("#d9622b", "#ff9a66"),
    "pool": ("#2f9148", "#63cb7d"),
    "join": ("#b98a00", "#e8bd3d"),
    "layout": ("#8a8f98", "#7f8793"),
    "custom": ("#d03050", "#ff6f8b"),
}
_LIGHT = {
    "page": "#ffffff",
    "ink": "#1c2230",
    "quiet": "#667085",
    "box": "#ffffff",
    "line": "#cfd5df",
    "edge": "#7c8798",
    "tint0": "#f5f7fa",
    "tint1": "#eceff5",
    "wash": "0.10",
}
_DARK = {
    "page": "#11151c",
    "ink": "#e6eaf2",
    "quiet": "#98a2b3",
    "box": "#1a202b",
    "line": "#3a4454",
    "edge": "#8791a3",
    "tint0": "#171d27",
    "tint1": "#1d2431",
    "wash": "0.16",
}


def _values(dark: bool) -> dict[str, str]:
    return {**(_DARK if dark else _LIGHT), **{name: pair[dark] for name, pair in HUES.items()}}


def _variables(dark: bool) -> str:
    return "".join(f"--cg-{name}:{value};" for name, value in _values(dark).items())


def literal(drawing: str, dark: bool) -> str:
    """A drawing with the colours of one theme in place of variables, for programs that know none."""
    values = _values(dark)
    return re.sub(r"var\(--cg-(\w+)\)", lambda found: values[found[1]], drawing)


def stylesheet() -> str:
    """The style sheet that every drawing carries."""
    rules = [
        f".cg-svg{{{_variables(False)}}}",
        f".cg-theme-dark{{{_variables(True)}}}",
        f"@media (prefers-color-scheme:dark){{.cg-theme-auto{{{_variables(True)}}}}}",
        ".cg-svg{max-width:100%;height:auto}",
        ".cg-svg text{font-family:ui-sans-serif,system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Liberation Sans','DejaVu Sans',sans-serif}",
        ".cg-svg text{fill:var(--cg-ink)}",
        ".cg-page{fill:var(--cg-page)}",
        ".cg-heading{font-size:17px;font-weight:600}",
        ".cg-facts{font-size:12px}",
        ".cg-op{font-size:12px}",
        ".cg-svg .cg-region{font-size:10.5px;font-weight:600;fill:var(--cg-quiet)}",
        ".cg-svg .cg-small{font-size:10.5px;fill:var(--cg-quiet)}",
        ".cg-svg .cg-shape{font-size:9.5px;fill:var(--cg-quiet)}",
        ".cg-shape,.cg-halo0,.cg-halo1{paint-order:stroke;stroke:var(--cg-tint0);stroke-width:3px;stroke-linejoin:round}",
        ".cg-halo1{stroke:var(--cg-tint1)}",
        ".cg-end{text-anchor:end}",
        ".cg-frame{stroke:var(--cg-line);stroke-width:1}",
        ".cg-tint0{fill:var(--cg-tint0)}.cg-tint1{fill:var(--cg-tint1)}",
        ".cg-box{fill:var(--cg-box);stroke:var(--cg-line);stroke-width:1.2}",
        ".cg-folded{stroke-dasharray:4 2}",
        ".cg-row{fill-opacity:var(--cg-wash)}.cg-row:hover{fill-opacity:.3}",
        ".cg-edges path{fill:none;stroke:var(--cg-edge);stroke-width:1.4}",
        ".cg-edges path:hover{stroke:var(--cg-conv);stroke-width:2.6}",
        ".cg-head{fill:var(--cg-edge)}",
        *(f".cg-{name}{{fill:var(--cg-{name})}}" for name in KINDS),
    ]
    return "".join(rules)
