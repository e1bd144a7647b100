"""What a configuration leaves open is chosen from the images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.data.kinds import recognise
from elastic_infogan.training.config import Config, flatten, overlay
from elastic_infogan.training.presets import filled

__all__ = ["BATCH", "ENCODE_BATCH", "choose", "with_budget"]

WIDTHS = {32: (32, 32, 16), 64: (16, 16, 16), 128: (8, 8, 8)}
"""channels of G's last, D's first and the encoder's first layer for images up to so many pixels; each halving
doubles them, so that the smallest feature maps have at least 64, and 128 at 32, 64 and 128 pixels. The
encoder sees images of more than 32 pixels at half their side"""

FEW = 10_000
"""images below which D may learn them by heart"""

BATCH, ENCODE_BATCH = 64, 128
"""images in a step of the game, and in one before it"""


def choose(config: Config, images: NDArray[np.uint8]) -> Config:
    """Settle size, channels, views, networks, batches and budget for `images` (N, H, W, C).

    What `config` says stays; to choose once more changes nothing.
    """
    views = config.views
    if views.preset == "auto":
        views = replace(views, preset=recognise(images).sort)
    size, channels = images.shape[1], images.shape[3]
    flat = flatten(config)
    chosen = _by_size_and_number(size, len(images), config.devices * config.nodes)
    left_open = {name: value for name, value in chosen.items() if flat[name] is None}
    config = replace(config, size=size, channels=channels, views=filled(views))
    return with_budget(overlay(config, left_open, "images"), len(images))


def with_budget(config: Config, n_images: int) -> Config:
    """`config` with a budget, unless it names one: a minute for 4,000 images, longer the larger they are.

    As many more as there are pixels beyond 28x28. However few there are, networks need steps: at least half a
    minute, and ten at 64 pixels, as many fewer or more as there are pixels. At most ten minutes, as many more
    as the side is beyond 32 pixels.
    """
    if config.minutes is not None or config.steps is not None:
        return config
    size = config.size or 0
    minutes = n_images / 4000 * max(1, (size / 28) ** 2)
    least, most = max(0.5, 10 * (size / 64) ** 2), 10 * max(1, size / 32)
    return replace(config, minutes=round(min(most, max(least, minutes)), 2))


def _by_size_and_number(size: int, n: int, processes: int) -> dict[str, Any]:
    generator, discriminator, encoder = WIDTHS[min((s for s in WIDTHS if s >= size), default=max(WIDTHS))]
    return {
        "networks.generator_width": generator,
        "networks.discriminator_width": discriminator,
        "networks.encoder_width": encoder,
        "adversary.augment": n < FEW,
        "batch": _shared(min(BATCH, n), processes),
        "schedule.encode_batch": _shared(min(ENCODE_BATCH, n), processes),
    }


def _shared(batch: int, processes: int) -> int:
    """The largest batch up to `batch` that processes share evenly.

    >>> _shared(64, 1), _shared(64, 3), _shared(2, 3)
    (64, 63, 3)
    """
    return max(1, batch // processes) * processes
