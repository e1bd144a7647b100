"""The class of every image: a CSV file with one row an image and, on request, a folder for each class."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.apps import terminal
from elastic_infogan.apps.extras import need
from elastic_infogan.apps.inference import posteriors
from elastic_infogan.apps.inputs import read_for
from elastic_infogan.apps.names import ClassNames
from elastic_infogan.apps.output import empty_folder, written_whole
from elastic_infogan.apps.parquet import write_parquet
from elastic_infogan.apps.pictures import png
from elastic_infogan.data.images import ImageSet
from elastic_infogan.errors import DataError
from elastic_infogan.training.hardware import choose_device
from elastic_infogan.training.run import Run

__all__ = ["assign", "assignment_rows", "copy_by_class", "quoted", "safe_path", "write_assignments"]

_CELL = 9
"""characters of `,0.123456`"""
_THOUSAND = np.frombuffer("".join(f"{i:03d}" for i in range(1000)).encode(), np.uint8).reshape(1000, 3)


def assign(run: Path, source: str, out: Path, copy_to: Path | None, device: str) -> None:
    """Write the class of every image to `out`, whose suffix says how, and copy the pictures by class."""
    write = write_assignments
    if out.suffix.lower() == ".parquet":
        need(str(out), "parquet", "pyarrow")
        write = write_parquet
    opened = Run.open(run)
    model = opened.load_model(choose_device(device))
    names = ClassNames.of(opened, model.n_classes)
    images = read_for(model, source)
    folder = None if copy_to is None else empty_folder(copy_to, "--copy-to")
    started = perf_counter()
    codes = write(out, images, posteriors(model, images.images), names)
    rate = len(codes) / (perf_counter() - started)
    terminal.say(f"{len(codes):,} images in {out} ({rate:,.0f} images/s)")
    if folder is not None:
        copy_by_class(images, codes, model.n_classes, folder)
        terminal.say(f"{len(codes):,} pictures copied to {folder}")


def write_assignments(
    path: Path, images: ImageSet, posteriors: Iterable[NDArray[np.float64]], classes: ClassNames
) -> NDArray[np.int64]:
    """Write `image,class,probability,p_0,…,p_K-1`, one row an image; see `assignment_rows`.

    Returns: the class of each image, int64 `(N,)`.
    """
    found = []
    with written_whole(path) as file:
        for codes, rows in assignment_rows(images, posteriors, classes, with_names=bool(classes)):
            file.write(rows)
            found.append(codes)
    return np.concatenate(found)


def assignment_rows(
    images: ImageSet, posteriors: Iterable[NDArray[np.float64]], classes: ClassNames, *, with_names: bool
) -> Iterator[tuple[NDArray[np.int64], bytes]]:
    """The table of assignments as CSV, batch by batch: classes `(B,)` and their rows; the header first.

    Merged classes count as one: `class` is their lowest number and `probability` the sum of theirs, while
    the columns `p_0,…` stay as Q said.

    Arguments:
        posteriors: probabilities `(B, K)` in the order of the images; only one batch is held at a time.
        with_names: a last column `name`, empty where a class has none.
    """
    columns = ["image", "class", "probability", *(f"p_{k}" for k in range(classes.n_classes))]
    header = ",".join([*columns, "name"] if with_names else columns)
    yield np.empty(0, np.int64), f"{header}\n".encode()
    ends = [f",{quoted(classes.name(k))}\n" if with_names else "\n" for k in range(classes.n_classes)]
    start = 0
    for batch in posteriors:
        merged = classes.merge_probabilities(batch)
        codes = merged.argmax(axis=1)
        names = [quoted(images.name(i)) for i in range(start, start + len(batch))]
        text = _rows(names, codes, np.column_stack([merged.max(axis=1), batch]), ends)
        # a file name that is not valid Unicode goes back to its own bytes
        yield codes, text.encode("utf-8", "surrogateescape")
        start += len(batch)


def _rows(names: list[str], codes: NDArray[np.int64], table: NDArray[np.float64], ends: list[str]) -> str:
    text = _decimals(table)
    width = _CELL * table.shape[1]
    cells = [text[i : i + width] for i in range(0, len(text), width)]
    lines = zip(names, codes.tolist(), cells, strict=True)
    return "".join([f"{name},{code}{cell}{ends[code]}" for name, code, cell in lines])


def _decimals(table: NDArray[np.float64]) -> str:
    """Numbers `(N, M)` in [0, 1] as N · M cells `,0.123456`, ten times as fast as one format call each.

    >>> _decimals(np.array([[1.0, 0.0312504]]))
    ',1.000000,0.031250'
    """
    millionths = np.rint(table * 1_000_000).astype(np.int64)
    units, rest = np.divmod(millionths, 1_000_000)
    upper, lower = np.divmod(rest, 1000)
    cells = np.empty((*table.shape, _CELL), np.uint8)
    cells[..., 0], cells[..., 2] = ord(","), ord(".")
    cells[..., 1] = units + ord("0")
    cells[..., 3:6], cells[..., 6:9] = _THOUSAND[upper], _THOUSAND[lower]
    return cells.tobytes().decode("ascii")


def quoted(name: str) -> str:
    """A CSV cell by RFC 4180.

    >>> quoted("a.png"), quoted('7" disc, old.png')
    ('a.png', '"7"" disc, old.png"')
    """
    return '"' + name.replace('"', '""') + '"' if any(c in name for c in ',"\r\n') else name


def copy_by_class(images: ImageSet, codes: NDArray[np.int64], n_classes: int, folder: Path) -> None:
    """Copy every picture to `folder/class-XX/`: the original file, or a PNG of an array's image.

    Arguments:
        codes: class of each image, `(N,)`.
        folder: an empty folder; sub-folders of the source are kept below each class.
    """
    digits = max(2, len(str(n_classes - 1)))
    with _contents(images) as content:
        for index, code in enumerate(codes.tolist()):
            name, data = content(index)
            target = _free(folder / f"class-{code:0{digits}d}" / safe_path(name))
            with written_whole(target) as file:
                file.write(data)


def safe_path(name: str) -> PurePosixPath:
    """A name from inside a source as a path that cannot leave the folder it is put in.

    >>> str(safe_path("../../etc/./x.png")), str(safe_path("C:\\\\pets\\\\x.png"))
    ('etc/x.png', 'C_/pets/x.png')
    """
    parts = name.replace("\\", "/").replace(":", "_").split("/")
    return PurePosixPath(*[part for part in parts if part not in ("", ".", "..")] or ["unnamed"])


def _free(path: Path) -> Path:
    """`path`, or `path-2` and so on where two names of a source become the same path."""
    candidate, n = path, 1
    while candidate.exists():
        n += 1
        candidate = path.with_stem(f"{path.stem}-{n}")
    return candidate


@contextmanager
def _contents(images: ImageSet) -> Iterator[Callable[[int], tuple[str, bytes]]]:
    """What gives the file name and bytes of the picture at an index."""
    source = Path(images.origin).expanduser()
    if images.names is None:
        width = len(str(len(images) - 1))
        yield lambda i: (f"{i:0{width}d}.png", png(np.asarray(images.images[i])))
    elif source.is_file() and zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            yield lambda i: (images.name(i), archive.read(images.name(i)))
    elif (source / images.name(0)).exists():
        yield lambda i: (images.name(i), _bytes(source / images.name(i)))
    else:  # a packed store has names, but its originals are elsewhere
        yield lambda i: (f"{images.name(i)}.png", png(np.asarray(images.images[i])))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read any more: {error.strerror or error}") from error
