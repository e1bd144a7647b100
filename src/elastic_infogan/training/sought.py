"""How many classes are looked for: a number, a range, or as many as there seem to be."""

from __future__ import annotations

import re
from dataclasses import dataclass

from elastic_infogan.errors import ConfigError

__all__ = ["AUTO", "Sought", "sought"]

AUTO = (2, 30)
"""the range of `auto`; with more kinds a person says so"""


@dataclass(frozen=True)
class Sought:
    """From `low` to `high` classes; known beforehand where both are the same."""

    low: int
    high: int

    @property
    def known(self) -> bool:
        """Whether there is nothing to find out."""
        return self.low == self.high


def sought(classes: int | str) -> Sought:
    """What the setting `classes` asks for.

    Raises:
        ConfigError: it is no number of 2 or more, `auto` or range.

    >>> sought(10), sought("5-30")
    (Sought(low=10, high=10), Sought(low=5, high=30))
    """
    if isinstance(classes, int):
        low = high = classes
    elif classes == "auto":
        low, high = AUTO
    else:
        ends = re.fullmatch(r"(\d{1,6})-(\d{1,6})", classes, re.ASCII)
        low, high = (int(ends[1]), int(ends[2])) if ends else (0, 0)
    if not 2 <= low <= high:
        raise ConfigError(f"--classes {classes}: a number of 2 or more, auto, or a range like 5-30 is needed")
    return Sought(low, high)
