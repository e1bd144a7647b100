"""What images are compared by besides learned features: coarse pixels, strokes, what these enclose."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["coarse_pixels", "concavities", "oriented_gradients", "upright"]

COARSE = 14
"""Side in pixels of coarse copies."""

CELLS, ORIENTATIONS = 7, 6
"""Cells along a side, and directions without a sign, that gradients are counted in."""

SIDE = 28
"""Side in pixels of the copies that gradients are taken of."""

WALL = 255 / 2
"""Tone from which ink bars the way entirely."""

LARGEST = 64
"""Side in pixels of the copies that are looked at to set drawings upright, at most."""

MARGIN = 1.15
"""Side of an upright copy over what the drawing fills of it."""

STEEPEST = 0.6
"""Slant that is undone at most, in pixels across for each down."""


def coarse_pixels(images: Tensor) -> Tensor:
    """Copies of uint8 images `(N, C, H, W)` on at most `COARSE` by `COARSE` cells, `(N, P)`.

    A line that is drawn through a shape changes little of it.

    Example:
        >>> coarse_pixels(torch.full((2, 1, 28, 28), 255, dtype=torch.uint8)).shape
        torch.Size([2, 196])
    """
    return _pooled(images.float(), min(COARSE, images.shape[-1])).flatten(1)


def _pooled(images: Tensor, side: int) -> Tensor:
    """Copies `(N, C, side, side)` of square images: means over cells, which may overlap by a pixel.

    As two matrix products, since not every device pools to a side that does not divide that of the images.
    """
    each = torch.eye(images.shape[-1], device="cpu")[None]
    cells = F.adaptive_avg_pool1d(each, side)[0].to(images)
    return cells.t() @ images @ cells


def upright(images: Tensor) -> Tensor:
    """Copies of drawings `(N, C, H, W)`, grey, that fill their frame and do not slant, uint8 `(N, 1, S, S)`.

    The slant is that of the second moments (LeCun et al. 1998, section III.A); the frame is where pixels
    differ from the border's tone by at least half of what they do at most, with half of its departure from
    a square undone. S is `SIDE`; the ground is 0, and so is all of an image of one tone.
    """
    ink = _ink(_grey(images))
    size = ink.shape[-1]
    place = torch.arange(size, device=ink.device, dtype=ink.dtype)
    slant, middle = _slant(ink, place)
    drawn = ink >= ink.amax((1, 2), keepdim=True) / 2
    down = place[None, :, None].expand_as(ink)
    across = place[None, None, :] - slant[:, None, None] * (down - middle[:, None, None])
    (top, bottom), (left, right) = _extent(down, drawn), _extent(across, drawn)
    high, wide = bottom - top + 1, right - left + 1
    longer = torch.maximum(high, wide)
    zoom_down, zoom_across = ((side * longer).sqrt() * MARGIN / size for side in (high, wide))
    # From places in the copy to places in the image, both from -1 to 1: frame first, then the slant back.
    centre_down, centre_across = (
        (first + last + 1) / size - 1 for first, last in ((top, bottom), (left, right))
    )
    lean = centre_down - ((2 * middle + 1) / size - 1)
    rows = [zoom_across, slant * zoom_down, centre_across + slant * lean]
    maps = torch.stack([*rows, torch.zeros_like(slant), zoom_down, centre_down], 1).view(-1, 2, 3)
    grid = F.affine_grid(maps, [len(ink), 1, SIDE, SIDE], align_corners=False)
    return F.grid_sample(ink[:, None], grid, align_corners=False).round_().to(torch.uint8)


def _grey(images: Tensor) -> Tensor:
    """Grey copies `(N, 1, S, S)` of `SIDE` to `LARGEST` pixels, 0 ... 255."""
    grey = images.float().mean(1, keepdim=True)
    size = grey.shape[-1]
    if size > LARGEST:
        return _pooled(grey, LARGEST)
    return grey if size >= SIDE else F.interpolate(grey, size=SIDE, mode="bilinear")


def _ink(grey: Tensor) -> Tensor:
    """How far each pixel is from the tone of the frame, `(N, S, S)`."""
    grey = grey[:, 0]
    frame = torch.cat([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], dim=1).median(dim=1).values
    return (grey - frame[:, None, None]).abs_()


def _slant(ink: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels across for each down along which the ink leans, and the row of its middle, `(N,)` each."""
    mass = ink.sum((1, 2)).clamp(min=1e-6)
    by_row, by_column = ink.sum(2), ink.sum(1)
    middle, centre = by_row @ place / mass, by_column @ place / mass
    down, across = place - middle[:, None], place - centre[:, None]
    spread = (by_row * down.square()).sum(1)
    both = torch.einsum("nyx,ny,nx->n", ink, down, across)
    return (both / spread.clamp(min=1e-6)).clamp(-STEEPEST, STEEPEST), middle


