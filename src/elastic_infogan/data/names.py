"""The paths of many images in two flat arrays: a million names take what their letters take."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["Names"]


class Names(Sequence[str]):
    """A sequence of strings that can be memory-mapped.

    Arguments:
        letters: UTF-8 of all names, one after another, uint8 `(L,)`.
        ends: where each name ends in `letters`, uint64 `(N,)`.

    >>> names = Names.of(["cat/1.png", "dog/2.png"])
    >>> len(names), names[1]
    (2, 'dog/2.png')
    """

    def __init__(self, letters: NDArray[np.uint8], ends: NDArray[np.uint64]) -> None:
        self.letters = letters
        self.ends = ends

    @classmethod
    def of(cls, names: Iterable[str]) -> Names:
        """From any strings; file names that are not UTF-8 keep their bytes."""
        letters = bytearray()

        def end_of(name: str) -> int:
            letters.extend(name.encode("utf-8", "surrogateescape"))
            return len(letters)

        ends = np.fromiter(map(end_of, names), np.uint64)
        return cls(np.frombuffer(bytes(letters), np.uint8), ends)

    @classmethod
    def load(cls, folder: Path) -> Names:
        """Memory-mapped from a folder that `save` wrote to."""
        ends = np.load(folder / "name_ends.npy", mmap_mode="r", allow_pickle=False)
        return cls(np.load(folder / "names.npy", mmap_mode="r", allow_pickle=False), ends)

    def save(self, folder: Path) -> None:
        """Write `names.npy` and `name_ends.npy`."""
        np.save(folder / "names.npy", self.letters)
        np.save(folder / "name_ends.npy", self.ends)

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = operator.index(index)
        i = i + len(self) if i < 0 else i
        if not 0 <= i < len(self):
            raise IndexError(f"there are {len(self)} names, number {index} is not among them")
        start = int(self.ends[i - 1]) if i else 0
        return self.letters[start : int(self.ends[i])].tobytes().decode("utf-8", "surrogateescape")
