"""Several clusterings of the same images: how far they agree, and what they agree on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import normalized_mutual_info_score

__all__ = ["agreement", "consensus"]

FEW = 8
"""Images that are set apart together by fewer than this many are odd, and make no class of their own."""


def agreement(partitions: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """NMI of each two of M partitions `(N,)`, `(M, M)`."""
    return np.array([[normalized_mutual_info_score(a, b) for b in partitions] for a in partitions])


def consensus(partitions: Sequence[NDArray[np.int64]], n_classes: int) -> NDArray[np.int64]:
    """The class of each image `(N,)`: images that most partitions keep together are of one.

    Evidence accumulation (Fred and Jain, Combining multiple clusterings using evidence accumulation, PAMI
    2005) on cells, images that no partition tells apart, joined by average linkage. Of partitions that each
    give one class away for a different odd group, no odd group has most behind it, while the class has.

    Arguments:
        partitions: class of each image `(N,)`, one or several.
        n_classes: K; fewer are found where partitions tell fewer cells apart.

    Example:
        >>> wrong, right, other = np.array([0, 0, 1, 1, 1, 2]), np.array([2, 2, 1, 1, 0, 0]), np.zeros(6, int)
        >>> consensus([np.repeat(one, 8) for one in (wrong, right, right, other)], 3)[::8]
        array([1, 1, 2, 2, 0, 0])
    """
    cells, cell, sizes = np.unique(
        np.stack(partitions, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    known = cells[sizes >= FEW] if (sizes >= FEW).sum() >= n_classes else cells
    classes = np.arange(len(known))
    if len(known) > n_classes:
        joined = AgglomerativeClustering(n_classes, metric="precomputed", linkage="average")
        classes = joined.fit_predict(cdist(known, known, "hamming"))
    of_cells: NDArray[np.int64] = classes[cdist(cells, known, "hamming").argmin(axis=1)].astype(np.int64)
    return of_cells[cell.ravel()]
