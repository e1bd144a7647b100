"""Data sets known by name: MNIST, Fashion-MNIST and scikit-learn's digits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.data.idx import read_pairs
from elastic_infogan.errors import DataError
from elastic_infogan.files import cache_folder

__all__ = ["NAMES", "class_names", "read_named"]

_FILES = tuple(
    f"{part}-{what}-ubyte.gz" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")
)
_REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class _Published:
    """Where a data set of four IDX files lies: folders on this machine, else an address with checksums."""

    folders: tuple[Path, ...]
    url: str
    md5: tuple[str, str, str, str]
    """of the gzipped files, in the order of `_FILES`"""
    class_names: tuple[str, ...]


_PUBLISHED = {
    "mnist": _Published(
        folders=(_REPOSITORY / "data/mnist", Path("data/mnist")),
        url="https://ossci-datasets.s3.amazonaws.com/mnist/",
        md5=(
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
        class_names=tuple("0123456789"),
    ),
    "fashion-mnist": _Published(
        folders=(
            _REPOSITORY / "data/fashion-mnist",
            Path("data/fashion-mnist"),
            Path("/usr/share/datasets/fashion-mnist"),
        ),
        url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        md5=(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
        class_names=(
            "T-shirt",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ),
    ),
}
NAMES = (*_PUBLISHED, "digits")


def class_names(name: str) -> tuple[str, ...]:
    """The classes of a named data set in the order of its label indices."""
    return _PUBLISHED[name].class_names if name in _PUBLISHED else tuple("0123456789")


def read_named(name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images `(N, H, W)` and labels `(N,)` of a named data set; training part first, then the test part.

    Raises:
        DataError: the files are neither on this machine nor to be fetched.
    """
    if name == "digits":
        return _digits()
    images, labels = read_pairs(_find(name))
    if labels is None:
        raise DataError(f"{name} lacks its label files")
    return images, labels


def _digits() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """scikit-learn's 1,797 digits, 8×8; their 17 grey levels are spread over 0..255."""
    from sklearn.datasets import load_digits  # takes a second to import: only those who ask wait

    bunch = load_digits()
    return np.rint(bunch.images * (255 / 16)).astype(np.uint8), bunch.target.astype(np.uint8)


def _find(name: str) -> list[Path]:
    """The four files, from the first folder that has them (gzipped or not), else fetched."""
    for folder in _PUBLISHED[name].folders:
        found = [path for file in _FILES if (path := _either(folder, file))]
        if len(found) == len(_FILES):
            return found
    return _fetch(name)


def _either(folder: Path, file: str) -> Path | None:
    choices = (folder / file, folder / file.removesuffix(".gz"))
    return next((path for path in choices if path.is_file()), None)


def _fetch(name: str) -> list[Path]:
    from pooch.core import create

    published = _PUBLISHED[name]
    registry = {file: f"md5:{md5}" for file, md5 in zip(_FILES, published.md5, strict=True)}
    keeper = create(cache_folder() / name, published.url, registry=registry, retry_if_failed=1)
    try:
        return [Path(keeper.fetch(file)) for file in _FILES]
    except (OSError, ValueError) as error:
        raise DataError(
            f"{name} is not on this machine and cannot be fetched ({type(error).__name__}): "
            f"put {', '.join(_FILES)} from {published.url} into ./data/{name}"
        ) from error
