"""Share: which part of a batch that all processes draw alike is this one's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["ALONE", "Share"]


@dataclass(frozen=True)
class Share:
    """One process of several that draw alike and take a part each.

    Every process keeps its random generators in the same state and draws what one process alone would draw
    for the whole batch, which is little beside the images themselves. So a batch, its views and its codes do
    not depend on the number of processes, and one generator's state in a checkpoint is that of all.

    Arguments:
        rank: of this process, 0 ... of - 1.
        of: number of processes.
    """

    rank: int = 0
    of: int = 1

    def take(self, whole: Tensor, copies: int = 1) -> Tensor:
        """This process's rows of `whole` (N, ...): a contiguous part of each of the `copies` of a batch.

        Example:
            >>> Share(1, 2).take(torch.arange(8), copies=2)
            tensor([2, 3, 6, 7])
        """
        if self.of == 1:
            return whole
        return torch.cat([copy.tensor_split(self.of)[self.rank] for copy in whole.chunk(copies)])

    def take_each(self, whole: Mapping[str, Tensor], copies: int = 1) -> dict[str, Tensor]:
        """`take` of each of several named tensors."""
        return {name: self.take(tensor, copies) for name, tensor in whole.items()}

    def draw(self, n: int, fill: Callable[[int], Tensor]) -> Tensor:
        """This process's `n` rows of what `fill` draws for all, each of which asks for `n`."""
        return self.take(fill(n * self.of))


ALONE = Share()
"""The whole of every batch."""
