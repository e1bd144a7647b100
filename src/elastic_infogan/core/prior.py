"""The class prior p: a distribution with learnable logits, its Gumbel-Softmax samples and its updates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic_infogan.core.functional import gumbel_softmax, one_hot_straight_through, sample_gumbel

__all__ = ["ClassPrior", "CodeSample", "SampleKind"]

SampleKind = Literal["soft", "straight-through", "hard"]


@dataclass(frozen=True)
class CodeSample:
    """N class codes drawn from the prior.

    Arguments:
        value: what the generator is given, `(N, K)`.
        relaxed: the Gumbel-Softmax sample behind it, `(N, K)`, differentiable in p.
        index: the class of each code, int64 `(N,)`.
    """

    value: Tensor
    relaxed: Tensor
    index: Tensor


class ClassPrior(nn.Module):
    """Categorical distribution over K class codes, `p = softmax(logits)`.

    Elastic-InfoGAN, section 3.2. Starts uniform; learns from whatever gradient reaches its samples and,
    where asked for, from the mean posterior of real images.

    Arguments:
        n_classes: K.
        floor: smallest probability kept, as a fraction of the uniform 1/K; 0 sets no bound.
    """

    logits: Tensor

    def __init__(self, n_classes: int, floor: float = 0.0) -> None:
        super().__init__()
        self.floor = floor
        self.logits = nn.Parameter(torch.zeros(n_classes))

    def __len__(self) -> int:
        return len(self.logits)

    def log_probabilities(self) -> Tensor:
        """log p, `(K,)`."""
        return F.log_softmax(self.logits, dim=0)

    def probabilities(self) -> Tensor:
        """p, `(K,)`, on the simplex."""
        return self.log_probabilities().exp()

    def sample(self, n: int, temperature: float, kind: SampleKind) -> CodeSample:
        """Draw `n` codes by Gumbel-Softmax at `temperature`; only `soft` and `straight-through` reach p."""
        noise = sample_gumbel((n, len(self)), self.logits)
        relaxed = gumbel_softmax(self.log_probabilities(), noise, temperature)
        index = relaxed.argmax(dim=1)
        if kind == "soft":
            return CodeSample(relaxed, relaxed, index)
        if kind == "straight-through":
            return CodeSample(one_hot_straight_through(relaxed), relaxed, index)
        return CodeSample(F.one_hot(index, len(self)).to(relaxed.dtype), relaxed.detach(), index)

    @torch.no_grad()
    def assign(self, probabilities: Tensor) -> None:
        """Set p to `probabilities` (K,), which need not sum to one, respecting the floor."""
        bounded = (probabilities / probabilities.sum()).clamp_min(self.floor / len(self))
        self.logits.copy_((bounded / bounded.sum()).clamp_min(1e-12).log())

    @torch.no_grad()
    def follow(self, mean_posterior: Tensor, rate: float) -> None:
        """Move p towards the mean posterior of a batch of real images, `p <- (1 - r) p + r E_x Q(c | x)`.

        The online EM estimate of a mixture's weights (Cappe and Moulines 2009) with forgetting `rate`.
        """
        self.assign(torch.lerp(self.probabilities(), mean_posterior.to(self.logits.dtype), rate))
