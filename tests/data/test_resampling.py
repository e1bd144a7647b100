"""Batches are resampled as Pillow does it to one picture after another."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from elastic_infogan.data.pictures import decode
from elastic_infogan.data.resampling import fit_batch, lanczos


def by_pillow(images: np.ndarray, size: int) -> np.ndarray:
    results = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(file, "PNG")
        results.append(decode(file, size, image.shape[2]))
    return np.stack(results).astype(int)


@pytest.mark.parametrize("shape", [(28, 28, 1), (20, 33, 3), (41, 17, 1)])
@pytest.mark.parametrize("size", [8, 28, 32, 50])
def test_as_pillow_does_it(shape, size):
    """Pillow may take the columns first: then the same holds for the transposed images."""
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), np.uint8)
    turned = fit_batch(images.transpose(0, 2, 1, 3), size).transpose(0, 2, 1, 3)
    errors = [np.abs(result - by_pillow(images, size)) for result in (fit_batch(images, size), turned)]
    error = min(errors, key=np.sum)
    assert error.shape == (5, size, size, shape[2])
    assert error.max() <= 1
    assert error.mean() < 0.001


def test_one_grey_level_stays_what_it_is():
    assert (fit_batch(np.full((2, 9, 14, 1), 77, np.uint8), 23) == 77).all()
    np.testing.assert_allclose(lanczos(9, 23, 0, 9).sum(1), 1, rtol=1e-6)
