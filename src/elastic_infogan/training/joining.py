"""Small clusters joined into K classes along the links between neighbours."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits
from torch import Tensor

__all__ = [
    "CHUNK",
    "NEIGHBOURS",
    "STARTS",
    "Joined",
    "join",
    "links",
    "nearest",
    "reciprocal_links",
    "small_clusters",
    "told_by",
    "voted",
]

CHUNK = 512
"""Rows of the similarity matrix at a time."""

BLOCK = 128
"""Columns of it that are searched together."""

NEIGHBOURS = 10
"""Links of each image to those most like it."""

STARTS = 5
"""Clusterings from different starts, which are compared or brought together."""

RARER = 0.9
"""Exponent of the lesser group's links in the affinity, the greater's taking the rest. With 1/2, the
normalised cut, what rare classes have between them joins before an odd corner of a common class does; with
1 a rare class is drowned in a common one. Between .8 and .95 little changes (docs/experiments.md)."""

GONE = -1.0
"""Affinity of a group with itself, and with one that has become part of another."""

ROUNDS = 3
"""Votes among neighbours, each on what the one before left; more change nothing (docs/experiments.md)."""


def nearest(vectors: Tensor, neighbours: int, among: Tensor | None = None) -> Tensor:
    """Indices `(N, neighbours)` of the nearest of `among` to each of `vectors` (N, F) by cosine.

    Arguments:
        among: `(M, F)`; None: the others of `vectors` themselves.
    """
    asking = torch.nn.functional.normalize(vectors, dim=1)
    answering = asking if among is None else torch.nn.functional.normalize(among, dim=1)
    most = len(answering) - (among is None)
    found = torch.empty(len(asking), min(neighbours, most), dtype=torch.int64, device=asking.device)
    # One table for all chunks: small results between large blocks that come and go would tear the heap.
    table = asking.new_empty(min(CHUNK, len(asking)), len(answering))
    for rows in torch.arange(len(asking), device=asking.device).split(CHUNK):
        similarity = torch.mm(asking[rows], answering.t(), out=table[: len(rows)])
        if among is None:
            similarity[torch.arange(len(rows)), rows] = -2.0  # nobody is its own neighbour
        found[rows] = _largest(similarity, found.shape[1])
    return found


def _largest(rows: Tensor, number: int) -> Tensor:
    """Columns `(N, number)` of the largest values of each of `rows` (N, M), the largest first.

    They lie in the blocks of columns with the largest maxima, and maxima are found several times as fast as
    an order.
    """
    whole = rows.shape[1] // BLOCK * BLOCK
    if whole <= number * BLOCK:
        return rows.topk(number, dim=1).indices
    maxima = rows[:, :whole].unflatten(1, (-1, BLOCK)).amax(dim=2)
    blocks = maxima.topk(number, dim=1).indices
    within = torch.arange(BLOCK, device=rows.device)
    rest = torch.arange(whole, rows.shape[1], device=rows.device).expand(len(rows), -1)
    columns = torch.cat([(blocks[:, :, None] * BLOCK + within).flatten(1), rest], dim=1)
    return columns.gather(1, rows.gather(1, columns).topk(number, dim=1).indices)


def small_clusters(features: NDArray[np.float32], number: int, seed: int) -> NDArray[np.int64]:
    """Cluster of each of `features` (N, F) by k-means; fewer than `number` are filled where images repeat."""
    # The library's threads add up in whatever order they finish; with one the same seed gives the same bits.
    with warnings.catch_warnings(), threadpool_limits(1):  # type: ignore[no-untyped-call]
        warnings.simplefilter("ignore", ConvergenceWarning)
        # The library measures distances between single-precision vectors twice as slowly as others.
        begin, _ = kmeans_plusplus(features.astype(np.float64), number, random_state=seed)
        start = begin.astype(features.dtype)
        fitted = KMeans(number, init=start, n_init=1, max_iter=60, algorithm="elkan").fit(features)
    clusters: NDArray[np.int64] = fitted.labels_.astype(np.int64)
    return clusters


def links(neighbours: Tensor, clusters: NDArray[np.int64], n_clusters: int) -> NDArray[np.float64]:
    """How often members of two clusters are nearest neighbours.

    Arguments:
        neighbours: indices of each one's neighbours, `(N, n)`.
        clusters: of each, `(N,)`, in 0 ... M-1.
        n_clusters: M.

    Returns:
        symmetric counts `(M, M)`; the diagonal holds links inside a cluster, each counted twice.
    """
    towards = _towards(neighbours, clusters, n_clusters)
    both: NDArray[np.float64] = towards + towards.T
    return both


def reciprocal_links(neighbours: Tensor, clusters: NDArray[np.int64], n_clusters: int) -> NDArray[np.float64]:
    """`links` that count as often as they do in the direction in which there are fewer, twice, `(M, M)`.

    A rare class is sparse: neighbours of its images may be far away, in a common class beside it whose own
    are near. Such links lead one way, while those between halves of one kind lead either way.

    Example:
        >>> reciprocal_links(torch.tensor([[1], [0], [1]]), np.array([0, 0, 1]), 2)
        array([[4., 0.],
               [0., 0.]])
    """
    towards = _towards(neighbours, clusters, n_clusters)
    both: NDArray[np.float64] = 2 * np.minimum(towards, towards.T)
    return both


def _towards(neighbours: Tensor, clusters: NDArray[np.int64], n_clusters: int) -> NDArray[np.float64]:
    """How many neighbours of the members of each cluster (row) are in each other one, `(M, M)`."""
    pairs = clusters[:, None] * n_clusters + clusters[neighbours.cpu().numpy()]
    counts = np.bincount(pairs.ravel(), minlength=n_clusters**2).reshape(n_clusters, n_clusters)
    return counts.astype(np.float64)


@dataclass(frozen=True)
class Joined:
    """Small clusters joined into groups, two at a time.

    Arguments:
        n_clusters: M.
        pairs: the two groups of each joining, the first joining first: a group goes by its lowest number.
        closeness: affinity of these two.
    """

    n_clusters: int
    pairs: Sequence[tuple[int, int]]
    closeness: Sequence[float]

    @property
    def classes(self) -> NDArray[np.int64]:
        """Group of each small cluster after all joinings, int64 `(M,)`."""
        return self.at(self.n_clusters - len(self.pairs))

    def at(self, groups: int) -> NDArray[np.int64]:
        """Group of each small cluster, int64 `(M,)` in 0 ... groups-1, when so many groups were left."""
        lead = np.arange(self.n_clusters)
        for one, other in self.pairs[: self.n_clusters - groups]:
            lead[lead == other] = one
        return np.unique(lead, return_inverse=True)[1].astype(np.int64)


def affinity(
    between: NDArray[np.float64],
    degree: NDArray[np.float64] | float,
    degrees: NDArray[np.float64],
    surface: float = 1.0,
) -> NDArray[np.float64]:
    """`L_ij / (min(d_i, d_j)^r max(d_i, d_j)^(1 - r))^s` of links L, d those of a group to anyone.

    It asks which part of the lesser group's links that can leave it lead to the other, so that two halves of
    a common class join before a rare class, which has few links but keeps them to itself, is drowned. With
    r = 1/2 and s = 1 it is the normalised cut of Shi and Malik (PAMI 2000). Links leave a group through its
    surface, so that a smaller part of those of a large one does: s below 1 allows for that.

    Arguments:
        between: L of one group `(M,)` or of several `(N, M)`.
        degree: d of these, a number or `(N, 1)`.
        degrees: d of all, `(M,)`.
        surface: s.
    """
    lesser = np.minimum(np.power(degree, RARER), np.power(degrees, RARER))
    greater = np.maximum(np.power(degree, 1 - RARER), np.power(degrees, 1 - RARER))
    close: NDArray[np.float64] = between / np.maximum((lesser * greater) ** surface, 1e-12)
    return close


def join(*kinds: NDArray[np.float64], n_classes: int, surface: float = 1.0) -> Joined:
    """Join the two groups with the largest mean affinity until K are left; without links the smallest two.

    Arguments:
        kinds: symmetric counts of links `(M, M)` of one kind or several, M >= K. A mean, since what one kind
            of links tells apart (features: a seven with a crossbar from one without) another may hold
            together (pixels), and one strong reason to join is enough.
        n_classes: K.
        surface: of `affinity`.

    Example:
        >>> join(np.array([[8, 3, 0], [3, 8, 1], [0, 1, 4]]), n_classes=2).classes
        array([0, 0, 1])
    """
    between = np.stack(kinds).astype(np.float64)
    degrees = between.sum(2)

    def closeness_of(of: int | slice) -> NDArray[np.float64]:
        each = zip(between[:, of], degrees[:, of, None], degrees, strict=True)
        mean: NDArray[np.float64] = np.mean([affinity(L, d, every, surface) for L, d, every in each], axis=0)
        return mean

    close = closeness_of(slice(None))
    np.fill_diagonal(close, GONE)
    left, pairs, closeness = list(range(len(close))), [], []
    while len(left) > n_classes:
        one, other = sorted(divmod(int(close.argmax()), len(close)))
        if close[one, other] <= 0:
            one, other = sorted(sorted(left, key=lambda k: float(degrees[:, k].sum()))[:2])
        pairs.append((one, other))
        closeness.append(float(close[one, other]))
        left.remove(other)
        _unite(between, degrees, one, other)
        # Of all other pairs nothing has changed.
        close[one, left] = close[left, one] = closeness_of(one)[left]
        close[other] = close[:, other] = close[one, one] = GONE
    return Joined(len(close), pairs, closeness)


def _unite(between: NDArray[np.float64], degrees: NDArray[np.float64], one: int, other: int) -> None:
    """Make group `other` part of group `one`, in links of each kind `(kinds, M, M)` and their sums."""
    between[:, one] += between[:, other]
    between[:, :, one] += between[:, :, other]
    between[:, other] = between[:, :, other] = 0
    degrees[:, one] += degrees[:, other]
    degrees[:, other] = 0


def voted(classes: NDArray[np.int64], *alike: Tensor) -> NDArray[np.int64]:
    """The class that most of each one's neighbours and itself are of, `(N,)`, after several rounds.

    Small clusters end where k-means put their borders; neighbours know better which side of one is meant.

    Arguments:
        classes: of each, `(N,)`.
        alike: indices of each one's neighbours, `(N, n)`, of one kind or several.

    Example:
        >>> voted(np.array([0, 0, 1]), torch.tensor([[1, 2], [0, 2], [0, 1]]))
        array([0, 0, 0])
    """
    itself = torch.arange(len(classes))[:, None]
    for _ in range(ROUNDS):
        classes = told_by(classes, itself, *alike)
    return classes


def told_by(classes: NDArray[np.int64], *alike: Tensor) -> NDArray[np.int64]:
    """The class that most of each one's neighbours are of, `(N,)`.

    Arguments:
        classes: of those who may be neighbours, `(M,)`.
        alike: indices of each one's neighbours, `(N, n)`, of one kind or several.
    """
    votes = np.zeros((len(alike[0]), int(classes.max()) + 1))
    everyone = np.arange(len(votes))
    for column in (column for kind in alike for column in kind.cpu().numpy().T):
        votes[everyone, classes[column]] += 1
    most: NDArray[np.int64] = votes.argmax(axis=1)
    return most
