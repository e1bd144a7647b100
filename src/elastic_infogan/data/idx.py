"""IDX, the array format of MNIST's files: one file, or a folder of image files with their labels."""

from __future__ import annotations

import gzip
import math
import os
import re
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.errors import DataError

__all__ = ["find_idx", "is_idx", "read_idx", "read_pairs"]

_NAME = re.compile(r"(idx\d*|ubyte)(\.gz)?$", re.IGNORECASE)
_UINT8 = 0x08
_OTHER_TYPES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
_MOST_DIMENSIONS = 4
_PIECE = 16 * 2**20
"""bytes that are unpacked at once: a damaged header may promise more than the memory holds"""


def is_idx(path: Path) -> bool:
    """Whether a file is named like an IDX file.

    >>> is_idx(Path("train-images-idx3-ubyte.gz")), is_idx(Path("letters.idx")), is_idx(Path("cat.png"))
    (True, True, False)
    """
    return _NAME.search(path.name) is not None


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array in an IDX file, plain or gzipped.

    Raises:
        DataError: the file is not IDX, is cut short, goes on too long or does not hold uint8.
    """
    data = _bytes(path)
    shape = _shape(path, data)
    start, expected = 4 + 4 * len(shape), math.prod(shape)
    found = len(data) - start
    if found != expected:
        state = "is cut short" if found < expected else "goes on after its end"
        raise DataError(f"{path} {state}: its header says {expected:,} bytes of data, it holds {found:,}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def find_idx(folder: Path) -> list[Path]:
    """The IDX files in a folder: training files first, then the others by name; plain before gzipped.

    Others use the suffix `.idx` too: files that have no more than that in their name are looked into.
    """
    with os.scandir(folder) as entries:  # there may be millions that are none
        paths = sorted((path for entry in entries if is_idx(path := folder / entry.name)), reverse=True)
    files = {
        path.name.removesuffix(".gz"): path
        for path in paths
        if path.is_file() and (path.suffix.lower() != ".idx" or _begins_as_idx(path))
    }
    return sorted(files.values(), key=lambda path: (not path.name.startswith("train"), path.name))


def read_pairs(paths: list[Path]) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Images `(N, H, W)` or `(N, H, W, C)` of all files, one after another, and their labels `(N,)` if any.

    Labels belong to images by name: `train-labels-idx1-ubyte` to `train-images-idx3-ubyte`.

    Raises:
        DataError: no file holds images, the files differ in size, or labels and images do not pair up.
    """
    arrays = {path: read_idx(path) for path in paths}
    images = [path for path in paths if arrays[path].ndim >= 3]
    labels = {_key(path): path for path in paths if arrays[path].ndim == 1}
    if not images:
        raise DataError(f"{paths[0].parent} holds no IDX file with images (three or four dimensions)")
    _check_shapes(arrays, images)
    pixels = np.concatenate([arrays[path] for path in images])
    if not labels:
        return pixels, None
    return pixels, np.concatenate([_labels_of(path, arrays, labels) for path in images])


def _begins_as_idx(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError:
        return False
    return start[:2] == b"\0\0" and start[2:3] in bytes([_UINT8, *_OTHER_TYPES])


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            return _unzipped(file) if zipped else file.read()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is cut short or damaged: {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _unzipped(file: BinaryIO) -> bytes:
    """What the header says there is, and a byte of what may follow: little can unpack to very much."""
    with gzip.open(file) as whole:
        parts = [whole.read(4)]
        if len(parts[0]) < 4 or not 1 <= parts[0][3] <= _MOST_DIMENSIONS:
            return parts[0]  # no IDX file, as whoever asks will find
        parts.append(whole.read(4 * parts[0][3]))
        sizes = np.frombuffer(parts[1][: len(parts[1]) // 4 * 4], ">u4")
        left = math.prod(sizes.tolist()) + 1
        while left and (part := whole.read(min(left, _PIECE))):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)


def _shape(path: Path, data: bytes) -> tuple[int, ...]:
    if len(data) < 4 or data[:2] != b"\0\0" or not 1 <= data[3] <= _MOST_DIMENSIONS:
        raise DataError(
            f"{path} is not an IDX file: it starts with {data[:4].hex(' ') or 'nothing'}, "
            f"not with 00 00 08 and 1 to {_MOST_DIMENSIONS} dimensions"
        )
    if data[2] != _UINT8:
        kind = _OTHER_TYPES.get(data[2], f"the unknown type 0x{data[2]:02x}")
        raise DataError(f"{path} holds {kind}; only unsigned bytes (type 0x08) are read")
    if len(data) < 4 + 4 * data[3]:
        raise DataError(f"{path} is cut short within its header")
    return tuple(int(n) for n in np.frombuffer(data, ">u4", data[3], offset=4))


def _key(path: Path) -> str:
    """What the files of one pair have in common."""
    return re.sub(r"images|labels|idx\d*", "", path.name.removesuffix(".gz"), flags=re.IGNORECASE)


def _check_shapes(arrays: dict[Path, NDArray[np.uint8]], images: list[Path]) -> None:
    first = images[0]
    for path in images[1:]:
        if arrays[path].shape[1:] != arrays[first].shape[1:]:
            raise DataError(
                f"{path} holds images of shape {arrays[path].shape[1:]}, "
                f"{first.name} of shape {arrays[first].shape[1:]}: they do not go together"
            )


def _labels_of(
    path: Path, arrays: dict[Path, NDArray[np.uint8]], labels: dict[str, Path]
) -> NDArray[np.uint8]:
    if _key(path) not in labels:
        raise DataError(f"{path} has no labels beside it, though other files in the folder have")
    found = labels[_key(path)]
    if len(arrays[found]) != len(arrays[path]):
        raise DataError(f"{found} has {len(arrays[found]):,} labels for {len(arrays[path]):,} images")
    return arrays[found]
