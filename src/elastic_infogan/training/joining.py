"""Small clusters joined into K classes along the links between neighbours."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import normalized_mutual_info_score
from torch import Tensor

__all__ = [
    "NEIGHBOURS",
    "STARTS",
    "Joined",
    "agreement",
    "join",
    "links",
    "most_agreed",
    "nearest",
    "reattach",
    "reciprocal_links",
    "small_clusters",
    "voted",
]

CHUNK = 256
"""Rows of the similarity matrix at a time."""

NEIGHBOURS = 10
"""Links of each image to those most like it."""

STARTS = 5
"""Clusterings from different starts, of which the most agreed counts."""

RARER = 0.9
"""Exponent of the lesser group's links in the affinity, the greater's taking the rest. With 1/2, the
normalised cut, what rare classes have between them joins before an odd corner of a common class does; with
1 a rare class is drowned in a common one. Between .8 and .95 little changes (docs/experiments.md)."""

SURFACE = 0.8
"""Power of a group's links that leave it. Links cross a surface, which grows slower than what it holds: with
1 the halves of a class a hundred times as common as another would be thought further apart than the other is
from a third (docs/experiments.md)."""

BETTER = 1.1
"""How many times as close a piece must be to another class than to the rest of its own to change over."""


def nearest(vectors: Tensor, neighbours: int) -> Tensor:
    """Indices `(N, neighbours)` of the nearest others of each of `vectors` (N, F) by cosine."""
    unit = torch.nn.functional.normalize(vectors, dim=1)
    found = torch.empty(len(unit), min(neighbours, len(unit) - 1), dtype=torch.int64, device=unit.device)
    # One table for all chunks: small results between large blocks that come and go would tear the heap.
    table = unit.new_empty(CHUNK, len(unit))
    for rows in torch.arange(len(unit), device=unit.device).split(CHUNK):
        similarity = torch.mm(unit[rows], unit.t(), out=table[: len(rows)])
        similarity[torch.arange(len(rows)), rows] = -2.0  # nobody is its own neighbour
        found[rows] = similarity.topk(found.shape[1], dim=1).indices
    return found


def small_clusters(features: NDArray[np.float64], number: int, seed: int) -> NDArray[np.int64]:
    """Cluster of each of `features` (N, F) by k-means; fewer than `number` are filled where images repeat."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = KMeans(number, n_init=1, random_state=seed, max_iter=60).fit(features)
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
    """Small clusters in classes.

    Arguments:
        classes: of each small cluster, int64 `(M,)` in 0 ... K-1.
        pieces: every group of small clusters that was joined on the way, and each by itself.
        closeness: affinity of the two groups of each joining, the first joining first.
    """

    classes: NDArray[np.int64]
    pieces: Sequence[NDArray[np.int64]]
    closeness: Sequence[float]


def affinity(
    between: NDArray[np.float64], own: NDArray[np.float64], other: NDArray[np.float64], surface: float = 1.0
) -> NDArray[np.float64]:
    """Links between groups, weighed by the links that either has to anyone (arrays broadcast).

    Arguments:
        between: links of each two.
        own, other: links that the one and the other have to anyone.
        surface: power of these, see `SURFACE`; pieces that change over do without it.
    """
    lesser, greater = np.minimum(own, other), np.maximum(own, other)
    weight = np.power(lesser, surface * RARER) * np.power(greater, surface * (1 - RARER))
    close: NDArray[np.float64] = between / np.maximum(weight, 1e-12)
    return close


