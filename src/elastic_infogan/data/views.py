"""Identity-preserving views: batched random transformations of uint8 images on their device."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import torch
import torch.nn.functional as F
from kornia.geometry.transform import get_affine_matrix2d
from torch import Tensor

from elastic_infogan.data.colours import draw_colours, recolour

__all__ = [
    "IdentityViews",
    "affine_matrices",
    "crop_matrices",
    "deformations",
    "draw_thickness",
    "mirror_matrices",
    "tilt_matrices",
    "vary_thickness",
    "warp",
]

CONTROL = 4
"""Points along a side that move by themselves in an elastic deformation."""


def _uniform(n: int, spread: float, device: torch.device) -> Tensor:
    return torch.empty(n, device=device).uniform_(-spread, spread)


def affine_matrices(
    n: int,
    size: int,
    device: torch.device,
    *,
    rotate: float,
    zoom: float,
    translate: float,
    shear: float,
    stretch: float,
) -> Tensor:
    """`n` random affine maps about the image's centre, in pixels, homogeneous `(n, 3, 3)`.

    Arguments:
        size: side of the square image in pixels.
        rotate, shear: largest angle in degrees either way.
        zoom, stretch: largest relative change of the size and of the ratio of width to height.
        translate: largest shift as a fraction of the side.
    """
    scale = 1 + _uniform(n, zoom, device)
    ratio = torch.exp(_uniform(n, math.log1p(stretch) / 2, device))
    shift = torch.stack([_uniform(n, translate * size, device) for _ in range(2)], 1)
    return get_affine_matrix2d(
        shift,
        torch.full((n, 2), (size - 1) / 2, device=device),
        torch.stack([scale * ratio, scale / ratio], 1),
        _uniform(n, rotate, device),
        _uniform(n, math.radians(shear), device),
        torch.zeros(n, device=device),
    )


def crop_matrices(n: int, size: int, device: torch.device, crop: float) -> Tensor:
    """`n` maps onto random squares inside the image, in pixels `(n, 3, 3)`: a random resized crop.

    Arguments:
        size: side of the square image in pixels.
        crop: largest fraction of the area that is cut away.
    """
    side = torch.empty(n, device=device).uniform_(1 - crop, 1).sqrt()
    maps = torch.eye(3, device=device).repeat(n, 1, 1)
    maps[:, :2, :2] *= side[:, None, None]
    maps[:, :2, 2] = torch.rand(n, 2, device=device) * ((1 - side) * (size - 1))[:, None]
    return maps


def tilt_matrices(n: int, size: int, device: torch.device, corners: float) -> Tensor:
    """`n` projective maps about the image's centre, in pixels `(n, 3, 3)`.

    Arguments:
        size: side of the square image in pixels.
        corners: farthest that a corner moves, across and down, as a fraction of the side (nearly: what comes
            nearer grows by a little more than what recedes shrinks).
    """
    centre = (size - 1) / 2
    tilt = torch.empty(n, 2, device=device).uniform_(-1, 1) * (2 * corners / size)
    maps = torch.eye(3, device=device).repeat(n, 1, 1)
    maps[:, 2, :2] = tilt
    maps[:, 2, 2] = 1 - centre * tilt.sum(1)
    maps[:, :2] += centre * (maps[:, 2:] - torch.tensor([0.0, 0.0, 1.0], device=device))
    return maps


def mirror_matrices(n: int, size: int, device: torch.device) -> Tensor:
    """`n` maps in pixels `(n, 3, 3)` of which about half exchange left and right."""
    maps = torch.eye(3, device=device).repeat(n, 1, 1)
    flip = torch.rand(n, device=device) < 0.5
    maps[flip, 0, 0] = -1.0
    maps[flip, 0, 2] = size - 1.0
    return maps


def deformations(control: Tensor, size: int) -> Tensor:
    """Smooth displacements of every pixel, in pixels `(n, 2, size, size)`.

    Elastic deformation after Simard et al. (ICDAR 2003): Gaussian displacements of a coarse grid of
    `CONTROL` by `CONTROL` points over the image, bicubic between them.

    Arguments:
        control: displacements of the points, in pixels across and down, `(n, 2, CONTROL ** 2)`.
        size: side of the square image in pixels.
    """
    n = len(control)
    return (control.view(n * 2, -1) @ _bicubic(size, control.device)).view(n, 2, size, size)


@lru_cache
def _bicubic(size: int, device: torch.device) -> Tensor:
    """What each control point contributes to each pixel, `(CONTROL ** 2, size * size)`."""
    points = torch.eye(CONTROL**2, device=device).view(1, -1, CONTROL, CONTROL)
    return F.interpolate(points, size=size, mode="bicubic", align_corners=True).view(CONTROL**2, -1)


def warp(images: Tensor, matrices: Tensor, displacements: Tensor | None = None) -> Tensor:
    """Images `(n, C, H, W)` looked up through projective maps in pixels `(n, 3, 3)`, edges repeated.

    `matrices` lead from a place in the view to its place in the image, where `displacements` in pixels
    `(n, 2, H, W)`, across and down, are added. All places of all views come from one matrix product, which
    costs a tenth of building and multiplying a grid for each image.
    """
    n, _, height, width = images.shape
    rows, columns = torch.arange(height, device=images.device), torch.arange(width, device=images.device)
    down, across = torch.meshgrid(rows, columns, indexing="ij")
    places = torch.stack([across, down, torch.ones_like(down)]).view(3, -1).float()
    with torch.autocast(images.device.type, enabled=False):  # bf16 knows no place beyond 256 to the pixel
        found = (matrices.reshape(-1, 3) @ places).view(n, 3, height, width)
    extent = torch.tensor([width - 1, height - 1], device=images.device).view(1, 2, 1, 1)
    places_found = found[:, :2] / found[:, 2:]
    if displacements is not None:
        places_found = places_found + displacements
    # Held to the image, so that nothing is looked up beyond its edge: not every device repeats edges itself.
    grid = (places_found * (2 / extent) - 1).clamp_(-1, 1)
    return F.grid_sample(images.float(), grid.permute(0, 2, 3, 1), align_corners=True)


def _dilate(images: Tensor) -> Tensor:
    """3x3 maximum of `(N, C, H, W)`, one direction at a time; on uint8 far cheaper than max pooling."""
    wide = images.clone()
    torch.maximum(wide[..., 1:], images[..., :-1], out=wide[..., 1:])
    torch.maximum(wide[..., :-1], images[..., 1:], out=wide[..., :-1])
    high = wide.clone()
    torch.maximum(high[..., 1:, :], wide[..., :-1, :], out=high[..., 1:, :])
    torch.maximum(high[..., :-1, :], wide[..., 1:, :], out=high[..., :-1, :])
    return high


def draw_thickness(n: int, device: torch.device, strength: float, opened: int = 0) -> dict[str, Tensor]:
    """What `vary_thickness` needs for `n` images.

    Arguments:
        strength: the largest weight of the filtered one.
        opened: farthest reach in pixels where it differs between images and half of them are opened or
            closed; 0 leaves both out.
    """
    drawn = {
        "amount": torch.empty(n, 1, 1, 1, device=device).uniform_(0, strength),
        "thin": torch.randint(0, 2, (n, 1, 1, 1), device=device, dtype=torch.uint8),
    }
    if opened:
        drawn["reach"] = torch.randint(1, opened + 1, (n, 1, 1, 1), device=device, dtype=torch.uint8)
        drawn["back"] = torch.randint(0, 2, (n, 1, 1, 1), device=device, dtype=torch.bool)
    return drawn


def vary_thickness(
    images: Tensor,
    amount: Tensor,
    thin: Tensor,
    reach: Tensor | None = None,
    back: Tensor | None = None,
    *,
    farthest: int = 1,
) -> Tensor:
    """Blend each image with its local maximum or minimum, so that stroke width is no longer the same.

    Arguments:
        images: uint8 `(N, C, H, W)`.
        amount: weight of the filtered image, 0 ... 1, `(N, 1, 1, 1)`.
        thin: 1 for the minimum, 0 for the maximum, uint8 `(N, 1, 1, 1)`.
        reach: how far the neighbourhood goes, in pixels, uint8 `(N, 1, 1, 1)`; None: `farthest`.
        back: where the other filter follows, bool `(N, 1, 1, 1)`: an opening, which takes away what is
            thinner than the neighbourhood, serifs say, or a closing, which fills such gaps.
        farthest: the largest reach; a number, since to ask a tensor would wait for its device.

    Returns:
        float32 `(N, C, H, W)` in 0 ... 255.
    """
    # A negative is the image whose maximum is the minimum: one filter serves both directions.
    flip = thin * 255
    filtered = _spread(images ^ flip, farthest, reach)
    if back is not None:
        filtered = torch.where(back, _spread(filtered ^ 255, farthest, reach) ^ 255, filtered)
    return torch.lerp(images.float(), (filtered ^ flip).float(), amount)


def _spread(images: Tensor, farthest: int, reach: Tensor | None) -> Tensor:
    """Local maxima as far as `reach`, see `vary_thickness`."""
    for step in range(1, farthest + 1):
        wider = _dilate(images)
        images = wider if reach is None else torch.where(reach >= step, wider, images)
    return images


class IdentityViews:
    """The family delta of Elastic-InfoGAN, section 3.3: what a view varies cannot become the class.

    Arguments: ranges of uniform draws, 0 leaves a property alone.
        rotate, shear: degrees either way.
        zoom, stretch: relative size and ratio of width to height, either way.
        translate, corners: fraction of the image; `corners` tilts it about its centre (perspective), which
            moves each corner by so much at most, across and down.
        deform: spread of smooth displacements as a fraction of the image, see `deformations`.
        thickness: largest blend with the local maximum or minimum, see `vary_thickness`.
        opening: half of these are openings or closings, as far as this fraction of the image.
        crop: largest fraction of the area cut away by a random resized crop.
        mirror: exchange left and right at random.
        colour: largest relative change of brightness, contrast and (three channels) saturation.
        hue: largest turn of the colour circle (three channels).
        greyscale: probability of losing all colour (three channels).
    """

    def __init__(
        self,
        *,
        rotate: float = 0.0,
        zoom: float = 0.0,
        translate: float = 0.0,
        shear: float = 0.0,
        stretch: float = 0.0,
        corners: float = 0.0,
        deform: float = 0.0,
        thickness: float = 0.0,
        opening: float = 0.0,
        crop: float = 0.0,
        mirror: bool = False,
        colour: float = 0.0,
        hue: float = 0.0,
        greyscale: float = 0.0,
    ) -> None:
        self.affine = {
            "rotate": rotate,
            "zoom": zoom,
            "translate": translate,
            "shear": shear,
            "stretch": stretch,
        }
        self.corners, self.deform, self.crop, self.mirror = corners, deform, crop, mirror
        self.thickness, self.opening = thickness, opening
        self.colours = {"colour": colour, "hue": hue, "greyscale": greyscale}

    @torch.no_grad()
    def __call__(self, images: Tensor, drawn: Mapping[str, Tensor] | None = None) -> Tensor:
        """A random view of each square image: uint8 `(N, C, S, S)` to float32 in [-1, 1] of the same shape.

        Arguments:
            drawn: N rows of what `draw` gave; drawn here when left out.

        Raises:
            TypeError: the images are not uint8.
        """
        if images.dtype != torch.uint8:
            raise TypeError(f"images are {images.dtype}; uint8, 0 to 255, is needed")
        rows = self.draw(len(images), images) if drawn is None else drawn
        views = self._strokes(images, rows) if self.thickness else images.float()
        bent = deformations(rows["control"], images.shape[-1]) if self.deform else None
        views = warp(views.div_(127.5).sub_(1.0), rows["maps"], bent)
        if not any(self.colours.values()):
            return views
        return recolour(views, rows["brightness"], rows["contrast"], rows.get("colours"))

    def draw(self, n: int, images: Tensor) -> dict[str, Tensor]:
        """The random numbers behind `n` views of images like `images` (N, C, H, W), a row for each view."""
        _, channels, _, size = images.shape
        rows = {}
        if self.thickness:
            rows = draw_thickness(n, images.device, self.thickness, round(self.opening * size))
        if self.deform:
            spread = self.deform * size
            rows["control"] = torch.randn(n * 2, CONTROL**2, device=images.device).mul_(spread).view(n, 2, -1)
        rows["maps"] = self._maps(n, size, images.device)
        if any(self.colours.values()):
            rows |= draw_colours(n, channels, images.device, **self.colours)
        return rows

    def _strokes(self, images: Tensor, rows: Mapping[str, Tensor]) -> Tensor:
        """Images whose strokes are wider or narrower, opened or closed."""
        size = images.shape[-1]
        drawn = {name: rows[name] for name in ("amount", "thin", "reach", "back") if name in rows}
        # Without openings one pixel up to a side of 55, and one more for every further 28.
        return vary_thickness(images, **drawn, farthest=round(self.opening * size) or max(1, size // 28))

    def _maps(self, n: int, size: int, device: torch.device) -> Tensor:
        """From places in the views to places in the images, `(n, 3, 3)`: everything that moves pixels."""
        maps = affine_matrices(n, size, device, **self.affine)
        if self.corners:
            maps = maps @ tilt_matrices(n, size, device, self.corners)
        if self.crop:
            maps = crop_matrices(n, size, device, self.crop) @ maps
        return maps @ mirror_matrices(n, size, device) if self.mirror else maps