def _extent(places: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last of the `places` (N, S, S) that are `drawn`, `(N,)` each."""
    first = places.masked_fill(~drawn, math.inf).amin((1, 2))
    return first, places.masked_fill(~drawn, -math.inf).amax((1, 2))


def oriented_gradients(images: Tensor) -> Tensor:
    """Histograms of oriented gradients of uint8 images `(N, C, H, W)`, `(N, CELLS^2 ORIENTATIONS)`.

    Dalal and Triggs (CVPR 2005), of grey copies of `SIDE` pixels and without blocks: how much of an edge of
    each direction each cell holds. Square roots, so that their cosine is that of Hellinger's distance
    (Arandjelovic and Zisserman, CVPR 2012). Which way strokes run hardly changes with thickness and contrast.

    Example:
        >>> oriented_gradients(torch.zeros(2, 3, 28, 28, dtype=torch.uint8)).shape
        torch.Size([2, 294])
    """
    grey = _grey(images) / 255
    if grey.shape[-1] > SIDE:
        grey = _pooled(grey, SIDE)
    # Everything linear in as few passes as can be: smoothed derivatives along every direction at once, and
    # sums over smoothed cells as matrix products.
    along = F.conv2d(F.pad(grey, (2, 2, 2, 2), mode="replicate"), _derivatives(images.device))
    strength = torch.hypot(along[:, :1], along[:, 1:2])
    # 1 along an edge's own direction, 0 at the next one: each edge is shared between the two nearest.
    sharpest = math.cos(math.pi / ORIENTATIONS)
    edges = (along[:, 2:].abs_() - sharpest * strength).clamp_(min=0).div_(1 - sharpest)
    return _by_cell(edges).flatten(1)


def _by_cell(maps: Tensor) -> Tensor:
    """Square roots of what each smoothed cell holds of maps `(N, M, SIDE, SIDE)`, `(N, M, CELLS, CELLS)`."""
    cells = F.adaptive_avg_pool1d(F.avg_pool1d(torch.eye(SIDE)[None], 3, 1, 1), CELLS)[0].to(maps)
    return (cells.t() @ maps @ cells).clamp(min=0).sqrt()


def concavities(drawings: Tensor) -> Tensor:
    """Where `upright` drawings, uint8 `(N, 1, SIDE, SIDE)`, enclose their ground, `(N, 5, CELLS^2)`.

    How much of each cell is enclosed by strokes on all sides, then open only upwards, downwards, to the left
    and to the right: the concavities of Favata and Srikantan (International Journal of Imaging Systems and
    Technology 7, 1996). A four that is open at its top and a nine whose strokes run nearly alike differ in
    them, however they are written. Ink bars the way as far as it is dark, up to `WALL`. Square roots, as of
    gradients.

    Example:
        >>> ring = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
        >>> ring[..., 6:22, 6:22], ring[..., 9:19, 9:19] = 255, 0
        >>> concavities(ring).amax(2).gt(0)
        tensor([[ True, False, False, False, False]])
    """
    ink = (drawings[:, 0] / WALL).clamp(max=1)
    up, down, left, right = (_barred(ink, *way) for way in ((-1, 0), (1, 0), (0, -1), (0, 1)))
    askew = [_barred(ink, *way) for way in ((-1, -1), (-1, 1), (1, -1), (1, 1))]
    opening = (
        down * left * right * (1 - up),
        up * left * right * (1 - down),
        up * down * right * (1 - left),
        up * down * left * (1 - right),
    )
    enclosed = up * down * left * right * torch.stack(askew).prod(0)
    return _by_cell((1 - ink)[:, None] * torch.stack([enclosed, *opening], dim=1)).flatten(2)


def _barred(ink: Tensor, down: int, across: int) -> Tensor:
    """The most ink `(N, S, S)` on the straight way from each place to the frame."""
    step = 1
    while step < ink.shape[-1]:
        y, x = down * step, across * step
        ink = torch.maximum(ink, F.pad(ink, (-x, x, -y, y)))
        step *= 2
    return ink


def _derivatives(device: torch.device) -> Tensor:
    """Kernels `(2 + ORIENTATIONS, 1, 5, 5)` on a 3 x 3 mean: across, down, then along each direction."""
    mean = torch.tensor([0.0, 1.0, 1.0, 1.0, 0.0], device=device) / 3
    difference = torch.tensor([-1.0, -1.0, 0.0, 1.0, 1.0], device=device) / 3
    across, down = torch.outer(mean, difference), torch.outer(difference, mean)
    angles = math.pi / ORIENTATIONS * torch.arange(ORIENTATIONS, device=device)
    directed = angles.cos().view(-1, 1, 1) * across + angles.sin().view(-1, 1, 1) * down
    return torch.cat([across[None], down[None], directed])[:, None]