def join(linked: NDArray[np.float64], n_classes: int) -> Joined:
    """Join the two groups with the largest affinity until K are left.

    Affinity is `L_ij / (min(d_i, d_j)^r max(d_i, d_j)^(1 - r))^s`, d the links of a group to anyone. It asks
    which part of the lesser group's links that can leave it lead to the other, so that two halves of a
    common class join before a rare class, which has few links but keeps them to itself, is drowned. With
    r = 1/2 and s = 1 it is the normalised cut of Shi and Malik (PAMI 2000).

    Arguments:
        linked: symmetric counts `(M, M)`, M >= K.
        n_classes: K.

    Example:
        >>> join(np.array([[8, 3, 0], [3, 8, 1], [0, 1, 4]]), 2).classes
        array([0, 0, 1])
    """
    between = linked.astype(np.float64)
    members = [np.array([k]) for k in range(len(between))]
    pieces = list(members)
    closeness = []
    while len(members) > n_classes:
        degree = between.sum(1)
        close = affinity(between, degree[:, None], degree[None], SURFACE)
        np.fill_diagonal(close, -1.0)
        one, other = sorted(divmod(int(close.argmax()), len(members)))
        closeness.append(float(close[one, other]))
        between[one] += between[other]
        between[:, one] += between[:, other]
        between = np.delete(np.delete(between, other, 0), other, 1)
        members[one] = np.concatenate([members[one], members.pop(other)])
        pieces.append(members[one])
    classes = np.empty(len(linked), np.int64)
    for k, group in enumerate(members):
        classes[group] = k
    return Joined(classes, pieces, closeness)


def reattach(joined: Joined, linked: NDArray[np.float64]) -> NDArray[np.int64]:
    """Let pieces of a class change over to the class that other links bring them closest to.

    A class never loses its last piece. The piece that gains most goes first, at most one for each small
    cluster.

    Arguments:
        joined: classes, and the pieces that may change over.
        linked: links of another kind between the same small clusters, `(M, M)`.

    Returns:
        classes int64 `(M,)`.
    """
    classes: NDArray[np.int64] = joined.classes.copy()
    degree = linked.sum(1)
    for _ in range(len(classes)):
        gains = [_gain(piece, classes, linked, degree) for piece in joined.pieces]
        best = int(np.argmax([gain for gain, _ in gains]))
        gain, towards = gains[best]
        if gain <= BETTER:
            break
        classes[joined.pieces[best]] = towards
    return classes


def _gain(
    piece: NDArray[np.int64],
    classes: NDArray[np.int64],
    linked: NDArray[np.float64],
    degree: NDArray[np.float64],
) -> tuple[float, int]:
    """How many times as close `piece` is to another class than to the rest of its own, and to which."""
    here, n_classes = classes[piece[0]], classes.max() + 1
    rest = classes.copy()
    rest[piece] = -1
    if (classes[piece] != here).any() or not (rest == here).any():
        return 0.0, int(here)
    inside = rest[None] == np.arange(n_classes)[:, None]  # (K, M)
    close = affinity(inside @ linked[piece].sum(0), degree[piece].sum(), inside @ degree)
    own = max(float(close[here]), 1e-12)
    close[here] = -1.0
    return float(close.max()) / own, int(close.argmax())


def most_agreed(partitions: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """The one of several partitions `(N,)` whose mean NMI with the others is largest."""
    with_others = agreement(partitions).sum(axis=1)
    return partitions[int(with_others.argmax())]


def agreement(partitions: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """NMI of each two of M partitions `(N,)`, `(M, M)`."""
    return np.array([[normalized_mutual_info_score(a, b) for b in partitions] for a in partitions])


def voted(neighbours: Tensor, classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class that most of each one's neighbours and itself are of, `(N,)`.

    Small clusters end where k-means put their borders; neighbours know better which side of one is meant.

    Arguments:
        neighbours: indices, `(N, n)`.
        classes: of each, `(N,)`.

    Example:
        >>> voted(torch.tensor([[1, 2], [0, 2], [0, 1]]), np.array([0, 0, 1]))
        array([0, 0, 0])
    """
    votes = np.zeros((len(classes), int(classes.max()) + 1))
    everyone = np.arange(len(classes))
    for column in (everyone, *neighbours.cpu().numpy().T):
        votes[everyone, classes[column]] += 1
    most: NDArray[np.int64] = votes.argmax(axis=1)
    return most
