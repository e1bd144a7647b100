"""A run as the explorer shows it: its classes with names and merges, images page by page, new images."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from elastic_infogan.apps.assignments import assignment_rows
from elastic_infogan.apps.gallery import Gallery
from elastic_infogan.apps.names import ClassNames, suggested_merges
from elastic_infogan.apps.pictures import png, resized
from elastic_infogan.apps.steering import Wish, directions, steered
from elastic_infogan.data.pictures import UnusableError, decode, read_header
from elastic_infogan.errors import ConfigError, DataError, RunError
from elastic_infogan.evaluation.answers import Answers
from elastic_infogan.training.telemetry import grid

__all__ = ["MOST_MEGAPIXELS", "PAGE", "Explored", "Page", "Shown"]

PAGE = 60
"""images on a page"""
EXAMPLES, ACROSS = 8, 4
"""images beside the name of a class, and of these in a row"""
MOST_MEGAPIXELS = 50
"""of a picture that is dropped in: what a telephone takes, and 150 MB once decoded"""
LARGEST = 128
"""pixels of a side among others on a page; one that is looked at by itself has all of its own"""
_ROWS = 2000
"""rows of the table that are made at once"""


@dataclass(frozen=True)
class Shown:
    """An image as the page shows it: its name, a PNG, and its likeliest classes with their probabilities.

    `index` is its place in the set, where it has one.
    """

    name: str
    png: bytes
    likely: list[dict[str, Any]]
    index: int | None = None


@dataclass(frozen=True)
class Page:
    """Images of a class, the number of its pages, and of its images in all."""

    images: list[Shown]
    pages: int
    total: int


@dataclass(frozen=True)
class _Sorted:
    """Images by class as names and merges stand, replaced as a whole: a reader never sees half of a merge.

    Arguments:
        classes: names and merges.
        answers: Q's, with merged classes as one under their lead.
        typical: images of a class by its lead, most typical first, filled as they are asked for.
    """

    classes: ClassNames
    answers: Answers
    typical: dict[int, NDArray[np.int64]]


class Explored:
    """A gallery that is looked at and named, by several threads if need be: the model serves one at a time.

    Arguments:
        gallery: a run, its images and Q's answers for them.

    Attributes:
        opened: tells this explorer from any that was served at the same address before.
    """

    def __init__(self, gallery: Gallery) -> None:
        self.gallery = gallery
        self.axes = directions(gallery.model)
        self.alike = suggested_merges(gallery.run, gallery.model.n_classes)
        self._model_lock, self._names_lock = Lock(), Lock()
        self.opened = secrets.token_hex(8)
        self._sorted = self._sort(ClassNames.of(gallery.run, gallery.model.n_classes))

    @property
    def classes(self) -> ClassNames:
        """Names and merges as they stand."""
        return self._sorted.classes

    def _sort(self, classes: ClassNames) -> _Sorted:
        """The class of every image."""
        answers = self.gallery.answers
        merged = classes.merge_probabilities(answers.probabilities)
        return _Sorted(classes, replace(answers, probabilities=merged), {})

    def rename(self, change: Callable[[ClassNames], ClassNames]) -> dict[str, Any]:
        """Change names or merges as they stand on disk, there first; what `summary` says then.

        Raises:
            ConfigError: the change is not possible.
            RunError: the run folder cannot be read or written, or has another model by now; nothing changed.
        """
        with self._names_lock:
            if self.gallery.run.model_state() != self.gallery.trained:
                raise RunError(
                    "the run was trained on since this page began: stop explore and start it again"
                )
            # Another page of the same run may have changed them since.
            classes = change(ClassNames.of(self.gallery.run, self.classes.n_classes))
            classes.save(self.gallery.run)
            same = classes.merged == self.classes.merged
            self._sorted = replace(self._sorted, classes=classes) if same else self._sort(classes)
            return self.summary()

    def summary(self) -> dict[str, Any]:
        """The run, its latents and its classes, as the page asks for them first."""
        spec, images, now = self.gallery.model.spec, self.gallery.images, self._sorted
        return {
            "opened": self.opened,
            "run": _printable(self.gallery.run.path.resolve().name),
            "source": _printable(images.origin.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]),
            "images": len(images),
            "size": spec.size,
            "channels": spec.channels,
            "codes": [now.classes.title(code) for code in range(spec.n_classes)],
            "walk": len(self.axes),
            "continuous": spec.continuous,
            "alike": self.alike,
            "classes": [self._class(now, group) for group in now.classes.groups()],
        }

    def _class(self, now: _Sorted, group: tuple[int, ...]) -> dict[str, Any]:
        members = self._members(now, group[0])
        return {
            "code": group[0],
            "codes": list(group),
            "name": now.classes.name(group[0]),
            "title": now.classes.title(group[0]),
            "count": len(members),
            "share": len(members) / len(self.gallery.images),
            "prior": float(self.gallery.prior[list(group)].sum()),
        }

    def _members(self, now: _Sorted, code: int) -> NDArray[np.int64]:
        """The images of a class and those merged with it, most typical first."""
        lead = now.classes.lead(code)
        if lead not in now.typical:
            now.typical[lead] = now.answers.typical(lead, len(now.answers))
        return now.typical[lead]

    def page(self, code: int, page: int, *, uncertain: bool) -> Page:
        """One page of the images of a class, most typical or least certain first.

        Raises:
            ConfigError: there is no such class or page.
        """
        self.check(code)
        now = self._sorted
        members = self._members(now, code)
        if uncertain:
            certainty = now.answers.probabilities[members, now.classes.lead(code)]
            members = members[np.argsort(certainty, kind="stable")]
        pages = max(1, -(-len(members) // PAGE))
        if not 0 <= page < pages:
            raise ConfigError(f"there is no page {page + 1}; this class has {pages}")
        shown = members[page * PAGE : (page + 1) * PAGE]
        pixels, said = self.gallery.at(shown), self.gallery.answers.probabilities[shown]
        names = (_printable(self.gallery.images.name(index)) for index in shown.tolist())
        images = [
            Shown(name, png(_small(image)), _likely(now.classes, answer), index)
            for name, image, answer, index in zip(names, pixels, said, shown.tolist(), strict=True)
        ]
        return Page(images, pages, len(members))

    def image(self, index: int) -> bytes:
        """One image of the set as a PNG, in all its pixels.

        Raises:
            ConfigError: there is no such image.
        """
        if not 0 <= index < len(self.gallery.images):
            raise ConfigError(f"there is no image {index}; the set has {len(self.gallery.images):,}")
        return png(self.gallery.at(np.array([index]))[0])

    def examples(self, code: int) -> bytes:
        """The most typical images of a class on one PNG; one request instead of `EXAMPLES`.

        Raises:
            ConfigError: there is no such class, or no image is of it.
        """
        self.check(code)
        members = self._members(self._sorted, code)[:EXAMPLES]
        if not len(members):
            raise ConfigError(f"no image is of class {code}")
        file = BytesIO()
        images = np.stack([_small(image) for image in self.gallery.at(members)])
        grid(torch.from_numpy(images), ACROSS).save(file, "PNG")
        return file.getvalue()

    def make(self, wish: Wish) -> list[bytes]:
        """New images as PNG files, see `steered`."""
        for code in (wish.first, wish.first if wish.second is None else wish.second):
            self.check(code)
        if len(wish.walk) > len(self.axes) or len(wish.continuous) > self.gallery.model.spec.continuous:
            raise ConfigError("more sliders than this run has")
        with self._model_lock:
            images = steered(self.gallery.model, wish, self.axes)
        return [png(image) for image in images]

    def recognise(self, data: bytes) -> Shown:
        """A picture as the network sees it, and its most probable classes.

        Raises:
            DataError: it is no picture, or one with too many pixels.
        """
        spec = self.gallery.model.spec
        with self._model_lock:  # pictures that are decoded one at a time cannot fill the memory together
            try:
                header = read_header(BytesIO(data))
                if header.width * header.height > MOST_MEGAPIXELS * 1_000_000:
                    most = f"more than {MOST_MEGAPIXELS} megapixels"
                    raise UnusableError(f"{header.width:,}×{header.height:,} pixels, {most}")
                pixels = decode(BytesIO(data), spec.size, spec.channels)
            except UnusableError as error:
                raise DataError(f"this file cannot be used: {error}") from error
            probabilities, _ = self.gallery.model.posterior(torch.from_numpy(pixels[None].copy()))
        return Shown("", png(pixels), _likely(self.classes, probabilities[0].cpu().numpy()))

    def table(self) -> Iterator[bytes]:
        """The assignments as CSV, with a column for the names."""
        answers, classes = self.gallery.answers.probabilities, self.classes
        starts = range(0, len(answers), _ROWS)
        batches = (answers[start : start + _ROWS].astype(np.float64) for start in starts)
        for _, rows in assignment_rows(self.gallery.images, batches, classes, with_names=True):
            yield rows

    def check(self, code: int) -> None:
        """Refuse a class that the run does not have."""
        if not 0 <= code < self.classes.n_classes:
            raise ConfigError(f"this run has no class {code}; it has 0 to {self.classes.n_classes - 1}")


def _likely(classes: ClassNames, probabilities: NDArray[np.float32], most: int = 5) -> list[dict[str, Any]]:
    """The most probable classes of one image, likeliest first."""
    merged = classes.merge_probabilities(probabilities[None])[0]
    leads = [group[0] for group in classes.groups()]
    best = sorted(leads, key=lambda code: -merged[code])[:most]
    return [{"code": code, "title": classes.title(code), "probability": float(merged[code])} for code in best]


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image `(S, S, C)`, smaller where it is too large for a page of many."""
    return image if len(image) <= LARGEST else resized(image, LARGEST, LARGEST)


def _printable(name: str) -> str:
    """A file name as JSON can carry it, whatever its bytes are."""
    return name.encode("utf-8", "replace").decode("utf-8")
