"""An image set: uint8 pixels, the name of each image and, apart from them, any labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.data.arrays import taken
from elastic_infogan.data.names import Names

__all__ = ["ImageSet", "SetAside"]


@dataclass(frozen=True)
class SetAside:
    """A file that was found but not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class ImageSet:
    """Images of one size and mode, as every later stage reads them.

    Arguments:
        images: pixels, uint8 `(N, H, W, C)` with C = 1 (grey) or 3 (RGB), in memory or memory-mapped.
        origin: the source as the user named it.
        names: path of each image inside its source; None where an image is known by its index.
        labels: class index of each image, int64 `(N,)`, or None. Evaluation only: training is handed
            `images` and nothing else.
        class_names: name of each class index in `labels`.
        set_aside: files of the source that could not be used.
    """

    images: NDArray[np.uint8]
    origin: str
    names: Sequence[str] | None = None
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    set_aside: tuple[SetAside, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.images.shape[1], self.images.shape[2]

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return int(self.images.shape[3])

    def name(self, index: int) -> str:
        """The path of an image inside its source, or its index in an array."""
        return str(index) if self.names is None else self.names[index]

    def subset(self, indices: NDArray[np.int64]) -> ImageSet:
        """The images at `indices` (M,), which keep the names they had in the whole set."""
        return replace(
            self,
            images=taken(self.images, indices),
            names=Names.of(self.name(int(i)) for i in indices),
            labels=None if self.labels is None else self.labels[indices],
        )
