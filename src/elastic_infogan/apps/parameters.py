"""The estimator's parameters as a configuration and back, and its errors as scikit-learn raises them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from elastic_infogan.errors import ConfigError, DataError
from elastic_infogan.training.choices import choose
from elastic_infogan.training.config import Config, flatten, overlay
from elastic_infogan.training.recipes import named

__all__ = ["as_value_errors", "config_from", "parameters_from"]

_PARAMETERS = {"classes": "n_classes", "seed": "random_state"} | {
    name: name for name in ("recipe", "minutes", "steps", "size", "device")
}
"""settings that have a parameter of their own, and its name"""

_DATA = ("source", "labels", "imbalance")
"""settings that say what was trained on"""
_WHERE = ("devices", "nodes")
"""settings that say on how many machines: an estimator fits in one process"""

_INSTEAD = dict.fromkeys(_DATA, "what is given to fit is trained on as it is") | {
    "channels": "the images' own mode is kept: give fit grey ones, or RGB"
}
"""what to do in place of settings that an estimator does not take"""


def config_from(parameters: Mapping[str, Any], source: str, images: NDArray[Any]) -> Config:
    """Every setting for training on `images` (N, H, W, C); what is left open is chosen from them.

    No batch is larger than their number, whatever the recipe: scikit-learn fits small arrays too.

    Raises:
        ConfigError: there is no such recipe or setting, or a value is of the wrong type.
    """
    seed = parameters["random_state"]
    if not isinstance(seed, Integral):
        seed = check_random_state(seed).randint(2_000_000_000)
    n_classes = parameters["n_classes"]
    if not isinstance(n_classes, (str, Integral)):
        raise ConfigError(f"n_classes={n_classes!r}: a whole number, 'auto' or a range like '5-30' is needed")
    values = {name: _plain(value) for name, value in parameters.items() if name != "settings"}
    values |= {"random_state": int(seed)}
    changes = {key: values[name] for key, name in _PARAMETERS.items() if values[name] is not None}
    settings = {name: _plain(value) for name, value in (parameters["settings"] or {}).items()}
    if taken := sorted({*_DATA, *_PARAMETERS, "channels"} & {*settings}):
        raise ConfigError(f"settings[{taken[0]!r}]: {_INSTEAD.get(taken[0], 'there is a parameter for it')}")
    changes |= {**settings, "source": source}
    config = choose(overlay(named(parameters["recipe"]), changes, "settings"), images)
    n = len(images)
    schedule = replace(config.schedule, encode_batch=min(config.schedule.encode_batch or n, n))
    return replace(config, batch=min(config.batch or n, n), schedule=schedule)


def parameters_from(config: Config) -> dict[str, Any]:
    """The parameters that give `config`; `settings` holds what differs from the recipe.

    That includes what was chosen from the images, so that fitting once more, on others, chooses alike.
    """
    recipe = named(config.recipe)
    preset = {} if config.views.preset == recipe.views.preset else {"views.preset": config.views.preset}
    flat, base = flatten(config), flatten(overlay(recipe, preset, "views"))
    parameters = {name: flat.pop(key) for key, name in _PARAMETERS.items()}
    left_out = (*_DATA, *_WHERE, "channels")
    others = preset | {
        key: value for key, value in flat.items() if key not in left_out and value != base[key]
    }
    return {**parameters, "settings": others or None}


def _plain(value: Any) -> Any:
    """A value without NumPy's types, which searches over parameters give."""
    if isinstance(value, np.generic):
        return value.item()
    return [_plain(item) for item in value] if isinstance(value, (list, tuple, np.ndarray)) else value


@contextmanager
def as_value_errors() -> Iterator[None]:
    """Mistakes of the person as scikit-learn raises them, naming parameters in place of flags."""
    try:
        yield
    except (ConfigError, DataError) as error:
        raise ValueError(re.sub(r"--([a-z][\w.-]*\w)", _parameter, str(error))) from error


def _parameter(flag: re.Match[str]) -> str:
    group, dot, last = flag[1].replace("-", "_").rpartition(".")
    if last.startswith("no_"):
        return f"settings['{group}{dot}{last.removeprefix('no_')}'] = False"
    return _PARAMETERS.get(group + dot + last, f"settings['{group}{dot}{last}']")
