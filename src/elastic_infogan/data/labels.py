"""Labels for evaluation: class indices from arrays, sub-folder names or a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.errors import DataError
from elastic_infogan.files import why_not_read

__all__ = ["from_csv", "from_folders", "from_values", "sortable"]

Labels = tuple[NDArray[np.int64], tuple[str, ...]]


def from_values(values: NDArray[Any], count: int, where: str) -> Labels:
    """Class indices `(N,)` and class names from any array of integers or strings, in sorted order.

    >>> indices, names = from_values(np.array(["dog", "cat", "dog"]), 3, "pets.npz")
    >>> indices.tolist(), names
    ([1, 0, 1], ('cat', 'dog'))
    """
    if values.shape != (count,):
        raise DataError(f"{where}: labels have shape {values.shape}, {count:,} images need ({count},)")
    if values.dtype.kind not in "iubUS":
        raise DataError(f"{where}: labels are {values.dtype}; integers or strings are needed")
    text = np.char.decode(values, "utf-8", "backslashreplace") if values.dtype.kind == "S" else values
    names, indices = np.unique(text, return_inverse=True)
    return indices.astype(np.int64).reshape(-1), tuple(str(name) for name in names)


def from_folders(names: Iterable[str]) -> Labels | None:
    """Classes from the folder of each path; None where a picture lies in no folder, or all lie in one.

    Folders that all the pictures share are passed over (`pets/cat/1.png`, `pets/dog/1.png`: cat and
    dog), as long as each picture still lies in one. `names` is gone through twice.

    >>> from_folders(["cat/1.png", "dog/1.png", "dog/old/2.png"])[0].tolist()
    [0, 1, 1]
    >>> from_folders(["pictures/1.png", "pictures/2.png"]) is None  # as in most zips
    True
    """
    depth = _shared_depth(names)
    if depth is None:
        return None
    found: dict[str, int] = {}
    order = np.fromiter((found.setdefault(name.split("/")[depth], len(found)) for name in names), np.int64)
    if len(found) < 2:
        return None
    classes = [str(name) for name in np.sort(sortable(list(found)))]
    rank = np.empty(len(classes), np.int64)
    rank[[found[name] for name in classes]] = np.arange(len(classes))
    return rank[order], tuple(classes)


def _shared_depth(names: Iterable[str]) -> int | None:
    """How many leading folders all paths share while each path still has one more."""
    shared: list[str] | None = None
    shallowest = 0
    for name in names:
        folders = name.split("/")[:-1]
        if not folders:
            return None
        if shared is None:
            shared, shallowest = folders, len(folders)
        shallowest = min(shallowest, len(folders))
        shared = shared[: _agreement(shared, folders)]
    return None if shared is None else min(len(shared), shallowest - 1)


def _agreement(left: Sequence[str], right: Sequence[str]) -> int:
    pairs = zip(left, right, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))


def from_csv(path: Path, names: Sequence[str] | None, count: int, set_aside: Iterable[str] = ()) -> Labels:
    """Labels from a CSV file with the header `image,label`, in the order of the images.

    Arguments:
        path: the CSV file; `image` is the path inside the source, or the index of the image.
        names: paths of the images (N,), or None where they are known by index.
        count: N.
        set_aside: files whose rows may be passed over, since they are not among the images.

    Raises:
        DataError: the header is another one, a row is unknown or given twice, or an image has no row.
    """
    rows = {name: i for i, name in enumerate(names)} if names is not None else {}
    passed_over = frozenset(set_aside)
    given: list[str | None] = [None] * count
    for line, image, label in _read_rows(path):
        if image in passed_over:
            continue
        index = rows.get(image, _as_index(image, count))
        if index is None:
            raise DataError(f"{path}, line {line}: the source has no image {image!r}")
        if given[index] is not None:
            raise DataError(f"{path}, line {line}: {image!r} already has a label")
        given[index] = label
    for index, known in enumerate(given):
        if known is None:
            raise DataError(f"{path} has no row for image {names[index] if names else index!s}")
    return from_values(sortable(given), count, str(path))


def sortable(labels: Sequence[str | None]) -> NDArray[Any]:
    """Labels as an array `(N,)` that sorts well: integers where each is written as one, else strings.

    >>> sortable(["10", "9"]).tolist(), sortable(["10", "99999999999999999999"]).tolist()
    ([10, 9], ['10', '99999999999999999999'])
    """
    text = [label or "" for label in labels]
    if all(map(_is_number, set(text))):
        return np.array([int(label) for label in text], np.int64)
    return np.array(text)


def _is_number(label: str) -> bool:
    """Whether a label is a whole number as one writes it, of few enough digits for 64 bits."""
    return label.isascii() and label.isdigit() and len(label) <= 18 and str(int(label)) == label


def _as_index(image: str, count: int) -> int | None:
    if not (image.isascii() and image.isdigit() and len(image) <= 18):
        return None
    return int(image) if int(image) < count else None


def _read_rows(path: Path) -> Iterable[tuple[int, str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.DictReader(file)
            if not {"image", "label"} <= set(reader.fieldnames or ()):
                header = ",".join(reader.fieldnames or ())
                raise DataError(f"{path} has the header {header!r}; image,label is needed")
            for row in reader:
                if not row["image"] or not row["label"]:
                    raise DataError(f"{path}, line {reader.line_num}: a row needs both image and label")
                yield reader.line_num, row["image"], row["label"]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(why_not_read(path, error)) from error
    except csv.Error as error:
        raise DataError(f"{path} is no CSV file: {error}") from error
