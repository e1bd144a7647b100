"""Batches for training: uint8 images on the device, or gathered from a memory-mapped store."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["ImageBatches"]

_RESIDENT = 2**28
"""bytes; on a CPU little is gained by a copy in memory of what the system keeps there anyway"""
_BLOCK = 2**12
"""images copied at a time"""


class ImageBatches:
    """Random batches of one image set, drawn with replacement from the default generator.

    Drawing with replacement keeps nothing between batches but the generator's state, so that a resumed
    run sees the same images; for sets much larger than a batch it differs from epochs only in that an
    image may come twice before another has come once.

    Arguments:
        images: uint8 `(N, H, W, C)`, in memory or memory-mapped.
        device: where batches are wanted.
        resident: bytes up to which all images are kept on the device; larger sets stay where they are. None:
            a quarter of a GB on a CPU, one elsewhere.
    """

    def __init__(self, images: NDArray[np.uint8], device: torch.device, resident: int | None = None) -> None:
        self.source = images
        self.device = device
        if resident is None:
            resident = _RESIDENT if device.type == "cpu" else 4 * _RESIDENT
        self.on_device = _copied(images, device) if images.nbytes <= resident else None
        self.groups: _Groups | None = None

    def __len__(self) -> int:
        return len(self.source)

    def gather(self, indices: Tensor) -> Tensor:
        """Images at `indices` (n,) as uint8 `(n, C, H, W)` on the device."""
        if self.on_device is not None:
            return self.on_device[indices.to(self.device)]
        # Sorted indices turn random reads of the mapped file into a single sweep; the order is put back.
        order = torch.argsort(indices)
        rows = torch.from_numpy(self.source[indices[order].cpu().numpy()])
        images = torch.empty_like(rows)
        images[order.cpu()] = rows
        return images.permute(0, 3, 1, 2).contiguous().to(self.device)

    def draw(self, n: int) -> Tensor:
        """Indices of `n` random images, int64 `(n,)` on the CPU."""
        return torch.randint(len(self), (n,)) if self.groups is None else self.groups.draw(n)

    def draw_by_groups(self, groups: Tensor | None) -> None:
        """From now on draw groups by the square root of their size; None: each image as often as any other.

        Arguments:
            groups: of each image, int64 `(N,)`.
        """
        self.groups = None if groups is None else _Groups(groups)


class _Groups:
    """Images by group: `members` of the first group, then of the second, and so on.

    Arguments:
        of: the group of each image, int64 `(N,)`.
    """

    def __init__(self, of: Tensor) -> None:
        self.of = of
        self.members = torch.argsort(of, stable=True)
        self.sizes = torch.unique(of, return_counts=True)[1]
        self.starts = self.sizes.cumsum(0) - self.sizes
        self.weights = self.sizes.double().sqrt()

    def draw(self, n: int) -> Tensor:
        """Indices `(n,)`: a random group, then a random member of it, each time."""
        group = torch.multinomial(self.weights, n, replacement=True)
        place = torch.rand(n, dtype=torch.float64) * self.sizes[group]
        return self.members[self.starts[group] + place.long()]


def _copied(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Images `(N, H, W, C)` as `(N, C, H, W)` on the device, with at most one copy."""
    n, height, width, channels = images.shape
    if channels == 1 and device.type == "cpu" and images.flags.writeable and images.flags.c_contiguous:
        return torch.from_numpy(images).view(n, channels, height, width)  # as they lie in memory
    copy = torch.empty(n, channels, height, width, dtype=torch.uint8, device=device)
    for start in range(0, n, _BLOCK):
        block = torch.from_numpy(np.array(images[start : start + _BLOCK]))
        copy[start : start + _BLOCK] = block.permute(0, 3, 1, 2)
    return copy
