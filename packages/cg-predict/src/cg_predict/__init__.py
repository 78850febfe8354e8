"""Rank neural networks from few labels or none: predictors with uncertainty and a prior from other families."""

__all__ = ["__version__"]

__version__ = "0.1.0"
