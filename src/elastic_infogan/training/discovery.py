"""From contrastive features to classes, which give Q's head and the prior their start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import Tensor

from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.training import joining
from elastic_infogan.training.counting import Count, count
from elastic_infogan.training.joining import (
    NEIGHBOURS,
    STARTS,
    join,
    links,
    most_agreed,
    nearest,
    reattach,
    reciprocal_links,
    small_clusters,
    voted,
)
from elastic_infogan.training.resizing import resize
from elastic_infogan.training.sought import sought
from elastic_infogan.training.state import State

__all__ = [
    "LinearPosterior",
    "agreement",
    "assign",
    "classes_of",
    "discover",
    "posterior_of",
    "regressed",
    "set_q",
]

CHUNK = 1024
"""Images in an inference batch."""

HEAD_NORM = 10.0
"""Mean length of a row of Q's head after discovery."""

SMALL_CLUSTERS = 10
"""Clusters for each class before joining."""

FREEDOM = 10.0
"""Inverse strength of the regression's penalty; from 1 to 100 nothing changes (docs/experiments.md)."""

CONFIRMED = 0.75
"""Part of the neighbours in pixels that must be of one class before pixels have a say."""

COARSE = 14
"""Side in pixels of the copies of images that are compared pixel by pixel."""

FEATURES_AT_MOST = 20_000
"""Images that classes are found among; the others are then told theirs."""


@dataclass(frozen=True)
class LinearPosterior:
    """`softmax(W f + b)`.

    Arguments:
        weight: W, `(K, F)`.
        bias: b, `(K,)`.
        shares: of the classes, `(K,)`.
    """

    weight: Tensor
    bias: Tensor
    shares: Tensor


def posterior_of(
    features: Tensor, n_classes: int, seed: int, pixels: Tensor | None = None
) -> LinearPosterior:
    """Classes among features, and the linear-softmax posterior that tells them, which `QHead` computes.

    Arguments:
        features: of unit length, `(N, F)`.
        n_classes: K.
        seed: of the small clusters.
        pixels: coarse copies of the images, `(N, P)`, for a second opinion; see `classes_of`.
    """
    # The library's threads add up in whatever order they finish; with one the same seed gives the same bits.
    with threadpool_limits(1):  # type: ignore[no-untyped-call]
        classes = classes_of(features, n_classes, seed, pixels)
        return regressed(features.double().cpu().numpy(), classes, n_classes)


def classes_of(features: Tensor, n_classes: int, seed: int, pixels: Tensor | None) -> NDArray[np.int64]:
    """Class of each image `(N,)`: small clusters joined along links between neighbours.

    The same is done from several k-means starts, and the result that agrees most with the others counts,
    after a vote among neighbours.
    Features that ignore strokes may put a variant (a seven with a crossbar) beside another class (the
    twos); images that look alike pixel by pixel then know better. So pieces may change over by links
    between neighbours in `pixels`, but only where these links mostly stay within the classes that the
    features found: for small drawings they do, for photographs they do not.
    """
    alike, found = _partitions(features, n_classes, seed, pixels)
    return voted(alike, most_agreed(found))


def _partitions(
    features: Tensor, n_classes: int, seed: int, pixels: Tensor | None
) -> tuple[Tensor, list[NDArray[np.int64]]]:
    """Neighbours of each image `(N, n)`, and its class `(N,)` by each of the starts."""
    exact = features.double().cpu().numpy()
    small = min(SMALL_CLUSTERS * n_classes, len(exact))
    alike = nearest(features, NEIGHBOURS)
    # What all images share, such as the background, would hide in what they differ.
    look_alike = None if pixels is None else nearest(pixels - pixels.mean(0), NEIGHBOURS)
    found = []
    for start in range(STARTS):
        clusters = small_clusters(exact, small, seed + start)
        joined = join(reciprocal_links(alike, clusters, small), n_classes)
        classes = joined.classes
        if look_alike is not None and _trusted(look_alike, classes[clusters]):
            classes = reattach(joined, links(look_alike, clusters, small))
        found.append(classes[clusters])
    return alike, found


def _trusted(look_alike: Tensor, classes: NDArray[np.int64]) -> bool:
    """Whether neighbours in pixels `(N, n)` confirm most of `classes` (N,)."""
    return bool((classes[look_alike.cpu().numpy()] == classes[:, None]).mean() > CONFIRMED)


