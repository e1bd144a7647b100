"""The packed stores in the user's cache: how much they may take, and which of them go when it is more."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

from elastic_infogan.data.images import ImageSet
from elastic_infogan.data.partial import LOCK, PIXELS
from elastic_infogan.errors import DataError
from elastic_infogan.files import cache_folder

if sys.platform != "win32":
    import fcntl

__all__ = ["LIMIT", "VARIABLE", "in_use", "limit_bytes", "make_room", "packed_folder"]

VARIABLE = "ELASTIC_INFOGAN_CACHE_GB"
LIMIT = 20.0
"""GB that packed stores in the cache may take together, unless the variable says otherwise"""


def packed_folder() -> Path:
    """Where stores are kept that no one gave a place to."""
    return cache_folder() / "packed"


def limit_bytes() -> float:
    """Bytes that the stores may take together.

    Raises:
        DataError: the variable is no number of GB.
    """
    text = os.environ.get(VARIABLE) or str(LIMIT)
    try:
        limit = float(text)
    except ValueError:
        limit = -1
    if not 0 <= limit < math.inf:
        raise DataError(f"{VARIABLE} is {text!r}; a number of GB is needed, 0 to keep only what is in use")
    return limit * 1e9


def in_use(store: Path, images: ImageSet) -> ImageSet:
    """`images`, whose store is marked as used now, and as in use for as long as their pixels are there.

    A lock that ends with the process says so, since nothing else survives a kill without a trace.
    """
    with contextlib.suppress(OSError):  # a store that cannot be marked can still be read
        os.utime(store)
        if sys.platform != "win32":
            descriptor = os.open(store / PIXELS, os.O_RDONLY)
            weakref.finalize(images.images, os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
    return images


def make_room(limit: float) -> None:
    """Remove the stores used longest ago until the rest takes at most `limit` bytes; none that is in use.

    What an interrupted packing left counts as well.
    """
    sizes: dict[Path, int] = {}
    used: dict[Path, float] = {}
    for store in packed_folder().iterdir():
        with contextlib.suppress(OSError):  # another process may tidy up at the same time
            used[store] = store.stat().st_mtime
            sizes[store] = sum(file.stat().st_size for file in store.iterdir())
    total = sum(sizes.values())
    for store in sorted(sizes, key=lambda path: used[path]):
        if total > limit and _remove(store):
            total -= sizes[store]


def _remove(store: Path) -> bool:
    """Remove a store unless it is in use; whether it is gone."""
    with contextlib.suppress(OSError), _alone(store):
        shutil.rmtree(store)
    return not store.exists()


@contextlib.contextmanager
def _alone(store: Path) -> Iterator[None]:
    """Hold a store that nobody else uses.

    Raises:
        BlockingIOError: somebody does.
    """
    if sys.platform == "win32":  # refuses by itself to remove files that are mapped
        yield
        return
    held = LOCK if (store / LOCK).exists() else PIXELS  # the first while it is being packed
    descriptor = os.open(store / held, os.O_RDWR)  # a network file system asks for write access
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
