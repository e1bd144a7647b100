"""The plan of a benchmark: every system on every imbalance with every seed, and the budget of each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from elastic_infogan.apps.benchmarking.systems import System
from elastic_infogan.data import imbalance
from elastic_infogan.errors import ConfigError
from elastic_infogan.training.choices import BATCH, ENCODE_BATCH
from elastic_infogan.training.config import Config
from elastic_infogan.training.limits import within_limits
from elastic_infogan.training.stages import bounds

__all__ = ["Budget", "Trial", "expand", "numbers", "plan", "steps_for"]


@dataclass(frozen=True)
class Budget:
    """How much training a trial gets; with none of the three, what `train` gives by itself."""

    minutes: float | None = None
    steps: int | None = None
    images: int | None = None

    def __post_init__(self) -> None:
        given = [f"--{name}" for name, value in self.as_dict().items() if value is not None]
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} exclude each other: give one of them")
        if self.images is not None and self.images < 1:
            raise ConfigError(f"--images {self.images}: 1 or more is needed")

    def as_dict(self) -> dict[str, Any]:
        """By name, None where it does not count."""
        return {"minutes": self.minutes, "steps": self.steps, "images": self.images}

    def of(self, config: Config) -> Config:
        """`config` with this budget."""
        steps = self.steps if self.images is None else steps_for(self.images, config)
        return replace(config, minutes=self.minutes, steps=steps)


@dataclass(frozen=True)
class Trial:
    """One training and its scores.

    Arguments:
        name: of its folder; says system, imbalance and seed.
        system: what is trained.
        config: all settings, resolved up to what the images decide.
        images: what tells the source's images from others, and how many are drawn of each class.
    """

    name: str
    system: System
    config: Config
    images: tuple[int, ...] = ()


def steps_for(images: int, config: Config) -> int:
    """Steps after which training has drawn about `images` real images; stages differ in batch size.

    >>> steps_for(6400, Config())  # 35 % of the steps take 128 images, the others 64
    74
    """
    before, _ = bounds(config, "play")
    batch, encode_batch = config.batch or BATCH, config.schedule.encode_batch or ENCODE_BATCH
    per_step = before * encode_batch + (1 - before) * batch
    return max(1, round(images / per_step))


def plan(
    base: Config,
    systems: Sequence[System],
    imbalances: Sequence[str | None],
    seeds: Sequence[int],
    budget: Budget,
) -> list[Trial]:
    """All trials; one seed of every system on every imbalance comes before the next seed.

    Arguments:
        base: what the benchmark decides for all: source, classes, device and snapshots.
        imbalances: specs, None for the source as it is.

    Raises:
        ConfigError: a value is out of its limits.
    """
    trials = []
    for seed in seeds:
        for spec in imbalances:
            for system in systems:
                own = system.config()
                config = replace(
                    own, source=base.source, classes=own.classes or base.classes, device=base.device,
                    snapshots=base.snapshots, imbalance=spec, seed=seed,
                )  # fmt: skip
                config = budget.of(config)
                within_limits(config)
                trials.append(Trial(f"{system.name}_{_slug(spec)}_{seed}", system, config))
    return trials


def numbers(text: str, flag: str) -> list[int]:
    """Whole numbers and ranges of them, in order.

    >>> numbers("0-2,7", "--seeds")
    [0, 1, 2, 7]
    """
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise ConfigError(f"{flag} {text}: numbers and ranges are needed, for example 0-2,7")
        found.extend(range(first, last + 1))
    return list(dict.fromkeys(found))


def expand(text: str | None) -> list[str | None]:
    """The single imbalances of a text such as `random:0-49,longtail:100:0-4`; None is the source as it is.

    Numbers without a name before them are one imbalance: explicit counts. `FILE.npy` stands for all its
    rows, `FILE.npy:0-9` for some.

    Raises:
        ConfigError, DataError: a part is no imbalance, or a file of counts cannot be read.

    >>> expand("random:0-1,6300,1585"), expand(None)
    (['random:0', 'random:1', '6300,1585'], [None])
    """
    if text is None:
        return [None]
    found: list[str | None] = []
    for group in text.split(";"):
        for counts, parts in groupby((part.strip() for part in group.split(",")), str.isdigit):
            for part in [",".join(parts)] if counts else parts:
                found.extend(_specs(part))
    for spec in found:
        imbalance.parse(str(spec))
    return list(dict.fromkeys(found))


def _specs(part: str) -> list[str]:
    """`random:0-2` as `random:0`, `random:1`, `random:2`; a file of counts as its rows."""
    head, colon, last = part.rpartition(":")
    if part.lower().endswith(".npy"):
        return [f"{part}:{row}" for row in range(imbalance.rows(Path(part)))]
    if colon and re.fullmatch(r"\d+-\d+", last):
        return [f"{head}:{n}" for n in numbers(last, "--imbalances")]
    return [part]


def _slug(spec: str | None) -> str:
    """An imbalance as part of a file name: other specs have other slugs.

    >>> _slug("random:3"), _slug(None), _slug("counts/a.npy:0")
    ('random-3', 'whole', 'a.npy-0-de0b6b')
    """
    if spec is None:
        return "whole"
    if re.fullmatch(r"[a-z]+(:\d+)+", spec):
        return spec.replace(":", "-")
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", spec.rpartition("/")[2])[:40]
    return f"{readable}-{hashlib.sha256(spec.encode()).hexdigest()[:6]}"
