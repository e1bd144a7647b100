"""The true shares for the oracle recipes: K numbers, and no label, go from a source to its training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from elastic_infogan.apps import terminal
from elastic_infogan.data.images import ImageSet
from elastic_infogan.errors import ConfigError
from elastic_infogan.training.config import Config

__all__ = ["wants_labels", "with_true_shares"]

ROUNDING = 0.005
"""How far given shares may be from the counted ones without a word."""


def wants_labels(config: Config) -> bool:
    """Whether labels are needed before training, to count the shares that the recipe wants and has not."""
    return config.prior.start == "shares" and config.prior.shares is None


def with_true_shares(config: Config, images: ImageSet) -> Config:
    """`config` with the share of each class among `images`, where its recipe wants shares and has none.

    Shares that were given stay; where they are not those of the labels, which can be meant or left over
    from another subset, a note says so.

    Raises:
        ConfigError: the recipe wants shares, and there are neither shares nor labels.
    """
    if config.prior.start != "shares":
        return config
    given = config.prior.shares
    if images.labels is None:
        if given is None:
            raise ConfigError(
                f"--recipe {config.recipe} wants the true shares, and {images.origin} has no labels: "
                "give --labels, or --prior.shares 0.1,0.2,…"
            )
        return config
    counts = np.bincount(images.labels, minlength=len(images.class_names))
    counted = tuple((counts / counts.sum()).tolist())
    if given is None:
        return replace(config, prior=replace(config.prior, shares=counted))
    if len(given) == len(counted) and np.abs(np.subtract(given, counted)).max() > ROUNDING:
        terminal.note(f"--prior.shares, used as given, are not those of the labels of {images.origin}")
    return config
