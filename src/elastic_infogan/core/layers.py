"""Torch's layers in less time while training on a CPU; elsewhere they are torch's own.

Parameters, their names and what is computed are torch's; sums are rounded otherwise. A GPU has kernels that
are faster still; what answers keeps to torch's, which others can export.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from elastic_infogan.core import patches, winograd

__all__ = ["Conv2d", "ConvTranspose2d", "Linear"]

LEAST_IMAGES = 64
"""in a batch; with fewer, preparing kernels takes longer than it saves"""

LEAST_PAIRS = 64 * 128
"""of channels in and out; with fewer, moving numbers takes longer than multiplying them"""


class Linear(nn.Linear):
    """`nn.Linear` with the long side of each product first where its weights are wider than the batch.

    The library divides the rows of the first factor among threads, and thousands of rows make better parts
    than those of a batch. Always with a bias.
    """

    LEAST: ClassVar = 2**20
    """weights, from which on they lie in no core's cache"""

    def forward(self, rows: Tensor) -> Tensor:
        """`(N, out)` from rows `(N, in)`."""
        wide = self.weight.numel() >= self.LEAST
        if wide and _dtype(self, rows) == torch.float32 and len(rows) < min(self.weight.shape):
            return _LongSideFirst.apply(rows, self.weight, self.bias)  # type: ignore[no-any-return, no-untyped-call]
        return super().forward(rows)


class _LongSideFirst(torch.autograd.Function):
    """x w^T + b and its gradients; autograd by itself would put the batch first on the way back."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return torch.mm(weight, rows.t()).t().contiguous().add_(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        rows, weight = ctx.saved_tensors
        of_rows, of_weight, of_bias = ctx.needs_input_grad
        return (
            torch.mm(weight.t(), gradient.t()).t().contiguous() if of_rows else None,
            torch.mm(gradient.t(), rows) if of_weight else None,
            gradient.sum(0) if of_bias else None,
        )


class Conv2d(nn.Conv2d):
    """`nn.Conv2d`, by `winograd` or `patches` where kernels, maps and channels suit them.

    Always with a bias.
    """

    bias: nn.Parameter

    def forward(self, maps: Tensor) -> Tensor:
        """`(N, out, m, n)` from maps `(N, in, H, W)`; with kernels of 4, stride 2, padding 1 m is H / 2."""
        height, width = maps.shape[2:]
        padding, dtype = _padding(self), _dtype(self, maps)
        if dtype is not None and padding and height == width:
            smaller = height // 2 + padding - 1
            if padding == 1 and height % 2 == 0 and _suits_winograd(self, maps, dtype, smaller):
                return winograd.convolve(maps, self.weight, self.bias)
            if self.in_channels == 1 or _suits_patches(self, dtype, smaller):
                return patches.convolve(maps, self.weight, self.bias, padding, dtype)
        return super().forward(maps)


class ConvTranspose2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d`, by `winograd` or `patches` as `Conv2d`. Always with a bias."""

    bias: nn.Parameter

    def forward(self, maps: Tensor, output_size: list[int] | None = None) -> Tensor:
        """`(N, out, H, W)` from maps `(N, in, m, n)`, see `Conv2d`."""
        height, width = maps.shape[2:]
        padding, dtype = _padding(self), _dtype(self, maps)
        if dtype is not None and padding and height == width:
            if padding == 1 and _suits_winograd(self, maps, dtype, height):
                return winograd.convolve_transposed(maps, self.weight, self.bias)
            if self.out_channels == 1 or _suits_patches(self, dtype, height):
                return patches.convolve_transposed(maps, self.weight, self.bias, padding, dtype)
        return super().forward(maps, output_size)


def _padding(layer: nn.Conv2d | nn.ConvTranspose2d) -> int:
    """That of a layer with the networks' kernels, of side 4 and stride 2; 0 for any other layer."""
    padding = layer.padding[0]
    usual = layer.kernel_size, layer.stride, layer.padding
    if isinstance(padding, str) or usual != ((4, 4), (2, 2), (padding, padding)):
        return 0
    return padding


def _dtype(layer: nn.Module, inputs: Tensor) -> torch.dtype | None:
    """What a layer computes in while it trains on a CPU in float32 or bf16; None elsewhere.

    That is where the library's kernels may be the slower ones.
    """
    if not layer.training or inputs.device.type != "cpu":
        return None
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else inputs.dtype
    return dtype if dtype in (torch.float32, torch.bfloat16) else None


def _suits_winograd(
    layer: nn.Conv2d | nn.ConvTranspose2d, maps: Tensor, dtype: torch.dtype, smaller: int
) -> bool:
    """Whether Winograd's filtering is the faster way; `smaller` is the side of the smaller maps."""
    large = layer.in_channels * layer.out_channels >= LEAST_PAIRS
    # The number of images last: asked while a graph is exported, it would be fixed there.
    return dtype == torch.float32 and smaller <= winograd.LARGEST and large and len(maps) >= LEAST_IMAGES


def _suits_patches(layer: nn.Conv2d | nn.ConvTranspose2d, dtype: torch.dtype, smaller: int) -> bool:
    """Whether a product with patches is the faster way to the kernels' gradient."""
    wide = min(layer.in_channels, layer.out_channels) >= patches.LEAST_CHANNELS
    return dtype == torch.bfloat16 and smaller <= patches.LARGEST and wide
