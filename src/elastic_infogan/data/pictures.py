"""One picture: any size, mode and orientation becomes uint8 pixels `(size, size, channels)`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["fit_array", "on_white", "to_grey"]


def fit_array(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """One image `(H, W, C)`, C = 1 or 3, as `(size, size, C)`; see `fit`."""
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels))
    return np.asarray(fit(picture, size)).reshape(size, size, pixels.shape[2])


def fit(picture: Image.Image, size: int) -> Image.Image:
    """Scale the shorter side to `size` (Lanczos, antialiased) and crop the longer one about its centre."""
    width, height = picture.size
    if (width, height) == (size, size):
        return picture
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    return picture.resize((size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def to_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma of RGB pixels `(..., 3)` as `(..., 1)` by ITU-R 601-2: 0.299 R + 0.587 G + 0.114 B.

    >>> to_grey(np.array([[255, 255, 255], [0, 255, 0]], np.uint8)).ravel().tolist()
    [255, 150]
    """
    weights = np.array([19595, 38470, 7471], np.uint32)  # in 1/65,536, as Pillow has them
    return (((pixels * weights).sum(axis=-1, keepdims=True) + 0x8000) >> 16).astype(np.uint8)


def on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGBA pixels `(..., 4)` over a white ground, as `(..., 3)`."""
    alpha = pixels[..., 3:].astype(np.uint32)
    return ((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
