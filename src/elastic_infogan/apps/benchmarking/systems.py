"""What is compared: recipes, and variants of them under names of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elastic_infogan.errors import ConfigError
from elastic_infogan.files import why_not_read
from elastic_infogan.training.config import Config, from_toml, overlay
from elastic_infogan.training.recipes import named

__all__ = ["System", "settings", "systems"]

TAKEN = {"source": "SOURCE", "seed": "--seeds", "imbalance": "--imbalances"} | {
    name: f"--{name}" for name in ("minutes", "steps", "snapshots", "device")
}
"""Settings that flags of the benchmark decide, so that they cannot differ from system to system."""


@dataclass(frozen=True)
class System:
    """A row of the table.

    Arguments:
        name: of the recipe or variant.
        changes: dotted setting → value, where it differs from its recipe.
        recipe: the recipe it starts from.
    """

    name: str
    recipe: str
    changes: Mapping[str, Any] = field(default_factory=dict)

    def config(self) -> Config:
        """Its settings.

        Raises:
            ConfigError: there is no such recipe or setting, or a value is of the wrong type.
        """
        return overlay(named(self.recipe), self.changes, self.name)


def systems(recipes: str, variants: str | None, common: Sequence[str]) -> list[System]:
    """Recipes, then variants.

    Arguments:
        recipes: names with commas between them.
        variants: `NAME:setting=value,setting=value;NAME:…`, or a TOML file with one table a variant; each
            starts from the default recipe unless it sets `recipe`.
        common: `setting=value` for all of them.

    Raises:
        ConfigError: something is unknown, malformed or named twice.

    >>> [(s.name, s.recipe, s.changes) for s in systems("paper", "cold:prior.temperature=0.1", [])]
    [('paper', 'paper', {}), ('cold', 'elastic', {'prior.temperature': 0.1})]
    """
    shared = settings(common, "--set")
    if "recipe" in shared:
        raise ConfigError("--set recipe: choose recipes with --recipes")
    found = [System(name, name, shared) for name in recipes.split(",") if name]
    for name, changes in _variants(variants).items():
        recipe = str(changes.pop("recipe", Config().recipe))
        found.append(System(_checked_name(name), recipe, {**shared, **changes}))
    for system in found:
        system.config()
    names = [system.name for system in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"{twice[0]} is named twice among --recipes and --variants")
    if not found:
        raise ConfigError("--recipes is empty: name one recipe or more")
    return found


def settings(pairs: Sequence[str], origin: str) -> dict[str, Any]:
    """Dotted setting → value of texts `setting=value`.

    >>> settings(["prior.learned=false", "views.rotate=5", "prior.samples=soft"], "--set")
    {'prior.learned': False, 'views.rotate': 5, 'prior.samples': 'soft'}
    """
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"{origin} {pair}: SETTING=VALUE is needed, for example contrast.weight=0")
        found[name.strip().replace("-", "_")] = _value(value.strip(), f"{origin} {pair}")
    return _free(found, origin)


def _variants(text: str | None) -> dict[str, dict[str, Any]]:
    if text is None:
        return {}
    if text.endswith(".toml"):
        return _from_file(Path(text))
    found: dict[str, dict[str, Any]] = {}
    for part in filter(None, text.split(";")):
        name, _, pairs = part.partition(":")
        if name in found:
            raise ConfigError(f"--variants: {name} is named twice")
        found[name] = settings([pair for pair in pairs.split(",") if pair], f"--variants {name}:")
    return found


def _from_file(path: Path) -> dict[str, dict[str, Any]]:
    """Variants from a file, where `[NAME]` holds `recipe` and settings, and `[NAME.group]` settings."""
    try:
        flat = from_toml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--variants: {why_not_read(path, error)}") from error
    found: dict[str, dict[str, Any]] = {}
    for key, value in flat.items():
        name, dot, setting = key.partition(".")
        if not dot:
            raise ConfigError(f"--variants: {path} needs one table a variant; {key} is in none")
        inner = (
            {f"{setting}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {setting: value}
        )
        found.setdefault(name, {}).update(_free(inner, str(path)))
    return found


def _free(changes: dict[str, Any], origin: str) -> dict[str, Any]:
    for name in changes:
        if name in TAKEN:
            raise ConfigError(f"{origin} {name}: the benchmark sets it by {TAKEN[name]}")
    return changes


def _value(text: str, origin: str) -> Any:
    """A number or truth value where the text is one in TOML, else the text."""
    try:
        found = from_toml(f"x = {text}", "")
    except ConfigError:
        return text
    if "x" not in found:
        raise ConfigError(f"{origin}: one setting at a time is needed, for example views.rotate=5")
    return found["x"]


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*", name):
        raise ConfigError(f"--variants: {name!r} is no name; letters, digits, '-', '+' and '.' are allowed")
    return name
