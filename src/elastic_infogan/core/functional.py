"""Pure tensor mathematics: Gumbel-Softmax, NT-Xent, adversarial losses and mutual information.

Legend for shapes: N images in a batch, K classes, F features, M continuous codes.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "capacity_loss",
    "categorical_kl",
    "categorical_mutual_information_loss",
    "gaussian_kl",
    "gaussian_mutual_information_loss",
    "gaussian_quantile",
    "gumbel_softmax",
    "non_saturating_discriminator_loss",
    "non_saturating_generator_loss",
    "nt_xent",
    "one_hot_straight_through",
    "positive_pair_loss",
    "sample_gumbel",
]


def sample_gumbel(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Standard Gumbel noise `g = -log e`, e ~ Exp(1), of `shape` in the type and on the device of `like`.

    Drawn from the default generator of the device. An exponential draw is positive, so that no
    clipping constant biases the tail; the least positive number stands in for the zeros that some devices
    draw all the same, whose noise would be infinite.
    """
    drawn = torch.empty(shape, dtype=like.dtype, device=like.device).exponential_()
    return -drawn.clamp_min_(torch.finfo(like.dtype).tiny).log_()


def gumbel_softmax(log_probabilities: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """Relaxed one-hot sample `softmax((log p + g) / tau)`.

    Jang, Gu and Poole (ICLR 2017), equation 2; Maddison, Mnih and Teh (ICLR 2017).

    Arguments:
        log_probabilities: log p, `(K,)` or `(N, K)`; constants added to a row change nothing.
        noise: standard Gumbel noise g, `(N, K)`.
        temperature: tau > 0; towards 0 samples become one-hot, towards infinity uniform.

    Returns:
        `(N, K)`, rows on the simplex. Its argmax is a sample of Cat(p) at every temperature.

    Example:
        >>> p = torch.tensor([0.5, 0.5]).log()
        >>> gumbel_softmax(p, torch.tensor([[0.0, 0.0]]), 1.0)
        tensor([[0.5000, 0.5000]])
    """
    return F.softmax((log_probabilities + noise) / temperature, dim=-1)


def one_hot_straight_through(relaxed: Tensor) -> Tensor:
    """One-hot argmax of `relaxed` (N, K) with the gradient of `relaxed` (Jang et al., section 2.2)."""
    hard = F.one_hot(relaxed.argmax(dim=-1), relaxed.shape[-1]).to(relaxed.dtype)
    return hard + (relaxed - relaxed.detach())


def nt_xent(anchors: Tensor, views: Tensor, temperature: float, candidates: Tensor | None = None) -> Tensor:
    """Normalised temperature-scaled cross-entropy, mean over the 2N features.

    `l_i = -log(exp(sim(f_i, f_j)/tau') / sum_{k != i} exp(sim(f_i, f_k)/tau'))`, sim the cosine and j
    the partner of i; Chen et al., SimCLR (ICML 2020), equation 1; Elastic-InfoGAN, equation 5.

    Arguments:
        anchors: features of one view of each image, `(N, F)`.
        views: features of another view of the same images, `(N, F)`.
        temperature: tau' > 0.
        candidates: features that are negatives for everyone, `(M, F)`: those of other processes.

    Returns:
        scalar in single precision; log(2N - 1) when all features are equal.

    Raises:
        ValueError: anchors and views differ in shape.

    Example:
        >>> nt_xent(torch.ones(2, 3), torch.ones(2, 3), 1.0)
        tensor(1.0986)
    """
    if anchors.shape != views.shape:
        raise ValueError(f"anchors are {tuple(anchors.shape)} and views {tuple(views.shape)}: each needs one")
    own = F.normalize(torch.cat([anchors, views]).float(), dim=1)
    others = own if candidates is None else torch.cat([own, F.normalize(candidates.float(), dim=1)])
    n = len(anchors)
    # One matrix product holds every similarity; a feature is never its own candidate.
    logits = own @ others.t() / temperature
    itself = torch.arange(2 * n, device=own.device)
    logits[itself, itself] = -math.inf
    partner = itself.roll(n)
    return F.cross_entropy(logits, partner)


def positive_pair_loss(anchors: Tensor, views: Tensor) -> Tensor:
    """`1 - sim(f_i, f_j)` averaged over N pairs: the attraction of NT-Xent without its negatives.

    Elastic-InfoGAN's ablation "positive pairs only". Both arguments are `(N, F)`; 0 when each pair is
    parallel, 2 when opposed.
    """
    return 1 - F.cosine_similarity(anchors.float(), views.float(), dim=1).mean()


def non_saturating_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """`-E log D(x) - E log(1 - D(G(z)))` from logits (N,) (Goodfellow et al. 2014); 2 log 2 at chance."""
    return F.softplus(-real.float()).mean() + F.softplus(fake.float()).mean()


def non_saturating_generator_loss(fake: Tensor) -> Tensor:
    """`-E log D(G(z))` from logits (N,) (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-fake.float()).mean()


def categorical_mutual_information_loss(logits: Tensor, code: Tensor) -> Tensor:
    """`-E[log Q(c | x)]` for the class code: the bound of L_I that depends on G and Q.

    InfoGAN (Chen et al. 2016), equation 5, without the entropy H(c).

    Arguments:
        logits: Q's logits for generated images, `(N, K)`.
        code: what generated them, `(N, K)` on the simplex; a relaxed code makes the loss differentiable
            with respect to the prior.
    """
    return -(code * F.log_softmax(logits.float(), dim=1)).sum(1).mean()


def gaussian_mutual_information_loss(mean: Tensor, log_variance: Tensor, code: Tensor) -> Tensor:
    """`-E[log N(c; mean, exp(log_variance))]`, sum over M codes and mean over N (InfoGAN, section 6)."""
    squared = (code - mean.float()).square() * torch.exp(-log_variance.float())
    return 0.5 * (squared + log_variance.float() + math.log(2 * math.pi)).sum(1).mean()


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """`KL(N(mean, exp(log_variance)) || N(0, I))` in nats, sum over M codes and mean over N: a scalar.

    Kingma and Welling, Auto-Encoding Variational Bayes (ICLR 2014), appendix B. Both are `(N, M)`.

    Example:
        >>> gaussian_kl(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
        tensor(0.5000)
    """
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()


def categorical_kl(logits: Tensor, log_prior: Tensor) -> Tensor:
    """`KL(Cat(softmax(logits)) || Cat(exp(log_prior)))` in nats, mean over N: a scalar.

    Arguments:
        logits: of the posterior, `(N, K)`.
        log_prior: `(K,)`; against a uniform prior the result is log K less the posterior's entropy.
    """
    log_posterior = F.log_softmax(logits.float(), dim=1)
    return (log_posterior.exp() * (log_posterior - log_prior)).sum(1).mean()


def capacity_loss(kl: Tensor, capacity: Tensor | float) -> Tensor:
    """`|KL - C|`: the divergence in nats is held at a capacity that grows while training goes on.

    Dupont, JointVAE (NeurIPS 2018), section 3, after Burgess et al. (2018).
    """
    return (kl - capacity).abs()


def gaussian_quantile(uniform: Tensor) -> Tensor:
    """`sqrt(2) erfinv(u)`: numbers uniform on [-1, 1] become standard Gaussian ones, of the same shape.

    Winitzki's closed form (2008), within 0.3 % of the quantile: unlike the exact function, what it is made
    of can be exported as an ONNX graph. Cut at 3.9 standard deviations, where u is 0.9999.

    Example:
        >>> gaussian_quantile(torch.tensor([0.0, 0.6827, -0.9545]))
        tensor([ 0.0000,  1.0002, -1.9990])
    """
    a = 0.147
    bounded = uniform.clamp(-0.9999, 0.9999)
    square = bounded.square()
    tail = torch.log1p(-square)
    # -log(1 - u^2) / u^2, by its series where that would be 0 / 0: so that the gradient at 0 is a number
    ratio = torch.where(square > 1e-6, -tail / square.clamp(min=1e-6), 1 + square / 2)
    middle = 2 / (math.pi * a) + tail / 2
    root = (middle.square() - tail / a).sqrt()
    return math.sqrt(2) * bounded * (ratio / (a * (root + middle))).sqrt()
