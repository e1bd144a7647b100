"""Batches are resampled as Pillow does it to one picture after another."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from elastic_infogan.data.pictures import decode
from elastic_infogan.data.resampling import fit_batch, lanczos


@pytest.mark.parametrize("shape", [(28, 28, 1), (20, 33, 3), (41, 17, 1)])
@pytest.mark.parametrize("size", [8, 28, 32, 50])
def test_as_pillow_does_it(shape, size):
    images = np.random.default_rng(0).integers(90, 166, (5, *shape), np.uint8)  # overshoots nowhere
    fitted = fit_batch(images, size)
    assert fitted.shape == (5, size, size, shape[2])
    for image, result in zip(images, fitted, strict=True):
        file = io.BytesIO()
        Image.fromarray(image[..., 0] if shape[2] == 1 else image).save(file, "PNG")
        expected = decode(file, size, shape[2]).astype(int)
        assert np.abs(result - expected).max() <= 1
        assert np.abs(result - expected).mean() < 0.2


def test_one_grey_level_stays_what_it_is():
    assert (fit_batch(np.full((2, 9, 14, 1), 77, np.uint8), 23) == 77).all()
    np.testing.assert_allclose(lanczos(9, 23, 0, 9).sum(1), 1, rtol=1e-6)
