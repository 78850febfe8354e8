"""The learned encoder of this release beside its untrained twin: what training added is the difference of the two."""

from __future__ import annotations

from .path_encoder import PathEncoder


def shipped_encoder(trained: bool = True) -> PathEncoder:
    """The learned encoder that ships with this release, or its untrained twin.

    Args:
        trained: whether to read the trained weights; if not, the same architecture has the weights that training
            began with, drawn from the seed in the checkpoint's config.

    Raises:
        CheckpointError: this build has no checkpoint, or it is damaged.
    """
    encoder = PathEncoder.shipped()
    return encoder if trained else PathEncoder(encoder.config)
