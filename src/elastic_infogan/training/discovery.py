"""From contrastive features to classes: a Gaussian mixture gives Q's head and the prior their start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture
from torch import Tensor

from elastic_infogan.core.model import ElasticInfoGAN
from elastic_infogan.training.state import State

__all__ = ["LinearPosterior", "assigned_shares", "discover", "set_q_and_prior", "tied_mixture"]

CHUNK = 1024
"""Images in an inference batch."""


@dataclass(frozen=True)
class LinearPosterior:
    """`softmax(W f + b)`, the posterior of a Gaussian mixture with one covariance.

    Arguments:
        weight: W = (Sigma^-1 mu_k), `(K, F)`.
        bias: b = log pi_k - mu_k' Sigma^-1 mu_k / 2, `(K,)`, centred.
        shares: mixture weights pi, `(K,)`.
    """

    weight: Tensor
    bias: Tensor
    shares: Tensor


def tied_mixture(
    features: NDArray[np.float32], n_classes: int, seed: int, restarts: int = 4
) -> LinearPosterior:
    """Fit K Gaussians with a common covariance to features `(N, F)` by EM, best of `restarts`.

    With one covariance the quadratic terms cancel, so that the posterior is linear-softmax in the
    features (linear discriminant analysis without labels), exactly what `QHead` computes; unlike k-means
    it estimates the shares, which are not equal here.
    """
    mixture = GaussianMixture(
        n_classes, covariance_type="tied", reg_covar=1e-4, n_init=restarts, random_state=seed, max_iter=200
    )
    mixture.fit(features)
    means, precision, shares = (
        torch.as_tensor(found, dtype=torch.float64)
        for found in (mixture.means_, mixture.precisions_, mixture.weights_)
    )
    weight = means @ precision
    bias = shares.log() - 0.5 * (weight * means).sum(1)
    return LinearPosterior(weight.float(), (bias - bias.mean()).float(), shares.float())


@torch.no_grad()
def set_q_and_prior(model: ElasticInfoGAN, posterior: LinearPosterior) -> None:
    """Make Q answer with `posterior`, and let the prior start from its shares."""
    head = model.q_head.classes
    head.weight.copy_(posterior.weight)
    head.bias.copy_(posterior.bias)
    model.prior.assign(posterior.shares.to(model.prior.logits.device))


def discover(state: State) -> None:
    """Find the classes among the features of real images, and start Q's head and the prior from them."""
    n = min(len(state.batches), 100 * state.config.networks.features)
    chosen = np.random.default_rng(state.config.seed).permutation(len(state.batches))[:n]
    features = torch.cat(
        [_answer(state, torch.from_numpy(part))[1] for part in np.array_split(chosen, n // CHUNK + 1)]
    )
    posterior = tied_mixture(features.cpu().numpy(), state.model.n_classes, state.config.seed)
    set_q_and_prior(
        state.model, state.fabric.broadcast(posterior) if state.fabric.world_size > 1 else posterior
    )


def assigned_shares(state: State) -> list[float]:
    """Fraction of the images that Q assigns to each class, `[K]`."""
    counts = torch.zeros(state.model.n_classes, dtype=torch.int64)
    for part in torch.arange(len(state.batches)).split(CHUNK):
        classes = _answer(state, part)[0].argmax(dim=1).cpu()
        counts += torch.bincount(classes, minlength=len(counts))
    return (counts / counts.sum()).tolist()


@torch.no_grad()
def _answer(state: State, indices: Tensor) -> tuple[Tensor, Tensor]:
    was_training = state.model.training
    answer = state.model.eval().posterior(state.batches.gather(indices).permute(0, 2, 3, 1))
    state.model.train(was_training)
    if state.config.networks.q == "encoder":
        state.model.encoder.eval()
    return answer
