"""Processes: what each of several processes that train as one is told of the others."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from torch import Tensor

from elastic_infogan.core.share import Share
from elastic_infogan.training.hardware import PATIENCE

__all__ = ["Processes"]

T = TypeVar("T")


class Processes:
    """All processes of a run, as one of them sees them. Alone, it exchanges nothing.

    Every method that exchanges something has to be called by all.

    Arguments:
        fabric: launched.
    """

    def __init__(self, fabric: Fabric) -> None:
        warnings.filterwarnings("ignore", ".*all_gather is deprecated", FutureWarning)  # Fabric's call
        self.fabric = fabric
        self.share = Share(fabric.global_rank, fabric.world_size)
        # Reading a number back from an accelerator would make every step wait for it.
        apart = not self.alone and fabric.device.type != "cpu"
        self._control = dist.new_group(backend="gloo", timeout=PATIENCE) if apart else None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.share.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is only one process."""
        return self.share.of == 1

    def mean(self, tensor: Tensor) -> Tensor:
        """`tensor` averaged over all."""
        return tensor if self.alone else self._mean(tensor)

    def mean_with_gradient(self, scalar: Tensor) -> Tensor:
        """A scalar averaged over all, with a way back for gradients."""
        return scalar if self.alone else self._gathered(scalar).mean()

    def from_others(self, rows: Tensor) -> Tensor | None:
        """The others' `rows` (n, F), one after another, with a way back for gradients; None where alone."""
        if self.alone:
            return None
        everyone = self._gathered(rows)
        return torch.cat([part for rank, part in enumerate(everyone) if rank != self.share.rank])

    def largest(self, *numbers: float) -> list[float]:
        """Each number where it is largest, to go by: the slowest one's seconds, what any is asked."""
        if self.alone:
            return list(numbers)
        own = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(own, dist.ReduceOp.MAX, self._control)  # Fabric's would go through the accelerator
        return own.tolist()

    def by_first(self, work: Callable[[], T]) -> T:
        """`work()` in the first process; what it gives, in all."""
        found: list[T] = self.fabric.broadcast([work()] if self.first else [])
        return found[0]

    def of_all(self, own: T) -> list[T]:
        """`own` of every process, by rank."""
        if self.alone:
            return [own]
        everyone: list[Any] = [None] * self.share.of
        dist.all_gather_object(everyone, own)
        return everyone

    def in_order(self, own: Iterator[T], n: int) -> Iterator[T]:
        """Items 0 to n - 1 in order, in all processes, of which process r has made every P-th from r on."""
        for _ in range(0, n, self.share.of):
            yield from (item for item in self.of_all(next(own, None)) if item is not None)

    def average_(self, tensors: list[Tensor]) -> None:
        """Replace each tensor by its mean over all, in one exchange."""
        if self.alone or not tensors:
            return
        flat = self.mean(torch.cat([tensor.reshape(-1) for tensor in tensors]))
        for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def _gathered(self, tensor: Tensor) -> Tensor:
        everyone = self.fabric.all_gather(tensor, sync_grads=True)
        if not isinstance(everyone, Tensor):
            raise TypeError(f"all_gather of a tensor gave {type(everyone)}")
        return everyone

    def _mean(self, tensor: Tensor) -> Tensor:
        reduced = self.fabric.all_reduce(tensor, reduce_op="mean")
        if not isinstance(reduced, Tensor):
            raise TypeError(f"all_reduce of a tensor gave {type(reduced)}")
        return reduced
