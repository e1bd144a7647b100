"""What lies in a folder or a zip: the files that may be pictures, in the order of their paths."""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO

from elastic_infogan.data.images import SetAside
from elastic_infogan.data.names import Names
from elastic_infogan.data.pictures import UnusableError
from elastic_infogan.data.store import is_store
from elastic_infogan.errors import DataError

__all__ = ["DAMAGED", "Listing", "list_folder", "list_zip"]

_SIDE_FILES = frozenset(
    {
        ".txt",
        ".csv",
        ".tsv",
        ".json",
        ".jsonl",
        ".md",
        ".rst",
        ".xml",
        ".yaml",
        ".yml",
        ".toml",
        ".ini",
        ".cfg",
        ".log",
        ".html",
        ".htm",
        ".pdf",
        ".py",
        ".sh",
    }
)
_SIDE_NAMES = frozenset({"thumbs.db", "desktop.ini", "readme", "license", "licence", "checksums", "md5sums"})
_MOST_BYTES = 512 * 2**20
"""of one file in a zip, unpacked"""

Aside = list[SetAside]


@dataclass(frozen=True)
class Listing:
    """The candidate pictures of a source.

    Arguments:
        origin: the folder or zip.
        names: their paths inside it, sorted folder by folder.
        set_aside: what is visibly no candidate (broken links, unreadable folders, …).
        bytes: of all candidates together, compressed if they are.
        key: hash over names, sizes and times, which changes when the source does.
        entries: of a zip, in the order of `names`.
    """

    origin: Path
    names: Names
    set_aside: tuple[SetAside, ...]
    bytes: int
    key: str
    entries: tuple[zipfile.ZipInfo, ...] | None = None
    archive: zipfile.ZipFile | None = None

    def close(self) -> None:
        """Close the archive, if there is one."""
        if self.archive is not None:
            self.archive.close()

    def open(self, index: int) -> BinaryIO:
        """The content of one candidate.

        Raises:
            UnusableError: it cannot be read, or would unpack to an absurd size.
        """
        if self.archive is None or self.entries is None:
            try:
                # no Path: for a small picture, making one takes a thirtieth of the time to decode it
                return open(f"{self.origin}/{self.names[index]}", "rb")  # noqa: PTH123
            except OSError as error:
                raise UnusableError(f"cannot be read: {os.strerror(error.errno or 0).lower()}") from error
        return _unpack(self.archive, self.entries[index])


def list_folder(folder: Path) -> Listing:
    """Walk a folder and all below it; links to folders are followed unless they lead back up; packed
    stores are passed over.

    Raises:
        DataError: the folder cannot be read.
    """
    aside: Aside = []
    digest, total = hashlib.sha256(), 0
    try:
        top = folder.stat()
        os.scandir(folder).close()
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error

    def found() -> Iterator[str]:
        nonlocal total
        for name, status in _walk(folder, "", ((top.st_dev, top.st_ino),), aside):
            digest.update(
                f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode(errors="surrogateescape")
            )
            total += status.st_size
            yield name

    names = Names.of(found())
    return Listing(folder, names, tuple(aside), total, digest.hexdigest())


def _walk(
    folder: Path, inside: str, above: tuple[tuple[int, int], ...], aside: Aside
) -> Iterator[tuple[str, os.stat_result]]:
    """Path inside the source and status of each candidate, depth first, by name."""
    try:
        with os.scandir(folder) as scan:
            entries = sorted(entry.name for entry in scan if not _is_side_file(entry.name))
    except OSError as error:
        aside.append(SetAside(inside, f"folder cannot be read: {(error.strerror or '').lower()}"))
        return
    for entry in entries:
        name, path = inside + entry, folder / entry
        try:
            status = path.stat()
        except OSError as error:
            aside.append(SetAside(name, f"cannot be read: {(error.strerror or '').lower()}"))
            continue
        if stat.S_ISREG(status.st_mode):
            yield name, status
        elif stat.S_ISDIR(status.st_mode):
            if (status.st_dev, status.st_ino) not in above and not is_store(path):
                below = (*above, (status.st_dev, status.st_ino))
                yield from _walk(path, f"{name}/", below, aside)
        else:
            aside.append(SetAside(name, "not a regular file"))


def list_zip(path: Path) -> Listing:
    """The candidates in a zip, which is read in place.

    Raises:
        DataError: it is no zip, or a damaged one.
    """
    aside: Aside = []
    try:
        archive = zipfile.ZipFile(path)
        status = path.stat()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise DataError(f"{path} is not a whole zip file: {error}") from error
    entries = list(_zip_candidates(archive, aside))
    entries.sort(key=lambda entry: entry.filename.split("/"))
    digest = hashlib.sha256(f"{status.st_size}\0{status.st_mtime_ns}\0".encode())
    for entry in entries:
        digest.update(f"{entry.filename}\0{entry.file_size}\0{entry.CRC}\0".encode(errors="surrogateescape"))
    names = Names.of(entry.filename for entry in entries)
    total = sum(entry.compress_size for entry in entries)
    return Listing(path, names, tuple(aside), total, digest.hexdigest(), tuple(entries), archive)


def _zip_candidates(archive: zipfile.ZipFile, aside: Aside) -> Iterator[zipfile.ZipInfo]:
    seen: set[str] = set()
    for entry in archive.infolist():
        parts = entry.filename.split("/")
        if entry.is_dir() or any(_is_side_file(part) for part in parts if part not in ("", ".", "..")):
            continue
        if not {"", ".", ".."}.isdisjoint(parts):
            aside.append(SetAside(entry.filename, "its path leads out of the archive"))
        elif entry.filename in seen:
            aside.append(SetAside(entry.filename, "its name is in the archive twice"))
        else:
            seen.add(entry.filename)
            yield entry


DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, NotImplementedError,
    RuntimeError, ValueError,
)  # fmt: skip
"""what reading a damaged or unusual entry of a zip raises"""


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> BinaryIO:
    if entry.file_size > _MOST_BYTES:
        size = f"{entry.file_size / 2**20:,.0f} MB"
        raise UnusableError(f"unpacks to {size}, more than {_MOST_BYTES // 2**20} MB")
    if entry.flag_bits & 1:
        raise UnusableError("encrypted")
    try:
        return io.BytesIO(archive.read(entry))
    except DAMAGED as error:
        raise UnusableError(f"damaged in the archive: {error}") from error


def _is_side_file(name: str) -> bool:
    """Files that go with pictures and are no mistake: hidden ones, notes, tables, thumbnails' stores.

    >>> [_is_side_file(name) for name in (".DS_Store", "labels.csv", "cat.png", "a1b2c3")]
    [True, True, False, False]
    """
    lower = name.lower()
    return (
        lower.startswith(".")
        or lower == "__macosx"
        or lower in _SIDE_NAMES
        or PurePath(lower).suffix in _SIDE_FILES
    )
