"""Whether the images of one class are two groups, by their features alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.evaluation.answers import Answers

__all__ = ["TwoGroups", "bimodality", "two_groups"]

MEMBERS = 2_000
"""images of a class that are looked at: whichever they are, a group of a tenth is known to a hundredth"""
ENOUGH = 100
"""images of a class below which two groups cannot be told from chance"""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TwoGroups:
    """The best division of a class into two.

    Arguments:
        bimodality: see `bimodality`.
        smaller: share of the smaller group.
        first, second: indices of images of each, nearest to its middle first.
    """

    bimodality: float
    smaller: float
    first: NDArray[np.int64]
    second: NDArray[np.int64]

    @property
    def by_size(self) -> tuple[tuple[float, NDArray[np.int64]], tuple[float, NDArray[np.int64]]]:
        """The larger group, then the smaller: its share of the class and its images."""
        small, large = sorted((self.first, self.second), key=len)
        return (1 - self.smaller, large), (self.smaller, small)


def bimodality(values: Floats) -> float:
    """Sarle's coefficient `(skewness^2 + 1) / kurtosis` of values (n,) that are not all the same, in (0, 1].

    1/3 for a normal distribution, 5/9 for a uniform one, towards 1 for two peaks far apart
    (Ellison, American Journal of Physiology 253, 1987).

    >>> round(bimodality(np.array([-1.0, 1.0])), 6)
    1.0
    """
    centred = values - values.mean()
    variance = max(float((centred**2).mean()), 1e-24)
    skewness = float((centred**3).mean()) / variance**1.5
    kurtosis = float((centred**4).mean()) / variance**2
    return float((skewness**2 + 1) / max(kurtosis, 1e-12))


def two_groups(model: ClassModel, images: NDArray[np.uint8], answers: Answers) -> dict[int, TwoGroups]:
    """The best division of each class that has enough images, by code.

    Two-means on the hidden features; the bimodality is that of the images along the line between both
    means: halves of one group meet in the middle of it, where two groups leave a valley.
    """
    found = {}
    for code in range(answers.n_classes):
        members = answers.members(code)
        if len(members) >= ENOUGH:
            chosen = np.sort(np.random.default_rng(0).permutation(members)[:MEMBERS])
            hidden = model.hidden(torch.from_numpy(np.array(images[chosen])))
            features = torch.nn.functional.normalize(hidden, dim=1).cpu().double().numpy()
            found[code] = _divide(features, chosen)
    return found


def _divide(features: Floats, indices: NDArray[np.int64]) -> TwoGroups:
    with threadpool_limits(1):  # type: ignore[no-untyped-call]
        means = KMeans(2, n_init=3, random_state=0).fit(features)
    one, other = means.cluster_centers_
    distances = means.transform(features)
    order = np.argsort(distances, axis=0)
    first, second = (order[means.labels_[order[:, g]] == g, g] for g in (0, 1))
    along = (features - features.mean(axis=0)) @ (other - one)
    smaller = min(len(first), len(second)) / len(features)
    return TwoGroups(bimodality(along), smaller, indices[first], indices[second])
