"""What images are compared by besides features that were learned: coarse pixels and strokes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["coarse_pixels", "oriented_gradients"]

COARSE = 14
"""Side in pixels of coarse copies."""

CELLS, ORIENTATIONS = 7, 6
"""Cells along a side, and directions without a sign, that gradients are counted in."""

LARGEST = 32
"""Side in pixels of the copies that gradients are taken of, at most."""


def coarse_pixels(images: Tensor) -> Tensor:
    """Copies of uint8 images `(N, C, H, W)` on at most `COARSE` by `COARSE` cells, `(N, P)`.

    A line that is drawn through a shape changes little of it.

    Example:
        >>> coarse_pixels(torch.full((2, 1, 28, 28), 255, dtype=torch.uint8)).shape
        torch.Size([2, 196])
    """
    return F.adaptive_avg_pool2d(images.float(), min(COARSE, images.shape[-1])).flatten(1)


def oriented_gradients(images: Tensor) -> Tensor:
    """Histograms of oriented gradients of uint8 images `(N, C, H, W)`, `(N, CELLS^2 ORIENTATIONS)`.

    Dalal and Triggs (CVPR 2005), of the grey image and without blocks: how much of an edge of each direction
    each cell holds. Square roots, so that their cosine is that of Hellinger's distance (Arandjelovic and
    Zisserman, CVPR 2012). Which way strokes run hardly changes with thickness and contrast.

    Example:
        >>> oriented_gradients(torch.zeros(2, 3, 28, 28, dtype=torch.uint8)).shape
        torch.Size([2, 294])
    """
    grey = images.float().mean(1, keepdim=True) / 255
    if grey.shape[-1] > LARGEST:
        grey = F.adaptive_avg_pool2d(grey, LARGEST)
    grey = F.pad(F.avg_pool2d(grey, 3, 1, 1), (1, 1, 1, 1), mode="replicate")
    across = grey[:, :, 1:-1, 2:] - grey[:, :, 1:-1, :-2]
    down = grey[:, :, 2:, 1:-1] - grey[:, :, :-2, 1:-1]
    strength, angle = torch.hypot(across, down), torch.atan2(down, across)
    width = math.pi / ORIENTATIONS
    centres = width * torch.arange(ORIENTATIONS, device=images.device).view(1, -1, 1, 1)
    apart = torch.remainder(angle - centres + math.pi / 2, math.pi) - math.pi / 2
    edges = strength * (1 - apart.abs() / width).clamp(min=0)  # shared between the two nearest directions
    cells = min(CELLS, images.shape[-1])
    return F.adaptive_avg_pool2d(F.avg_pool2d(edges, 3, 1, 1), cells).flatten(1).sqrt()
