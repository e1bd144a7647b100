"""Files that a verb leaves behind, written beside their place and renamed: each is whole or absent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from elastic_infogan.errors import ElasticInfoGANError

__all__ = ["empty_folder", "write_json", "written_whole"]


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to that takes the name `path` when the block ends, and is gone if it fails.

    Arguments:
        path: where the file ends up; its folder is made, an older file is replaced.

    Raises:
        ElasticInfoGANError: it cannot be written, for example because the disk is full.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            yield file
        beside.replace(path)
    except OSError as error:
        raise ElasticInfoGANError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        # On a full disk or a read-only one there may be nothing to take away, or no right to.
        if beside.exists():
            beside.unlink()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as indented JSON; NaN is refused, since JSON has none."""
    with written_whole(path) as file:
        file.write((json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


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
