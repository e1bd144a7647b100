"""The sort of pictures, told from real ones."""

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from elastic_infogan.data.kinds import recognise
from elastic_infogan.data.sources import load


@pytest.fixture(scope="module")
def photographs():
    """Squares cut from two photographs, `(72, 64, 64, 3)`."""
    pictures = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    corners = [(y, x) for y in range(0, 360, 64) for x in range(0, 384, 64)]
    return np.stack([p[y : y + 64, x : x + 64] for p in pictures for y, x in corners])


@pytest.mark.parametrize("name", ["mnist", "digits"])
def test_digits_are_strokes(name):
    assert recognise(load(name).images).sort == "digits"


def test_photographs_are_natural_in_colour_and_in_grey(photographs):
    assert recognise(photographs).sort == "natural"
    assert recognise(photographs[..., 1:2]).sort == "natural"


def test_things_on_a_plain_background_are_objects(photographs):
    framed = np.full((72, 80, 80, 3), 255, np.uint8)
    framed[:, 8:72, 8:72] = photographs // 2
    assert recognise(framed).sort == "objects"
    assert recognise(framed[..., :1]).sort == "objects"
