"""Settings that no training could start with are refused by their flag; every recipe is within the limits."""

from dataclasses import replace

import numpy as np
import pytest

from elastic_infogan.errors import ConfigError
from elastic_infogan.training.choices import choose
from elastic_infogan.training.config import Config, flatten, overlay
from elastic_infogan.training.limits import LIMITS, within_limits
from elastic_infogan.training.recipes import RECIPES


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_within_the_limits(recipe):
    within_limits(replace(RECIPES[recipe], steps=1, minutes=0.1, classes=2))


def test_every_limit_is_of_a_setting_and_every_number_has_one():
    images = np.zeros((4, 28, 28, 1), np.uint8)
    settled = choose(Config(classes=2, steps=1, minutes=1.0), images)
    numbers = {name for name, value in flatten(settled).items() if type(value) in (int, float)}
    by_name = {name for name in numbers if name.startswith("views.") or name.endswith("learning_rate")}
    assert LIMITS.keys() <= numbers
    # the size has to fit the images, and classes may be a range: see sought
    assert numbers - by_name - LIMITS.keys() == {"size", "classes"}


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("steps", 0, "--steps 0: 1 or more is needed"),
        ("minutes", float("nan"), "--minutes nan: a number above 0 is needed"),
        ("minutes", float("inf"), "--minutes inf: a number above 0 is needed"),
        ("prior.temperature", 0.0, "--prior.temperature 0: a number above 0 is needed"),
        ("optimiser.q_learning_rate", -1.0, "--optimiser.q-learning-rate -1: 0 or more is needed"),
        ("views.corners", -0.5, "--views.corners -0.5: 0 to 0.4 is needed"),
        ("views.zoom", 1.5, "--views.zoom 1.5: 0 to 0.95 is needed"),
        ("views.thickness", 1.5, "--views.thickness 1.5: 0 to 1 is needed"),
        ("views.opening", 3.0, "--views.opening 3: 0 to 1 is needed"),
        ("optimiser.beta1", 1.0, "--optimiser.beta1 1: 0 to 0.99999 is needed"),
        ("schedule.encode", 0.9, "--schedule.encode and --schedule.refine are 1.05 together"),
    ],
)
def test_a_value_out_of_range_is_named_with_what_is_needed(name, value, line):
    with pytest.raises(ConfigError) as caught:
        within_limits(overlay(Config(), {name: value}, "here"))
    assert str(caught.value).startswith(line)
