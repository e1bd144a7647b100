"""What D sees: shifted, covered and recoloured as was drawn, with gradients to what was not covered."""

import pytest
import torch
from torch.testing import assert_close

from elastic_infogan.data.augmentation import augment, draw_augmentation


def still(n=1, channels=1, size=16):
    images = torch.rand(n, channels, size, size) * 2 - 1
    rows = {name: torch.zeros(n, 2) for name in ("shift", "centre", "reach")}
    rows["changed"] = torch.ones(n, 1, 1, 1, dtype=torch.bool)
    return images, rows


def test_nothing_drawn_changes_nothing():
    images, rows = still(4)
    assert_close(augment(images, rows), images)


def test_a_shift_is_by_whole_pixels_and_repeats_the_edge():
    images, rows = still()
    moved = augment(images, rows | {"shift": torch.tensor([[3.0, 0.0]])})
    assert_close(moved[..., :-3], images[..., 3:])
    assert_close(moved[..., -3:], images[..., -1:].expand(-1, -1, -1, 3))


def test_a_rectangle_is_covered():
    images, rows = still()
    images += 3
    seen = augment(images, rows | {"centre": torch.tensor([[8.5, 4.5]]), "reach": torch.tensor([[2.0, 4.0]])})
    lines, columns = torch.nonzero(seen[0, 0] == 0).unbind(1)
    assert (columns.min(), columns.max(), lines.min(), lines.max()) == (7, 10, 1, 8)
    assert (seen == 0).sum() == 4 * 8


@pytest.mark.parametrize("channels", [1, 3])
def test_range_and_shape_stay_and_each_image_is_changed_by_itself(channels):
    images = torch.rand(1, channels, 32, 32).repeat(16, 1, 1, 1) * 2 - 1
    seen = augment(images, draw_augmentation(16, images, 1.0))
    assert seen.shape == images.shape
    assert seen.abs().max() <= 1
    assert len({tuple(image.flatten().tolist()) for image in seen}) == 16


def test_as_many_are_changed_as_are_to_be():
    images = torch.rand(400, 3, 8, 8) * 2 - 1
    same = (augment(images, draw_augmentation(400, images, 0.25)) == images).flatten(1).all(1)
    assert 0.65 < same.float().mean() < 0.85


@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_reach_what_is_seen_and_only_that(channels):
    images = (torch.rand(4, channels, 16, 16) - 0.5).requires_grad_()
    rows = draw_augmentation(4, images, 1.0) | {"shift": torch.zeros(4, 2)}
    seen = augment(images, rows)
    (gradient,) = torch.autograd.grad(seen.square().sum(), images)
    covered = (seen == 0).all(1)
    assert 0 < covered.float().mean() < 0.5
    assert gradient.abs().sum(1)[~covered].min() > 0
    if channels == 1:  # contrast is about the mean, of which covered pixels of three channels are part
        assert gradient.abs().sum(1)[covered].max() < 1e-5
