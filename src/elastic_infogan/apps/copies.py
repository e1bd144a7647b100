"""Copies of pictures, in one folder for each class."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.apps.names import ClassNames
from elastic_infogan.apps.output import written_whole
from elastic_infogan.apps.pictures import png
from elastic_infogan.data.damage import DAMAGED
from elastic_infogan.data.images import ImageSet
from elastic_infogan.data.listing import inside
from elastic_infogan.errors import DataError
from elastic_infogan.files import expanded

__all__ = ["copy_by_class", "safe_path"]

_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f]')


def copy_by_class(images: ImageSet, codes: NDArray[np.int64], names: ClassNames, folder: Path) -> None:
    """Copy every picture to `folder/class-XX/`: the original file, or a PNG of an array's image.

    Arguments:
        codes: class of each image, `(N,)`.
        names: of the classes; one that has a name gets it behind its number, as in `class-03-cat`.
        folder: an empty folder; sub-folders of the source are kept below each class.
    """
    folders = [folder / _called(code, names) for code in range(names.n_classes)]
    with _contents(images) as content:
        for index, code in enumerate(codes.tolist()):
            name, data = content(index)
            target = _free(folders[code] / safe_path(name))
            with written_whole(target) as file:
                file.write(data)


def _called(code: int, names: ClassNames) -> str:
    """What the folder of a class is called.

    >>> _called(3, ClassNames(12, {3: "cats / dogs"})), _called(3, ClassNames(101))
    ('class-03-cats - dogs', 'class-003')
    """
    digits = max(2, len(str(names.n_classes - 1)))
    number, name = f"class-{code:0{digits}d}", names.name(code)
    return "-".join([number, *safe_path(name).parts]) if name else number


def safe_path(name: str) -> PurePosixPath:
    """A name from inside a source as a path that cannot leave the folder it is put in.

    Signs that some systems have no files with, as on a stick that is read anywhere, become `_`.

    >>> str(safe_path("../../etc/./x.png")), str(safe_path("C:\\\\pets\\\\Who?.png"))
    ('etc/x.png', 'C_/pets/Who_.png')
    """
    parts = _FORBIDDEN.sub("_", name.replace("\\", "/")).split("/")
    return PurePosixPath(*[part for part in parts if part not in ("", ".", "..")] or ["unnamed"])


def _free(path: Path) -> Path:
    """`path`, or `path-2` and so on where two names of a source become the same path."""
    candidate, n = path, 1
    while candidate.exists():
        n += 1
        candidate = path.with_stem(f"{path.stem}-{n}")
    return candidate


@contextmanager
def _contents(images: ImageSet) -> Iterator[Callable[[int], tuple[str, bytes]]]:
    """What gives the file name and bytes of the picture at an index."""
    source = expanded(images.origin)
    if images.names is None:
        width = len(str(len(images) - 1))
        yield lambda i: (f"{i:0{width}d}.png", png(np.asarray(images.images[i])))
    elif source.is_file() and zipfile.is_zipfile(source):
        with _opened(source) as archive:
            entries = _entries(archive)
            yield lambda i: (images.name(i), _member(archive, entries, images.name(i)))
    elif (source / images.name(0)).exists():
        yield lambda i: (images.name(i), _bytes(source / images.name(i)))
    else:  # a packed store has names, but its originals are elsewhere
        yield lambda i: (f"{images.name(i)}.png", png(np.asarray(images.images[i])))


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except DAMAGED as error:
        raise DataError(f"{path} cannot be read any more: {error}") from error


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The first entry of each name, as the one that is classified; `zipfile` itself finds the last."""
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        found.setdefault(entry.filename, entry)
        found.setdefault(inside(entry.filename), entry)
    return found


def _member(archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], name: str) -> bytes:
    """A file in a zip, which may be another than the one that was packed."""
    try:
        return archive.read(entries[name])
    except KeyError as error:
        raise DataError(
            f"{archive.filename} has changed: it holds no {name} any more; pack it anew"
        ) from error
    except DAMAGED as error:
        raise DataError(f"{archive.filename}: {name} cannot be read any more: {error}") from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read any more: {error.strerror or error}") from error
