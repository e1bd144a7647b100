"""Settings that contradict each other, each refused by its flag."""

from __future__ import annotations

import math

from elastic_infogan.errors import ConfigError
from elastic_infogan.training.config import Config, flatten
from elastic_infogan.training.recipes import named
from elastic_infogan.training.sought import sought

__all__ = ["consistent"]

SHARES_SUM_TO_ONE = 1e-3
"""How far from one the shares may be together: they may have been rounded."""

_FROM_ENCODE = {
    "adversary.conditional": (
        False,
        "D needs Q's labels of real images, which come from the stage encode; use --adversary.no-conditional",
    ),
    "schedule.refine": (
        0.0,
        "what is refined are the classes that the stage encode ends with; use --schedule.refine 0",
    ),
    "information.trains_q": (True, "without the stage encode Q's class head would never learn; leave it out"),
    "networks.q": (
        "trunk",
        "an encoder of Q's own learns ahead, in the stage encode; use --networks.q trunk",
    ),
    "prior.posterior_rate": (
        0.0,
        "Q's labels, which the prior follows, come from the stage encode; use --prior.posterior-rate 0",
    ),
    "self_labelling.weight": (0.0, "Q's labels come from the stage encode; use --self-labelling.weight 0"),
}
"""What needs the stage encode: its value where there is none, and what to say of any other."""

_IDLE = {
    "elastic-infogan": ("variational.",),
    "jointvae": (
        "information.",
        "networks.q",
        "optimiser.discriminator_learning_rate",
        "prior.floor",
        "prior.posterior_rate",
    ),
}
"""Beginnings of the settings that a model does not read: they stay what the recipe says."""

_JOINTVAE_HAS_NO = {
    "latent.noise": 0,
    "prior.learned": False,
    "contrast.weight": 0.0,
    "self_labelling.weight": 0.0,
    "adversary.conditional": False,
    "adversary.augment": False,
    "schedule.encode": 0.0,
    "schedule.refine": 0.0,
}
"""Parts of the game that model jointvae lacks, and the value at which each is switched off."""


def consistent(config: Config) -> None:
    """Refuse parts that the model lacks, a D without its codes, shares that are no class prior, and a number
    of classes to be found out where no stage does.

    Raises:
        ConfigError: the first contradiction, by its flag, or a recipe that there is not.
    """
    if config.minutes is not None and config.steps is not None:
        raise ConfigError("--minutes and --steps exclude each other: give one of them")
    if config.model == "jointvae":
        _check_jointvae(config)
    else:
        _check_game(config)
    _check_idle(config)
    _check_number(config)
    if config.restarts > 1 and not config.schedule.encode:
        raise ConfigError(
            f"--restarts {config.restarts}: what is started again is the stage encode, which recipe "
            f"{config.recipe} lacks; use --recipe elastic"
        )
    _check_shares(config)
    _check_processes(config)


def _check_processes(config: Config) -> None:
    processes = config.devices * config.nodes
    flat = flatten(config)
    names = ["batch", "schedule.encode_batch"] if config.schedule.encode else ["batch"]
    for name in names:
        if (flat[name] or 0) % processes:
            raise ConfigError(
                f"{_flag(name)} {flat[name]}: {processes} processes cannot share it evenly; "
                f"use a multiple of {processes}, or, for a run that goes on, another number of processes"
            )


def _check_jointvae(config: Config) -> None:
    flat = flatten(config)
    for name, off in _JOINTVAE_HAS_NO.items():
        if flat[name] != off:
            raise ConfigError(f"{_flag(name)}: jointvae has no such part; start from --recipe jointvae")
    if config.prior.samples == "hard":
        raise ConfigError(
            "--prior.samples hard: no gradient of what is decoded would reach the classes; "
            "use soft or straight-through"
        )


def _check_idle(config: Config) -> None:
    """Refuse a setting that would change nothing."""
    usual = flatten(named(config.recipe))
    for name, value in flatten(config).items():
        if name.startswith(_IDLE.get(config.model, ())) and value != usual[name]:
            raise ConfigError(f"{_flag(name)}: model {config.model} does not read it; leave it out")


def _check_game(config: Config) -> None:
    if config.networks.q == "trunk" and config.schedule.encode:
        raise ConfigError("--networks.q trunk: Q has no encoder to train ahead; use --schedule.encode 0")
    if config.networks.q_trains_trunk and config.networks.q != "trunk":
        raise ConfigError("--networks.q-trains-trunk: Q has an encoder of its own; add --networks.q trunk")
    if config.latent.continuous and not config.information.trains_q:
        raise ConfigError(
            "--information.no-trains-q: Q's head for continuous codes would never learn; "
            "leave it out, or use --latent.continuous 0"
        )
    if not config.schedule.encode:
        _check_without_encode(config)
    _check_prior(config)


def _check_without_encode(config: Config) -> None:
    flat = flatten(config)
    for name, (off, line) in _FROM_ENCODE.items():
        value = flat[name]
        if name == "prior.posterior_rate" and not config.prior.learned:
            continue  # it follows nothing
        if value != off:
            group, _, last = _flag(name).removeprefix("--").rpartition(".")
            shown = f"--{group}.{'' if value else 'no-'}{last}" + (
                "" if isinstance(value, bool) else f" {value}"
            )
            raise ConfigError(f"{shown}: {line}, or --schedule.encode above 0")


def _check_prior(config: Config) -> None:
    """Refuse shares for classes in another order, and codes from which a learned prior learns nothing."""
    prior = config.prior
    if config.schedule.encode and prior.start == "shares":
        raise ConfigError(
            "--prior.start shares: the stage encode numbers the classes that it finds as it likes; use "
            "--prior.start uniform, or --schedule.encode 0"
        )
    if prior.learned and prior.samples == "hard" and not config.schedule.encode:
        raise ConfigError(
            "--prior.samples hard: no gradient reaches the prior; use straight-through, or --prior.no-learned"
        )


def _check_number(config: Config) -> None:
    if config.classes is not None and not sought(config.classes).known and not config.schedule.encode:
        raise ConfigError(
            f"--classes {config.classes}: how many there are is found on leaving the stage encode, which "
            f"recipe {config.recipe} lacks; give a number, or use --recipe elastic"
        )


def _check_shares(config: Config) -> None:
    shares = config.prior.shares
    if config.prior.start == "uniform":
        if shares is not None:
            raise ConfigError("--prior.shares: the prior starts uniform; add --prior.start shares")
        return
    if shares is None:
        raise ConfigError("--prior.start shares: the shares are missing; give --prior.shares 0.1,0.2,…")
    if len(shares) != config.classes:
        raise ConfigError(
            f"--prior.shares: there are {len(shares)} of them, and --classes is {config.classes}: "
            "each class needs one"
        )
    if not all(0 <= share <= 1 for share in shares):
        raise ConfigError(f"--prior.shares: a share is between 0 and 1, and one is {_culprit(shares):g}")
    if abs(math.fsum(shares) - 1) > SHARES_SUM_TO_ONE:
        raise ConfigError(f"--prior.shares are {math.fsum(shares):g} together; shares sum to 1")


def _culprit(shares: tuple[float, ...]) -> float:
    return next(share for share in shares if not 0 <= share <= 1)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
