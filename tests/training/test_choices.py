"""What is left open is chosen from the images; what is given stays."""

from dataclasses import replace

import numpy as np
import pytest

from elastic_infogan.errors import ConfigError
from elastic_infogan.training.choices import choose
from elastic_infogan.training.config import Config, Views, flatten, from_toml, overlay, to_toml
from elastic_infogan.training.presets import PRESETS
from elastic_infogan.training.recipes import PAPER
from elastic_infogan.training.state import build, setup
from elastic_infogan.training.steps import play


def noise(n=40, size=28, channels=1):
    return np.random.default_rng(0).integers(0, 256, (n, size, size, channels), np.uint8)


def test_nothing_is_left_open_and_choosing_again_changes_nothing(digits):
    chosen = choose(Config(source="digits", classes=10), digits)
    others = ("labels", "imbalance", "steps", "prior.shares")  # what no choice is made of
    assert [name for name, value in flatten(chosen).items() if value is None and name not in others] == []
    assert chosen.views == PRESETS["digits"]
    assert choose(chosen, digits) == chosen
    assert overlay(Config(), from_toml(to_toml(chosen), "file"), "file") == chosen


def test_a_model_of_a_configuration_that_is_still_open_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"^classes and .*encoder_width must be set"):
        build(Config(), 28, 1)
    assert build(choose(Config(classes=3), noise()), 28, 1).n_classes == 3


def test_what_is_given_stays():
    given = Config(batch=32, views=Views(preset="faces", rotate=3.0), minutes=7.0)
    chosen = choose(given, noise())
    assert (chosen.batch, chosen.minutes) == (32, 7.0)
    assert chosen.views == replace(PRESETS["faces"], rotate=3.0)


def test_no_batch_is_larger_than_the_set():
    chosen = choose(Config(), noise(40))
    assert (chosen.batch, chosen.schedule.encode_batch) == (40, 40)


def test_d_sees_few_images_changed_and_those_of_published_recipes_never():
    assert [choose(Config(), noise(n)).adversary.augment for n in (40, 9_999, 10_000)] == [True, True, False]
    assert choose(PAPER, noise()).adversary.augment is False


def test_the_published_recipe_keeps_its_views_and_networks():
    chosen = choose(PAPER, noise(size=64))
    assert (chosen.networks, chosen.batch) == (replace(PAPER.networks, encoder_width=16), 64)
    published = {name: value for name, value in flatten(PAPER.views).items() if value is not None}
    assert published.items() <= flatten(chosen.views).items()
    assert not any([chosen.views.crop, chosen.views.hue, chosen.views.greyscale])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [32, 64, 128])
def test_every_size_and_mode_trains_a_step(size, channels):
    config = Config(source="noise", classes=3, steps=1, device="cpu", batch=4)
    state = setup(config, noise(8, size, channels))
    state.stage = "play"
    before = state.model.generator.up[-2].weight.clone()
    play(state)
    assert not before.equal(state.model.generator.up[-2].weight)
