"""What images are compared by besides learned features."""

import numpy as np
import pytest
import torch

from elastic_infogan.data.descriptors import (
    CELLS,
    ORIENTATIONS,
    coarse_pixels,
    concavities,
    oriented_gradients,
    upright,
)


def bar(horizontal, place=14, thickness=3, value=255, size=28):
    image = torch.zeros(1, 1, size, size, dtype=torch.uint8)
    view = image if horizontal else image.transpose(2, 3)
    view[:, :, place : place + thickness, 4:-4] = value
    return image


def cosine(a, b):
    return float(torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0))


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (28, 1), (64, 3), (128, 3)])
def test_descriptors_of_any_size_and_mode_are_finite(size, channels):
    images = torch.randint(0, 256, (3, channels, size, size), dtype=torch.uint8)
    for describe in (coarse_pixels, oriented_gradients):
        found = describe(images)
        assert len(found) == 3
        assert found.isfinite().all()


def test_a_bar_fills_the_bin_of_its_direction():
    of_direction = oriented_gradients(bar(True)).view(ORIENTATIONS, CELLS, CELLS).sum((1, 2))
    assert of_direction.argmax() == ORIENTATIONS // 2  # edges run down
    of_direction = oriented_gradients(bar(False)).view(ORIENTATIONS, CELLS, CELLS).sum((1, 2))
    assert of_direction.argmax() == 0


def test_gradients_tell_directions_rather_than_thickness_and_contrast():
    one = oriented_gradients(bar(True))
    assert cosine(one, oriented_gradients(bar(True, 13, 5, 150))) > 0.9
    assert cosine(one, oriented_gradients(bar(False))) < 0.5


def test_a_line_through_a_shape_changes_coarse_pixels_little():
    shape = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    shape[..., 4:8, 6:22] = shape[..., 8:26, 17:21] = 255
    crossed = torch.maximum(shape, bar(True, 14, 2))
    other = shape.flip(-1)
    assert cosine(coarse_pixels(shape), coarse_pixels(crossed)) > cosine(
        coarse_pixels(shape), coarse_pixels(other)
    )


def slanted(by, size=64, across=20, down=18, high=24):
    image = torch.zeros(1, 1, size, size, dtype=torch.uint8)
    for y in range(high):
        start = across + round(by * (high - y))
        image[..., down + y, start : start + 5] = 255
    image[..., down + high - 4 : down + high, across : across + 18] = 255
    return image


@pytest.mark.parametrize("negative", [False, True])
def test_upright_copies_do_not_tell_slant_place_size_and_polarity(negative):
    plain = upright(slanted(0)).float()
    other = slanted(0.3, across=8, down=6, high=36)
    other = upright(other ^ 255 if negative else other).float()
    assert plain.shape == (1, 1, 28, 28)
    assert cosine(plain, other) > 0.85 > cosine(slanted(0).float(), slanted(0.3, 64, 8, 6, 36).float())
    assert plain.flip(3).flatten() @ other.flatten() < plain.flatten() @ other.flatten()


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (28, 1), (64, 3), (128, 3)])
def test_images_of_one_tone_and_of_any_size_can_be_set_upright(size, channels):
    images = torch.full((2, channels, size, size), 7, dtype=torch.uint8)
    assert (upright(images) == 0).all()


def loop(open_sides):
    """The strokes of a square but for some sides: 0 up, 1 down, 2 left, 3 right."""
    image = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    sides = (np.s_[5:8, 8:20], np.s_[15:18, 8:20], np.s_[5:18, 8:11], np.s_[5:18, 17:20])
    for side in set(range(4)) - set(open_sides):
        image[0, 0][sides[side]] = 255
    return image


@pytest.mark.parametrize(("open_side", "found"), [((), 0), ((0,), 1), ((1,), 2), ((2,), 3), ((3,), 4)])
def test_concavities_tell_which_way_strokes_are_open(open_side, found):
    amounts = concavities(loop(open_side)).square().sum(2)[0]
    assert amounts.argmax() == found
    assert amounts[found] > 3 * (amounts.sum() - amounts[found])


def test_what_is_open_on_two_sides_or_bears_no_ink_is_not_concave():
    assert concavities(loop((0, 3))).amax() == 0
    assert concavities(torch.zeros(2, 1, 28, 28, dtype=torch.uint8)).shape == (2, 5, CELLS**2)
    assert not concavities(torch.zeros(2, 1, 28, 28, dtype=torch.uint8)).any()


def test_a_four_and_a_nine_differ_more_in_what_they_enclose_than_in_their_strokes():
    nine, four = loop(()), loop((0,))
    nine[..., 18:25, 17:20] = four[..., 18:25, 17:20] = 255
    assert cosine(oriented_gradients(nine), oriented_gradients(four)) > 0.75
    assert cosine(concavities(nine), concavities(four)) < 0.25


def test_faint_ink_bars_the_way_as_far_as_it_is_dark():
    whole, half, faint = (concavities(loop(()) // by)[0, 0].square().sum() for by in (1, 2, 8))
    assert whole == pytest.approx(float(half), rel=0.05)
    assert faint < 0.01 * whole
