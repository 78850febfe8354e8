"""The picture of the packages: what each is for, and which imports which, read from the sources. Into docs/architecture.svg.

The boxes are placed by the layout that draws networks (`cg_ir.drawing.layered`).
"""

from __future__ import annotations

import ast
import functools
import html
from pathlib import Path

from cg_ir.drawing.layered import Edge, Item, layered

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "architecture.svg"
#: What each package is for.
ROLES = {
    "cg_bench": ("label tables", "result tables", "optional: targets, methods, metrics"),
    "cg_predict": ("vectors, few labels", "ranking", "experts, Gaussian process"),
    "cg_embed": ("graphs", "vectors", "descriptors, encoders"),
    "cg_frontends": ("cells, modules, ONNX", "graphs", "spaces, tables, converters"),
    "cg_evolve": ("spaces", "better architectures", "algorithms, evaluators, runs"),
    "cg_ir": ("graph, costs, hash, files, drawing", "", "plugin hooks, registry, command cg"),
}
_WIDTH, _HEIGHT, _MARGIN = 232.0, 74.0, 16.0
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1c2230}.n{font-weight:600;font-size:14px}.q{fill:#667085}.b{fill:#fff;stroke:#2f6fde;"
    "stroke-width:1.3}.i{fill:none;stroke:#7c8798;stroke-width:1.4}.r{stroke-dasharray:4 4}.p{fill:#fff}.h{fill:#7c8798}"
    "@media (prefers-color-scheme:dark){text{fill:#e6eaf2}.q{fill:#98a2b3}.b{fill:#1a202b;stroke:#6ea3ff}.p{fill:#11151c}}"
)


@functools.cache
def imports() -> dict[str, set[str]]:
    """The other packages that each package's modules import, anywhere in them."""
    found: dict[str, set[str]] = {package: set() for package in ROLES}
    for package in ROLES:
        for path in (ROOT / "packages" / package.replace("_", "-") / "src").rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                else:
                    names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
                found[package] |= {name.partition(".")[0] for name in names} & ROLES.keys() - {package}
    return found


def draw() -> str:
    """The picture as SVG."""
    boxes = {package: Item(_WIDTH, _HEIGHT) for package in ROLES}
    edges = [Edge(boxes[a], boxes[b], (a, b)) for a, others in imports().items() for b in sorted(others, reverse=True)]
    for package, box in boxes.items():  # lines of one box side by side
        out = [edge for edge in edges if edge.source is box]
        into = [edge for edge in edges if edge.target is box]
        for side, lines in ((box.ports, out), (box.entries, into)):
            side.update({edge.key: _WIDTH * (i + 1) / (len(lines) + 1) for i, edge in enumerate(lines)})
        assert out or package == "cg_ir"
    layout = layered(list(boxes.values()), edges, gap=34.0, between=54.0, tallest=1000.0)
    width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN + 24
    parts = [f'<path class="i" d="{_path(line)}" marker-end="url(#a)"/>' for line in layout.lines]
    for package, box in boxes.items():
        takes, gives, what = ROLES[package]
        turned = f"{takes} → {gives}" if gives else takes
        parts.append(
            f'<rect class="b" x="{box.x:.0f}" y="{box.y:.0f}" width="{_WIDTH:.0f}" height="{_HEIGHT:.0f}" rx="7"/>'
        )
        for line, (kind, text) in enumerate((("n", package.replace("_", "-")), ("", turned), ("q", what))):
            parts.append(
                f'<text class="{kind}" x="{box.x + 12:.0f}" y="{box.y + 22 + 20 * line:.0f}">{html.escape(text)}</text>'
            )
    parts.append(
        f'<text class="q" x="0" y="{layout.height + 26:.0f}">An arrow is an import. Everything else meets at run time, by name, in the '
        "registry of cg-ir.</text>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" '
        f'aria-label="The packages and what imports what"><style>{_STYLE}</style><defs><marker id="a" markerWidth="8" markerHeight="8" '
        'refX="7" refY="4" orient="90"><path class="h" d="M0 0 8 4 0 8z"/></marker></defs>'
        f'<rect class="p" width="{width:.0f}" height="{height:.0f}"/><g transform="translate({_MARGIN:.0f} {_MARGIN:.0f})">{"".join(parts)}</g></svg>\n'
    )


def _path(line: list[tuple[object, ...]]) -> str:
    """The path of an edge: straight commands as they are, bends as cubic curves with vertical ends."""
    out, x, y = [], 0.0, 0.0
    for command, *numbers in line:
        to = [float(str(number)) for number in numbers]
        if command == "S":
            middle = (y + to[1]) / 2
            out.append(f"C{x:.1f} {middle:.1f} {to[0]:.1f} {middle:.1f} {to[0]:.1f} {to[1]:.1f}")
        else:
            out.append(f"{command}{to[0]:.1f} {to[1]:.1f}")
        x, y = to[-2], to[-1]
    return "".join(out)


if __name__ == "__main__":
    TARGET.write_text(draw(), encoding="utf-8", newline="\n")
