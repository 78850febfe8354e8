"""Entry-point module of cg-frontends in the group ``cg``; it imports nothing heavy."""

from __future__ import annotations

from typing import Any

from cg_ir.plugins import LazyCommand, hookimpl


@hookimpl
def cg_frontends() -> list[Any]:
    """PyTorch modules and the code that makes them; ONNX files."""
    from cg_frontends.onnx_files import OnnxFrontend
    from cg_frontends.pytorch_sources import PyTorchFrontend

    return [OnnxFrontend, PyTorchFrontend]


@hookimpl
def cg_spaces() -> list[Any]:
    """The benchmarks' search spaces."""
    from cg_frontends.spaces.autoformer import AutoFormer
    from cg_frontends.spaces.graph_documents import GraphDocuments
    from cg_frontends.spaces.metaqnn import MetaQnn
    from cg_frontends.spaces.mnasnet import MnasNet
    from cg_frontends.spaces.mobilenetv3 import MobileNetV3
    from cg_frontends.spaces.naap440 import Naap440
    from cg_frontends.spaces.natssize import NatsBenchSize
    from cg_frontends.spaces.nb101 import NasBench101
    from cg_frontends.spaces.nb201 import NasBench201
    from cg_frontends.spaces.nb301 import NasBench301
    from cg_frontends.spaces.timm_models import TimmModels
    from cg_frontends.spaces.transnas import TransNasBench101

    return [
        NasBench101,
        NasBench201,
        NasBench301,
        MobileNetV3,
        NatsBenchSize,
        MnasNet,
        TransNasBench101,
        AutoFormer,
        MetaQnn,
        Naap440,
        TimmModels,
        GraphDocuments,
    ]


@hookimpl
def cg_benchmarks() -> list[Any]:
    """Readers of label tables."""
    from cg_frontends.benchmarks import readers

    return [
        readers.CsvLabels,
        readers.NasBench101Labels,
        readers.NasBench201Labels,
        readers.NasBench301Labels,
        readers.OnceForAllLabels,
        readers.NatsSizeLabels,
        readers.MnasNetLabels,
        readers.TransNasLabels,
        readers.AutoFormerLabels,
        readers.MetaQnnLabels,
        readers.Naap440Labels,
        readers.TimmLabels,
        readers.LabelledGraphs,
        readers.AnalogNasBench,
    ]


@hookimpl
def cg_commands() -> list[LazyCommand]:
    """``cg collect``."""
    return [
        LazyCommand(
            "collect",
            "cg_frontends.commands:collect",
            "Write a label table's networks with their labels into one file.",
        )
    ]
