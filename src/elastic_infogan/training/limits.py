"""The values that settings may have, by their dotted names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from elastic_infogan.errors import ConfigError
from elastic_infogan.training.config import Config, flatten
from elastic_infogan.training.sought import sought

__all__ = ["LIMITS", "Limit", "within_limits"]


@dataclass(frozen=True)
class Limit:
    """Finite numbers from `low` to `high`; `low` itself only where it is `included`."""

    low: float
    high: float = math.inf
    included: bool = True

    def __contains__(self, value: float) -> bool:
        above = value >= self.low if self.included else value > self.low
        return above and value <= self.high and math.isfinite(value)

    def __str__(self) -> str:
        if not self.included:
            return f"a number above {self.low:,}"
        return f"{self.low:,} or more" if self.high == math.inf else f"{self.low:,} to {self.high:,}"


_NOT_NEGATIVE, _POSITIVE, _ONE_OR_MORE = Limit(0), Limit(0, included=False), Limit(1)
_TWO_OR_MORE, _FRACTION, _DECAY = Limit(2), Limit(0, 1), Limit(0, 0.99999)

LIMITS: Mapping[str, Limit] = {
    "seed": Limit(0, 2**31 - 1),  # what scikit-learn draws for others
    **dict.fromkeys(("batch", "schedule.encode_batch"), _TWO_OR_MORE),
    **dict.fromkeys(("steps", "restarts", "devices", "nodes", "schedule.q_interval"), _ONE_OR_MORE),
    **dict.fromkeys(
        ("networks.generator_width", "networks.discriminator_width", "networks.encoder_width"), _ONE_OR_MORE
    ),
    "networks.features": _ONE_OR_MORE,
    **dict.fromkeys(("minutes", "interval", "contrast.temperature"), _POSITIVE),
    **dict.fromkeys(("prior.temperature", "prior.temperature_end"), _POSITIVE),
    **dict.fromkeys(("latent.noise", "latent.continuous", "snapshots"), _NOT_NEGATIVE),
    **dict.fromkeys(("networks.generator_hidden", "networks.discriminator_hidden"), _NOT_NEGATIVE),
    **dict.fromkeys(("contrast.weight", "self_labelling.weight"), _NOT_NEGATIVE),
    **dict.fromkeys(("information.weight", "information.continuous_weight"), _NOT_NEGATIVE),
    **dict.fromkeys(("prior.posterior_rate", "prior.floor", "optimiser.decay", "adversary.ema"), _FRACTION),
    **dict.fromkeys(("schedule.encode", "schedule.balance", "schedule.refine", "views.greyscale"), _FRACTION),
    "variational.weight": _NOT_NEGATIVE,
    **dict.fromkeys(("variational.capacity_class", "variational.capacity_continuous"), _NOT_NEGATIVE),
    "variational.growth": _FRACTION,
    "channels": Limit(1, 3),
    **dict.fromkeys(("views.crop", "views.zoom"), Limit(0, 0.95)),
    "views.shear": Limit(0, 80),
    "views.corners": Limit(0, 0.4),  # where opposite corners meet, the map turns over
    **dict.fromkeys(("views.colour", "views.opening", "views.thickness"), _FRACTION),
    **dict.fromkeys(("optimiser.beta1", "optimiser.q_beta1", "optimiser.beta2"), _DECAY),
}
"""Learning rates and the ranges of views, of which there are many, are not negative; see `_limit_of`."""


def within_limits(config: Config) -> None:
    """Refuse a setting that no training could start with.

    Raises:
        ConfigError: the first such setting, as its flag, and what it may be.

    >>> within_limits(Config(steps=0))
    Traceback (most recent call last):
    elastic_infogan.errors.ConfigError: --steps 0: 1 or more is needed
    """
    for name, value in flatten(config).items():
        limit = _limit_of(name)
        if limit is not None and isinstance(value, (int, float)) and value not in limit:
            flag = "--" + name.replace("_", "-")
            raise ConfigError(f"{flag} {value:g}: {limit} is needed")
    if config.classes is not None:
        sought(config.classes)
    before = config.schedule.encode + config.schedule.refine
    if before > 1:
        raise ConfigError(
            f"--schedule.encode and --schedule.refine are {before:g} together: at most 1 is left"
        )


def _limit_of(name: str) -> Limit | None:
    others = _NOT_NEGATIVE if name.endswith("learning_rate") or name.startswith("views.") else None
    return LIMITS.get(name, others)
