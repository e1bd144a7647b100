"""Random changes of colour, batched: one linear map of red, green and blue for each image."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["colour_maps", "draw_colours", "hue_turns", "recolour"]

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey: ITU-R BT.601."""


def hue_turns(angles: Tensor) -> Tensor:
    """Rotations of colours about the grey axis, `(n, 3, 3)`, by `angles` (n,) in turns.

    `R = cos a I + (1 - cos a) J / 3 + sin a K / sqrt 3` (Rodrigues), with J all ones and K the cross
    product with (1, 1, 1). Greys and the mean of the three channels stay; a third of a turn makes red green.
    Unlike a detour through hue, saturation and value it is linear, and costs a fiftieth.
    """
    cosine, sine = (2 * math.pi * angles).cos(), (2 * math.pi * angles).sin()
    cross = angles.new_tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    identity, ones = torch.eye(3, device=angles.device), torch.ones(3, 3, device=angles.device)
    parts = (cosine, identity), ((1 - cosine) / 3, ones), (sine / math.sqrt(3), cross)
    return torch.stack([weight[:, None, None] * matrix for weight, matrix in parts]).sum(0)


def colour_maps(n: int, device: torch.device, *, colour: float, hue: float, greyscale: float) -> Tensor:
    """`n` random linear maps of RGB, `(n, 3, 3)`: hue turned, then saturation changed or taken away.

    Arguments:
        colour: largest relative change of saturation either way.
        hue: largest turn of the colour circle either way, in turns.
        greyscale: probability that an image loses all colour.
    """
    turn = torch.empty(n, device=device).uniform_(-hue, hue)
    saturation = torch.empty(n, device=device).uniform_(1 - colour, 1 + colour)
    saturation = saturation.masked_fill(torch.rand(n, device=device) < greyscale, 0.0)[:, None, None]
    grey = torch.tensor(LUMA, device=device).expand(3, 3)
    return torch.lerp(grey, torch.eye(3, device=device), saturation) @ hue_turns(turn)


def draw_colours(
    n: int, channels: int, device: torch.device, *, colour: float, hue: float, greyscale: float
) -> dict[str, Tensor]:
    """What `recolour` needs for `n` images.

    Arguments:
        colour: largest relative change of brightness, of contrast about each image's mean, and of saturation.
        hue, greyscale: see `colour_maps`.
    """
    brightness, contrast = (
        torch.empty(n, 1, 1, device=device).uniform_(1 - colour, 1 + colour) for _ in range(2)
    )
    rows = {"brightness": brightness, "contrast": contrast}
    if channels == 3:
        rows["colours"] = colour_maps(n, device, colour=colour, hue=hue, greyscale=greyscale)
    return rows


def recolour(images: Tensor, brightness: Tensor, contrast: Tensor, colours: Tensor | None = None) -> Tensor:
    """Images `(n, C, H, W)` in [-1, 1] with another brightness, contrast and, of three channels, colours.

    Arguments:
        brightness, contrast: factors, the latter about each image's mean, `(n, 1, 1)`.
        colours: linear maps of RGB, `(n, 3, 3)`.
    """
    pixels = images.add(1).div_(2).flatten(2)
    level = brightness * (1 - contrast) * pixels.mean((1, 2), keepdim=True)
    if colours is not None:
        changed = torch.bmm(brightness * contrast * colours, pixels).add_(level)
    else:
        changed = (brightness * contrast * pixels).add_(level)
    return changed.clamp_(0, 1).mul_(2).sub_(1).view_as(images)
