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
    size = grey.shape[-1]
    # Everything linear in as few passes as can be: smoothed derivatives along every direction at once, and
    # sums over smoothed cells as matrix products.
    along = F.conv2d(F.pad(grey, (2, 2, 2, 2), mode="replicate"), _derivatives(images.device))
    strength = torch.hypot(along[:, :1], along[:, 1:2])
    # 1 along an edge's own direction, 0 at the next one: each edge is shared between the two nearest.
    sharpest = math.cos(math.pi / ORIENTATIONS)
    edges = (along[:, 2:].abs_() - sharpest * strength).clamp_(min=0).div_(1 - sharpest)
    each = torch.eye(size, device=images.device)[None]
    cells = F.adaptive_avg_pool1d(F.avg_pool1d(each, 3, 1, 1), min(CELLS, size))[0]
    return (cells.t() @ edges @ cells).flatten(1).clamp(min=0).sqrt()


def _derivatives(device: torch.device) -> Tensor:
    """Kernels `(2 + ORIENTATIONS, 1, 5, 5)` on a 3 x 3 mean: across, down, then along each direction."""
    mean = torch.tensor([0.0, 1.0, 1.0, 1.0, 0.0], device=device) / 3
    difference = torch.tensor([-1.0, -1.0, 0.0, 1.0, 1.0], device=device) / 3
    across, down = torch.outer(mean, difference), torch.outer(difference, mean)
    angles = math.pi / ORIENTATIONS * torch.arange(ORIENTATIONS, device=device)
    directed = angles.cos().view(-1, 1, 1) * across + angles.sin().view(-1, 1, 1) * down
    return torch.cat([across[None], down[None], directed])[:, None]
