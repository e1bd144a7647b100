"""Packed stores: the pictures of a folder or zip, decoded once into one memory-mapped uint8 array."""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.data.cache import in_use, limit_bytes, make_room, packed_folder
from elastic_infogan.data.damage import PASSING
from elastic_infogan.data.images import ImageSet
from elastic_infogan.data.listing import Listing, list_folder, list_zip, unread
from elastic_infogan.data.names import Names
from elastic_infogan.data.parallel import cores, in_order, quiet_pillow
from elastic_infogan.data.partial import COLOURED, GREY, SET_ASIDE, TODO, Partial, Plan, locked
from elastic_infogan.data.pictures import Header, UnusableError, decode, read_header
from elastic_infogan.data.store import VERSION, is_current, is_cut, is_store, open_store, write_index
from elastic_infogan.errors import DataError
from elastic_infogan.files import FULL

__all__ = ["list_pictures", "load_packed", "nearest_side", "pack"]

_SIDES = (28, 32, 64, 128)
_SAMPLE = 200
"""pictures whose headers decide the size"""
_BLOCK_BYTES = 2**22

Progress = Callable[[int, int], None]


class Decoded(NamedTuple):
    """Pictures `first`, `first` + 1, …: pixels `(n, H, W, C)`, states `(n,)`, why some are set aside."""

    first: int
    pixels: NDArray[np.uint8]
    states: NDArray[np.uint8]
    reasons: dict[int, str]


def list_pictures(source: Path) -> Listing:
    """The candidates in a folder or zip.

    Raises:
        DataError: the source cannot be read or has no file that may be a picture.
    """
    listing = list_folder(source) if source.is_dir() else list_zip(source)
    if len(listing.names):
        return listing
    aside = "".join(f"; {item.name}: {item.reason}" for item in listing.set_aside[:1])
    raise DataError(f"{source} holds no pictures{aside}")


def load_packed(
    source: Path, size: int | None, channels: int | None, store: Path | None, progress: Progress | None
) -> ImageSet:
    """The pictures of a folder or zip, from `store` or the user's cache; packed there unless they are.

    The stores in the cache that were used longest ago make room for a new one, see `cache`.
    """
    limit = limit_bytes()
    with contextlib.closing(list_pictures(source)) as listing:
        if store is not None:
            return _pack(listing, store, _key(listing, size, channels), size, channels, None, progress)
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", source.stem)[:40]
        if (images := _packed_before(listing, name, size, channels)) is not None:
            return images
        key = _key(listing, size, channels)
        place = _place(name, key)
        images = _cached(place, key)
        if images is None:
            images = _pack(listing, place, key, size, channels, None, progress)
        in_use(place, images)
    make_room(limit)
    return images


def _packed_before(listing: Listing, name: str, size: int | None, channels: int | None) -> ImageSet | None:
    """A store in the cache whose size or mode was chosen, and turned out to be those asked for now."""
    for asked in ((None, None), (size, None), (None, channels)):
        key = _key(listing, *asked)
        place = _place(name, key)
        images = None if asked == (size, channels) else _cached(place, key)
        if images and size in (None, images.size[0]) and channels in (None, images.channels):
            return in_use(place, images)
    return None


def _cached(place: Path, key: str) -> ImageSet | None:
    """The store at a place in the cache; None where there is none, or there was one that was cut.

    That takes a loss of power, or an interruption while room was made. It is taken away: what lies in the
    cache is the program's own.
    """
    if not place.exists():
        return None
    if is_cut(place):
        shutil.rmtree(place, ignore_errors=True)
        return None
    return open_store(place) if is_current(place, key) else None


def _place(name: str, key: str) -> Path:
    return packed_folder() / f"{name}-{key[:16]}"


