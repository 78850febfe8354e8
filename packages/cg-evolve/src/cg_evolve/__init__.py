"""Search any space of neural networks: algorithms with ask and tell, evaluators, resumable runs."""

__all__ = ["__version__"]

__version__ = "0.1.0"
