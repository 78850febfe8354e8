"""Vectors for computation graphs: descriptors, spectra and the contrastive encoder."""

__all__ = ["__version__"]

__version__ = "0.1.0"
