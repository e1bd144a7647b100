"""Imbalances: how many images of each class a set for experiments has, and which ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elastic_infogan.errors import DataError

__all__ = [
    "Imbalance",
    "counts",
    "draw",
    "largest_class",
    "long_tail",
    "parse",
    "published_law_rows",
    "random_counts",
    "rows",
]

_FORMS = "random:SEED, longtail:RATIO:SEED, counts like 6300,1585,… or FILE.npy:ROW"
LONGEST_NUMBER = 18
"""Digits of a number of images, or of a seed, at most."""

Counts = NDArray[np.int64]


class Imbalance(Protocol):
    """A rule that says how many images each class gets."""

    @property
    def seed(self) -> int:
        """Of the generator that draws the images."""

    def counts(self, available: Counts) -> Counts:
        """Images to take of each class `(K,)` when there are `available` `(K,)`."""


def parse(spec: str) -> Imbalance:
    """The imbalance that a text names: one of the four forms of `--imbalance`.

    Raises:
        DataError: the text has none of the forms.

    >>> parse("random:3").seed
    3
    """
    head, _, rest = spec.partition(":")
    try:
        if head == "random":
            return _Random(_natural(rest))
        if head == "longtail":
            ratio, _, seed = rest.partition(":")
            return _LongTail(_ratio(ratio), _natural(seed))
        if spec.rpartition(":")[0].lower().endswith(".npy"):
            path, _, row = spec.rpartition(":")
            return _Row(Path(path), _natural(row))
        return _Explicit(tuple(_natural(part) for part in spec.split(",")))
    except ValueError as error:
        raise DataError(f"imbalance {spec!r} is none of {_FORMS}") from error


def counts(spec: str, available: ArrayLike) -> Counts:
    """Images that `spec` takes of each class, int64 `(K,)`.

    Arguments:
        spec: see `parse`.
        available: images there are of each class `(K,)`.

    Raises:
        DataError: the form is unknown, there are more or fewer counts than classes, none is taken at
            all, or a class has fewer images than asked.

    >>> counts("3,1", [5, 5]).tolist()
    [3, 1]
    """
    there = np.asarray(available, np.int64)
    wanted = parse(spec).counts(there)
    if len(wanted) != len(there):
        raise DataError(f"imbalance {spec} has {len(wanted)} counts, the data {len(there)} classes")
    short = np.flatnonzero(wanted > there)
    if len(short):
        k = int(short[0])
        raise DataError(f"imbalance {spec} asks for {wanted[k]:,} images of class {k}, of {there[k]:,}")
    if wanted.sum() == 0:
        raise DataError(f"imbalance {spec} takes no image at all")
    return wanted


def draw(spec: str, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the images of an imbalanced set, sorted, int64 `(M,)`; the same spec draws the same ones.

    Images are drawn from each class without replacement by a generator from the seed in the spec (the
    row for a file, 0 for explicit counts). Labels serve to build the set, as a collector's hand would.

    Arguments:
        spec: see `parse`.
        labels: class of each image there is, 0 … K − 1, `(N,)`.

    Raises:
        DataError: see `counts`.
    """
    available = np.bincount(labels)
    wanted = counts(spec, available)
    generator = np.random.default_rng(parse(spec).seed)
    chosen = [
        generator.choice(np.flatnonzero(labels == k), int(n), replace=False) for k, n in enumerate(wanted)
    ]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def largest_class(available: ArrayLike) -> int:
    """Images that the most common class gets so that any class can be it: the smallest class there is,
    rounded down to two significant digits.

    >>> largest_class([6903, 7877, 6313])
    6300
    """
    smallest = int(np.min(available))
    unit = 10 ** max(0, math.floor(math.log10(max(smallest, 1))) - 1)
    return int(smallest // unit * unit)


def random_counts(generator: np.random.Generator, largest: int, n_classes: int) -> Counts:
    """The reference protocol's law (Ojha et al. 2020): n_k = round(largest · u_k / max u), u ~ U(0.1, 1).

    No class is left without an image, however few there are.

    >>> random_counts(np.random.default_rng(0), 6300, 10).max()
    np.int64(6300)
    """
    u = generator.uniform(0.1, 1, n_classes)
    wanted: Counts = np.rint(largest * (u / u.max())).astype(np.int64)
    return wanted.clip(min=1)


def long_tail(generator: np.random.Generator, largest: int, ratio: float, n_classes: int) -> Counts:
    """Geometric from `largest` down to `largest / ratio`, but at least 1, over the classes in a random order.

    >>> sorted(long_tail(np.random.default_rng(0), 1000, 100, 3).tolist())
    [10, 100, 1000]
    """
    shares = np.geomspace(1, 1 / ratio, n_classes) if n_classes > 1 else np.ones(1)
    return generator.permutation(np.rint(largest * shares).astype(np.int64).clip(min=1))


def published_law_rows(seed: int, n_rows: int = 50, largest: int = 6300, n_classes: int = 10) -> Counts:
    """Imbalances of the reference protocol's law, `(n_rows, n_classes)`; row i is that of `random:`seed + i.

    >>> published_law_rows(0).shape
    (50, 10)
    """
    rows = [random_counts(np.random.default_rng(seed + i), largest, n_classes) for i in range(n_rows)]
    return np.stack(rows)


def rows(path: Path) -> int:
    """How many imbalances a file of counts holds.

    Raises:
        DataError: it cannot be read, or holds no counts.
    """
    return len(_read_table(path))


@dataclass(frozen=True)
class _Random:
    seed: int

    def counts(self, available: Counts) -> Counts:
        generator = np.random.default_rng(self.seed)
        return random_counts(generator, largest_class(available), len(available))


@dataclass(frozen=True)
class _LongTail:
    ratio: float
    seed: int

    def counts(self, available: Counts) -> Counts:
        generator = np.random.default_rng(self.seed)
        return long_tail(generator, largest_class(available), self.ratio, len(available))


@dataclass(frozen=True)
class _Explicit:
    numbers: Sequence[int]
    seed: int = 0

    def counts(self, available: Counts) -> Counts:
        return np.array(self.numbers, np.int64)


@dataclass(frozen=True)
class _Row:
    path: Path
    row: int

    @property
    def seed(self) -> int:
        return self.row

    def counts(self, available: Counts) -> Counts:
        table = _read_table(self.path)
        if self.row >= len(table):
            raise DataError(f"{self.path} has rows 0 to {len(table) - 1}, there is no row {self.row}")
        if table.shape[1] != len(available):
            raise DataError(f"{self.path} has {table.shape[1]} columns, the data {len(available)} classes")
        return np.asarray(table[self.row], np.int64)


def _read_table(path: Path) -> Counts:
    try:
        table = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path} with counts") from error
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read as an array of counts: {error}") from error
    if not isinstance(table, np.ndarray) or table.ndim != 2 or not len(table):
        raise DataError(f"{path} needs one row an imbalance and one column a class")
    whole = np.asarray(table, np.float64) if table.dtype.kind in "fiu" else np.array([[np.nan]])
    if not (np.isfinite(whole).all() and (whole == np.rint(whole)).all() and (whole >= 0).all()):
        raise DataError(f"{path} holds {table.dtype} values that are no counts: 0, 1, 2, … are needed")
    return whole.astype(np.int64)


def _natural(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise ValueError(f"{text!r} is not a whole number of {LONGEST_NUMBER} digits at most")
    return int(text)


def _ratio(text: str) -> float:
    ratio = float(text)
    if not 1 <= ratio < math.inf:
        raise ValueError(f"{text!r} is not a ratio of 1 or more")
    return ratio
