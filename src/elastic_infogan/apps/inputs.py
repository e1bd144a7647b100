"""Images as a verb needs them: loaded with a bar, unusable files named, imbalance drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.apps import terminal
from elastic_infogan.data import imbalance
from elastic_infogan.data.images import ImageSet
from elastic_infogan.data.sources import load
from elastic_infogan.errors import ConfigError

if TYPE_CHECKING:  # it brings torch along, which packing does not need
    from elastic_infogan.core.class_model import ClassModel
    from elastic_infogan.training.run import Run

__all__ = ["drawn", "indices_of", "read", "read_for", "read_of_run"]


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
    run: Run, model: ClassModel, source: str | None = None, labels: str | None = None
) -> tuple[ImageSet, ImageSet]:
    """The images of `source`, or those that a run was trained on, and the whole set that they are from."""
    if source is not None:
        images = read_for(model, source, labels)
        return images, images
    everything = read_for(model, run.config.source, labels or run.config.labels)
    return drawn(everything, run.config.imbalance), everything


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
