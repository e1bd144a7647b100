"""What sort of pictures a set holds, told from its pixels, so that views suit them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, minimum_filter

__all__ = ["Kind", "Sort", "plain_frame", "recognise", "solid", "square_edges"]

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
_TYPESET, _SQUARE, _EDGE = 0.17, 3.0, 0.25
"""part of the edges that has to run square in drawings of typefaces, the degrees within which it does, and
the part of the steepest slope that makes an edge; measured: 0.23 in letters of 252 typefaces at 28 pixels,
0.11 in handwritten digits (0.08–0.14 in those of one kind), 0.13 in digits of typefaces, with few serifs"""


class Kind(NamedTuple):
    """The sort of pictures and, in words, what gave it away."""

    sort: Sort
    reason: str


def recognise(images: NDArray[np.uint8]) -> Kind:
    """The sort of the images `(N, H, W, C)`.

    Where the frame of most images has many tones they are photographs, `natural`. On a plain background,
    grey images without solid spots are strokes: `digits` or, where serifs may show, since there are more than
    32 pixels or edges run square as typefaces have them, `letters`. All others are `objects`. Faces are not
    told apart.
    """
    sample = np.asarray(images[np.unique(np.linspace(0, len(images) - 1, _SAMPLE).astype(np.int64))])
    if plain_frame(sample) < _PLAIN:
        return Kind("natural", "the background has many tones")
    if images.shape[3] == 3:
        return Kind("objects", "in colour on a plain background")
    if solid(sample) < _SOLID:
        if images.shape[1] > _SERIFS_SHOW:
            return Kind("letters", "thin grey strokes on a plain background, large enough to show serifs")
        if square_edges(sample) > _TYPESET:
            return Kind("letters", "thin grey strokes on a plain background, as straight as type")
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


def square_edges(images: NDArray[np.uint8]) -> float:
    """Which part of the edges of grey images `(N, H, W, 1)` runs level or upright to within 3 degrees.

    Edges of every direction alike would have 3 of 45.
    """
    grey = images[..., 0].astype(np.float32)
    down, across = (np.abs(_derivative(grey, axis)) for axis in (1, 2))
    slope = np.hypot(down, across)
    edges = slope > _EDGE * slope.max(axis=(1, 2), keepdims=True)
    square = np.minimum(down, across) < np.tan(np.radians(_SQUARE)) * np.maximum(down, across)
    return float((square & edges).sum() / max(edges.sum(), 1))


def _derivative(images: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Sobel's, of each of `images` (N, H, W) along axis 1 or 2; scipy's own would mix neighbouring images."""
    smooth = correlate1d(images, [1.0, 2.0, 1.0], axis=3 - axis)
    slope: NDArray[np.float32] = correlate1d(smooth, [-1.0, 0.0, 1.0], axis=axis)
    return slope
