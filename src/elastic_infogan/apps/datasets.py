"""What `data inspect`, `data pack` and `data imbalance` do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from elastic_infogan.apps import tables, terminal
from elastic_infogan.apps.inputs import drawn, read
from elastic_infogan.apps.output import written_whole
from elastic_infogan.data import inspection
from elastic_infogan.data.images import ImageSet
from elastic_infogan.data.labels import sortable
from elastic_infogan.data.sources import holds_pictures, load, same_place
from elastic_infogan.errors import ConfigError, DataError

__all__ = ["imbalance", "inspect", "pack"]


def inspect(source: str, labels: str | None) -> None:
    """Print number, sizes and modes of the images, the classes, and every file that cannot be used."""
    with terminal.counted("looking at pictures") as progress:
        found = inspection.inspect(source, labels=labels, progress=progress)
    terminal.report_set_aside(found.origin, found.set_aside, limit=None)
    terminal.say(f"{found.origin}: {found.count:,} images, {found.bytes / 2**20:,.1f} MB")
    terminal.say(f"sizes: {_most({f'{w}×{h}': n for (w, h), n in found.sizes.items()})}")
    terminal.say(f"modes: {_most(found.modes)}")
    colours = "grey" if found.channels == 1 else "RGB"
    terminal.say(f"trained on as {found.size}×{found.size} pixels, {colours}, unless told otherwise")
    if found.classes:
        tables.counts_table(list(found.classes), list(found.classes.values()))
    else:
        terminal.say("no labels")


def _most(counts: Mapping[str, int], shown: int = 8) -> str:
    """The most common of several things, each with its number.

    >>> _most({"L": 3000, "RGB": 2})
    'L 3,000, RGB 2'
    """
    common = sorted(counts.items(), key=lambda item: -item[1])
    more = f" and {len(common) - shown:,} others" if len(common) > shown else ""
    return ", ".join(f"{name} {count:,}" for name, count in common[:shown]) + more


def pack(source: str, out: Path, size: int | None) -> None:
    """Decode the pictures of a folder or zip into a store.

    Raises:
        DataError: the source holds no single pictures.
    """
    if not holds_pictures(source):
        load(source)  # says what is wrong where it is no source at all
        raise DataError(f"{source} holds arrays, which every verb reads as they are: nothing to pack")
    images = read(source, size=size, store=str(out))
    height, width = images.size
    colours = "grey" if images.channels == 1 else "RGB"
    terminal.say(f"{len(images):,} images of {width}×{height} pixels, {colours}, packed in {out}")


def imbalance(source: str, spec: str, labels: str | None, out: Path | None) -> None:
    """Print an imbalanced subset's counts; write its images and labels where `out` is given."""
    if out is not None and out.suffix.lower() != ".npz":
        raise ConfigError(f"--out is {out}; a file that ends in .npz is needed")
    if out is not None and same_place(source, str(out)):
        raise ConfigError(
            "--out is SOURCE itself, of which only the subset would be left: choose another file"
        )
    images = drawn(read(source, labels=labels), spec)
    _print_counts(images)
    if out is not None and images.labels is not None:
        names = sortable(images.class_names)[images.labels]
        with written_whole(out) as file:
            np.savez_compressed(file, images=images.images, labels=names)
        terminal.say(f"{len(images):,} images in {out}")


def _print_counts(images: ImageSet) -> None:
    if images.labels is None:
        return
    counts = np.bincount(images.labels, minlength=len(images.class_names))
    tables.counts_table(images.class_names, counts.tolist())
