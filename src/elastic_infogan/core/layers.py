"""Torch's layers in less time while training on a CPU in single precision; elsewhere they are torch's own.

Parameters, their names and what is computed are torch's; sums are rounded otherwise. A GPU, and a CPU that
computes in bf16, have kernels that are faster still; what answers keeps to torch's, which others can export.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from elastic_infogan.core import winograd

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
        if wide and _is_slow(self, rows) and len(rows) < min(self.weight.shape):
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
    """`nn.Conv2d` by Winograd's filtering where kernels, maps and channels suit it, see `winograd`."""

    def forward(self, maps: Tensor) -> Tensor:
        """`(N, out, H / 2, W / 2)` from maps `(N, in, H, W)` with kernels of side 4 and stride 2."""
        height, width = maps.shape[2:]
        if height == width and height % 2 == 0 and self.bias is not None and _suits(self, maps, height // 2):
            return winograd.convolve(maps, self.weight, self.bias)
        return super().forward(maps)


class ConvTranspose2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` by Winograd's filtering where kernels, maps and channels suit it."""

    def forward(self, maps: Tensor, output_size: list[int] | None = None) -> Tensor:
        """`(N, out, 2 H, 2 W)` from maps `(N, in, H, W)` with kernels of side 4 and stride 2."""
        height, width = maps.shape[2:]
        if height == width and self.bias is not None and _suits(self, maps, height):
            return winograd.convolve_transposed(maps, self.weight, self.bias)
        return super().forward(maps, output_size)


def _is_slow(layer: nn.Module, inputs: Tensor) -> bool:
    """Whether torch's own kernel would be the slower one: training, on a CPU, in single precision."""
    full = inputs.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return layer.training and inputs.device.type == "cpu" and full


def _suits(layer: nn.Conv2d | nn.ConvTranspose2d, maps: Tensor, side: int) -> bool:
    """Whether Winograd's filtering is the faster way; `side` is that of the smaller maps."""
    geometry = layer.kernel_size, layer.stride, layer.padding
    fits = geometry == ((4, 4), (2, 2), (1, 1)) and side <= winograd.LARGEST
    large = layer.in_channels * layer.out_channels >= LEAST_PAIRS
    # The number of images last: asked while a graph is exported, it would be fixed there.
    return fits and large and _is_slow(layer, maps) and len(maps) >= LEAST_IMAGES
