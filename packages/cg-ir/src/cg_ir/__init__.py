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
    from cg_ir.plugin_registry import (
        get_benchmark,
        get_evaluator,
        get_frontend,
        get_scorer,
        get_space,
        registry,
    )
    from cg_ir.serialization import from_dict, from_json, load, load_set, save_set
    from cg_ir.signature import Signature, SignatureTable
    from cg_ir.source_code import to_source
    from cg_ir.sources import graph_of

_WHERE = {
    # graphs
    "Graph": "graph",
    "Node": "graph",
    "GraphBuilder": "builder",
    "canonicalize": "canonical",
    "equal": "equality",
    "Signature": "signature",
    "SignatureTable": "signature",
    "Batch": "batching",
    "batch": "batching",
    "hash_all": "batch_hashing",
    "memory_of": "memory",
    "Memory": "memory",
    # files
    "load": "serialization",
    "load_set": "serialization",
    "save_set": "serialization",
    "from_json": "serialization",
    "from_dict": "serialization",
    "graph_of": "sources",
    # other forms
    "to_module": "module",
    "to_onnx": "onnx_export",
    "to_source": "source_code",
    "to_svg": "drawing",
    "to_dot": "drawing",
    "diff": "difference",
    # plugins
    "registry": "plugin_registry",
    "get_space": "plugin_registry",
    "get_frontend": "plugin_registry",
    "get_scorer": "plugin_registry",
    "get_benchmark": "plugin_registry",
    "get_evaluator": "plugin_registry",
    # errors
    "CgError": "errors",
    "GraphError": "errors",
    "ArchError": "errors",
    "SourceError": "errors",
    "PluginError": "errors",
    "OptionError": "errors",
    "NotFitted": "errors",
    "MissingExtra": "errors",
}

__all__ = [  # noqa: RUF022 - grouped by concept
    "Graph",
    "Node",
    "GraphBuilder",
    "canonicalize",
    "equal",
    "Signature",
    "SignatureTable",
    "Batch",
    "batch",
    "hash_all",
    "memory_of",
    "Memory",
    "load",
    "load_set",
    "save_set",
    "from_json",
    "from_dict",
    "graph_of",
    "to_module",
    "to_onnx",
    "to_source",
    "to_svg",
    "to_dot",
    "diff",
    "registry",
    "get_space",
    "get_frontend",
    "get_scorer",
    "get_benchmark",
    "get_evaluator",
    "CgError",
    "GraphError",
    "ArchError",
    "SourceError",
    "PluginError",
    "OptionError",
    "NotFitted",
    "MissingExtra",
]

__getattr__, __dir__ = lazy_names(__name__, _WHERE)
