"""Figures of many trials brought down to one row a system: mean, spread, the worst, classes lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Figure", "Lost", "Spread", "by_system", "figures_of", "lost", "minutes_until", "spread"]

Line = Mapping[str, Any]
"""a line of results.jsonl"""


@dataclass(frozen=True)
class Figure:
    """A score that a table shows.

    Arguments:
        title: as a table's heads it.
        path: keys that lead to it in a line of results.
        larger_is_better: which end is the worst.
        digits: after the point.
    """

    title: str
    path: tuple[str, ...]
    larger_is_better: bool = True
    digits: int = 3

    def of(self, line: Line) -> float | None:
        """Its value in a line; None where the trial has none."""
        value: Any = line
        for key in self.path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return None if value is None else float(value)


ALWAYS = (
    Figure("generated NMI", ("generated_nmi",)),
    Figure("ENT", ("ent",), larger_is_better=False),
    Figure("classes generated", ("classes_generated",), digits=1),
    Figure("accuracy", ("accuracy",)),
    Figure("NMI", ("nmi",)),
    Figure("ARI", ("ari",)),
    Figure("recall of rarest", ("rarest", "recall")),
    Figure("prior RMSE", ("prior_rmse",), larger_is_better=False, digits=4),
)
FIDELITY = (
    ("precision", ("class_precision_{}",), True),
    ("coverage", ("class_coverage_{}",), True),
    ("coverage of rarest", ("rarest", "coverage_{}"), True),
    ("FID", ("fid_{}",), False),
)
"""Per class and then averaged, but for FID; each is named after its extractor, see `figures_of`."""


@dataclass(frozen=True)
class Spread:
    """A figure over the trials of a system.

    Arguments:
        runs: trials that have it.
        mean, std: the sample's; the deviation is NaN for one trial.
        worst: of a single trial.
        worst_at: that trial's line.
    """

    runs: int
    mean: float
    std: float
    worst: float
    worst_at: Line


@dataclass(frozen=True)
class Lost:
    """How often a class was lost: no code makes it at least half of the time.

    Arguments:
        splits: imbalances on which some seed lost it.
        runs: trials that lost it.
    """

    splits: int
    runs: int


def figures_of(lines: Sequence[Line]) -> list[Figure]:
    """The figures that any of the lines has."""
    extractors = list(dict.fromkeys(line["reference"] for line in lines if "reference" in line))
    named = [
        Figure(f"{title} ({name})", tuple(key.format(name) for key in path), larger)
        for name in extractors
        for title, path, larger in FIDELITY
    ]
    return [figure for figure in (*ALWAYS, *named) if any(figure.of(line) is not None for line in lines)]


def by_system(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """Lines of trials that have scores, by the name of their system, in the order of appearance."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        if "failed" not in line:
            found.setdefault(line["name"], []).append(line)
    return found


def spread(figure: Figure, lines: Sequence[Line]) -> Spread | None:
    """A figure over trials; None where no trial has it."""
    having = [(value, line) for line in lines if (value := figure.of(line)) is not None]
    if not having:
        return None
    values = np.array([value for value, _ in having])
    worst = int(values.argmin() if figure.larger_is_better else values.argmax())
    std = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    return Spread(len(values), float(values.mean()), std, float(values[worst]), having[worst][1])


def minutes_until(line: Line, nmi: float) -> float | None:
    """Training time of the first scored moment whose generated NMI is at least `nmi`; None where none is."""
    reached = (point["seconds"] / 60 for point in line["curve"] if point["generated_nmi"] >= nmi)
    return next(reached, None)


def lost(lines: Sequence[Line]) -> dict[str, Lost]:
    """Every class by name, with how often it was lost."""
    scored = [line for line in lines if "classes_lost" in line]
    names = dict.fromkeys(name for line in scored for name in line["recall"])
    return {
        name: Lost(
            splits=len({line["imbalance"] for line in scored if name in line["classes_lost"]}),
            runs=sum(name in line["classes_lost"] for line in scored),
        )
        for name in names
    }