def regressed(features: NDArray[np.float64], classes: NDArray[np.int64], n_classes: int) -> LinearPosterior:
    """Logistic regression from features `(N, F)` to `classes` (N,), of which some may be empty.

    A mixture of Gaussians with one covariance is linear-softmax too, but puts a variant that lies apart
    from its class with whatever mean is nearest; only the border matters here. Images weigh the inverse
    square root of their class's size, so that the borders of rare classes count for more.
    """
    present = np.unique(classes)
    weight = np.zeros((n_classes, features.shape[1]))
    bias = np.full(n_classes, -HEAD_NORM)  # where images repeat, fewer clusters than asked for are filled
    bias[present] = 0.0
    if len(present) > 1:
        weights = {k: (len(classes) / (classes == k).sum()) ** 0.5 for k in present}
        fitted = LogisticRegression(C=FREEDOM, class_weight=weights, max_iter=300).fit(features, classes)
        rows, offsets = fitted.coef_, fitted.intercept_
        if len(present) == 2:  # the library then gives the difference of the two alone
            rows, offsets = np.concatenate([-rows, rows]) / 2, np.concatenate([-offsets, offsets]) / 2
        weight[present], bias[present] = rows, offsets
    shares = np.bincount(classes, minlength=n_classes) / len(classes)
    return LinearPosterior(*(torch.as_tensor(found).float() for found in (weight, bias, shares)))


@torch.no_grad()
def set_q(model: ClassModel, posterior: LinearPosterior) -> None:
    """Make Q give the classes of `posterior`.

    All logits are scaled alike, which changes no class, so that features of unit length give logits that
    training can still move: a posterior too sure of itself is upset by the smallest step of the encoder.
    """
    length = posterior.weight.norm(dim=1).mean()
    scale = HEAD_NORM / length if length > 0 else 1.0  # no direction where one class took all
    head = model.q_head.classes
    head.weight.copy_(posterior.weight * scale)
    head.bias.copy_(posterior.bias * scale)


def discover(state: State) -> Count | None:
    """Find the classes among the features of real images, and start Q's head and a learned prior from them.

    Of several processes the first one does, and tells the others.

    Returns:
        how many there are, where that was to be found out; the model then has as many codes.
    """
    found = [_found(state)] if state.fabric.is_global_zero else []
    number, posterior = state.fabric.broadcast(found)[0]
    if number is not None:
        resize(state, number.found)
    set_q(state.model, posterior)
    if state.config.prior.learned:
        state.model.prior.assign(posterior.shares.to(state.model.prior.logits.device))
    return number


def agreement(state: State) -> float:
    """Mean NMI of every two of the starts' classes among the features of real images: a score of the encoder.

    Of several processes the first one computes it, and tells the others.
    """
    score = _agreement(state) if state.fabric.is_global_zero else 0.0
    return float(state.fabric.broadcast(score))


def _agreement(state: State) -> float:
    features, pixels = _seen(state)
    n_classes, _ = _number(state, features)
    with threadpool_limits(1):  # type: ignore[no-untyped-call]
        _, found = _partitions(features, n_classes, state.config.seed, pixels)
    nmi = joining.agreement(found)
    return float(nmi[~np.eye(len(nmi), dtype=bool)].mean())


def _found(state: State) -> tuple[Count | None, LinearPosterior]:
    features, pixels = _seen(state)
    n_classes, number = _number(state, features)
    return number, posterior_of(features, n_classes, state.config.seed, pixels)


def _seen(state: State) -> tuple[Tensor, Tensor]:
    """Features `(N, F)` and coarse copies `(N, P)` of the images that classes are found among."""
    n = min(len(state.batches), FEATURES_AT_MOST)
    chosen = torch.from_numpy(np.random.default_rng(state.config.seed).permutation(len(state.batches))[:n])
    features = torch.cat([_answer(state, part)[1] for part in chosen.split(CHUNK)])
    pixels = torch.cat([_coarse(state.batches.gather(part)) for part in chosen.split(CHUNK)])
    return features, pixels


def _number(state: State, features: Tensor) -> tuple[int, Count | None]:
    """How many classes there are, and the estimate where that was to be found out."""
    wanted = sought(state.config.classes or 0)
    if wanted.known:
        return state.model.n_classes, None
    number = count(features, wanted, state.config.seed)
    return number.found, number


def _coarse(images: Tensor) -> Tensor:
    """Copies of uint8 images `(N, C, H, W)` on at most `COARSE` by `COARSE` cells, `(N, P)`."""
    return F.adaptive_avg_pool2d(images.float(), min(COARSE, images.shape[-1])).flatten(1)


def assign(state: State) -> Tensor:
    """The class that Q gives each image, int64 `(N,)` on the CPU; each process asks about its share."""
    mine = state.share.take(torch.arange(len(state.batches)))
    # One table for all: small results kept between large blocks that come and go would tear the heap.
    own = torch.empty_like(mine)
    for part, classes in zip(mine.split(CHUNK), own.split(CHUNK), strict=True):
        classes.copy_(_answer(state, part)[0].argmax(dim=1))
    return torch.cat(state.processes.of_all(own))


@torch.no_grad()
def _answer(state: State, indices: Tensor) -> tuple[Tensor, Tensor]:
    was_training = state.model.training
    answer = state.model.eval().posterior(state.batches.gather(indices).permute(0, 2, 3, 1))
    state.model.train(was_training)
    if state.config.networks.q == "encoder":
        state.model.encoder.eval()
    return answer
