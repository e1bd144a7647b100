"""How many classes there are: groups are joined for as long as the two closest of them are of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.training.grouping import Looks, confirmed
from elastic_infogan.training.joining import STARTS, join, links, small_clusters
from elastic_infogan.training.sought import Sought

__all__ = ["Count", "count", "counted"]

CLUSTERS, CLUSTERS_A_CLASS = 200, 7
"""Small clusters that are joined, and how many there are at least for each class that is allowed."""

MEMBERS = 5
"""Images of a small cluster, on average, at least."""

HALVES = (0.15, 0.3)
"""Between these parts of the small clusters left, joining brings together halves of one kind."""

OF_ONE_KIND = 0.37
"""Groups are of one kind if they are this many times as close as halves of one usually are; measured in
docs/experiments.md."""

DOUBT = (0.8, 1.25)
"""Factors on `OF_ONE_KIND` whose answers are possible too."""

TOO_SOON = 300
"""Steps of the encoder before which kinds have hardly begun to part: with 600 and more there were right
answers (docs/experiments.md), fewer have not been tried."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Count:
    """An estimate of the number of classes.

    Arguments:
        found: the estimate.
        low, high: the smallest and the largest number that a start by itself, or another limit, gives.
        votes: the number that each start gives.
        closeness: of the two closest of k groups, k from 2, where halves of one kind have 1.
        below: whether fewer classes look separate than were allowed, so that `found` is the fewest.
        beyond: whether more do, so that it may be too few.
        kinds: whether what was found are separate kinds, and not a division by likeness.
        steps: that the encoder had learned for; None where that is not known.
    """

    found: int
    low: int
    high: int
    votes: tuple[int, ...]
    closeness: tuple[float, ...]
    below: bool
    beyond: bool
    kinds: bool = True
    steps: int | None = None

    @property
    def one_kind(self) -> bool:
        """Whether nothing is separate: whichever groups were joined, they were as close as halves of one."""
        return min(self.closeness, default=1.0) >= OF_ONE_KIND

    @property
    def how_sure(self) -> str:
        """`sure`, `fairly sure` or `not sure`."""
        if self._too_soon or not self.kinds or self.below or self.beyond:
            return "not sure"
        width = self.high - self.low
        return "sure" if width == 0 else "fairly sure" if width <= 2 else "not sure"

    def as_json(self) -> dict[str, Any]:
        """As it is told in `classes.json`."""
        return {**asdict(self), "one_kind": self.one_kind, "says": self.in_words()}

    @property
    def _too_soon(self) -> bool:
        return self.steps is not None and self.steps < TOO_SOON

    def in_words(self) -> str:
        """The estimate, how sure it is, and why."""
        soon = f" Features had learned for {self.steps} steps only: give more --minutes."
        return self._estimate() + (soon if self._too_soon else "")

    def _estimate(self) -> str:
        if self.one_kind:
            return (
                f"No separate kinds were found: any two groups are at least {OF_ONE_KIND:.0%} as close as "
                f"halves of one kind usually are. {self.found} classes are the fewest that were allowed."
            )
        if not self.kinds:
            return (
                f"Apart from near-duplicates no kinds are separate: images are divided by likeness, into "
                f"{self.found} classes. Another number may do as well: look at the report, and say --classes."
            )
        between = "" if self.low == self.high else f" ({self.low} to {self.high})"
        groups = self._known((self.found, self.found + 1))
        close = ", ".join(f"of {k} groups {self.closeness[k - 2]:.0%}" for k in groups)
        outside = " Fewer than were allowed look separate: lower --classes." if self.below else ""
        outside += " There may be more than were allowed: widen --classes." if self.beyond else ""
        return (
            f"About {self.found} classes{between}, {self.how_sure}. If halves of one kind are 100% close, "
            f"the two closest {close}.{outside}"
        )

    def _known(self, numbers: tuple[int, ...]) -> list[int]:
        return [k for k in numbers if k - 2 < len(self.closeness)]


def count(looks: Looks, wanted: Sought, seed: int) -> Count:
    """How many classes images fall into.

    Small clusters are joined from several starts down to one group, as in discovery but by links in either
    direction and among features alone. How close the two groups were that each joining brought together, in
    units of what it is where halves of one kind are brought together, tells where to stop: before different
    kinds are joined. Pixels have a say where they confirm what features alone would give.
    """
    starts = [_clustered(looks, wanted, seed + start) for start in range(STARTS)]
    by_features = [links(looks.by_features, clusters, n) for clusters, n in starts]
    joined = [join(linked, n_classes=1) for linked in by_features]
    alone = counted([one.closeness for one in joined], wanted)
    classes = joined[0].at(alone.found)[starts[0][0]]
    alike = [neighbours for neighbours in looks.by_pixels if confirmed(neighbours, classes)]
    if not alike:
        return alone
    kinds = [[links(one, clusters, n) for one in alike] for clusters, n in starts]
    both = zip(by_features, kinds, strict=True)
    return counted([join(linked, *pixels, n_classes=1).closeness for linked, pixels in both], wanted)


def _clustered(looks: Looks, wanted: Sought, seed: int) -> tuple[NDArray[np.int64], int]:
    """Small cluster of each image `(N,)`, and how many of them are filled: fewer where images repeat."""
    features = looks.features.cpu().numpy()
    small = max(CLUSTERS, CLUSTERS_A_CLASS * wanted.high)
    small = min(small, max(len(features) // MEMBERS, wanted.high + 2), len(features))
    filled, clusters = np.unique(small_clusters(features, small, seed), return_inverse=True)
    return clusters, len(filled)


def counted(starts: Sequence[Sequence[float]], wanted: Sought) -> Count:
    """The estimate from the closeness at each joining, M groups to M - 1 first, of several starts.

    >>> counted([[*[0.8] * 20, 0.05, 0.02]] * 3, Sought(2, 5)).found
    3
    """
    shortest = min(len(start) for start in starts)
    closest = np.array([start[::-1][:shortest] for start in starts])  # [:, k - 2] of the two closest of k
    first, last = (int(part * closest.shape[1]) for part in HALVES)
    halves = float(np.median(closest[:, first : max(last, first + 1)]))
    closest = closest / max(halves, 1e-12)
    together = np.median(closest, axis=0)
    votes = tuple(_separate(start, OF_ONE_KIND, wanted) for start in closest)
    possible = (*votes, *(_separate(together, factor * OF_ONE_KIND, wanted) for factor in DOUBT))
    return Count(
        found=_separate(together, OF_ONE_KIND, wanted),
        low=min(possible),
        high=max(possible),
        votes=votes,
        closeness=tuple(np.round(together[: wanted.high], 4).tolist()),
        below=not (together[wanted.low - 2 : wanted.high - 1] < OF_ONE_KIND).any(),
        beyond=bool((together[wanted.high - 1 : wanted.high] < OF_ONE_KIND).any()),
    )


def _separate(closest: Floats, limit: float, wanted: Sought) -> int:
    """The largest number of groups of which even the two closest are separate; `closest` (k - 2) from two."""
    k = np.arange(2, len(closest) + 2)
    allowed = (closest < limit) & (wanted.low <= k) & (k <= wanted.high)
    return int(k[allowed].max(initial=wanted.low))
