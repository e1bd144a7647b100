"""Classes among images, by everything that has a say in which of them are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from elastic_infogan.training.consensus import agreement, consensus
from elastic_infogan.training.joining import (
    CHUNK,
    NEIGHBOURS,
    STARTS,
    join,
    links,
    nearest,
    reciprocal_links,
    small_clusters,
    told_by,
    voted,
)

__all__ = ["Compared", "Grouped", "Looks", "compared", "confirmed", "grouped"]

SMALL_CLUSTERS = 10
"""Clusters for each class before joining."""

MOST_CLUSTERS = 2000
"""Of all classes together, but for two of each: joining takes time with the cube of their number."""

LEAST_NEIGHBOURS = 3
"""Neighbours of an image that are looked at, at least."""

SPARE = 5
"""Groups more than classes that are asked for at most; two were the most that were needed
(docs/experiments.md)."""

DENSER = 3.0
"""All classes but the largest are near-duplicates if their images are so many times as close together as
those of the largest are (docs/experiments.md)."""

EXPLAINED = 0.65
"""Part of the variance between k-means clusters that classes must explain all the same to be kept."""

ENCLOSING = 0.7
"""How much where strokes enclose their ground counts beside which way they run."""

SURFACE = 0.8
"""Power with which links leave a group as it grows, where strokes enclose their ground: through its surface.
Links of those kinds alone part rare classes from others without it (docs/experiments.md)."""

CONFIRMED = 0.75
"""Part of the neighbours of another kind, beyond chance, that must be of one class to have a say."""


@dataclass(frozen=True)
class Looks:
    """What N images are compared by.

    Arguments:
        features: Q's, of unit length, `(N, F)`.
        gradients: histograms of oriented gradients, `(N, G)`.
        pixels: coarse copies of one kind or several, as the images are and set upright, `(N, P)` each.
        concavities: where strokes enclose their ground, entirely and on all sides but one, `(N, 5, C)`; None
            where images are no handwriting.
        reach: how many neighbours of an image are looked at, n.
    """

    features: Tensor
    gradients: Tensor
    pixels: tuple[Tensor, ...]
    concavities: Tensor | None = None
    reach: int = NEIGHBOURS

    def for_classes(self, n_classes: int) -> Looks:
        """The same with neighbours that the smaller ones of so many classes have: fewer among few images."""
        reach = min(NEIGHBOURS, max(LEAST_NEIGHBOURS, len(self.features) // (2 * n_classes)))
        return self if reach == self.reach else replace(self, reach=reach)

    @cached_property
    def by_features(self) -> Tensor:
        """Indices of the nearest of the other images to each, `(N, n)`, by features."""
        return nearest(self.features, self.reach)

    @cached_property
    def by_gradients(self) -> Tensor:
        """The same by gradients."""
        return nearest(self.gradients, self.reach)

    @cached_property
    def by_pixels(self) -> tuple[Tensor, ...]:
        """The same by each kind of pixels."""
        return tuple(nearest(_less_what_all_share(pixels), self.reach) for pixels in self.pixels)

    @cached_property
    def by_enclosing_pixels(self) -> tuple[Tensor, ...]:
        """The same by each kind of pixels and by what strokes enclose, either counting as much."""
        if self.concavities is None:
            return self.by_pixels
        enclosed = _apart(self.concavities[:, 0])
        return tuple(
            nearest(torch.cat([_apart(pixels), enclosed], dim=1), self.reach) for pixels in self.pixels
        )

    @cached_property
    def both(self) -> Tensor:
        """Features and strokes as one vector `(N, V)`, in which either counts as much."""
        strokes = _apart(self.gradients)
        if self.concavities is not None:
            enclosing = _less_what_all_share(self.concavities.flatten(1))
            usual = enclosing.square().sum(1).mean().sqrt().clamp(min=1e-6)
            strokes = F.normalize(torch.cat([strokes, ENCLOSING / usual * enclosing], dim=1), dim=1)
        return torch.cat([self.features, strokes], dim=1)

    @cached_property
    def by_both(self) -> Tensor:
        """Neighbours by these."""
        return nearest(self.both, self.reach)


def _less_what_all_share(vectors: Tensor) -> Tensor:
    """The background would hide in what they differ."""
    return vectors - vectors.mean(0)


def _apart(vectors: Tensor) -> Tensor:
    """The direction of each `(N, V)` from what all share."""
    return F.normalize(_less_what_all_share(vectors), dim=1)


@dataclass(frozen=True)
class Compared:
    """The evidence by which images are grouped.

    Arguments:
        vectors: that small clusters are found among, `(N, V)`.
        neighbours: by these vectors, `(N, n)`.
        pixels: neighbours by the kinds of pixels that have a say.
        voters: neighbours that vote.
        surface: power with which links leave a group as it grows.
    """

    vectors: Tensor
    neighbours: Tensor
    pixels: tuple[Tensor, ...]
    voters: tuple[Tensor, ...]
    surface: float = 1.0

    def clusters(self, number: int, seed: int) -> NDArray[np.int64]:
        """Small cluster of each image `(N,)`."""
        return small_clusters(self.vectors.cpu().numpy(), number, seed)

    def links(self, clusters: NDArray[np.int64], number: int) -> list[NDArray[np.float64]]:
        """Links of each kind between so many small clusters, `(M, M)` each."""
        pixels = [links(alike, clusters, number) for alike in self.pixels]
        return [reciprocal_links(self.neighbours, clusters, number), *pixels]


def _how_many(n_classes: int, images: int) -> int:
    """Small clusters to find among images.

    >>> _how_many(10, 20000), _how_many(1000, 20000), _how_many(10, 60)
    (100, 2000, 60)
    """
    return min(SMALL_CLUSTERS * n_classes, max(MOST_CLUSTERS, 2 * n_classes), images)


def compared(looks: Looks, n_classes: int, seed: int) -> Compared:
    """Which descriptors help beside features: those whose neighbours are mostly of one class by features.

    For drawings strokes and pixels are; for photographs they are not.
    """
    features = looks.features.cpu().numpy()
    small = _how_many(n_classes, len(features))
    clusters = small_clusters(features, small, seed)
    linked = reciprocal_links(looks.by_features, clusters, small)
    classes = join(linked, n_classes=n_classes).classes[clusters]
    pixels = tuple(alike for alike in looks.by_enclosing_pixels if confirmed(alike, classes))
    if confirmed(looks.by_gradients, classes):
        surface = 1.0 if looks.concavities is None else SURFACE
        voters = (looks.by_features, looks.by_gradients)
        return Compared(looks.both, looks.by_both, pixels, voters, surface)
    return Compared(looks.features, looks.by_features, pixels, (looks.by_features,))


@dataclass(frozen=True)
class Grouped:
    """Images in classes.

    Arguments:
        looks: of the images.
        classes: of each, int64 `(N,)`.
        strokes_say: whether gradients had a say in them.
        agreement: mean NMI of every two of the starts, each with all kinds of links.
        kinds: whether they are separate kinds; else images are divided by likeness alone.
    """

    looks: Looks
    classes: NDArray[np.int64]
    strokes_say: bool
    agreement: float
    kinds: bool

    def tell(self, features: Tensor, gradients: Tensor) -> NDArray[np.int64]:
        """The class of each of M other images, int64 `(M,)`: what most of the images like it are of.

        Arguments:
            features: of the others, `(M, F)`.
            gradients: of the others, `(M, G)`.
        """
        alike = [nearest(features, self.looks.reach, self.looks.features)]
        if self.strokes_say:
            alike.append(nearest(gradients, self.looks.reach, self.looks.gradients))
        return told_by(self.classes, *alike)


def grouped(looks: Looks, n_classes: int, seed: int) -> Grouped:
    """Classes of images: small clusters joined along links between neighbours, then votes among neighbours.

    Features that ignore strokes may hold a variant apart from its class (sevens with a crossbar), or beside
    another (the twos). Images whose strokes run alike, or that look alike pixel by pixel, may know better:
    see `compared`. Which of them does differs from class to class, and where small clusters begin and end
    is chance; so the same is done from several k-means starts, with every selection of what links them,
    and the classes are what the results agree on. Where that leaves nearly everything in one class, they
    are k-means clusters instead: see `_or_division`.

    Arguments:
        n_classes: K.
        seed: of the small clusters.
    """
    looks = looks.for_classes(n_classes)
    by = compared(looks, n_classes, seed)
    found = [_from_start(by, n_classes, seed + start) for start in range(STARTS)]
    nmi = agreement([ways[-1] for ways in found])
    between_two = float(nmi[~np.eye(len(nmi), dtype=bool)].mean())
    joined = consensus([classes for ways in found for classes in ways], n_classes)
    classes = _or_division(by.vectors, by.neighbours, joined, n_classes, seed)
    return Grouped(looks, classes, len(by.voters) > 1, between_two, kinds=classes is joined)


def _or_division(
    vectors: Tensor, neighbours: Tensor, joined: NDArray[np.int64], n_classes: int, seed: int
) -> NDArray[np.int64]:
    """`joined` (N,) if they are kinds, else k-means clusters of `vectors` (N, V), as many.

    Joining along links looks for gaps. Photographs and icons of many kinds may have none but around
    near-duplicates: a class for each handful of these, and one for all the rest, is what joining leaves.
    Clusters are then the better answer: each is of images that look alike, though borders are arbitrary.
    Rare kinds beside a common one are told from copies by how close together they are: rare ones are sparse.
    Where joining leaves less than half of the classes there is nothing to be told.
    """
    few = 2 * len(np.unique(joined)) < n_classes
    if not few and not _copies(vectors, neighbours, joined):
        return joined
    divided = small_clusters(vectors.cpu().numpy(), n_classes, seed)
    if few:
        return divided
    enough = _explained(vectors, joined) > EXPLAINED * _explained(vectors, divided)
    return joined if enough else divided


def _copies(vectors: Tensor, neighbours: Tensor, classes: NDArray[np.int64]) -> bool:
    """Whether all but the largest of `classes` (N,) are near-duplicates, going by `neighbours` (N, n)."""
    unit = F.normalize(vectors, dim=1)
    theirs = neighbours[:, neighbours.shape[1] // 2].split(CHUNK)
    alike = [(own * unit[some]).sum(1) for own, some in zip(unit.split(CHUNK), theirs, strict=True)]
    distance = 1 - torch.cat(alike).cpu().numpy()
    largest = classes == np.bincount(classes).argmax()
    if largest.all():
        return False
    return bool(np.median(distance[largest]) > DENSER * np.median(distance[~largest]))


def _explained(vectors: Tensor, classes: NDArray[np.int64]) -> float:
    """Sum of squares of `vectors` (N, V) between classes (N,)."""
    of = torch.from_numpy(classes).to(vectors.device)
    number = torch.bincount(of).clamp(min=1)
    centred = _less_what_all_share(vectors)
    sums = vectors.new_zeros(len(number), vectors.shape[1]).index_add_(0, of, centred)
    return float((sums.square().sum(1) / number).sum())


def _from_start(by: Compared, n_classes: int, seed: int) -> list[NDArray[np.int64]]:
    """Classes from one k-means start, joined along each selection of links, the last along all."""
    small = _how_many(n_classes, len(by.vectors))
    clusters = by.clusters(small, seed)
    ways = _selections(by.links(clusters, small))
    return [_after_votes(by, clusters, linked, n_classes) for linked in ways]


def _selections(kinds: list[NDArray[np.float64]]) -> list[list[NDArray[np.float64]]]:
    """The first kind of links with each selection of the others: first with none, last with all."""
    first, *others = kinds
    return [[first, *some] for n in range(len(others) + 1) for some in combinations(others, n)]


def _after_votes(
    by: Compared, clusters: NDArray[np.int64], linked: Sequence[NDArray[np.float64]], n_classes: int
) -> NDArray[np.int64]:
    """Classes of small clusters joined along links, after votes.

    Votes may empty a group of a few odd images, whose code would be lost, and a class with it that was joined
    to another for want of one. One group more is then asked for, until K hold images after the votes.
    """
    joined = join(*linked, n_classes=n_classes, surface=by.surface)
    tries: list[NDArray[np.int64]] = []
    for groups in range(n_classes, min(n_classes + SPARE, joined.n_clusters) + 1):
        tries.append(voted(joined.at(groups)[clusters], *by.voters))
        if len(np.unique(tries[-1])) >= n_classes:
            break
    return next((one for one in tries if len(np.unique(one)) == n_classes), tries[0])


def confirmed(neighbours: Tensor, classes: NDArray[np.int64]) -> bool:
    """Whether most neighbours `(N, n)` of an image are of its class (N,), chance apart (Cohen's kappa)."""
    agreeing = float((classes[neighbours.cpu().numpy()] == classes[:, None]).mean())
    chance = float(np.square(np.bincount(classes) / len(classes)).sum())
    return agreeing - chance > CONFIRMED * (1 - chance)