def pack(
    source: str | Path,
    store: str | Path,
    size: int | None = None,
    channels: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ImageSet:
    """Decode the pictures of a folder or zip into a packed store.

    The store appears when it is whole. An interrupted packing goes on where it stopped; a store that already
    holds the source as it is now is left as it is.

    Arguments:
        source: folder or `.zip`.
        store: folder to make; an earlier packed store there is replaced, anything else is kept.
        size, channels: see `sources.load`.
        workers: threads that decode (Pillow works outside Python's lock); None: one a core.
        progress: called with the number of pictures done and their total.

    Raises:
        DataError: no usable picture, no room on the disk, or `store` is something else.
    """
    with contextlib.closing(list_pictures(Path(source))) as listing:
        key = _key(listing, size, channels)
        return _pack(listing, Path(store), key, size, channels, workers, progress)


def _pack(
    listing: Listing,
    store: Path,
    key: str,
    size: int | None,
    channels: int | None,
    workers: int | None,
    progress: Progress | None,
) -> ImageSet:
    store = store.absolute()
    if is_current(store, key):
        return open_store(store)
    if store.exists() and not is_store(store) and not _is_empty_folder(store):
        raise DataError(f"{store} exists and is no packed store; choose another folder")
    folder = store.with_name(f".{store.name}.partial")
    with _disk(store, listing), quiet_pillow(), locked(folder):
        if is_current(store, key):  # another process has packed it while this one waited
            shutil.rmtree(folder, ignore_errors=True)
        else:
            _fill_and_publish(listing, folder, store, _plan(listing, key, size, channels), workers, progress)
    return open_store(store)


def _fill_and_publish(
    listing: Listing, folder: Path, store: Path, plan: Plan, workers: int | None, progress: Progress | None
) -> None:
    try:
        partial = Partial(folder, plan)
    except OSError as error:
        if error.errno in FULL:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        _fill(partial, listing, workers or cores(), progress)
        if (partial.state == SET_ASIDE).all():
            raise _nothing_usable(listing, partial.reasons)
        _write_index(partial, listing)
        partial.publish(store)
    except (DataError, OSError) as error:
        if isinstance(error, DataError) or error.errno in FULL:
            partial.discard()  # whatever else went wrong may not go wrong again
        raise
    finally:
        partial.close()


def _plan(listing: Listing, key: str, size: int | None, channels: int | None) -> Plan:
    """Size and channels for sure, from the headers where they are left open."""
    count = len(listing.names)
    if size is not None and channels is not None:
        return Plan(key, count, size, channels, squeeze=False)
    sample = np.unique(np.linspace(0, count - 1, min(count, _SAMPLE)).astype(np.int64))
    headers = [header for i in sample if (header := _header(listing, int(i)))]
    rest = range(count) if count > len(sample) else range(0)
    if not headers:
        headers = [header for i in rest if (header := _header(listing, i))][:_SAMPLE]
    if size is None and headers:
        size = nearest_side(float(np.median([header.shorter_side for header in headers])))
    if channels is None:
        others = (_header(listing, i) for i in rest)
        grey = all(header.grey for header in headers) and all(h is None or h.grey for h in others)
        return Plan(key, count, size or _SIDES[0], 1 if grey else 3, squeeze=not grey)
    return Plan(key, count, size or _SIDES[0], channels, squeeze=False)


def nearest_side(side: float) -> int:
    """The nearest of 28, 32, 64 and 128 pixels.

    >>> nearest_side(40), nearest_side(4000)
    (32, 128)
    """
    return min(_SIDES, key=lambda choice: abs(choice - side))


def _header(listing: Listing, index: int) -> Header | None:
    try:
        with listing.open(index) as file:
            return read_header(file)
    except UnusableError:
        return None


def _fill(partial: Partial, listing: Listing, workers: int, progress: Progress | None) -> None:
    """Decode what is still to do; the main thread alone writes, in the order of the pictures."""
    todo = np.flatnonzero(partial.state == TODO)
    done = partial.plan.count - len(todo)
    decode_block = functools.partial(_decode_block, listing, partial.plan)
    for block in in_order(decode_block, _blocks(todo, partial.plan.row), workers):
        if block.reasons:
            partial.give_reasons(block.reasons)
        partial.write(block.first, block.pixels, block.states)
        done += len(block.states)
        if progress is not None:
            progress(done, partial.plan.count)


def _blocks(todo: NDArray[np.intp], row: int) -> Iterator[range]:
    """Runs of pictures that are still to do, in their order, small enough to be held in memory."""
    per = int(np.clip(_BLOCK_BYTES // row, 1, 64))
    for run in np.split(todo, np.flatnonzero(np.diff(todo) != 1) + 1):
        for start in range(0, len(run), per):
            part = run[start : start + per]
            yield range(int(part[0]), int(part[-1]) + 1)


def _decode_block(listing: Listing, plan: Plan, block: range) -> Decoded:
    pixels = np.zeros((len(block), plan.size, plan.size, plan.channels), np.uint8)
    states, reasons = np.full(len(block), GREY, np.uint8), {}
    for i, index in enumerate(block):
        try:
            with listing.open(index) as file:
                pixels[i] = decode(file, plan.size, plan.channels)
        except UnusableError as reason:
            states[i], reasons[index] = SET_ASIDE, str(reason)
    if plan.squeeze:
        coloured = (pixels != pixels[..., :1]).any(axis=(1, 2, 3))
        states[coloured & (states == GREY)] = COLOURED
    return Decoded(block.start, pixels, states, reasons)


def _write_index(partial: Partial, listing: Listing) -> None:
    """Close the gaps among the pixels and write what goes with them."""
    kept = np.flatnonzero(partial.state != SET_ASIDE)
    aside = [(listing.names[i], partial.reasons[i]) for i in sorted(partial.reasons)]
    aside += [(item.name, item.reason) for item in listing.set_aside]
    names = listing.names
    if len(kept) < len(names):
        names = Names.of(listing.names[int(i)] for i in kept)
    partial.compact()
    origin = str(listing.origin.resolve())  # found again from whichever folder the store is opened
    write_index(partial.folder, partial.plan.key, origin, names, aside)


def _nothing_usable(listing: Listing, reasons: dict[int, str]) -> DataError:
    first = min(reasons)
    return DataError(
        f"{listing.origin} holds no usable picture: {len(reasons):,} set aside, "
        f"the first is {listing.names[first]} ({reasons[first]})"
    )


@contextlib.contextmanager
def _disk(store: Path, listing: Listing) -> Iterator[None]:
    """Turn what the disk refuses into one line that names the folder."""
    try:
        yield
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        if error.errno in FULL:
            raise DataError(
                f"no room for {len(listing.names):,} packed pictures in {store.parent} ({what}): "
                "free some, ask for a smaller size, or choose another folder; "
                "nothing was left behind"
            ) from error
        if error.errno in PASSING:
            raise unread(listing.origin, error) from error
        raise DataError(f"{store.parent} cannot be written to ({what}): choose another folder") from error


def _key(listing: Listing, size: int | None, channels: int | None) -> str:
    """What a store is known by: the source's place and state, and how it is packed."""
    text = f"{VERSION}\0{listing.origin.resolve()}\0{listing.key}\0{size}\0{channels}"
    return sha256(text.encode(errors="surrogateescape")).hexdigest()


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
