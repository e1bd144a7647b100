"""Batch normalisation over the batch of all processes."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["SharedBatchNorm1d", "SharedBatchNorm2d", "share_statistics"]


def share_statistics(module: nn.Module) -> None:
    """Let every batch normalisation in `module` take its statistics over all processes from now on.

    `nn.SyncBatchNorm` does that on CUDA alone. Parameters, buffers and their names stay, so that a model
    saved by several processes is one saved by one.
    """
    for layer in module.modules():
        if type(layer) is nn.BatchNorm1d:
            layer.__class__ = SharedBatchNorm1d
        elif type(layer) is nn.BatchNorm2d:
            layer.__class__ = SharedBatchNorm2d


class _Shared(nn.modules.batchnorm._BatchNorm):
    """While training, mean and variance are those of all processes' images together."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalised features of `(N, C)` or `(N, C, H, W)`; each process has its own N."""
        if not self.training:
            return super().forward(x)
        normalised, mean, variance, count = _Normalise.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.eps
        )
        self._track(mean, variance * count / (count - 1))
        return normalised  # type: ignore[no-any-return]

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        if self.num_batches_tracked is None or self.running_mean is None or self.running_var is None:
            return
        self.num_batches_tracked.add_(1)
        rate = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, rate)
        self.running_var.lerp_(variance, rate)


class SharedBatchNorm1d(_Shared, nn.BatchNorm1d):
    """`nn.BatchNorm1d` over the images of all processes."""


class SharedBatchNorm2d(_Shared, nn.BatchNorm2d):
    """`nn.BatchNorm2d` over the images of all processes."""


class _Normalise(torch.autograd.Function):
    """y = w (x - mean) / sqrt(variance + eps) + b with the statistics of all processes.

    Mean, variance and count of each process are joined as by Chan, Golub and LeVeque (1983). The gradient
    of x is Ioffe and Szegedy's (2015) with its two means taken over all processes; those of w and b are this
    process's part, like every other parameter's.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        dims = [d for d in range(x.dim()) if d != 1]
        variance, mean = torch.var_mean(x.to(weight.dtype), dims, correction=0)
        own = torch.cat([mean, variance, mean.new_full((1,), x.numel() // x.shape[1])])
        parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, own)
        means, variances, counts = torch.stack(parts).split([len(mean), len(mean), 1], dim=1)
        count = counts.sum()
        mean = (counts * means).sum(0) / count
        variance = (counts * (variances + (means - mean).square())).sum(0) / count
        ctx.save_for_backward(x, weight, mean, variance, count)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance, count)
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps), mean, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, variance, count = ctx.saved_tensors
        # With given statistics the kernel's gradients of w and b are the sums of dy (x - mean) / s and of dy.
        dx, dw, db = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        sums = torch.cat([dw, db])
        dist.all_reduce(sums)
        of_product, of_gradient = (sums / count).split(len(mean))
        shape = (1, -1, *[1] * (x.dim() - 2))
        inverse = (variance + ctx.eps).rsqrt()
        # x - mean first: as w x + b with one large w and b the means would cancel after rounding.
        toward = (x - mean.view(shape)).mul_((inverse * of_product).view(shape)).add_(of_gradient.view(shape))
        dx = dx.sub_(toward.mul_((weight * inverse).view(shape)))
        return dx, dw, db, None
