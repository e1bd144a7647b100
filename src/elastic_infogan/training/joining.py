"""Small clusters joined into K classes along the links between neighbours."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["join", "neighbour_links"]

CHUNK = 2048
"""Rows of the similarity matrix at a time."""


def neighbour_links(
    features: Tensor, clusters: NDArray[np.int64], n_clusters: int, neighbours: int
) -> Tensor:
    """How often members of two clusters are nearest neighbours.

    Arguments:
        features: of unit length, `(N, F)`.
        clusters: of each, `(N,)`, in 0 ... M-1.
        n_clusters: M.
        neighbours: nearest ones, by cosine, that each feature links to.

    Returns:
        symmetric counts `(M, M)`, float64; the diagonal holds links inside a cluster, each counted twice.
    """
    of = torch.from_numpy(clusters).to(features.device)
    links = torch.zeros(n_clusters * n_clusters, dtype=torch.float64, device=features.device)
    for rows in torch.arange(len(features), device=features.device).split(CHUNK):
        similarity = features[rows] @ features.t()
        similarity[torch.arange(len(rows)), rows] = -2.0  # nobody is its own neighbour
        nearest = similarity.topk(min(neighbours, len(features) - 1), dim=1).indices
        pairs = of[rows, None] * n_clusters + of[nearest]
        links += torch.bincount(pairs.flatten(), minlength=len(links))
    counts = links.view(n_clusters, n_clusters).cpu()
    return counts + counts.t()


def join(links: Tensor, n_classes: int) -> NDArray[np.int64]:
    """Class of each small cluster: the two groups with the largest affinity are joined until K are left.

    Affinity is `L_ij / sqrt(d_i d_j)`, d the links of a group to anyone: the normalised cut (Shi and Malik,
    PAMI 2000). It asks which part of a group's links lead to the other, so that two halves of a common
    class join before a rare class, which has few links but keeps them to itself, is drowned.

    Arguments:
        links: symmetric counts `(M, M)`, M >= K.
        n_classes: K.

    Returns:
        int64 `(M,)` in 0 ... K-1.

    Example:
        >>> join(torch.tensor([[8.0, 3.0, 0.0], [3.0, 8.0, 1.0], [0.0, 1.0, 2.0]]), 2)
        array([0, 0, 1])
    """
    between = links.double().numpy().copy()
    group = np.arange(len(between))
    left = list(range(len(between)))
    while len(left) > n_classes:
        degree = between[np.ix_(left, left)].sum(1)
        affinity = between[np.ix_(left, left)] / np.sqrt(np.maximum(np.outer(degree, degree), 1e-12))
        np.fill_diagonal(affinity, -1.0)
        one, other = (left[k] for k in divmod(int(affinity.argmax()), len(left)))
        between[one] += between[other]
        between[:, one] += between[:, other]
        group[group == other] = one
        left.remove(other)
    return np.searchsorted(np.array(left), group).astype(np.int64)
