"""Kinds, shares, assignments and new images from unlabelled, imbalanced images."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elastic_infogan.apps.estimator import ElasticInfoGAN

__all__ = ["ElasticInfoGAN", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """The estimator, whose imports take seconds, only once it is asked for."""
    if name == "ElasticInfoGAN":
        from elastic_infogan.apps.estimator import ElasticInfoGAN

        return ElasticInfoGAN
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
