"""Real images to compare generated ones with: first those that a run was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.data.images import ImageSet
from elastic_infogan.errors import DataError

__all__ = ["HeldOut", "hold_out"]

PER_CLASS = 1000


@dataclass(frozen=True)
class HeldOut:
    """Real images, about as many of each class as are generated.

    Arguments:
        images: labelled.
        unseen: of each class by name, how many images there are that the run was not trained on.
    """

    images: ImageSet
    unseen: Mapping[str, int]


def hold_out(everything: ImageSet, trained_on: NDArray[np.int64], per_class: int = PER_CLASS) -> HeldOut:
    """Up to `per_class` images of each class, always the same ones.

    Images that the run was trained on fill up where a class has too few others: an imbalanced draw takes
    nearly all there are of its largest class, and a dozen images tell nothing about coverage.

    Arguments:
        everything: labelled images, those of training among them.
        trained_on: indices of the images that the run was trained on, `(M,)`.

    Raises:
        DataError: there are no labels.
    """
    if everything.labels is None:
        raise DataError(f"{everything.origin} has no labels, and fidelity per class needs them")
    seen = np.zeros(len(everything), np.bool_)
    seen[trained_on] = True
    order = np.random.default_rng(0).permutation(len(everything))
    order = np.concatenate([order[~seen[order]], order[seen[order]]])
    labels = everything.labels[order]
    chosen = [order[labels == c][:per_class] for c in range(len(everything.class_names))]
    unseen = {
        name: int((~seen[rows]).sum()) for name, rows in zip(everything.class_names, chosen, strict=True)
    }
    return HeldOut(everything.subset(np.sort(np.concatenate(chosen))), unseen)
