"""What lies in a folder or a zip: the files that may be pictures, in the order of their paths."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO

from elastic_infogan.data.damage import DAMAGED, PASSING
from elastic_infogan.data.images import SetAside
from elastic_infogan.data.names import Names
from elastic_infogan.data.pictures import UnusableError
from elastic_infogan.data.store import is_store
from elastic_infogan.errors import DataError

__all__ = ["Listing", "inside", "list_folder", "list_zip", "unread"]

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
                if error.errno in PASSING:
                    raise
                raise UnusableError(f"cannot be read: {os.strerror(error.errno or 0).lower()}") from error
        return _unpack(self.archive, self.entries[index])


def list_folder(folder: Path) -> Listing:
    """Walk a folder and all below it.

    Links to folders are followed where they lead out of the source, and not where they lead back up or to
    what is listed anyway. Passed over is what this program wrote: packed stores, runs and benchmarks.

    Raises:
        DataError: the folder cannot be read.
    """
    aside: Aside = []
    digest, total = hashlib.sha256(), 0
    try:
        top = folder.resolve(strict=True)
        above = tuple(_identity(path.stat()) for path in (top, *top.parents))
        os.scandir(folder).close()
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error

    def found() -> Iterator[str]:
        nonlocal total
        for name, status in _Walk(top, aside).below(folder, "", above):
            state = f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_mode}\0"
            digest.update(state.encode(errors="surrogateescape"))
            total += status.st_size
            yield name

    try:
        names = Names.of(found())
    except OSError as error:
        raise unread(folder, error) from error
    return Listing(folder, names, tuple(aside), total, digest.hexdigest())


@dataclass(frozen=True)
class _Walk:
    """Through the folders of a source that really lies at `top`; what is no candidate goes to `aside`."""

    top: Path
    aside: Aside

    def below(
        self, folder: Path, inside: str, above: tuple[tuple[int, int], ...]
    ) -> Iterator[tuple[str, os.stat_result]]:
        """Path inside the source and status of each candidate, depth first, by name."""
        try:
            with os.scandir(folder) as scan:
                entries = sorted(entry.name for entry in scan if not _is_hidden(entry.name))
        except OSError as error:
            if error.errno in PASSING:
                raise
            self.aside.append(SetAside(inside, f"folder cannot be read: {(error.strerror or '').lower()}"))
            return
        for entry in entries:
            name, path = inside + entry, folder / entry
            if (status := self._status(name, path)) is None:
                continue
            if stat.S_ISDIR(status.st_mode):
                if _identity(status) not in above and not self._passed_over(path):
                    yield from self.below(path, f"{name}/", (*above, _identity(status)))
            elif not _is_side_file(entry):
                yield name, status

    def _status(self, name: str, path: Path) -> os.stat_result | None:
        """Of a file or folder; None for anything else, which is set aside."""
        try:
            status = path.stat()
        except OSError as error:
            if error.errno in PASSING:
                raise
            reason = f"cannot be read: {(error.strerror or '').lower()}"
        else:
            if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
                return status
            reason = "not a regular file"
        if not _is_side_file(path.name):
            self.aside.append(SetAside(name, reason))
        return None

    def _passed_over(self, folder: Path) -> bool:
        return _is_output(folder) or (folder.is_symlink() and self._is_listed(folder.resolve()))

    def _is_listed(self, folder: Path) -> bool:
        """Whether the walk comes to a real folder by itself."""
        return folder.is_relative_to(self.top) and not any(
            map(_is_hidden, folder.relative_to(self.top).parts)
        )


def unread(source: Path, error: OSError) -> DataError:
    """The one line about a source whose reading met an error of the moment."""
    what = (error.strerror or str(error)).lower()
    return DataError(f"{source} could not be read to its end ({what}): give the same command again")


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _is_output(folder: Path) -> bool:
    """Whether this program wrote a folder: a packed store, a run with its sample grids, a benchmark."""
    try:
        if (folder / "config.toml").exists():
            return any((folder / name).exists() for name in ("stats.jsonl", "model.json", "checkpoint"))
        return is_store(folder) or ((folder / "benchmark.json").exists() and (folder / "trials").is_dir())
    except OSError:  # nobody may look into it, which the walk says
        return False


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
    found = _zip_candidates(archive, aside)
    listed = sorted(found.items(), key=lambda item: item[0].split("/"))
    digest = hashlib.sha256(f"{status.st_size}\0{status.st_mtime_ns}\0".encode())
    for _, entry in listed:
        digest.update(f"{entry.filename}\0{entry.file_size}\0{entry.CRC}\0".encode(errors="surrogateescape"))
    names = Names.of(name for name, _ in listed)
    entries = tuple(entry for _, entry in listed)
    total = sum(entry.compress_size for entry in entries)
    return Listing(path, names, tuple(aside), total, digest.hexdigest(), entries, archive)


def _zip_candidates(archive: zipfile.ZipFile, aside: Aside) -> dict[str, zipfile.ZipInfo]:
    """Path inside the archive and entry."""
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name = inside(entry.filename)
        parts = name.split("/")
        if entry.is_dir() or any(_is_hidden(part) for part in parts if part != ".."):
            continue
        if not name or _is_side_file(parts[-1]):
            continue
        if ".." in parts or entry.filename.startswith("/"):
            aside.append(SetAside(entry.filename, "its path leads out of the archive"))
        elif name in found:
            aside.append(SetAside(name, "its name is in the archive twice"))
        else:
            found[name] = entry
    return found


def inside(name: str) -> str:
    """The path of an entry, without the `./` that some programs put before it.

    >>> inside("./cat//1.png")
    'cat/1.png'
    """
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> BinaryIO:
    if entry.file_size > _MOST_BYTES:
        size = f"{entry.file_size / 2**20:,.0f} MB"
        raise UnusableError(f"unpacks to {size}, more than {_MOST_BYTES // 2**20} MB")
    if entry.flag_bits & 1:
        raise UnusableError("encrypted")
    try:
        return io.BytesIO(archive.read(entry))
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno in PASSING:
            raise
        raise UnusableError(f"damaged in the archive: {error}") from error


def _is_hidden(name: str) -> bool:
    """Files and folders that file managers hide.

    >>> [_is_hidden(name) for name in (".git", "__MACOSX", "license")]
    [True, True, False]
    """
    return name.startswith(".") or name.lower() == "__macosx"


def _is_side_file(name: str) -> bool:
    """Files that go with pictures and are no mistake: notes, tables, thumbnails' stores.

    >>> [_is_side_file(name) for name in ("Thumbs.db", "labels.csv", "cat.png", "a1b2c3")]
    [True, True, False, False]
    """
    lower = name.lower()
    return lower in _SIDE_NAMES or PurePath(lower).suffix in _SIDE_FILES
