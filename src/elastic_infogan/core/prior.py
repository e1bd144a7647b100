"""The class prior p: a distribution with learnable logits, its Gumbel-Softmax samples and its updates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic_infogan.core.functional import gumbel_softmax, one_hot_straight_through, sample_gumbel

__all__ = ["ClassPrior", "CodeSample", "SampleKind", "draw_codes"]

SampleKind = Literal["soft", "straight-through", "hard"]


@dataclass(frozen=True)
class CodeSample:
    """N class codes drawn from a prior, or one from each of N posteriors.

    Arguments:
        value: what the generator is given, `(N, K)`.
        relaxed: the Gumbel-Softmax sample behind it, `(N, K)`, differentiable in p unless drawn `hard`.
        index: the class of each code, int64 `(N,)`.
    """

    value: Tensor
    relaxed: Tensor
    index: Tensor


def draw_codes(log_probabilities: Tensor, noise: Tensor, temperature: float, kind: SampleKind) -> CodeSample:
    """Draw N codes by Gumbel-Softmax; only `soft` and `straight-through` ones reach the probabilities.

    Arguments:
        log_probabilities: log p, `(K,)`, or one row for each code, `(N, K)`.
        noise: standard Gumbel noise, `(N, K)`.
        temperature: tau > 0.

    Raises:
        ValueError: there is no such kind.
    """
    if kind not in get_args(SampleKind):
        raise ValueError(f"kind is {kind!r}; one of {', '.join(get_args(SampleKind))} is needed")
    relaxed = gumbel_softmax(log_probabilities, noise, temperature)
    index = relaxed.argmax(dim=1)
    if kind == "soft":
        return CodeSample(relaxed, relaxed, index)
    if kind == "straight-through":
        return CodeSample(one_hot_straight_through(relaxed), relaxed, index)
    return CodeSample(F.one_hot(index, relaxed.shape[1]).to(relaxed.dtype), relaxed.detach(), index)


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
        """Draw `n` codes from p, see `draw_codes`."""
        noise = sample_gumbel((n, len(self)), self.logits)
        return draw_codes(self.log_probabilities(), noise, temperature, kind)

    def entropy(self) -> Tensor:
        """Of p in nats, a scalar; log K where p is uniform."""
        log_p = self.log_probabilities()
        return -(log_p.exp() * log_p).sum()

    @torch.no_grad()
    def assign(self, probabilities: Tensor) -> None:
        """Set p to `probabilities` (K,), which need not sum to one, respecting the floor.

        What the floor adds to some classes is taken from the others by how far they are above it.
        """
        least = self.floor / len(self)
        above = (probabilities / probabilities.sum() - least).clamp_min(0)
        bounded = least + (1 - self.floor) * above / above.sum().clamp_min(1e-12)
        self.logits.copy_(bounded.clamp_min(1e-12).log())

    @torch.no_grad()
    def follow(self, mean_posterior: Tensor, rate: float) -> None:
        """Move p towards the mean posterior of a batch of real images, `p <- (1 - r) p + r E_x Q(c | x)`.

        The online EM estimate of a mixture's weights (Cappe and Moulines 2009) with forgetting `rate`.
        """
        self.assign(torch.lerp(self.probabilities(), mean_posterior.to(self.logits.dtype), rate))
