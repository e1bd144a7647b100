"""The class of every image: a table with one row an image and, on request, a folder for each class."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from elastic_infogan.apps import terminal
from elastic_infogan.apps.copies import copy_by_class
from elastic_infogan.apps.extras import need
from elastic_infogan.apps.inference import posteriors
from elastic_infogan.apps.inputs import read_for
from elastic_infogan.apps.names import ClassNames
from elastic_infogan.apps.output import empty_folder, written_whole
from elastic_infogan.apps.parquet import write_parquet
from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.data.images import ImageSet
from elastic_infogan.data.sources import holds_pictures, load
from elastic_infogan.errors import ConfigError
from elastic_infogan.files import expanded
from elastic_infogan.training.config import Config, overlay
from elastic_infogan.training.hardware import choose_device
from elastic_infogan.training.limits import within_limits
from elastic_infogan.training.run import Run

if TYPE_CHECKING:
    from elastic_infogan.training.processes import Processes

__all__ = ["Request", "assign", "assignment_rows", "quoted", "write_assignments"]

NOTHING_WRITTEN = "nothing was written"
"""What an assignment leaves when it is cut short."""

_CELL = 9
"""characters of `,0.123456`"""
_THOUSAND = np.frombuffer("".join(f"{i:03d}" for i in range(1000)).encode(), np.uint8).reshape(1000, 3)


@dataclass(frozen=True)
class Request:
    """What is asked of `assign`.

    Arguments:
        run: the run folder.
        source: of the images.
        out: the file to write; its suffix says how.
        copy_to: an empty folder for copies of the pictures by class, or None.
    """

    run: Path
    source: str
    out: Path
    copy_to: Path | None = None


@dataclass(frozen=True)
class Job:
    """A request with everything at hand."""

    request: Request
    model: ClassModel
    names: ClassNames
    images: ImageSet

    @classmethod
    def of(cls, request: Request, device: str | torch.device) -> Job:
        """Load run and images, and see that what is to be written can be."""
        _writer(request.out)
        opened = Run.open(request.run)
        model = opened.load_model(device)
        images = read_for(model, request.source)
        if request.copy_to is not None:
            _refuse_inside(request.source, request.copy_to)
            empty_folder(request.copy_to, "--copy-to")
        return cls(request, model, ClassNames.of(opened, model.n_classes), images)

    def write(self, answers: Iterable[NDArray[np.float64]]) -> None:
        """Write the file from Q's `answers`, and the copies, and say so."""
        out, copy_to = self.request.out, self.request.copy_to
        started = perf_counter()
        codes = _writer(out)(out, self.images, answers, self.names)
        rate = len(codes) / (perf_counter() - started)
        # What is written to may be standard output itself.
        say = terminal.say if out.is_file() else terminal.note
        say(f"{len(codes):,} images in {out} ({rate:,.0f} images/s)")
        if copy_to is not None:
            copy_by_class(self._to_copy(), codes, self.names, copy_to)
            terminal.say(f"{len(codes):,} pictures copied to {copy_to}")

    def _to_copy(self) -> ImageSet:
        """The images as their source has them: the network's are of its own size and mode."""
        source = self.request.source
        return self.images if holds_pictures(source) else load(source)  # pictures are copied as files


def _refuse_inside(source: str, folder: Path) -> None:
    top = expanded(source)
    if top.is_dir() and folder.resolve().is_relative_to(top.resolve()):
        raise ConfigError(
            f"--copy-to {folder} lies inside SOURCE, which would hold every picture twice: choose one outside"
        )


def assign(request: Request, device: str, devices: int = 1, nodes: int = 1) -> None:
    """Write the class of every image, and copy the pictures by class where that is asked for.

    Of several processes each answers for its share of the batches, and the first one writes them all.

    Raises:
        ElasticInfoGANError: something asked for is not there or does not fit, or a process was lost.
    """
    asked = {"source": request.source, "device": device, "devices": devices, "nodes": nodes}
    config = overlay(Config(), asked, "assign")
    within_limits(config)
    if devices * nodes == int(os.environ.get("WORLD_SIZE", "1")) == 1:
        job = Job.of(request, choose_device(device))
        job.write(posteriors(job.model, job.images.images))
        return
    from elastic_infogan.apps.processes import in_all  # two seconds, which one process can do without

    in_all(config, lambda processes: _assign_together(request, config, processes), NOTHING_WRITTEN)


def _assign_together(request: Request, config: Config, processes: Processes) -> None:
    from elastic_infogan.training.meeting import same_for_all, together

    job = together(processes, lambda: Job.of(request, processes.fabric.device), in_turn=True)
    same_for_all(processes, config, job.images.images)
    answers = posteriors(job.model, job.images.images, processes)
    if processes.first:
        job.write(answers)
    else:
        deque(answers, maxlen=0)  # only for the others to be told


def _writer(out: Path) -> Callable[..., NDArray[np.int64]]:
    """What writes the table, by the suffix of its file.

    Raises:
        ElasticInfoGANError: it is neither .csv nor .parquet, or needs a package that is not there.
    """
    if out.suffix.lower() in (".csv", ""):
        return write_assignments
    if out.suffix.lower() != ".parquet":
        raise ConfigError(f"--out {out}: .csv and .parquet are written, {out.suffix} is not")
    need(str(out), "parquet", "pyarrow")
    return write_parquet


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
