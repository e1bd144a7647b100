"""The networks' convolutions (4x4 kernels, stride 2) as products with patches, where that is faster on a CPU.

Between large maps and small ones, whichever of the two are the outputs, there are three products: small maps
from large ones, large ones from small ones, and kernels' gradients from both. A library does the first near a
CPU's peak. The second it does at a twentieth of it where the large maps are grey images: here one product
gives what each small pixel adds to the 4x4 patch that it sees, and patches are added up where they overlap.
The third it does at half of the peak in bf16: here it is one product with unfolded patches (im2col:
Chellapilla, Puri and Simard, High Performance Convolutional Neural Networks for Document Processing, 2006).
And in bf16 a transposed convolution's bias costs the library a fifth of the backward pass; here it is added
apart.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["LARGEST", "LEAST_CHANNELS", "convolve", "convolve_transposed", "fold", "kernel_gradient"]

LARGEST = 8
"""outputs on a side up to which unfolding takes less time than it saves"""

LEAST_CHANNELS = 16
"""of either maps; unfolded patches of fewer are too narrow for a product"""

AT_ONCE = 2**23
"""bytes of patches that are unfolded before they are multiplied, so that they stay in a cache"""


def convolve(maps: Tensor, weight: Tensor, bias: Tensor, padding: int, dtype: torch.dtype) -> Tensor:
    """What `F.conv2d(maps, weight, bias, stride=2, padding=padding)` gives, computed in `dtype`.

    Arguments:
        maps: `(N, C, H, H)`.
        weight: `(D, C, 4, 4)`.
        bias: `(D,)`.
        padding: p, at least 1.
        dtype: of what is multiplied and of the output; gradients have that of their tensors.

    Returns: `(N, D, m, m)` with m = H // 2 + p - 1.
    """
    tensors = (t.to(dtype) for t in (maps, weight, bias))
    return _Convolution.apply(*tensors, padding)  # type: ignore[no-any-return, no-untyped-call]


def convolve_transposed(
    maps: Tensor, weight: Tensor, bias: Tensor, padding: int, dtype: torch.dtype
) -> Tensor:
    """What `F.conv_transpose2d(maps, weight, bias, stride=2, padding=padding)` gives, computed in `dtype`.

    Arguments:
        maps: `(N, D, m, m)`.
        weight: `(D, C, 4, 4)`.
        bias: `(C,)`.
        padding, dtype: as for `convolve`.

    Returns: `(N, C, H, H)` with H = 2 (m + 1 - p).
    """
    tensors = (t.to(dtype) for t in (maps, weight, bias))
    return _TransposedConvolution.apply(*tensors, padding)  # type: ignore[no-any-return, no-untyped-call]


class _Convolution(torch.autograd.Function):
    """Large maps to small ones."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor, padding: int) -> Tensor:
        ctx.padding = padding
        ctx.save_for_backward(maps, weight)
        return F.conv2d(maps, weight, bias, 2, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight = ctx.saved_tensors
        of_maps, of_weight, of_bias, _ = ctx.needs_input_grad
        return (
            _large(gradient, weight, ctx.padding, maps.shape[2]) if of_maps else None,
            _kernels(maps, gradient, weight, ctx.padding) if of_weight else None,
            gradient.sum((0, 2, 3)) if of_bias else None,
            None,
        )


class _TransposedConvolution(torch.autograd.Function):
    """Small maps to large ones."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor, padding: int) -> Tensor:
        ctx.padding = padding
        ctx.save_for_backward(maps, weight)
        large = _large(maps, weight, padding, 2 * (maps.shape[2] + 1 - padding))
        return large.add_(bias[:, None, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight = ctx.saved_tensors
        of_maps, of_weight, of_bias, _ = ctx.needs_input_grad
        return (
            F.conv2d(gradient, weight, None, 2, ctx.padding) if of_maps else None,
            _kernels(gradient, maps, weight, ctx.padding) if of_weight else None,
            gradient.sum((0, 2, 3)) if of_bias else None,
            None,
        )


def _large(small: Tensor, weight: Tensor, padding: int, side: int) -> Tensor:
    """Maps `(N, C, side, side)` from small ones by the faster way."""
    if weight.shape[1] == 1:
        return fold(small, weight, padding, side)
    missing = side - 2 * (small.shape[2] + 1 - padding)
    return F.conv_transpose2d(small, weight, None, 2, padding, missing)


def _kernels(large: Tensor, small: Tensor, weight: Tensor, padding: int) -> Tensor:
    """The kernels' gradient by the faster way."""
    wide = min(weight.shape[:2]) >= LEAST_CHANNELS
    if weight.dtype == torch.bfloat16 and wide and small.shape[2] <= LARGEST:
        return kernel_gradient(large, small, padding)
    rest = None, [2, 2], [padding, padding], [1, 1], False, [0, 0], 1, [False, True, False]
    found: Tensor = torch.ops.aten.convolution_backward(small, large, weight, *rest)[1]
    return found


def fold(small: Tensor, weight: Tensor, padding: int, side: int) -> Tensor:
    """What `F.conv_transpose2d(small, weight, stride=2, padding=padding)` gives.

    Arguments:
        small: `(N, D, m, m)`.
        weight: `(D, C, 4, 4)`.
        padding: p, at least 1.
        side: of the large maps: 2 (m + 1 - p), or one more, of which the small ones see nothing.

    Returns: `(N, C, side, side)` in channels_last, of the type of `small`.
    """
    images, depth, m, _ = small.shape
    channels = weight.shape[1]
    taps = weight.permute(2, 3, 1, 0).reshape(-1, depth)
    added = torch.mm(taps, small.permute(0, 2, 3, 1).reshape(-1, depth).t())
    # Rows and columns of a patch as cells of 2x2 pixels: first the cell, then the pixel in it.
    added = added.view(2, 2, 2, 2, channels, images, m, m).to(torch.promote_types(small.dtype, torch.float32))
    cells = added.new_zeros(2, 2, channels, images, m + 1, m + 1)
    for a in (0, 1):
        for b in (0, 1):
            cells[..., a : a + m, b : b + m] += added[a, :, b]
    padded = cells.permute(3, 2, 4, 0, 5, 1).reshape(images, channels, 2 * m + 2, 2 * m + 2)
    large = padded[:, :, padding : padding + side, padding : padding + side]
    return large.to(small.dtype).contiguous(memory_format=torch.channels_last)


def kernel_gradient(large: Tensor, small: Tensor, padding: int) -> Tensor:
    """The gradient of the kernels between large maps and small ones, whichever of the two are the outputs.

    Arguments:
        large: `(N, C, H, H)`.
        small: `(N, D, m, m)`, of the same type.
        padding: of the large ones.

    Returns: `(D, C, 4, 4)` in channels_last, at least float32.
    """
    channels, side = large.shape[1], small.shape[2]
    rows = small.permute(0, 2, 3, 1).reshape(-1, small.shape[1])
    images = max(1, AT_ONCE // (side**2 * 16 * channels * large.element_size()))
    precise = torch.promote_types(large.dtype, torch.float32)
    gradient = large.new_zeros(small.shape[1], 16 * channels, dtype=precise)
    for maps, part in zip(large.split(images), rows.split(images * side**2), strict=True):
        gradient += torch.mm(part.t(), _unfold(maps, padding, side))
    return gradient.view(-1, 4, 4, channels).permute(0, 3, 1, 2)


def _unfold(maps: Tensor, padding: int, side: int) -> Tensor:
    """`(N side^2, 16 C)`: what each of side x side outputs sees of maps `(N, C, H, H)`, channels fastest."""
    images, channels = maps.shape[:2]
    width = 2 * side + 2  # of what all outputs see: the last padded row and column may lie beyond
    padded = maps.new_zeros(images, width, width, channels)
    inner = maps.permute(0, 2, 3, 1)[:, : width - padding, : width - padding]
    padded[:, padding : padding + inner.shape[1], padding : padding + inner.shape[2]] = inner
    row = width * channels
    size, strides = (images, side, side, 4, 4 * channels), (width * row, 2 * row, 2 * channels, row, 1)
    return padded.as_strided(size, strides).reshape(-1, 16 * channels)
