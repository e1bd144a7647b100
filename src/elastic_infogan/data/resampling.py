"""Many images of one size, scaled and cropped at once: two matrix products for a whole batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_batch", "lanczos"]

_LOBES = 3


def fit_batch(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Images `(N, H, W, C)` as `(N, size, size, C)`: what `pictures.fit` does to one, to all of them.

    The shorter side is scaled to `size`, the longer one cropped about its centre. Rows, then columns,
    each rounded and clipped as Pillow does it. Pillow takes the columns first where that is less work,
    which changes pixels by a level or two, and by more only where sharp edges overshoot 0 or 255.
    """
    height, width = images.shape[1:3]
    side = min(height, width)
    across = lanczos(width, size, (width - side) / 2, side)
    down = lanczos(height, size, (height - side) / 2, side)
    pixels = images.transpose(0, 3, 1, 2).astype(np.float32)
    pixels = _rounded(down @ _rounded(pixels @ across.T))
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1).astype(np.uint8))


def lanczos(length: int, size: int, start: float, side: float) -> NDArray[np.float32]:
    """Weights `(size, length)` that resample `side` pixels from `start` on to `size` pixels.

    w(x) = sinc(x) sinc(x / 3) for |x| < 3, widened by the scale where the picture shrinks (which keeps
    it from aliasing), each row summing to one.

    >>> lanczos(2, 2, 0, 2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    scale = side / size
    centres = start + (np.arange(size) + 0.5) * scale
    x = (np.arange(length) + 0.5 - centres[:, None]) / max(scale, 1)
    weights = np.sinc(x) * np.sinc(x / _LOBES) * (np.abs(x) < _LOBES)
    weights[np.abs(weights) < 1e-12] = 0  # sinc of a whole number, but for rounding
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _rounded(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    np.clip(pixels, 0, 255, out=pixels)
    return np.rint(pixels, out=pixels)
