"""Images as files have them, uint8 in 0 ... 255, and as networks read and make them, floats in [-1, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["to_range", "to_uint8"]


def to_range(images: Tensor) -> Tensor:
    """uint8 in 0 ... 255 to float32 in [-1, 1], the range of the generator's tanh; any shape.

    Raises:
        TypeError: the images are not uint8.

    >>> to_range(torch.tensor([0, 255], dtype=torch.uint8))
    tensor([-1.,  1.])
    """
    if images.dtype != torch.uint8:
        raise TypeError(f"images are {images.dtype}; uint8, 0 to 255, is needed")
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def to_uint8(images: Tensor) -> Tensor:
    """Floats in [-1, 1] to uint8 in 0 ... 255; what lies outside is clipped; any shape.

    >>> to_uint8(torch.tensor([-1.0, 0.0, 1.5]))
    tensor([  0, 128, 255], dtype=torch.uint8)
    """
    return images.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
