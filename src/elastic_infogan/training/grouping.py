"""Classes among the features of images, and the linear-softmax posterior that tells them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from elastic_infogan.training.joining import (
    NEIGHBOURS,
    STARTS,
    agreement,
    join,
    links,
    nearest,
    reciprocal_links,
    small_clusters,
    told_by,
    voted,
)

__all__ = ["HEAD_NORM", "Grouped", "LinearPosterior", "Looks", "confirmed", "grouped", "regressed"]

HEAD_NORM = 10.0
"""Mean length of a row of Q's head after discovery."""

SMALL_CLUSTERS = 10
"""Clusters for each class before joining."""

SPARE = 5
"""Groups more than classes that are asked for at most; two were the most that were needed
(docs/experiments.md), and each costs half a second at 26 classes."""

FREEDOM = 10.0
"""Inverse strength of the regression's penalty; from 1 to 100 nothing changes (docs/experiments.md)."""

CONFIRMED = 0.75
"""Part of the neighbours of another kind that must be of one class before these have a say."""


@dataclass(frozen=True)
class Looks:
    """What N images are compared by.

    Arguments:
        features: Q's, of unit length, `(N, F)`.
        pixels: coarse copies, `(N, P)`.
        gradients: histograms of oriented gradients, `(N, G)`.
    """

    features: Tensor
    pixels: Tensor
    gradients: Tensor

    @cached_property
    def by_features(self) -> Tensor:
        """Indices of the nearest of the other images to each, `(N, n)`, by features."""
        return nearest(self.features, NEIGHBOURS)

    @cached_property
    def by_pixels(self) -> Tensor:
        """The same by pixels, less what all share: the background would hide in what they differ."""
        return nearest(self.pixels - self.pixels.mean(0), NEIGHBOURS)

    @cached_property
    def by_gradients(self) -> Tensor:
        """The same by gradients."""
        return nearest(self.gradients, NEIGHBOURS)


@dataclass(frozen=True)
class Grouped:
    """Images in classes.

    Arguments:
        looks: of the images.
        classes: of each, int64 `(N,)`.
        strokes_say: whether gradients had a say in them.
        agreement: mean NMI of every two of the starts.
    """

    looks: Looks
    classes: NDArray[np.int64]
    strokes_say: bool
    agreement: float

    def tell(self, others: Looks) -> NDArray[np.int64]:
        """The class of each of `others`, int64 `(M,)`: what most of the images like it are of."""
        alike = [nearest(others.features, NEIGHBOURS, self.looks.features)]
        if self.strokes_say:
            alike.append(nearest(others.gradients, NEIGHBOURS, self.looks.gradients))
        return told_by(self.classes, *alike)


def grouped(looks: Looks, n_classes: int, seed: int) -> Grouped:
    """Classes of images: small clusters joined along links between neighbours, then votes among neighbours.

    The same is done from several k-means starts, and the result that agrees most with the others counts.
    Features that ignore strokes may hold a variant apart from its class (sevens with a crossbar), or beside
    another (the twos): images that look alike pixel by pixel know better, so that links between these join
    as well. And where two classes meet, which way strokes run tells more than either. Both have a say only
    where they mostly stay within the classes that the features give: for small drawings they do, for
    photographs they do not.

    Arguments:
        n_classes: K.
        seed: of the small clusters.
    """
    found = [_from_start(looks, n_classes, seed + start) for start in range(STARTS)]
    nmi = agreement([classes for classes, _ in found])
    classes, strokes_say = found[int(nmi.sum(axis=1).argmax())]
    between_two = float(nmi[~np.eye(len(nmi), dtype=bool)].mean())
    return Grouped(looks, classes, strokes_say, between_two)


def _from_start(looks: Looks, n_classes: int, seed: int) -> tuple[NDArray[np.int64], bool]:
    """Classes from one k-means start, after votes, and whether gradients had a say in them.

    Votes may empty a group of a few odd images, whose code would be lost, and a class with it that was joined
    to another for want of one. One group more is then asked for, until K hold images after the votes.
    """
    features = looks.features.cpu().numpy()
    small = min(SMALL_CLUSTERS * n_classes, len(features))
    clusters = small_clusters(features, small, seed)
    tries = [_voted(looks, clusters, small, n_classes)]
    for more in range(n_classes + 1, min(n_classes + SPARE, small) + 1):
        if len(np.unique(tries[-1][0])) >= n_classes:
            break
        tries.append(_voted(looks, clusters, small, more))
    classes, strokes_say = next((one for one in tries if len(np.unique(one[0])) == n_classes), tries[0])
    return np.unique(classes, return_inverse=True)[1].astype(np.int64), strokes_say


def _voted(
    looks: Looks, clusters: NDArray[np.int64], small: int, n_groups: int
) -> tuple[NDArray[np.int64], bool]:
    """Small clusters joined into so many groups, after votes, and whether gradients voted too."""
    linked = reciprocal_links(looks.by_features, clusters, small)
    classes = join(linked, n_classes=n_groups).classes[clusters]
    if confirmed(looks.by_pixels, classes):
        linked_too = links(looks.by_pixels, clusters, small)
        classes = join(linked, linked_too, n_classes=n_groups).classes[clusters]
    trusted = confirmed(looks.by_gradients, classes)
    alike = (looks.by_features, looks.by_gradients) if trusted else (looks.by_features,)
    return voted(classes, *alike), trusted


def confirmed(neighbours: Tensor, classes: NDArray[np.int64]) -> bool:
    """Whether most neighbours `(N, n)` of an image are of its class (N,)."""
    return bool((classes[neighbours.cpu().numpy()] == classes[:, None]).mean() > CONFIRMED)


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
