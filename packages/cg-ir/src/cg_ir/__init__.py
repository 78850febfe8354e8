"""Neural networks as computation graphs: a canonical format with exact costs and identity, and the plugin hooks around it.

Names are imported when they are first used, so that ``cg --help`` and plugin modules start without numpy or networkx.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cg_ir.lazy import lazy_names

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cg_ir.batch_hashing import hash_all
    from cg_ir.batching import Batch, batch
    from cg_ir.builder import GraphBuilder
    from cg_ir.canonical import canonicalize
    from cg_ir.difference import diff
    from cg_ir.drawing import to_dot, to_svg
    from cg_ir.equality import equal
    from cg_ir.errors import (
        ArchError,
        CgError,
        GraphError,
        MissingExtra,
        NotFitted,
        OptionError,
        PluginError,
        SourceError,
    )
    from cg_ir.graph import Graph, Node
    from cg_ir.memory import Memory, memory_of
    from cg_ir.module import to_module
    from cg_ir.onnx_export import to_onnx
    from cg_ir.plugin_registry import get_benchmark, get_evaluator, get_frontend, get_scorer, get_space, registry
    from cg_ir.serialization import from_dict, from_json, load, load_set, save_set
    from cg_ir.signature import Signature, SignatureTable
    from cg_ir.source_code import to_source
    from cg_ir.sources import graph_of

_WHERE = {
    name: module
    for module, names in {
        "graph": "Graph Node",
        "builder": "GraphBuilder",
        "canonical": "canonicalize",
        "equality": "equal",
        "signature": "Signature SignatureTable",
        "batching": "Batch batch",
        "batch_hashing": "hash_all",
        "memory": "memory_of Memory",
        "serialization": "load load_set save_set from_json from_dict",
        "sources": "graph_of",
        "module": "to_module",
        "onnx_export": "to_onnx",
        "source_code": "to_source",
        "drawing": "to_svg to_dot",
        "difference": "diff",
        "plugin_registry": "registry get_space get_frontend get_scorer get_benchmark get_evaluator",
        "errors": "CgError GraphError ArchError SourceError PluginError OptionError NotFitted MissingExtra",
    }.items()
    for name in names.split()
}

__all__ = [  # noqa: RUF022 - grouped by concept
    "Graph", "Node", "GraphBuilder", "canonicalize", "equal", "Signature", "SignatureTable", "Batch", "batch", "hash_all", "memory_of", "Memory",
    "load", "load_set", "save_set", "from_json", "from_dict", "graph_of",
    "to_module", "to_onnx", "to_source", "to_svg", "to_dot", "diff",
    "registry", "get_space", "get_frontend", "get_scorer", "get_benchmark", "get_evaluator",
    "CgError", "GraphError", "ArchError", "SourceError", "PluginError", "OptionError", "NotFitted", "MissingExtra",
]  # fmt: skip

__getattr__, __dir__ = lazy_names(__name__, _WHERE)
