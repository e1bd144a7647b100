"""What an estimator is given, a table or images of any range, as the uint8 images that training reads."""

from __future__ import annotations

import warnings
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_pixels", "range_of", "square_shape", "warn_of_other_range"]

_ROWS = 4096
"""images that are converted at once, so that no second copy of a large float array is made"""


def square_shape(n_features: int) -> tuple[int, int, int]:
    """`(H, W, C)` of the square image in a row of `n_features` pixels.

    No square is three times another, so that the mode, grey or RGB, is never in doubt.

    Raises:
        ValueError: the row is no square image.

    >>> square_shape(64), square_shape(3 * 32 * 32)
    ((8, 8, 1), (32, 32, 3))
    """
    for channels in (1, 3):
        side = isqrt(n_features // channels)
        if side * side * channels == n_features:
            return side, side, channels
    raise ValueError(
        f"rows of {n_features} feature(s) are no square images, grey (H·H) or RGB (H·H·3, channels last): "
        "give images of shape (N, H, W), (N, H, W, C) or (N, C, H, W)"
    )


def range_of(values: NDArray[Any]) -> tuple[float, float]:
    """The values of black and white: 0 and 255 for uint8, else the smallest and the largest there is."""
    if values.dtype == np.uint8:
        return 0.0, 255.0
    return float(values.min()), float(values.max())


def warn_of_other_range(values: NDArray[Any], black: float, white: float, stacklevel: int) -> None:
    """Warn of values that, between `black` and `white`, would all be next to black, or most of them white.

    Arguments:
        stacklevel: calls from here up to the person's own line.
    """
    largest, extent = float(values.max()), white - black
    if not (black < largest < black + extent / 8 or largest > white + extent):
        return
    what = "all of it is dark" if largest < white else "much of it is all white"
    warnings.warn(
        f"X reaches {largest:g}, but black and white are {black:g} and {white:g} here, so that {what}: "
        "give pixel_range where the values of X mean something else",
        stacklevel=stacklevel + 1,
    )


def as_pixels(values: NDArray[Any], black: float, white: float) -> NDArray[np.uint8]:
    """Values `(N, …)` as uint8, `black` to 0 and `white` to 255; what lies outside is clipped.

    >>> as_pixels(np.array([[0.0, 8.0, 16.0, 99.0]]), 0, 16).tolist()
    [[0, 128, 255, 255]]
    """
    if values.dtype == np.uint8 and (black, white) == (0, 255):
        return values
    scale = 255 / (white - black) if white > black else 0.0
    pixels = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _ROWS):
        levels = (values[start : start + _ROWS].astype(np.float64) - black) * scale
        pixels[start : start + _ROWS] = np.rint(levels).clip(0, 255)
    return pixels
