"""How the flags of `train` become a configuration: recipe, then run folder, then file, then flags."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args, get_origin

from cyclopts import App, Argument, ArgumentCollection, Group, Parameter, Token

from elastic_infogan.errors import ConfigError
from elastic_infogan.files import why_not_read
from elastic_infogan.training.config import Config, Views, flatten, from_toml, overlay
from elastic_infogan.training.recipes import named

__all__ = ["fill_from_recipe", "in_panels"]

_EXCLUSIVE = (("--minutes", "--steps"), ("--resume", "--new"))


def fill_from_recipe(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Give every flag of `train` that the person left out the value it has from elsewhere.

    A flag wins over `--config FILE`, that over the configuration of a run that goes on, and that over
    the recipe. Called by cyclopts between parsing and conversion.
    """
    if commands != ("train",):
        return
    leaves = {argument.name: argument for argument in arguments if not argument.children}
    _split_lists(leaves.values())
    given = {name: argument.tokens[0].value for name, argument in leaves.items() if argument.tokens}
    _refuse_contradictions(given)
    if "SOURCE" in given:
        _put(leaves["--source"], given["SOURCE"], "SOURCE")
    origin, values = _resolved(given)
    for key, value in values.items():
        argument = leaves[_flag(key)]
        if not argument.tokens and value is not None and not _overruled(argument.name, given):
            _put(argument, value, origin)


def in_panels(config: type[Config]) -> None:
    """Give each group of settings a panel of its own in the help, headed by what it is about."""
    for number, field in enumerate(fields(config)):
        group = field.default_factory
        if inspect.isclass(group):
            title = field.name.replace("_", " ").capitalize()
            about = (inspect.getdoc(group) or "").splitlines()[0]
            Parameter(group=Group(title, help=about, sort_key=10 + number))(group)


def _resolved(given: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Where the values under the flags come from, and the values by dotted key."""
    file = _read(Path(given["--config"])) if "--config" in given else {}
    told = file.get("recipe")
    if told and given.get("--recipe", told) != told:  # the file's settings would go by another's name
        raise ConfigError(
            f"--recipe {given['--recipe']}, but {given['--config']} has the settings of recipe {told}: "
            "leave one of them out"
        )
    stored = Path(given.get("--out", ""), "config.toml")
    if "--out" in given and "--new" not in given and stored.exists():
        base, origin = overlay(Config(), _read(stored), str(stored)), str(stored)
    else:
        name = given.get("--recipe", file.get("recipe", Config().recipe))
        base, origin = named(name), f"recipe {name}"
    if file:
        origin = given["--config"]
        if "minutes" in file or "steps" in file:
            base = replace(base, minutes=None, steps=None)  # its kind of budget takes the place of the other
        base = overlay(base, file, origin)
    if "--views.preset" in given:
        base = replace(base, views=Views())  # another preset brings its own ranges
    return origin, flatten(base)


def _refuse_contradictions(given: Mapping[str, str]) -> None:
    for one, other in _EXCLUSIVE:
        if one in given and other in given:
            raise ConfigError(f"{one} and {other} exclude each other: give one of them")
    if given.get("SOURCE", given.get("--source")) != given.get("--source", given.get("SOURCE")):
        raise ConfigError(
            f"SOURCE {given['SOURCE']} and --source {given['--source']} differ: give one of them"
        )


def _overruled(flag: str, given: Mapping[str, str]) -> bool:
    """Whether a budget from elsewhere gives way to the other kind of budget, given as a flag."""
    return (flag == "--minutes" and "--steps" in given) or (flag == "--steps" and "--minutes" in given)


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def _put(argument: Argument, value: Any, origin: str) -> None:
    if not argument.tokens:
        for item in value if isinstance(value, tuple) else (value,):
            argument.append(Token(keyword=argument.name, value=str(item), source=origin))


def _split_lists(arguments: Iterable[Argument]) -> None:
    """Read `0.1,0.2` as two values wherever a setting is a list."""
    for argument in arguments:
        if any(get_origin(kind) is tuple for kind in (argument.hint, *get_args(argument.hint))):
            argument.tokens[:] = [
                token.evolve(value=item, index=i)
                for token in argument.tokens
                for i, item in enumerate(token.value.split(","))
            ]


def _read(path: Path) -> dict[str, Any]:
    """Dotted key → value of a configuration file.

    Raises:
        ConfigError: it cannot be read, or is no TOML.
    """
    try:
        return from_toml(path.read_text(encoding="utf-8", errors="surrogateescape"), str(path))
    except OSError as error:
        raise ConfigError(why_not_read(path, error)) from error
