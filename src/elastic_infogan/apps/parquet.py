"""Assignments as a Parquet file, written row group by row group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.apps.names import ClassNames
from elastic_infogan.apps.output import written_whole
from elastic_infogan.data.images import ImageSet

__all__ = ["write_parquet"]

ROWS = 50_000
"""of a row group, which is what is held in memory at once"""


def write_parquet(
    path: Path, images: ImageSet, posteriors: Iterable[NDArray[np.float64]], classes: ClassNames
) -> NDArray[np.int64]:
    """The columns of `assignments.assignment_rows`: strings, int32 and float32.

    File names that are no valid Unicode, which Parquet has no place for, keep their bytes as `\\xe9`.

    Arguments:
        posteriors: probabilities `(B, K)`, batch by batch.

    Returns: the class of each image, int64 `(N,)`.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    numbers = ["probability", *(f"p_{k}" for k in range(classes.n_classes))]
    columns = [("image", pa.string()), ("class", pa.int32()), *((name, pa.float32()) for name in numbers)]
    schema = pa.schema([*columns, ("name", pa.string())] if classes else columns)
    found, waiting = [], []
    with written_whole(path) as file, ParquetWriter(file, schema) as writer:
        for codes, values in _columns(images, posteriors, classes):
            found.append(codes)
            arrays = [pa.array(v, column.type) for v, column in zip(values, schema, strict=True)]
            waiting.append(pa.record_batch(arrays, schema))
            if sum(map(len, waiting)) >= ROWS:
                writer.write_table(pa.Table.from_batches(waiting, schema), ROWS)
                waiting.clear()
        writer.write_table(pa.Table.from_batches(waiting, schema), ROWS)
    return np.concatenate(found)


def _columns(
    images: ImageSet, posteriors: Iterable[NDArray[np.float64]], classes: ClassNames
) -> Iterator[tuple[NDArray[np.int64], list[Any]]]:
    """The classes of each batch and the values of its columns; merged classes count as one."""
    start = 0
    for batch in posteriors:
        merged = classes.merge_probabilities(batch)
        codes = merged.argmax(axis=1)
        names = [_text(images.name(i)) for i in range(start, start + len(batch))]
        values: list[Any] = [names, codes, merged.max(axis=1), *batch.T]
        yield codes, [*values, [classes.name(k) for k in codes.tolist()]] if classes else values
        start += len(batch)


def _text(name: str) -> str:
    """A name that is valid Unicode.

    >>> _text("caf\\udce9.png")
    'caf\\\\xe9.png'
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
