"""From contrastive features to classes: a Gaussian mixture gives Q's head and the prior their start."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits
from torch import Tensor

from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.training.counting import Count, count
from elastic_infogan.training.joining import (
    NEIGHBOURS,
    STARTS,
    join,
    links,
    most_agreed,
    nearest,
    reattach,
    small_clusters,
)
from elastic_infogan.training.resizing import resize
from elastic_infogan.training.sought import sought
from elastic_infogan.training.state import State

__all__ = ["LinearPosterior", "assign", "classes_of", "discover", "set_q_and_prior", "tied_mixture"]

CHUNK = 1024
"""Images in an inference batch."""

HEAD_NORM = 10.0
"""Mean length of a row of Q's head after discovery."""

SMALL_CLUSTERS = 10
"""Clusters for each class before joining."""

EM_STEPS = 1
"""Steps of EM after the joining: more of them leave it again for what is likelier (docs/experiments.md)."""

CONFIRMED = 0.75
"""Part of the neighbours in pixels that must be of one class before pixels have a say."""

COARSE = 14
"""Side in pixels of the copies of images that are compared pixel by pixel."""

REGULARISATION = 1e-6
"""Added to the variances: directions of little variance separate classes best."""

FEATURES_AT_MOST = 20_000
"""Images that classes are found among; the others are then told theirs."""


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
    features: Tensor, n_classes: int, seed: int, pixels: Tensor | None = None
) -> LinearPosterior:
    """K Gaussians with a common covariance, started from small clusters joined into K classes.

    With one covariance the quadratic terms cancel, so that the posterior is linear-softmax in the
    features (linear discriminant analysis without labels), exactly what `QHead` computes; unlike k-means
    it estimates the shares, which are not equal here. One step of EM follows the joining: run to
    convergence, the likeliest mixture of imbalanced data splits a common class and drowns a rare one.

    Arguments:
        features: of unit length, `(N, F)`.
        n_classes: K.
        seed: of the small clusters.
        pixels: coarse copies of the images, `(N, P)`, for a second opinion; see `classes_of`.
    """
    exact = features.double().cpu().numpy()
    # The library's threads add up in whatever order they finish; with one the same seed gives the same bits.
    with threadpool_limits(1):  # type: ignore[no-untyped-call]
        mixture = _polished(exact, classes_of(features, n_classes, seed, pixels), n_classes)
    means, precision, shares = (
        torch.as_tensor(found, dtype=torch.float64)
        for found in (mixture.means_, mixture.precisions_, mixture.weights_)
    )
    weight = means @ precision
    bias = shares.log() - 0.5 * (weight * means).sum(1)
    return LinearPosterior((weight - weight.mean(0)).float(), (bias - bias.mean()).float(), shares.float())


def classes_of(features: Tensor, n_classes: int, seed: int, pixels: Tensor | None) -> NDArray[np.int64]:
    """Class of each image `(N,)`: small clusters joined along links between neighbours.

    The same is done from several k-means starts, and the result that agrees most with the others counts.
    Features that ignore strokes may put a variant (a seven with a crossbar) beside another class (the
    twos); images that look alike pixel by pixel then know better. So pieces may change over by links
    between neighbours in `pixels`, but only where these links mostly stay within the classes that the
    features found: for small drawings they do, for photographs they do not.
    """
    exact = features.double().cpu().numpy()
    small = min(SMALL_CLUSTERS * n_classes, len(exact))
    alike = nearest(features, NEIGHBOURS)
    # What all images share, such as the background, would hide in what they differ.
    look_alike = None if pixels is None else nearest(pixels - pixels.mean(0), NEIGHBOURS)
    found = []
    for start in range(STARTS):
        clusters = small_clusters(exact, small, seed + start)
        joined = join(links(alike, clusters, small), n_classes)
        classes = joined.classes
        if look_alike is not None and _trusted(look_alike, classes[clusters]):
            classes = reattach(joined, links(look_alike, clusters, small))
        found.append(classes[clusters])
    return most_agreed(found)


