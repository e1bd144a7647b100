"""Files that a verb leaves behind, written beside their place and renamed: each is whole or absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from elastic_infogan.errors import ElasticInfoGANError, RunError
from elastic_infogan.files import as_json, replacing, why_not_written, writing

__all__ = ["empty_folder", "held", "no_folder", "write_json", "written_whole"]


@contextmanager
def held(folder: Path, busy: str) -> Iterator[None]:
    """Within the block no other process holds a folder that is there.

    Arguments:
        busy: the line about a folder that somebody else holds.

    Raises:
        RunError: somebody does, or the folder cannot be written to.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RunError(busy) from error
    except OSError as error:
        raise RunError(why_not_written(folder, error)) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to that takes the name `path` when the block ends, and is gone if it fails.

    Arguments:
        path: where the file ends up; its folder is made, an older file is replaced.

    Raises:
        ElasticInfoGANError: it cannot be written, for example because the disk is full.
    """
    no_folder(path)
    with writing(path, ElasticInfoGANError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside, beside.open("wb") as file:
            yield file


def no_folder(path: Path) -> None:
    """See that `path` may be the name of a file.

    Raises:
        ElasticInfoGANError: it is a folder.
    """
    if path.is_dir():
        raise ElasticInfoGANError(f"{path} is a folder; the name of a file is needed")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as JSON, see `as_json`."""
    with written_whole(path) as file:
        file.write(as_json(content).encode())


def empty_folder(path: Path, flag: str) -> Path:
    """The folder `path`, made where it is missing.

    Raises:
        ElasticInfoGANError: it holds something already, or is a file; the message names `flag`.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise ElasticInfoGANError(f"{flag}: {path} is not empty; choose a new folder or clear it")
    except OSError as error:
        raise ElasticInfoGANError(f"{flag}: {path} cannot be made: {error.strerror or error}") from error
    return path
