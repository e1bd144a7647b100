"""The reference classifier: a small CNN that tells which class a generated image shows.

It is trained on labelled data once and cached. It belongs to evaluation only: no part of a run
reads its answers.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from elastic_infogan.core.networks import convolve_channels_last
from elastic_infogan.data.images import ImageSet
from elastic_infogan.errors import DataError
from elastic_infogan.evaluation.reference_network import (
    EXTRACTOR,
    ReferenceNetwork,
    in_batches,
    train_reference,
)
from elastic_infogan.files import cache_folder, replacing

__all__ = ["ReferenceClassifier", "reference_classifier"]

HASHED_AT_ONCE = 1000


@dataclass(frozen=True)
class ReferenceClassifier:
    """A trained classifier of one data set, and an extractor of features.

    Arguments:
        network: the trained network.
        size: height and width of the images it reads, in pixels.
        channels: 1 or 3.
        class_names: name of each class index.
        held_out_accuracy: share right among the labelled images that it was not trained on; NaN where
            no class has ten images, since then nothing is held out.
        name: name of the extractor, to stand in the key of every number that rests on it.
    """

    network: ReferenceNetwork
    size: tuple[int, int]
    channels: int
    class_names: tuple[str, ...]
    held_out_accuracy: float
    name: str = EXTRACTOR

    @property
    def n_classes(self) -> int:
        """C, the number of classes it tells apart."""
        return len(self.class_names)

    def predict(self, images: Tensor | NDArray[np.uint8]) -> NDArray[np.int64]:
        """Class of each image, int64 `(N,)`.

        Arguments:
            images: uint8 `(N, H, W, C)`, of the size and mode it was trained on, at least one.

        Raises:
            DataError: another size, mode or type.
        """
        logits = in_batches(self.network, self._checked(images), self.network.mean.device)
        return np.asarray(logits.argmax(1).numpy(), np.int64)

    def features(self, images: Tensor | NDArray[np.uint8]) -> Tensor:
        """Penultimate features, float32 `(N, F)` on the CPU.

        Arguments:
            images: uint8 `(N, H, W, C)`, of the size and mode it was trained on, at least one.

        Raises:
            DataError: another size, mode or type.
        """
        return in_batches(self.network.features, self._checked(images), self.network.mean.device)

    def _checked(self, images: Tensor | NDArray[np.uint8]) -> Tensor:
        pixels = images if isinstance(images, Tensor) else torch.from_numpy(np.ascontiguousarray(images))
        wanted, found = (*self.size, self.channels), tuple(pixels.shape[1:])
        if pixels.dtype != torch.uint8 or found != wanted:
            raise DataError(
                f"the reference classifier reads uint8 images {wanted}, not {images.dtype} {found}: "
                "load the labelled source with the size and channels of the images to judge"
            )
        return pixels


def reference_classifier(
    images: ImageSet,
    cache: Path | None = None,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
    device: str | None = None,
) -> ReferenceClassifier:
    """The classifier of a labelled set: from the cache, or trained on nine tenths of it.

    Give it all labelled images there are, not an imbalanced draw of them: it is the ruler, and a class
    that it hardly knows is measured badly.

    Arguments:
        images: labelled images of two classes or more.
        cache: folder to keep it in; the user's cache folder by default. A file there that cannot be
            read is replaced, and a folder that cannot be written costs a warning only.
        seed: of the weights, the tenth held out, batches and augmentation.
        progress: told the share of training done, in [0, 1].
        device: `cuda`, or any other for the CPU; None: CUDA where it is there.

    Raises:
        DataError: no labels, a label below zero, or fewer than two classes.
    """
    labels = _checked_labels(images)
    names = _class_names(images, labels)
    folder = cache or cache_folder()
    path = folder / f"{EXTRACTOR}-{_content_key(images, labels, len(names), seed)}.safetensors"
    on_gpu = torch.cuda.is_available() if device is None else device == "cuda"
    place = torch.device("cuda" if on_gpu else "cpu")
    with torch.device("meta"):  # no weights yet, and no draw from anybody's random numbers
        network = ReferenceNetwork(images.size, images.channels, len(names))
    accuracy = _restore(network, path)
    if accuracy is None:
        report = progress or (lambda share: None)
        network, accuracy = train_reference(images, labels, len(names), place, seed, report)
        _store(network, accuracy, path)
    convolve_channels_last(network)
    return ReferenceClassifier(network.to(place).eval(), images.size, images.channels, names, accuracy)


def _checked_labels(images: ImageSet) -> NDArray[np.int64]:
    if images.labels is None:
        raise DataError(f"{images.origin} has no labels; the reference classifier needs them: use --labels")
    if len(images.labels) and images.labels.min() < 0:
        first = images.name(int(np.argmax(images.labels < 0)))
        raise DataError(f"{images.origin}: the label of image {first} is below zero")
    if len(np.unique(images.labels)) < 2:
        raise DataError(f"{images.origin}: labels of fewer than two classes, there is nothing to tell apart")
    return images.labels


def _class_names(images: ImageSet, labels: NDArray[np.int64]) -> tuple[str, ...]:
    named = images.class_names
    return named + tuple(str(i) for i in range(len(named), int(labels.max()) + 1))


def _content_key(images: ImageSet, labels: NDArray[np.int64], n_classes: int, seed: int) -> str:
    """Hash of all that training depends on: pixels, labels, number of classes, seed and `EXTRACTOR`."""
    digest = hashlib.sha256(f"{EXTRACTOR} {seed} {n_classes} {images.images.shape}".encode())
    for start in range(0, len(images), HASHED_AT_ONCE):
        digest.update(images.images[start : start + HASHED_AT_ONCE].tobytes())
    digest.update(labels.astype("<i8").tobytes())
    return digest.hexdigest()[:24]


def _restore(network: ReferenceNetwork, path: Path) -> float | None:
    """Fill `network` from the cache; its held-out accuracy, or None where the file is absent or spoilt."""
    try:
        with safe_open(path, framework="pt") as file:
            header: dict[str, Any] = json.loads(file.metadata()["reference"])
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        network.load_state_dict(tensors, assign=True)
        accuracy = header["held_out_accuracy"]
        return math.nan if accuracy is None else float(accuracy)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError):
        return None


def _store(network: ReferenceNetwork, accuracy: float, path: Path) -> None:
    """Tensors beside a JSON header in one file, whole or absent."""
    known = None if math.isnan(accuracy) else accuracy
    header = {"reference": json.dumps({"extractor": EXTRACTOR, "held_out_accuracy": known})}
    tensors = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            save_file(tensors, beside, header)
    except (OSError, SafetensorError) as error:
        warnings.warn(f"the reference classifier could not be cached in {path.parent}: {error}", stacklevel=3)