def _trusted(look_alike: Tensor, classes: NDArray[np.int64]) -> bool:
    """Whether neighbours in pixels `(N, n)` confirm most of `classes` (N,)."""
    return bool((classes[look_alike.cpu().numpy()] == classes[:, None]).mean() > CONFIRMED)


def _polished(features: NDArray[np.float64], labels: NDArray[np.int64], n_classes: int) -> GaussianMixture:
    """A mixture after a few steps of EM from the classes `labels` (N,)."""
    # Where images repeat, fewer clusters than asked for are filled; an empty one starts at any image.
    members = [features[labels == k] for k in range(n_classes)]
    means = np.stack([m.mean(0) if len(m) else features[k] for k, m in enumerate(members)])
    counts = np.array([max(1, len(m)) for m in members])
    within = features - means[labels]
    covariance = within.T @ within / len(features) + REGULARISATION * np.eye(features.shape[1])
    # All three are given: left to itself the library draws the covariance from a k-means of its own.
    mixture = GaussianMixture(
        n_classes, covariance_type="tied", reg_covar=REGULARISATION, max_iter=EM_STEPS, random_state=0,
        means_init=means, weights_init=counts / counts.sum(), precisions_init=np.linalg.inv(covariance),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is meant to stop early
        mixture.fit(features)
    return mixture


@torch.no_grad()
def set_q_and_prior(model: ClassModel, posterior: LinearPosterior) -> None:
    """Make Q give the classes of `posterior`, and let the prior start from its shares.

    Features are not Gaussian, and in many dimensions a mixture's posterior is far too sure of itself, with
    weights so large that the smallest step of the encoder upsets it. All logits are scaled alike, which
    changes no class, so that features of unit length give logits that training can still move.
    """
    scale = HEAD_NORM / posterior.weight.norm(dim=1).mean()
    head = model.q_head.classes
    head.weight.copy_(posterior.weight * scale)
    head.bias.copy_(posterior.bias * scale)
    model.prior.assign(posterior.shares.to(model.prior.logits.device))


def discover(state: State) -> Count | None:
    """Find the classes among the features of real images, and start Q's head and the prior from them.

    Returns:
        how many there are, where that was to be found out; the model then has as many codes.
    """
    n = min(len(state.batches), FEATURES_AT_MOST)
    chosen = torch.from_numpy(np.random.default_rng(state.config.seed).permutation(len(state.batches))[:n])
    features = torch.cat([_answer(state, part)[1] for part in chosen.split(CHUNK)])
    pixels = torch.cat([_coarse(state.batches.gather(part)) for part in chosen.split(CHUNK)])
    number = _count(state, features)
    if number is not None:
        resize(state, number.found)
    posterior = tied_mixture(features, state.model.n_classes, state.config.seed, pixels)
    if state.fabric.world_size > 1:
        posterior = state.fabric.broadcast(posterior)
    set_q_and_prior(state.model, posterior)
    return number


def _count(state: State, features: Tensor) -> Count | None:
    wanted = sought(state.config.classes or 0)
    if wanted.known:
        return None
    number = count(features, wanted, state.config.seed)
    return state.fabric.broadcast(number) if state.fabric.world_size > 1 else number


def _coarse(images: Tensor) -> Tensor:
    """Copies of uint8 images `(N, C, H, W)` on at most `COARSE` by `COARSE` cells, `(N, P)`."""
    return F.adaptive_avg_pool2d(images.float(), min(COARSE, images.shape[-1])).flatten(1)


def assign(state: State) -> Tensor:
    """The class that Q gives each image, int64 `(N,)` on the CPU."""
    parts = torch.arange(len(state.batches)).split(CHUNK)
    return torch.cat([_answer(state, part)[0].argmax(dim=1).cpu() for part in parts])


@torch.no_grad()
def _answer(state: State, indices: Tensor) -> tuple[Tensor, Tensor]:
    was_training = state.model.training
    answer = state.model.eval().posterior(state.batches.gather(indices).permute(0, 2, 3, 1))
    state.model.train(was_training)
    if state.config.networks.q == "encoder":
        state.model.encoder.eval()
    return answer
