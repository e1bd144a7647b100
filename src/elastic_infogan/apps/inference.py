"""A trained model's answers and pictures, in large batches and as NumPy arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.core.share import ALONE
from elastic_infogan.evaluation.answers import BATCH, stream

if TYPE_CHECKING:  # it brings along what only training needs
    from elastic_infogan.training.processes import Processes

__all__ = ["codes_of", "pictures_of", "posteriors"]


def posteriors(
    model: ClassModel, images: NDArray[np.uint8], processes: Processes | None = None
) -> Iterator[NDArray[np.float64]]:
    """Q's class probabilities, batch by batch.

    Arguments:
        images: `(N, H, W, C)`, in memory or memory-mapped; one batch of it is read at a time.
        processes: that share the batches; each of them gets all answers, and has to ask for all.

    Returns: arrays `(B, K)`, in the order of the images.
    """
    share = ALONE if processes is None else processes.share
    own = (probabilities.cpu().double().numpy() for probabilities, _ in stream(model, images, share))
    yield from own if processes is None else processes.in_order(own, -(-len(images) // BATCH))


def codes_of(model: ClassModel, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The most probable class of each image `(N, H, W, C)`: int64 `(N,)`."""
    return np.concatenate([batch.argmax(axis=1) for batch in posteriors(model, images)])


def pictures_of(model: ClassModel, codes: NDArray[np.int64], seed: int) -> NDArray[np.uint8]:
    """A new image for each class code: the same codes and seed give the same images.

    Arguments:
        codes: `(N,)`, in 0 … K−1.

    Returns: uint8 `(N, H, W, C)`.
    """
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    parts = [torch.from_numpy(codes[start : start + BATCH]) for start in range(0, len(codes), BATCH)]
    return np.concatenate([model.sample(part, generator).cpu().numpy() for part in parts])
