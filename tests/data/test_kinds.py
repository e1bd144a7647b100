"""The sort of pictures, told from real ones."""

import string

import numpy as np
import pytest
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_image

from elastic_infogan.data.kinds import recognise, square_edges
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


@pytest.fixture(scope="module")
def typeset():
    """The letters A-Z in three typefaces, light on dark, `(78, 28, 28, 1)`."""
    files = [f"{get_data_path()}/fonts/ttf/DejaVu{face}.ttf" for face in ("Sans", "Serif", "SansMono")]
    pictures = []
    for typeface in [ImageFont.truetype(file, 20) for file in files]:
        for letter in string.ascii_uppercase:
            picture = Image.new("L", (28, 28))
            ImageDraw.Draw(picture).text((14, 14), letter, 255, typeface, anchor="mm")
            pictures.append(np.asarray(picture))
    return np.stack(pictures)[..., None]


def test_small_letters_of_typefaces_are_told_from_handwriting(typeset):
    assert recognise(typeset).sort == "letters"
    assert recognise(255 - typeset).sort == "letters"
    mnist = load("mnist")
    for digit in range(10):
        assert recognise(mnist.images[mnist.labels == digit]).sort == "digits"


@pytest.mark.parametrize(("degrees", "square"), [(0, 1), (90, 1), (10, 0), (45, 0)])
def test_edges_run_square_where_they_are_level_or_upright(degrees, square):
    place = np.arange(28)
    across = place[:, None] * np.sin(np.radians(degrees)) + place * np.cos(np.radians(degrees))
    edge = np.uint8(255 * np.clip((across - 14) / 8 + 0.5, 0, 1))
    assert square_edges(edge[None, :, :, None]) == pytest.approx(square, abs=0.1)


def test_a_picture_of_one_tone_has_no_edges():
    assert square_edges(np.full((3, 28, 28, 1), 7, np.uint8)) == 0


def test_each_picture_has_edges_of_its_own(typeset):
    """One picture's edges do not reach into its neighbour's."""
    alone = square_edges(typeset[:1])
    assert square_edges(np.concatenate([typeset[:1], np.zeros_like(typeset[:1])])) == alone


def test_photographs_are_natural_in_colour_and_in_grey(photographs):
    assert recognise(photographs).sort == "natural"
    assert recognise(photographs[..., 1:2]).sort == "natural"


def test_things_on_a_plain_background_are_objects(photographs):
    framed = np.full((72, 80, 80, 3), 255, np.uint8)
    framed[:, 8:72, 8:72] = photographs // 2
    assert recognise(framed).sort == "objects"
    assert recognise(framed[..., :1]).sort == "objects"
