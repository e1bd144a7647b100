"""New images of the classes asked for, as a grid, an array file or a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.apps import terminal
from elastic_infogan.apps.inference import pictures_of
from elastic_infogan.apps.pictures import write_folder, write_grid, write_npz
from elastic_infogan.errors import ConfigError
from elastic_infogan.training.hardware import choose_device
from elastic_infogan.training.limits import LIMITS
from elastic_infogan.training.run import Run

__all__ = ["MOST", "generate", "wanted"]

MOST = 100_000
"""images of each class at once: they are held in memory until they are written"""


def generate(run: Path, out: Path, classes: str | None, per_class: int, seed: int, device: str) -> None:
    """Make `per_class` images of each class and write them to `out`, whose suffix says how."""
    if not 1 <= per_class <= MOST:
        raise ConfigError(f"--per-class is {per_class}; 1 to {MOST:,} images of each class are made")
    if seed not in LIMITS["seed"]:
        raise ConfigError(f"--seed is {seed}; {LIMITS['seed']} is needed")
    model = Run.open(run).load_model(choose_device(device))
    codes = np.repeat(wanted(classes, model.n_classes), per_class)
    write = {".png": write_grid, ".npz": write_npz}.get(out.suffix.lower(), write_folder)
    write(out, pictures_of(model, codes, seed), codes)
    terminal.say(f"{len(codes):,} images in {out}")


def wanted(classes: str | None, n_classes: int) -> NDArray[np.int64]:
    """The class numbers in a list such as `0,3`; all of them for None.

    Raises:
        ConfigError: something else than numbers in 0 … K−1, or one of them twice.

    >>> wanted("3,0", 10)
    array([3, 0])
    """
    if classes is None:
        return np.arange(n_classes, dtype=np.int64)
    try:
        numbers = [int(number) for number in classes.split(",")]
    except ValueError:
        raise ConfigError(f"--classes is {classes!r}; numbers such as 0,3 are needed") from None
    for number in numbers:
        if not 0 <= number < n_classes:
            raise ConfigError(f"--classes: this run has no class {number}; it has 0 to {n_classes - 1}")
    if len(set(numbers)) < len(numbers):
        raise ConfigError(f"--classes is {classes!r}; each class may stand there once")
    return np.array(numbers, np.int64)
