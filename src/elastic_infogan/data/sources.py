"""From a SOURCE as the user names it to an `ImageSet`."""

from __future__ import annotations

import difflib
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.data import labels as labelling
from elastic_infogan.data.arrays import as_images, fit_images, read_npy, read_npz
from elastic_infogan.data.idx import find_idx, is_idx, read_pairs
from elastic_infogan.data.images import ImageSet
from elastic_infogan.data.named import NAMES, class_names, read_named
from elastic_infogan.data.packed import load_packed
from elastic_infogan.data.store import is_store, open_store
from elastic_infogan.errors import DataError
from elastic_infogan.files import expanded

__all__ = ["from_array", "holds_pictures", "known_classes", "load", "locate", "same_place"]

Progress = Callable[[int, int], None]
"""called with the number of pictures done and their total"""


def locate(source: str | Path) -> Path | None:
    """Where a source is; None for a named data set.

    Raises:
        DataError: there is no such file or folder.
    """
    origin = os.fspath(source)
    if origin in NAMES:
        return None
    path = expanded(origin)
    if not origin or not _exists(path):
        raise _unknown(origin)
    return path


def same_place(source: str, other: str) -> bool:
    """Whether two sources are one, however each is spelt.

    >>> same_place("pictures/", "./pictures"), same_place("mnist", "./mnist")
    (True, False)
    """
    if source in NAMES or other in NAMES:
        return source == other
    return expanded(source).resolve() == expanded(other).resolve()


def known_classes(source: str | Path) -> int | None:
    """How many classes a named data set has; None for anything else.

    >>> known_classes("mnist"), known_classes("photos/")
    (10, None)
    """
    return len(class_names(str(source))) if str(source) in NAMES else None


def load(
    source: str | Path,
    *,
    size: int | None = None,
    channels: int | None = None,
    labels: str | Path | None = None,
    store: str | Path | None = None,
    progress: Progress | None = None,
) -> ImageSet:
    """The images of a source, brought to one size and one number of channels.

    Arguments:
        source: `mnist`, `fashion-mnist`, `digits`; a folder or `.zip` of pictures; `.npy`; `.npz`; an IDX
            file or a folder with IDX files; a packed store. A name wins over a file of that name.
        size: side of the square images in pixels: the shorter side is scaled to it, the longer one
            cropped about its centre. None: arrays keep their shorter side, pictures take the nearest
            of 28, 32, 64 and 128 to their median shorter side.
        channels: 1 (grey) or 3 (RGB); None: 1 where every image is grey, else 3.
        labels: CSV file `image,label`, instead of any labels in the source.
        store: where the pictures of a folder or zip are packed; None: in the user's cache.
        progress: called while pictures are decoded.

    Raises:
        DataError: the source is none of these, or holds no usable image.
    """
    _check_options(size, channels)
    images = _read(source, size, channels, store, progress)
    if labels is None:
        return images
    aside = [item.name for item in images.set_aside]
    found, names = labelling.from_csv(Path(labels), images.names, len(images), aside)
    return replace(images, labels=found, class_names=names)


def from_array(
    images: NDArray[Any],
    labels: NDArray[Any] | None = None,
    *,
    size: int | None = None,
    channels: int | None = None,
    origin: str = "array",
) -> ImageSet:
    """An `ImageSet` from an array `(N, H, W)`, `(N, H, W, C)` or `(N, C, H, W)`; see `load`."""
    pixels = fit_images(as_images(images, origin), size, channels)
    if labels is None:
        return ImageSet(pixels, origin)
    indices, names = labelling.from_values(labels, len(pixels), origin)
    return ImageSet(pixels, origin, labels=indices, class_names=names)


def _check_options(size: int | None, channels: int | None) -> None:
    if size is not None and not 8 <= size <= 1024:
        raise DataError(f"size is {size}; a side of 8 to 1,024 pixels is needed")
    if channels not in (None, 1, 3):
        raise DataError(f"channels is {channels}; 1 (grey) or 3 (RGB) is needed")


def _read(
    source: str | Path,
    size: int | None,
    channels: int | None,
    store: str | Path | None,
    progress: Progress | None,
) -> ImageSet:
    origin, path = os.fspath(source), locate(source)
    if path is None:
        pixels, found = read_named(origin)
        images = from_array(pixels, size=size, channels=channels, origin=origin)
        return replace(images, labels=found.astype(np.int64), class_names=class_names(origin))
    if is_store(path):
        stored = open_store(path)
        return replace(stored, images=fit_images(stored.images, size, channels))
    if (given := _read_arrays(path)) is not None:
        return from_array(*given, size=size, channels=channels, origin=origin)
    if _is_folder_or_zip(path):
        packed = load_packed(path, size, channels, None if store is None else Path(store), progress)
        return replace(packed, origin=origin)
    raise DataError(f"{origin} is no folder, .zip, .npy, .npz or IDX file; for a picture, name its folder")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long for a file, or a folder that may not be entered
        return False


def holds_pictures(source: str | Path) -> bool:
    """Whether a source is a folder or zip of single pictures rather than arrays or a packed store."""
    path = expanded(source)
    if not str(source) or str(source) in NAMES or not _exists(path) or is_store(path):
        return False
    if not _is_folder_or_zip(path):
        return False
    return path.suffix.lower() != ".npz" and not (path.is_dir() and find_idx(path))


def _is_folder_or_zip(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() == ".zip" or zipfile.is_zipfile(path)


def _read_arrays(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None] | None:
    """Images and labels of a source that holds arrays; None where it is something else."""
    if path.is_dir():
        files = find_idx(path)
        return read_pairs(files) if files else None
    if path.suffix.lower() == ".npy":
        return read_npy(path), None
    if path.suffix.lower() == ".npz":
        return read_npz(path)
    return read_pairs([path]) if is_idx(path) else None


def _unknown(origin: str) -> DataError:
    near = difflib.get_close_matches(origin.lower(), NAMES, n=1)
    hint = f"; did you mean {near[0]}?" if near else f", and it is none of {', '.join(NAMES)}"
    return DataError(f"there is no file or folder {origin[:200]!r}{hint}")
