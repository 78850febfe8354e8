"""Entry-point module of cg-embed in the group ``cg``; it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable

from cg_ir.plugins import LazyCommand, hookimpl


@hookimpl
def cg_commands() -> Iterable[LazyCommand]:
    """``cg embed``, ``cg corpus`` and ``cg pretrain``."""
    return [
        LazyCommand("embed", "cg_embed.commands:embed", "Turn architectures into vectors."),
        LazyCommand("corpus", "cg_embed.corpus_commands:corpus", "Write many distinct networks to pre-train on."),
        LazyCommand("pretrain", "cg_embed.commands:pretrain", "Pre-train an encoder on unlabelled graphs."),
    ]
