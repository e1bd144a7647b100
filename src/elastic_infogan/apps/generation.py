"""New images of the classes asked for, as a grid, an array file or a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.apps import terminal
from elastic_infogan.apps.inference import pictures_of
from elastic_infogan.apps.names import ClassNames
from elastic_infogan.apps.output import empty_folder
from elastic_infogan.apps.pictures import write_folder, write_grid, write_npz
from elastic_infogan.data.imbalance import LONGEST_NUMBER
from elastic_infogan.errors import ConfigError
from elastic_infogan.training.hardware import choose_device
from elastic_infogan.training.limits import LIMITS
from elastic_infogan.training.run import Run

__all__ = ["MOST", "generate", "wanted"]

OTHERS = frozenset(
    (
        ".avif",
        ".bmp",
        ".csv",
        ".gif",
        ".jpeg",
        ".jpg",
        ".npy",
        ".pdf",
        ".svg",
        ".tif",
        ".tiff",
        ".webp",
        ".zip",
    )
)
"""suffixes of files that images could be in, but are not written to"""

MOST = 100_000
"""images of each class at once: they are held in memory until they are written"""


def generate(run: Path, out: Path, classes: str | None, per_class: int, seed: int, device: str) -> None:
    """Make `per_class` images of each class and write them to `out`, whose suffix says how."""
    if not 1 <= per_class <= MOST:
        raise ConfigError(f"--per-class is {per_class}; 1 to {MOST:,} images of each class are made")
    if seed not in LIMITS["seed"]:
        raise ConfigError(f"--seed is {seed}; {LIMITS['seed']} is needed")
    write = _writer(out)
    if write is write_folder:
        empty_folder(out, "--out")
    opened = Run.open(run)
    model = opened.load_model(choose_device(device))
    codes = np.repeat(wanted(classes, ClassNames.of(opened, model.n_classes)), per_class)
    write(out, pictures_of(model, codes, seed), codes)
    terminal.say(f"{len(codes):,} images in {out}")


def _writer(out: Path) -> Callable[[Path, NDArray[np.uint8], NDArray[np.int64]], None]:
    """What writes images, by the suffix of their place.

    Raises:
        ConfigError: it is that of another kind of file, which nobody would look for a folder in.
    """
    suffix = out.suffix.lower()
    if suffix in OTHERS:
        raise ConfigError(
            f"--out {out}: .png is a grid, .npz an array and a name without suffix a folder; "
            f"{suffix} is not written"
        )
    return {".png": write_grid, ".npz": write_npz}.get(suffix, write_folder)


def wanted(asked: str | None, classes: ClassNames) -> NDArray[np.int64]:
    """The class numbers in a list such as `0,3` or `0,cat`; all of them for None.

    A name stands for every class that has it; what is a number is taken for one.

    Raises:
        ConfigError: something else than names and numbers in 0 … K−1, or one of them twice.

    >>> wanted("3,0", ClassNames(10)), wanted("cat", ClassNames(10, {1: "cat", 2: "cat"}))
    (array([3, 0]), array([1, 2]))
    >>> wanted("+3", ClassNames(10, {1: "+3"}))
    array([1])
    """
    if asked is None:
        return np.arange(classes.n_classes, dtype=np.int64)
    numbers = [code for word in asked.split(",") for code in _meant(word.strip(), classes)]
    for number in numbers:
        if not 0 <= number < classes.n_classes:
            raise ConfigError(
                f"--classes: this run has no class {number}; it has 0 to {classes.n_classes - 1}"
            )
    if len(set(numbers)) < len(numbers):
        raise ConfigError(f"--classes is {asked!r}; each class may stand there once")
    return np.array(numbers, np.int64)


def _meant(word: str, classes: ClassNames) -> list[int]:
    if word.isascii() and word.isdigit() and len(word) <= LONGEST_NUMBER:
        return [int(word)]
    codes = classes.codes_named(word) if word else []
    if not codes:
        known = ", ".join(sorted({classes.name(code) for code in classes.names}))
        hint = f" or the names {known}" if known else ""
        raise ConfigError(f"--classes: {word!r} is no class; numbers such as 0,3{hint} are needed")
    return codes
