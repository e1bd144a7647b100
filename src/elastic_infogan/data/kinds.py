"""What sort of pictures a set holds, told from its pixels, so that views suit them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter

__all__ = ["Kind", "Sort", "plain_frame", "recognise", "solid"]

Sort = Literal["digits", "letters", "objects", "natural"]

_SAMPLE = 512
"""images looked at, evenly spaced"""
_TOLERANCE = 16
"""grey levels of 255 within which two pixels count as the same tone"""
_PLAIN, _SOLID = 0.6, 0.5
"""measured: frame as one tone in 0.77–1.00 of its length in digits, letters, clothes and emoji, 0.19–0.37 in
photographs; pictures with a solid spot 0.03–0.15 of digits and letters, 0.70 of clothes and emoji"""


_SERIFS_SHOW = 32
"""pixels above which how strokes end is a matter of style that views have to vary"""


class Kind(NamedTuple):
    """The sort of pictures and, in words, what gave it away."""

    sort: Sort
    reason: str


def recognise(images: NDArray[np.uint8]) -> Kind:
    """The sort of the images `(N, H, W, C)`.

    Where the frame of most images has many tones they are photographs, `natural`. On a plain background,
    grey images without solid spots are strokes, `digits` or, above 32 pixels, `letters`; all others are
    `objects`. Faces are not told apart.
    """
    sample = np.asarray(images[np.unique(np.linspace(0, len(images) - 1, _SAMPLE).astype(np.int64))])
    if plain_frame(sample) < _PLAIN:
        return Kind("natural", "the background has many tones")
    if images.shape[3] == 3:
        return Kind("objects", "in colour on a plain background")
    if solid(sample) < _SOLID:
        if images.shape[1] > _SERIFS_SHOW:
            return Kind("letters", "thin grey strokes on a plain background, large enough to show serifs")
        return Kind("digits", "thin grey strokes on a plain background")
    return Kind("objects", "solid grey shapes on a plain background")


def plain_frame(images: NDArray[np.uint8]) -> float:
    """How much of the outermost pixels has their median tone, from 0 to 1, over images `(N, H, W, C)`."""
    sides = images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]
    frame = np.concatenate(sides, axis=1).astype(np.int16)
    distance = np.abs(frame - np.median(frame, axis=1, keepdims=True)).max(axis=2)
    return float((distance <= _TOLERANCE).mean())


def solid(images: NDArray[np.uint8]) -> float:
    """Which share of grey images `(N, H, W, 1)` has a square of about a sixth of the side all foreground.

    Foreground is what lies farther from the tone of the frame than half of the farthest pixel.
    """
    grey = images[..., 0].astype(np.int16)
    frame = np.concatenate([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], axis=1)
    distance = np.abs(grey - np.median(frame, axis=1)[:, None, None])
    foreground = distance > distance.max(axis=(1, 2), keepdims=True) / 2
    side = max(3, 2 * round(grey.shape[1] / 12) + 1)
    cores = minimum_filter(foreground.view(np.uint8), size=(1, side, side), mode="constant")
    return float(cores.any(axis=(1, 2)).mean())
