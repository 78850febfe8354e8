"""Self-contained HTML pages: the shell that every page shares, and the interactive view of a graph.

A page is one file that asks nothing of the network (its content security policy forbids it). Its data is embedded as JSON, and its
scripts set whatever comes from the data as text, so a graph's names cannot become markup or code.
"""

from cg_ir.page.graph import graph_data, graph_page
from cg_ir.page.shell import asset, page

__all__ = ["asset", "graph_data", "graph_page", "page"]
