"""Differentiable augmentation: what D sees, real and generated alike, is changed at random."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from elastic_infogan.data.colours import draw_colours, recolour

__all__ = ["augment", "draw_augmentation"]

SHIFT = 1 / 8
"""Farthest shift either way, as a fraction of the side."""

COVER = 1 / 2
"""Side of the square that is covered, as a fraction of the image's."""

COLOUR = 0.5
"""Largest relative change of brightness, contrast and saturation, of three channels."""


def draw_augmentation(n: int, images: Tensor, part: float) -> dict[str, Tensor]:
    """What `augment` needs for `n` images like `images` (N, C, H, W), a row for each.

    Arguments:
        part: probability of each image to be changed.
    """
    _, channels, height, width = images.shape
    extent = torch.tensor([width, height], device=images.device)
    spread = SHIFT * extent
    rows = {
        "changed": torch.rand(n, 1, 1, 1, device=images.device) < part,
        "shift": (spread * torch.empty(n, 2, device=images.device).uniform_(-1, 1)).round(),
        "centre": torch.rand(n, 2, device=images.device) * extent,
        "reach": (COVER / 2 * extent).expand(n, 2),
    }
    if channels == 3:
        rows |= draw_colours(n, 3, images.device, colour=COLOUR, hue=0.0, greyscale=0.0)
    return rows


def augment(images: Tensor, rows: Mapping[str, Tensor]) -> Tensor:
    """Some of the images `(n, C, H, W)` in [-1, 1] recoloured, shifted and partly covered, each by itself.

    Gradients find their way back.

    Zhao et al., Differentiable Augmentation for Data-Efficient GAN Training (NeurIPS 2020): a D that sees few
    images learns them by heart unless they change, and what changes real ones alone G would imitate.

    Arguments:
        rows: `n` rows of what `draw_augmentation` gave: `changed`, bool `(n, 1, 1, 1)`, `shift` and `centre`
            in pixels across and down, `reach` from the centre of the covered rectangle to its sides, and what
            `recolour` takes.
    """
    _, _, height, width = images.shape
    seen = images
    if "colours" in rows:
        seen = recolour(seen, rows["brightness"], rows["contrast"], rows["colours"])
    columns, lines = (
        (torch.arange(size, device=images.device) - rows["centre"][:, [i]]).abs() < rows["reach"][:, [i]]
        for i, size in enumerate((width, height))
    )
    covered = columns[:, None, None, :] & lines[:, None, :, None]
    return torch.where(rows["changed"], shifted(seen, rows["shift"]).masked_fill(covered, 0.0), images)


def shifted(images: Tensor, by: Tensor) -> Tensor:
    """Images `(N, C, H, W)` that show what is `by` pixels (N, 2) further across and down; edges repeat."""
    _, channels, height, width = images.shape
    across, down = (
        (torch.arange(size, device=images.device) + by[:, [i]].long()).clamp(0, size - 1)
        for i, size in enumerate((width, height))
    )
    lines = images.gather(2, down[:, None, :, None].expand(-1, channels, -1, width))
    return lines.gather(3, across[:, None, None, :].expand(-1, channels, height, -1))
