"""Kinds, shares, assignments and new images from unlabelled, imbalanced images."""

__all__ = ["__version__"]

__version__ = "0.1.0"
