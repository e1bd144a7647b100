"""Q's answers for a set of images, and what follows from them class by class; no label anywhere."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.core.share import ALONE, Share
from elastic_infogan.data.parallel import in_order

__all__ = ["BATCH", "Answers", "ask", "stream"]

BATCH = 500
"""images at once: activations of this many stay in the cache, where fewer would waste calls"""

CERTAIN = 0.95
"""posterior from which an image counts as certainly of a class; below 1 − CERTAIN it certainly is not"""

_PART = 65_536
"""images of which features are copied at once, so that millions take no memory beyond their own"""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Answers:
    """What Q says of N images.

    Arguments:
        probabilities: Q(k | x), `(N, K)`.
        features: penultimate features, scaled to unit length, `(N, F)`.
    """

    probabilities: Floats
    features: Floats

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def n_classes(self) -> int:
        """K."""
        return int(self.probabilities.shape[1])

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """The most probable class of each image, `(N,)`."""
        codes: NDArray[np.int64] = self.probabilities.argmax(axis=1).astype(np.int64)
        return codes

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Images assigned to each class, `(K,)`."""
        return np.bincount(self.codes, minlength=self.n_classes).astype(np.int64)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of the images assigned to each class, `(K,)`, summing to one."""
        return self.counts / max(len(self), 1)

    @cached_property
    def interval(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Smallest and largest share that each class may have, `(K,)` each.

        The smallest counts the images that are certainly of the class, the largest those that are not
        certainly of another (see `CERTAIN`). No independence of the images' errors is assumed: images of
        one kind are mistaken together, which makes intervals from independent errors far too narrow.
        """
        mine = np.arange(self.n_classes) == self.codes[:, None]
        low = (mine & (self.probabilities >= CERTAIN)).mean(axis=0)
        high = (mine | (self.probabilities > 1 - CERTAIN)).mean(axis=0)
        return low, high

    @cached_property
    def confusion(self) -> NDArray[np.float64]:
        """Mean posterior of the images assigned to each class, `(K, K)`.

        Row k says what Q thinks of the images of class k; rows sum to one, that of an empty class is zero.
        """
        sums = np.zeros((self.n_classes, self.n_classes))
        np.add.at(sums, self.codes, self.probabilities.astype(np.float64))
        return sums / np.maximum(self.counts, 1)[:, None]

    @cached_property
    def typicality(self) -> Floats:
        """Cosine between each image's feature and the mean feature of its class, `(N,)`."""
        cosine = np.zeros(len(self), np.float32)
        for k in range(self.n_classes):
            parts = np.split(members := self.members(k), range(_PART, len(members), _PART))
            total = sum(self.features[part].sum(axis=0, dtype=np.float64) for part in parts)
            middle = (total / np.maximum(np.linalg.norm(total), 1e-12)).astype(np.float32)
            for part in parts:
                cosine[part] = self.features[part] @ middle
        return cosine

    def members(self, code: int) -> NDArray[np.int64]:
        """Indices of the images of a class, in their order."""
        return np.flatnonzero(self.codes == code)

    def typical(self, code: int, n: int) -> NDArray[np.int64]:
        """Indices of the at most `n` images nearest to the middle of a class, nearest first."""
        members = self.members(code)
        return members[np.argsort(-self.typicality[members], kind="stable")[:n]]

    def uncertain(self, code: int, n: int) -> NDArray[np.int64]:
        """Indices of the at most `n` images of a class that Q is least sure of, least sure first."""
        members = self.members(code)
        return members[np.argsort(self.probabilities[members, code], kind="stable")[:n]]


def stream(
    model: ClassModel, images: NDArray[np.uint8], share: Share = ALONE
) -> Iterator[tuple[Tensor, Tensor]]:
    """Q's class probabilities `(B, K)` and features `(B, F)`, batch by batch, in the order of the images.

    Arguments:
        images: `(N, H, W, C)`, in memory or memory-mapped; one batch of it is read at a time.
        share: of the batches; this process takes every `share.of`th.
    """
    model.eval()

    def answer(start: int) -> tuple[Tensor, Tensor]:
        # a copy, since a memory-mapped store is read-only and torch wants to be able to write
        return model.posterior(torch.from_numpy(np.array(images[start : start + BATCH])))

    starts = range(share.rank * BATCH, len(images), share.of * BATCH)
    threads = torch.get_num_threads()
    if threads == 1 or model.device.type != "cpu":
        yield from map(answer, starts)
        return
    # Layers as small as these gain little from threads that share each of them: two that take turns at whole
    # batches get through half as many images again.
    try:
        yield from in_order(answer, starts, threads, functools.partial(torch.set_num_threads, 1))
    finally:
        torch.set_num_threads(threads)  # part of the setting is the process's, not the thread's


def ask(
    model: ClassModel, images: NDArray[np.uint8], told: Callable[[int, int], None] | None = None
) -> Answers:
    """Q's answers for images `(N, H, W, C)`.

    Arguments:
        told: hears after each batch how many are done, and of how many.
    """
    probabilities = np.zeros((len(images), model.n_classes), np.float32)
    features = np.zeros((len(images), model.spec.features), np.float32)
    start = 0
    for posterior, found in stream(model, images):
        rows = slice(start, start + len(posterior))
        probabilities[rows] = posterior.cpu().numpy()
        features[rows] = torch.nn.functional.normalize(found, dim=1).cpu().numpy()
        start += len(posterior)
        if told is not None:
            told(start, len(images))
    return Answers(probabilities, features)
