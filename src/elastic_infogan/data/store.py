"""A packed store on disk: `images.npy`, the names, any labels and `index.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from elastic_infogan.data.images import ImageSet, SetAside
from elastic_infogan.data.labels import from_folders
from elastic_infogan.data.names import Names
from elastic_infogan.data.partial import PIXELS
from elastic_infogan.errors import DataError
from elastic_infogan.files import write_json

__all__ = ["VERSION", "is_current", "is_cut", "is_store", "open_store", "write_index"]

VERSION = 1
_FORMAT = "elastic-infogan packed images"


def is_store(path: Path) -> bool:
    """Whether a folder is a packed store."""
    return _read_index(path).get("format") == _FORMAT


def is_current(path: Path, key: str) -> bool:
    """Whether a folder is the packed store of this key."""
    return is_store(path) and _read_index(path).get("key") == key


def is_cut(path: Path) -> bool:
    """Whether a packed store lacks a part, as after a loss of power, or when its removal was interrupted.

    Raises:
        OSError: it cannot be looked at.
    """
    try:
        json.loads((path / "index.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return True
    return not (path / PIXELS).is_file()


def open_store(path: Path) -> ImageSet:
    """The images of a packed store, memory-mapped.

    Raises:
        DataError: a file is missing or does not agree with the others.
    """
    index = _read_index(path)
    if index.get("version") != VERSION:
        raise DataError(f"{path} is a packed store of version {index.get('version')}, not {VERSION}")
    try:
        found = _assemble(path, index)
    except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a whole packed store ({error}): delete it and pack again") from error
    if found.images.dtype != np.uint8 or found.images.shape != _shape(index):
        raise DataError(
            f"{path} is not a whole packed store ({found.images.shape} where its index says "
            f"{_shape(index)}): delete it and pack again"
        )
    return found


def _assemble(path: Path, index: dict[str, Any]) -> ImageSet:
    images = np.load(path / PIXELS, mmap_mode="r", allow_pickle=False)
    classes = tuple(index["class_names"])
    labels = np.load(path / "labels.npy", allow_pickle=False) if classes else None
    aside = tuple(SetAside(name, reason) for name, reason in index["set_aside"])
    return ImageSet(images, index["origin"], Names.load(path), labels, classes, aside)


def _shape(index: dict[str, Any]) -> tuple[int, int, int, int]:
    return index["count"], index["size"], index["size"], index["channels"]


def write_index(
    folder: Path, key: str, origin: str, names: Names, set_aside: Iterable[tuple[str, str]]
) -> None:
    """Write what goes with `images.npy`: names, labels from their folders, and the index."""
    count, size, _, channels = np.load(folder / PIXELS, mmap_mode="r", allow_pickle=False).shape
    labels = from_folders(names)
    names.save(folder)
    if labels is not None:
        np.save(folder / "labels.npy", labels[0])
    write_json(
        folder / "index.json",
        {
            "format": _FORMAT,
            "version": VERSION,
            "key": key,
            "origin": origin,
            "count": count,
            "size": size,
            "channels": channels,
            "class_names": labels[1] if labels else (),
            "set_aside": list(set_aside),
        },
    )


def _read_index(path: Path) -> dict[str, Any]:
    """The content of `index.json`; empty where there is none or it is something else."""
    try:
        content = json.loads((path / "index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
