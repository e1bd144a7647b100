"""Arrays of images: what is accepted, and how they come to one size and one number of channels."""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.data.damage import DAMAGED
from elastic_infogan.data.partial import reserve
from elastic_infogan.data.pictures import on_white, to_grey
from elastic_infogan.data.resampling import fit_batch
from elastic_infogan.errors import DataError
from elastic_infogan.files import cache_folder

__all__ = ["as_images", "fit_images", "read_npy", "read_npz", "taken"]

_CHUNK = 256
_IN_MEMORY = 2**28
"""bytes from which images that had to be scaled lie in a file"""


def read_npy(path: Path) -> NDArray[Any]:
    """The array in a `.npy` file, memory-mapped; nothing is unpickled."""
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, error) from error


def read_npz(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """The arrays `images` and, where there is one, `labels` of a `.npz` file; nothing is unpickled."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if "images" not in arrays.files:
                held = ", ".join(arrays.files) or "nothing"
                raise DataError(f"{path} holds {held}; an array named images is needed")
            return arrays["images"], arrays["labels"] if "labels" in arrays.files else None
    except (*DAMAGED, AttributeError, TypeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    if "pickle" in str(error) or "Python objects" in str(error):
        return DataError(
            f"{path} holds pickled Python objects, which are never loaded: "
            "save one uint8 array of shape (N, H, W) or (N, H, W, C)"
        )
    return DataError(f"{path} is not a whole numpy file ({' '.join(str(error).split()) or 'cut short'})")


def as_images(array: NDArray[Any], where: str) -> NDArray[np.uint8]:
    """Check an array and bring it to `(N, H, W, C)`, C = 1, 3 or 4, without copying pixels.

    Accepts `(N, H, W)`, `(N, H, W, C)` and, where the shape leaves no doubt, `(N, C, H, W)`.

    Raises:
        DataError: dtype, shape or values are not those of images; the message says how to convert.

    >>> as_images(np.zeros((5, 3, 8, 8), np.uint8), "x").shape
    (5, 8, 8, 3)
    """
    _check_dtype(array, where)
    if array.ndim == 3 and array.shape[2] in (3, 4) and array.shape[1] > 4:
        raise DataError(
            f"{where}: shape {array.shape} is that of one picture: give it as [None], (1, H, W, C)"
        )
    if array.ndim == 3:
        array = array[..., None]
    elif array.ndim == 4:
        array = _channels_last(array, where)
    else:
        raise DataError(f"{where}: images have shape {array.shape}; (N, H, W) or (N, H, W, C) is needed")
    if 0 in array.shape:
        raise DataError(f"{where} holds no images: shape {array.shape}")
    return array


def _channels_last(array: NDArray[Any], where: str) -> NDArray[Any]:
    first, last = array.shape[1] in (1, 3), array.shape[3] in (1, 3, 4)
    if first and last:
        raise DataError(
            f"{where}: shape {array.shape} may be (N, C, H, W) or (N, H, W, C); "
            "save grey images as (N, H, W), or transpose and enlarge them"
        )
    if not first and not last:
        raise DataError(
            f"{where}: images have shape {array.shape}; (N, H, W) or (N, H, W, C) "
            "with 1 (grey), 3 (RGB) or 4 (RGBA) channels is needed"
        )
    return array if last else array.transpose(0, 2, 3, 1)


def _check_dtype(array: NDArray[Any], where: str) -> None:
    if array.dtype == np.uint8:
        return
    if array.dtype.kind == "f":
        raise DataError(_about_floats(array, where))
    advice = {
        "b": "convert with images.astype('uint8') * 255",
        "u": "scale them to 0..255 and convert with .astype('uint8')",
        "i": "scale them to 0..255 and convert with .astype('uint8')",
    }.get(array.dtype.kind, "grey levels or RGB values of 0..255 are needed")
    raise DataError(f"{where}: images are {array.dtype}, uint8 is needed; {advice}")


def _about_floats(array: NDArray[Any], where: str) -> str:
    low, high = np.inf, -np.inf
    for start in range(0, len(array), _CHUNK):
        chunk = np.asarray(array[start : start + _CHUNK])
        bad = ~np.isfinite(chunk.reshape(len(chunk), -1)).all(axis=1)
        if bad.any():
            what = "NaN" if np.isnan(chunk).any() else "infinity"
            index = start + int(bad.argmax())
            return f"{where}: images hold {what} (first in image {index}), uint8 is needed"
        if chunk.size:
            low, high = min(low, float(chunk.min())), max(high, float(chunk.max()))
    if low >= 0 and high <= 1:
        how = "(images * 255).round().astype('uint8')"
    elif low >= -1 and high <= 1:
        how = "((images + 1) * 127.5).round().astype('uint8')"
    else:
        how = "images.clip(0, 255).round().astype('uint8') once they are scaled to 0..255"
    return f"{where}: images are {array.dtype} in {low:.4g}..{high:.4g}, uint8 is needed; convert with {how}"


def fit_images(images: NDArray[np.uint8], size: int | None, channels: int | None) -> NDArray[np.uint8]:
    """Bring images `(N, H, W, C)` to `(N, size, size, channels)`.

    The shorter side becomes `size` (None: stays what it is) and the longer one is cropped about its
    centre. `channels` None gives 1 where every image is grey, else 3. Transparency shows white.
    Where nothing has to change, the array itself comes back.

    Raises:
        DataError: there is no room on the disk for so many that they do not belong in memory.
    """
    size = size or min(images.shape[1:3])
    channels = channels or (1 if _all_grey(images) else 3)
    if images.shape[1:] == (size, size, channels):
        return images
    fitted = _room((len(images), size, size, channels))
    start = 0
    for chunk in _chunks(images):
        fitted[start : start + len(chunk)] = _fit_chunk(chunk, size, channels)
        start += len(chunk)
    return fitted


def taken(images: NDArray[np.uint8], indices: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Images `(N, H, W, C)` at `indices` (M,), which never lie in memory where they are many."""
    found = _room((len(indices), *images.shape[1:]))
    for start in range(0, len(indices), _CHUNK):
        found[start : start + _CHUNK] = images[indices[start : start + _CHUNK]]
    return found


def _room(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An array to fill: in memory, or where it is large in a file without a name, gone when nobody has it."""
    length = math.prod(shape)
    if length <= _IN_MEMORY or sys.platform == "win32":
        return np.empty(shape, np.uint8)
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            reserve(file.fileno(), length)
            return np.memmap(file, np.uint8, "r+", shape=shape)
    except OSError as error:
        raise DataError(
            f"no room for {shape[0]:,} images, {length / 1e9:.1f} GB, in {folder} "
            f"({(error.strerror or str(error)).lower()}): free some, or pack what is needed as it is needed"
        ) from error


def _fit_chunk(chunk: NDArray[np.uint8], size: int, channels: int) -> NDArray[np.uint8]:
    if chunk.shape[3] == 4:
        chunk = on_white(chunk)
    if channels == 1 and chunk.shape[3] == 3:
        chunk = to_grey(chunk)
    if chunk.shape[1:3] != (size, size):
        chunk = fit_batch(chunk, size)
    return np.broadcast_to(chunk, (*chunk.shape[:3], channels))


def _all_grey(images: NDArray[np.uint8]) -> bool:
    if images.shape[3] == 1:
        return True
    return all((chunk[..., :1] == chunk[..., 1:3]).all() for chunk in _chunks(images))


def _chunks(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(images), _CHUNK):
        yield images[start : start + _CHUNK]
