"""A labelled set small enough to train a reference classifier on, and that classifier."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from elastic_infogan.data.images import ImageSet
from elastic_infogan.evaluation.reference import ReferenceClassifier, reference_classifier


@dataclass(frozen=True)
class Trained:
    """A classifier, where it is cached, and the progress its training reported."""

    reference: ReferenceClassifier
    cache: Path
    reported: list[float]


@pytest.fixture(scope="session")
def digits() -> ImageSet:
    data, target = load_digits(return_X_y=True)
    images = (data.reshape(-1, 8, 8, 1) * 15.9375).astype(np.uint8)
    return ImageSet(images, "digits", labels=target.astype(np.int64), class_names=tuple("0123456789"))


@pytest.fixture(scope="session")
def trained(digits, tmp_path_factory) -> Trained:
    cache, reported = tmp_path_factory.mktemp("reference") / "made on demand", []
    with pytest.MonkeyPatch.context() as patch:  # digits need fewer steps than the least we allow
        patch.setattr("elastic_infogan.evaluation.reference_network.STEPS_AT_LEAST", 200)
        return Trained(reference_classifier(digits, cache, progress=reported.append), cache, reported)
