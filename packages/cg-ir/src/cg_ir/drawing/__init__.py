"""Drawings of graphs: SVG with a layout of its own, PNG, and DOT for Graphviz."""

from cg_ir.drawing.dot import to_dot
from cg_ir.drawing.png import to_png
from cg_ir.drawing.svg import to_svg

__all__ = ["to_dot", "to_png", "to_svg"]
