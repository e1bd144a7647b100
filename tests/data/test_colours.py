"""Colours: greys stay, a third of a turn permutes the channels, greyscale agrees with kornia."""

import pytest
import torch
from kornia.color import rgb_to_grayscale

from elastic_infogan.data.colours import draw_colours, hue_turns, recolour


def changed(images, **ranges):
    return recolour(images, **draw_colours(*images.shape[:2], images.device, **ranges))


def test_a_third_of_a_turn_makes_red_green_and_leaves_grey():
    turn = hue_turns(torch.tensor([1 / 3]))[0]
    red, green, grey = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0.4, 0.4, 0.4]])
    torch.testing.assert_close(turn @ red, green, atol=1e-6, rtol=0)
    torch.testing.assert_close(turn @ grey, grey, atol=1e-6, rtol=0)


def test_greyscale_agrees_with_an_independent_implementation():
    images = torch.rand(4, 3, 8, 8)
    views = changed(images * 2 - 1, colour=0.0, hue=0.0, greyscale=1.0)
    oracle = rgb_to_grayscale(images).expand(4, 3, 8, 8) * 2 - 1
    torch.testing.assert_close(views, oracle, atol=1e-5, rtol=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_brightness_and_contrast_change_images_within_the_range(channels):
    images = torch.rand(16, channels, 8, 8) * 2 - 1
    views = changed(images, colour=0.4, hue=0.1, greyscale=0.2)
    assert views.shape == images.shape
    assert views.abs().max() <= 1
    assert ((views - images).abs().amax((1, 2, 3)) > 0.01).all()


def test_without_ranges_nothing_changes():
    images = torch.rand(4, 3, 8, 8) * 2 - 1
    torch.testing.assert_close(changed(images, colour=0.0, hue=0.0, greyscale=0.0), images, atol=1e-5, rtol=0)
