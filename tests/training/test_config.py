"""Settings: one declaration each, read from files and written back, wrong ones named."""

import ast
import inspect
from dataclasses import fields, is_dataclass
from itertools import pairwise

import pytest

from elastic_infogan.errors import ConfigError
from elastic_infogan.training import config as module
from elastic_infogan.training.config import Config, Views, flatten, from_toml, overlay, to_toml
from elastic_infogan.training.recipes import RECIPES, named


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_configuration_survives_its_file(recipe):
    config = named(recipe)
    assert overlay(Config(), from_toml(to_toml(config), "file"), "file") == config


def test_an_unknown_key_is_named_with_the_nearest_right_one():
    with pytest.raises(ConfigError, match=r"f\.toml: there is no setting 'prior\.learnt'.*'prior\.learned'"):
        overlay(Config(), {"prior.learnt": True}, "f.toml")


@pytest.mark.parametrize(
    ("name", "value"), [("seed", "0"), ("prior.learned", 1), ("networks.q", "both"), ("minutes", "long")]
)
def test_a_value_of_the_wrong_type_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=name):
        overlay(Config(), {name: value}, "here")


def test_another_preset_brings_its_own_ranges_but_for_those_given_beside_it():
    views = overlay(named("paper"), {"views.preset": "objects", "views.shear": 2.0}, "here").views
    assert views == Views(preset="objects", shear=2.0)
    assert overlay(named("paper"), {"views.shear": 2.0}, "here").views.rotate == named("paper").views.rotate


def test_whole_numbers_serve_as_fractions():
    assert overlay(Config(), {"minutes": 3}, "here").minutes == 3.0


@pytest.mark.parametrize("text", ["= =", "[views]\nrotate = 5\nrotate = 7"])
def test_text_that_is_not_toml_is_refused(text):
    with pytest.raises(ConfigError, match="not valid TOML"):
        from_toml(text, "bad.toml")


def test_an_unknown_recipe_suggests_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'paper'"):
        named("papr")


def test_every_setting_says_what_it_is():
    groups = [node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef)]
    said = {}
    for group in groups:
        for setting, after in pairwise([*group.body, None]):
            if isinstance(setting, ast.AnnAssign) and "default_factory" not in ast.unparse(setting):
                told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                said[group.name, setting.target.id] = told
    assert len(said) == len(flatten(Config()))
    assert [name for name, told in said.items() if not told] == []


def test_groups_are_one_level_deep():
    groups = [getattr(Config(), f.name) for f in fields(Config)]
    assert not any(is_dataclass(getattr(g, f.name)) for g in groups if is_dataclass(g) for f in fields(g))
