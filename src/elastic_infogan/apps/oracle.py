"""The true shares for the oracle recipes: K numbers, and no label, go from a source to its training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from elastic_infogan.apps import terminal
from elastic_infogan.data.images import ImageSet
from elastic_infogan.errors import ConfigError
from elastic_infogan.training.config import Config

__all__ = ["note_other_shares", "with_true_shares"]

ROUNDING = 0.005
"""How far given shares may be from the counted ones without a word."""


def _wants_labels(config: Config) -> bool:
    """Whether labels are needed before training, to count the shares that the recipe wants and has not."""
    return config.prior.start == "shares" and config.prior.shares is None


def with_true_shares(config: Config, images: ImageSet) -> Config:
    """`config` with the share of each class among `images`, where its recipe wants shares and has none.

    Raises:
        ConfigError: the recipe wants shares, and there are neither shares nor labels.
    """
    if not _wants_labels(config):
        return config
    if images.labels is None:
        raise ConfigError(
            f"--recipe {config.recipe} wants the true shares, and {images.origin} has no labels: "
            "give --labels, or --prior.shares 0.1,0.2,…"
        )
    return replace(config, prior=replace(config.prior, shares=_counted(images)))


def note_other_shares(config: Config, images: ImageSet) -> None:
    """Say that given shares are not those of the labels: they may be meant, or of another subset."""
    given = config.prior.shares
    if given is None or images.labels is None:
        return
    counted = _counted(images)
    if len(given) == len(counted) and np.abs(np.subtract(given, counted)).max() > ROUNDING:
        terminal.note(f"--prior.shares, used as given, are not those of the labels of {images.origin}")


def _counted(images: ImageSet) -> tuple[float, ...]:
    counts = np.bincount(np.asarray(images.labels), minlength=len(images.class_names))
    return tuple((counts / counts.sum()).tolist())
