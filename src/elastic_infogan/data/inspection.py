"""What a source holds, for `data inspect`: numbers, sizes, modes, classes and what cannot be used."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.data.images import ImageSet, SetAside
from elastic_infogan.data.labels import from_csv, from_folders
from elastic_infogan.data.listing import Listing, unread
from elastic_infogan.data.names import Names
from elastic_infogan.data.packed import list_pictures, nearest_side
from elastic_infogan.data.parallel import cores, in_order, quiet_pillow
from elastic_infogan.data.pictures import Header, UnusableError, examine
from elastic_infogan.data.sources import holds_pictures, load
from elastic_infogan.files import expanded

__all__ = ["Inspection", "inspect"]


@dataclass(frozen=True)
class Inspection:
    """A summary of a source.

    Arguments:
        origin: the source as the user named it.
        kind: `pictures` (folder or zip) or `array`.
        count: usable images.
        sizes: number of images of each (width, height) in pixels.
        modes: number of images of each mode (`L` is grey; `RGB`, `P`, `CMYK`, … as Pillow names them).
        size: side of the square images that `load` makes unless told otherwise.
        channels: 1 where every mode is grey, else 3; pictures that are grey in a colour mode
            are only found out by packing them.
        classes: number of images of each class, empty where there are no labels.
        set_aside: files that cannot be used, and why.
        bytes: of the usable and unusable pictures on disk, or of the array in memory.
    """

    origin: str
    kind: str
    count: int
    sizes: dict[tuple[int, int], int]
    modes: dict[str, int]
    size: int
    channels: int
    classes: dict[str, int]
    set_aside: tuple[SetAside, ...]
    bytes: int


def inspect(
    source: str | Path,
    *,
    labels: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Look at every image of a source once; pictures are decoded, so that damaged ones are found.

    Raises:
        DataError: the source or the labels cannot be read.
    """
    if not holds_pictures(source):
        return _of_images(load(source, labels=labels))
    with contextlib.closing(list_pictures(expanded(source))) as listing:
        tally = _Tally(listing)
        try:
            tally.examine_all(progress)
        except OSError as error:
            raise unread(listing.origin, error) from error
        return tally.summary(str(source), None if labels is None else Path(labels))


def _of_images(images: ImageSet) -> Inspection:
    height, width = images.size
    return Inspection(
        origin=images.origin,
        kind="array",
        count=len(images),
        sizes={(width, height): len(images)},
        modes={"L" if images.channels == 1 else "RGB": len(images)},
        size=height,
        channels=images.channels,
        classes={} if images.labels is None else _per_class(images.labels, images.class_names),
        set_aside=images.set_aside,
        bytes=images.images.nbytes,
    )


def _per_class(labels: NDArray[np.int64], names: tuple[str, ...]) -> dict[str, int]:
    return dict(zip(names, np.bincount(labels, minlength=len(names)).tolist(), strict=True))


class _Tally:
    """Counts over the pictures of one listing."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.modes: Counter[str] = Counter()
        self.usable = np.zeros(len(listing.names), bool)
        self.set_aside = list(listing.set_aside)

    def examine_all(self, progress: Callable[[int, int], None] | None) -> None:
        with quiet_pillow():
            found = in_order(self._examine, range(len(self.usable)), cores())
            for index, outcome in enumerate(found):
                self._count(index, outcome)
                if progress is not None:
                    progress(index + 1, len(self.usable))

    def _examine(self, index: int) -> Header | str:
        try:
            with self.listing.open(index) as file:
                return examine(file)
        except UnusableError as reason:
            return str(reason)

    def _count(self, index: int, outcome: Header | str) -> None:
        if isinstance(outcome, str):
            self.set_aside.append(SetAside(self.listing.names[index], outcome))
            return
        self.usable[index] = True
        self.sizes[outcome.width, outcome.height] += 1
        self.modes[outcome.mode] += 1

    def summary(self, origin: str, labels: Path | None) -> Inspection:
        count = int(self.usable.sum())
        return Inspection(
            origin=origin,
            kind="pictures",
            count=count,
            sizes=dict(self.sizes.most_common()),
            modes=dict(self.modes.most_common()),
            size=nearest_side(self._median_side()),
            channels=1 if all(Header(1, 1, mode).grey for mode in self.modes) else 3,
            classes=self._classes(labels),
            set_aside=tuple(self.set_aside),
            bytes=self.listing.bytes,
        )

    def _median_side(self) -> float:
        sides = [min(size) for size in self.sizes]
        return float(np.median(np.repeat(sides, list(self.sizes.values())))) if sides else 0.0

    def _classes(self, labels: Path | None) -> dict[str, int]:
        names = Names.of(self.listing.names[int(i)] for i in np.flatnonzero(self.usable))
        if labels is not None:
            return _per_class(*from_csv(labels, names, len(names), [a.name for a in self.set_aside]))
        found = from_folders(names)
        return {} if found is None else _per_class(*found)
