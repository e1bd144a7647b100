"""The networks' convolutions (4x4 kernels, stride 2, padding 1) with a third of the multiplications.

Even and odd rows and columns taken apart, such a convolution is one of 2x2 kernels and stride 1 between
cells of 2x2 pixels. Along a side of m outputs it multiplies polynomials of m and 2 coefficients: evaluated
at m + 1 points, multiplied there and interpolated, a map costs (m + 1)^2 products of matrices over channels
instead of 4 m^2 (64 and 196 for m = 7). That is Winograd's minimal filtering F(m, 2) (Arithmetic Complexity
of Computations, 1980; Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016).

The points lie on the projective line at equal angles, so that none is large: with m = 7 single precision is
off by 1e-5 of the outputs' standard deviation (directly by 3e-7, in bf16 by 4e-3).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["LARGEST", "convolve", "convolve_transposed"]

LARGEST = 8
"""outputs on a side up to which points stay well apart"""


def convolve(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """What `F.conv2d(maps, weight, bias, stride=2, padding=1)` gives, in channels_last.

    Arguments:
        maps: `(N, C, 2 m, 2 m)` with m at most `LARGEST`.
        weight: `(D, C, 4, 4)`.
        bias: `(D,)`.

    Returns: `(N, D, m, m)`.
    """
    return _Convolution.apply(maps, weight, bias)  # type: ignore[no-any-return, no-untyped-call]


def convolve_transposed(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """What `F.conv_transpose2d(maps, weight, bias, stride=2, padding=1)` gives, in channels_last.

    Arguments:
        maps: `(N, D, m, m)` with m at most `LARGEST`.
        weight: `(D, C, 4, 4)`.
        bias: `(C,)`.

    Returns: `(N, C, 2 m, 2 m)`.
    """
    return _TransposedConvolution.apply(maps, weight, bias)  # type: ignore[no-any-return, no-untyped-call]


class _Matrices(NamedTuple):
    """`small` (n, m) and `kernel` (n, 2) evaluate at n = m + 1 points; `cells` (n, n) is what these undo."""

    small: Tensor
    kernel: Tensor
    cells: Tensor


@cache
def _matrices(m: int, dtype: torch.dtype) -> _Matrices:
    angles = torch.arange(m + 1, dtype=torch.float64) * math.pi / (m + 1)
    cos, sin = angles.cos(), angles.sin()
    small = torch.stack([cos ** (m - 1 - i) * sin**i for i in range(m)], dim=1)
    product = torch.stack([cos ** (m - i) * sin**i for i in range(m + 1)], dim=1)
    cells = torch.linalg.inv(product).t()
    scale = (cells.norm(dim=1) / small.norm(dim=1)).sqrt()[:, None]  # so that both are of one size
    return _Matrices(*(t.to(dtype) for t in (small * scale, torch.stack([cos, sin], 1), cells / scale)))


class _Convolution(torch.autograd.Function):
    """y = small^T [(kernel w) (cells x)]; every gradient is that of a product of the three."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.matrices = _matrices(maps.shape[2] // 2, maps.dtype)
        large, kernel = _large_at_points(maps, ctx.matrices), _kernel_at_points(weight, ctx.matrices)
        ctx.save_for_backward(large, kernel)
        small = torch.bmm(large, kernel.transpose(1, 2))
        return _small_from_points(small, ctx.matrices).add_(bias[:, None, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        large, kernel = ctx.saved_tensors
        of_maps, of_weight, of_bias = ctx.needs_input_grad
        small = _small_at_points(gradient, ctx.matrices)
        return (
            _large_from_points(torch.bmm(small, kernel), ctx.matrices) if of_maps else None,
            _kernel_from_points(torch.bmm(small.transpose(1, 2), large), ctx.matrices) if of_weight else None,
            gradient.sum((0, 2, 3)) if of_bias else None,
        )


class _TransposedConvolution(torch.autograd.Function):
    """The transpose of `_Convolution` in its maps."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.matrices = _matrices(maps.shape[2], maps.dtype)
        small, kernel = _small_at_points(maps, ctx.matrices), _kernel_at_points(weight, ctx.matrices)
        ctx.save_for_backward(small, kernel)
        return _large_from_points(torch.bmm(small, kernel), ctx.matrices).add_(bias[:, None, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        small, kernel = ctx.saved_tensors
        of_maps, of_weight, of_bias = ctx.needs_input_grad
        large = _large_at_points(gradient, ctx.matrices)
        return (
            _small_from_points(torch.bmm(large, kernel.transpose(1, 2)), ctx.matrices) if of_maps else None,
            _kernel_from_points(torch.bmm(small.transpose(1, 2), large), ctx.matrices) if of_weight else None,
            gradient.sum((0, 2, 3)) if of_bias else None,
        )


def _both_sides(matrix: Tensor, grid: Tensor) -> Tensor:
    """`matrix` (b, a) along rows and columns of `grid` (a, a, ...): `(b, b, ...)`."""
    b, a = matrix.shape
    rows = torch.mm(matrix, grid.reshape(a, -1)).view(b, a, -1)
    return torch.bmm(matrix.expand(b, b, a), rows).view(b, b, *grid.shape[2:])


def _large_at_points(maps: Tensor, matrices: _Matrices) -> Tensor:
    """`(n^2, N, 4 C)` from maps `(N, C, 2 m, 2 m)`, padded and cut into n x n cells of 2x2 pixels."""
    images, channels = maps.shape[:2]
    n = len(matrices.cells)
    cells = maps.new_empty(n, n, images, 2, 2, channels)
    for edge in (cells[0, :, :, 0], cells[-1, :, :, 1], cells[:, 0, :, :, 0], cells[:, -1, :, :, 1]):
        edge.zero_()
    for of_cells, of_maps in _corners(cells, maps):
        of_cells.copy_(of_maps)
    return _both_sides(matrices.cells, cells).view(n * n, images, 4 * channels)


def _large_from_points(products: Tensor, matrices: _Matrices) -> Tensor:
    """The transpose of `_large_at_points`."""
    images, channels = products.shape[1], products.shape[2] // 4
    n = len(matrices.cells)
    cells = _both_sides(matrices.cells.t(), products.view(n, n, images, 2, 2, channels))
    shape = (images, channels, 2 * n - 2, 2 * n - 2)
    maps = torch.empty(shape, dtype=products.dtype, memory_format=torch.channels_last)
    for of_cells, of_maps in _corners(cells, maps):
        of_maps.copy_(of_cells)
    return maps


def _corners(cells: Tensor, maps: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Each of the four pixels of cells `(n, n, N, 2, 2, C)` beside its places in maps `(N, C, 2 m, 2 m)`."""
    n, pixels = len(cells), maps.permute(2, 3, 0, 1)
    return [
        (cells[1 - p : n - p, 1 - q : n - q, :, p, q], pixels[1 - p :: 2, 1 - q :: 2])
        for p in (0, 1)
        for q in (0, 1)
    ]


def _small_at_points(maps: Tensor, matrices: _Matrices) -> Tensor:
    """`(n^2, N, D)` from maps `(N, D, m, m)`."""
    return _both_sides(matrices.small, maps.permute(2, 3, 0, 1)).flatten(0, 1)


def _small_from_points(products: Tensor, matrices: _Matrices) -> Tensor:
    """The transpose of `_small_at_points`."""
    n = len(matrices.cells)
    grid = _both_sides(matrices.small.t(), products.view(n, n, *products.shape[1:]))
    return grid.permute(2, 3, 0, 1).contiguous(memory_format=torch.channels_last)


def _kernel_at_points(weight: Tensor, matrices: _Matrices) -> Tensor:
    """`(n^2, D, 4 C)` from kernels `(D, C, 4, 4)`."""
    outputs, channels = weight.shape[:2]
    taps = weight.view(outputs, channels, 2, 2, 2, 2).permute(2, 4, 0, 3, 5, 1)
    return _both_sides(matrices.kernel, taps).view(-1, outputs, 4 * channels)


def _kernel_from_points(products: Tensor, matrices: _Matrices) -> Tensor:
    """The transpose of `_kernel_at_points`."""
    outputs, channels = products.shape[1], products.shape[2] // 4
    n = len(matrices.cells)
    taps = _both_sides(matrices.kernel.t(), products.view(n, n, outputs, 2, 2, channels))
    return taps.permute(2, 0, 3, 1, 4, 5).reshape(outputs, 4, 4, channels).permute(0, 3, 1, 2)
