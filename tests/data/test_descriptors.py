"""What images are compared by besides learned features."""

import pytest
import torch

from elastic_infogan.data.descriptors import CELLS, ORIENTATIONS, coarse_pixels, oriented_gradients, upright


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
