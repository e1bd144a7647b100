"""Images as a verb needs them: loaded with a bar, unusable files named, imbalance drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.apps import terminal
from elastic_infogan.data import imbalance
from elastic_infogan.data.images import ImageSet
from elastic_infogan.data.labels import from_csv
from elastic_infogan.data.sources import load, locate, same_place
from elastic_infogan.errors import ConfigError, DataError

if TYPE_CHECKING:  # it brings torch along, which packing does not need
    from elastic_infogan.core.class_model import ClassModel
    from elastic_infogan.training.run import Run

__all__ = ["OfRun", "drawn", "indices_of", "read", "read_for", "read_of_run"]


@dataclass(frozen=True)
class OfRun:
    """What a run is looked at on.

    Arguments:
        images: those that are asked about.
        everything: the whole set that they are from.
        trained_on: indices in `everything` of the images that the run was trained on, `(M,)`.
    """

    images: ImageSet
    everything: ImageSet
    trained_on: NDArray[np.int64]


def read(
    source: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    labels: str | None = None,
    store: str | None = None,
) -> ImageSet:
    """Load a source with a bar while pictures are decoded; unusable files are named."""
    with terminal.counted("decoding pictures") as progress:
        images = load(source, size=size, channels=channels, labels=labels, store=store, progress=progress)
    terminal.report_set_aside(images.origin, images.set_aside)
    return images


def read_for(model: ClassModel, source: str, labels: str | None = None) -> ImageSet:
    """Load a source in the size and mode that a model was trained on."""
    return read(source, size=model.spec.size, channels=model.spec.channels, labels=labels)


def read_of_run(
    run: Run, model: ClassModel, source: str | None = None, labels: str | None = None, *, judged: bool = True
) -> OfRun:
    """The images of `source`, or those that a run was trained on, with the whole set that they are from.

    Arguments:
        source: None: what the run was trained on, its imbalance drawn.
        labels: CSV file to judge by; the run's own labels still say what it was trained on.
        judged: whether labels are wanted for more than to draw the imbalance.

    Raises:
        DataError: the source cannot be read.
    """
    config = run.config
    if source is None:
        _see_that_it_is_there(run)
    elif not same_place(source, config.source):
        images = read_for(model, source, labels)
        return OfRun(images, images, np.zeros(0, np.int64))
    drawn_by = config.labels if labels is None or config.imbalance is not None else labels
    if not judged and config.imbalance is None:
        drawn_by = None
    everything = read_for(model, source or config.source, drawn_by)
    trained_on = indices_of(everything, config.imbalance)
    if labels is not None and labels != drawn_by:
        everything = _relabelled(everything, labels)
    whole = source is not None or config.imbalance is None
    return OfRun(everything if whole else everything.subset(trained_on), everything, trained_on)


def _see_that_it_is_there(run: Run) -> None:
    """Say which run looks in vain for its images, and what to do."""
    try:
        locate(run.config.source)
    except DataError as error:
        raise DataError(
            f"{run.path} was trained on {run.config.source!r}, which is not there, seen from this folder: "
            "give SOURCE as well"
        ) from error


def _relabelled(images: ImageSet, labels: str) -> ImageSet:
    """The same images with the labels of a CSV file instead of any that they have."""
    aside = [item.name for item in images.set_aside]
    found, names = from_csv(Path(labels), images.names, len(images), aside)
    return replace(images, labels=found, class_names=names)


def drawn(images: ImageSet, spec: str | None) -> ImageSet:
    """The imbalanced subset that `--imbalance` asks for; the labels choose it and nothing else.

    Raises:
        ConfigError: the source has no labels to draw by.
    """
    return images if spec is None else images.subset(indices_of(images, spec))


def indices_of(images: ImageSet, spec: str | None) -> NDArray[np.int64]:
    """Indices of the images that `--imbalance` takes, `(M,)`; all of them for None.

    Raises:
        ConfigError: the source has no labels to draw by.
    """
    if spec is None:
        return np.arange(len(images), dtype=np.int64)
    if images.labels is None:
        raise ConfigError(f"--imbalance draws by class, and {images.origin} has no labels: give --labels")
    return imbalance.draw(spec, images.labels)
