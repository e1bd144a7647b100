"""Label-free diagnosis: what is wrong with a run, in plain words, with numbers and with what to do.

The limits are those between healthy and faulty runs that were measured; see docs/experiments.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.evaluation.evidence import ENOUGH, Evidence

__all__ = ["CHECKS", "Finding", "diagnose", "listed"]

HARDLY = 0.001
"""share of the images below which a class is hardly used: at 1,000 to 1 stragglers look like a class"""
ALIKE = 0.03
"""affinity of two classes among neighbours: ten different digits stay below .010, halves of one reach
.04 to .11"""
BIMODAL = 0.65
"""bimodality of a class that is two groups: a uniform spread has .56; classes of several kinds have .67 and
more, but where little was learned; plain styles of one (crossed sevens, looped twos) reach it too"""
A_GROUP = 0.1
"""smallest part of a class that counts as a group rather than as outliers"""
SAME_PICTURES = 0.1
"""difference between two classes' images from the same noise, over the variance of all: healthy .29"""
COLLAPSED = 0.15
"""spread of a class's generated images over that of its real ones: healthy .22 (short runs) to 1"""
RECOGNISED = 0.5
"""mean posterior of a class on the images generated for it: healthy above .9"""
STARVED = 0.4
"""loss of D below which it is right so surely that G learns little: healthy .8 to 1.4, chance 1.39"""
DISAGREE = 0.05
"""share of the images that would have to move for prior and assignments to agree: healthy .01 to .025"""
VIEWS_TOGETHER, VIEW_ALONE = 0.25, 0.15
"""share of images that views may move to another class: all kinds together (healthy .04 to .24 in short
runs), one kind alone (healthy to .11; mirrored or overturned digits .27 to .6)"""

CHECKS = (
    "every class is used", "no two classes look alike", "no class is two groups",
    "every class is generated and with variety", "D leaves G a chance",
    "prior and assignments agree", "views keep the class",
)  # fmt: skip
"""what is looked at, as it is said where nothing was found"""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or may be.

    Arguments:
        kind: short name that stays the same between versions.
        severity: `fault`: results are wrong because of it; `hint`: worth a look.
        says: what was found, with numbers.
        do: what to do about it.
        classes: that it is about.
        numbers: the measurements behind it.
        examples: images to look at: what they are of, and their indices, the plainest first.
    """

    kind: str
    severity: Literal["fault", "hint"]
    says: str
    do: str
    classes: tuple[int, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    examples: Mapping[str, NDArray[np.int64]] = field(default_factory=dict, compare=False)  # arrays

    def as_json(self) -> dict[str, Any]:
        """As an entry of `diagnosis.json`, which leaves examples to the report."""
        entry = {name: value for name, value in vars(self).items() if name != "examples"}
        numbers = {name: round(float(value), 6) for name, value in self.numbers.items()}
        return {**entry, "classes": list(self.classes), "numbers": numbers}


def diagnose(evidence: Evidence) -> list[Finding]:
    """Everything that the evidence shows, faults first."""
    checks = (unused, alike, divided, copies, collapsed, unrecognised, starved, disagreeing, moved_by_views)
    findings = [finding for check in checks for finding in check(evidence)]
    return sorted(findings, key=lambda finding: finding.severity != "fault")


def unused(e: Evidence) -> Iterator[Finding]:
    """Classes that no image, or hardly one, was given."""
    counts, total = e.answers.counts, len(e.answers)
    empty = np.flatnonzero(counts == 0).tolist()
    if empty:
        left = e.answers.n_classes - len(empty)
        are, it = ("is", "it") if len(empty) == 1 else ("are", "them")
        yield Finding(
            "unused", "fault", f"{listed(empty)} {are} never used: no image of {total:,} was given to {it}.",
            f"There may be fewer kinds than classes: train again with --classes {left}. If you know "
            "that there are more kinds, train longer."
            if left > 1
            else "Either all is of one kind, or Q has not learned to tell kinds yet: train longer.",
            tuple(empty), {"unused": len(empty)},
        )  # fmt: skip
    few = np.flatnonzero((counts > 0) & (counts < max(2, HARDLY * total))).tolist()
    if few:
        got = ", ".join(f"{counts[k]:,}" for k in few)
        yield Finding(
            "hardly-used", "hint", f"{listed(few)} got hardly any image ({got} of {total:,}).",
            "Look at those images: a rare kind, or stragglers of another? If the latter, fewer --classes.",
            tuple(few), {f"images_{k}": counts[k] for k in few},
        )  # fmt: skip


def alike(e: Evidence) -> Iterator[Finding]:
    """Pairs of classes whose images are each other's neighbours: perhaps one kind in two."""
    for i, j in _pairs(e, np.triu(e.links, 1) > ALIKE):
        yield Finding(
            "alike", "hint",
            f"Classes {i} and {j} look alike: their images are often each other's nearest neighbours.",
            f"Look at both. If they are one kind, merge {i} and {j}: count them as one, or train with fewer "
            "--classes. If some of one are in the other, train longer.",
            (i, j), {"affinity": e.links[i, j]},
        )  # fmt: skip


def divided(e: Evidence) -> Iterator[Finding]:
    """Classes that are two groups with a gap between them, and not for holding some of a class beside."""
    confused = {code for pair in _pairs(e, np.triu(e.links, 1) > ALIKE) for code in pair}
    found = {
        code: groups
        for code, groups in e.groups.items()
        if groups.bimodality > BIMODAL and groups.smaller >= A_GROUP and code not in confused
    }
    if not found:
        return
    room = "longer (some classes are free)" if (e.answers.counts == 0).any() else "with more --classes"
    parts = ", ".join(f"{1 - groups.smaller:.0%} and {groups.smaller:.0%}" for groups in found.values())
    each = "" if len(found) == 1 else " each"
    yield Finding(
        "two-groups", "hint",
        f"{listed(found)} may{each} be two groups with a gap between them, of {parts} of the images.",
        "The report shows some of each: two kinds, or one in two styles? "
        f"To split {' or '.join(map(str, found))}, train {room} or a new --seed.",
        tuple(found), {f"bimodality_{code}": groups.bimodality for code, groups in found.items()},
        {
            f"{share:.0%} of class {code}": images
            for code, groups in found.items() for share, images in groups.by_size
        },
    )  # fmt: skip


def copies(e: Evidence) -> Iterator[Finding]:
    """Pairs of classes for which G makes the same pictures."""
    inform = ", raise --information.weight" if e.informed else ""
    for i, j in _pairs(e, np.triu(e.copies < SAME_PICTURES, 1)):
        yield Finding(
            "same-pictures", "fault",
            f"Classes {i} and {j} generate near-identical images: from the same noise they differ by "
            f"{e.copies[i, j]:.0%} of the variance of all generated images.",
            f"The generator does not tell them apart: train longer{inform}, or take them as one class.",
            (i, j), {"difference": e.copies[i, j]},
        )  # fmt: skip


def collapsed(e: Evidence) -> Iterator[Finding]:
    """Classes whose generated images are nearly all the same."""
    few = np.flatnonzero(np.nan_to_num(e.variety, nan=math.inf) < COLLAPSED).tolist()
    if not few:
        return
    vary = ", ".join(f"{e.variety[code]:.0%}" for code in few)
    each, its = ("generates", "its") if len(few) == 1 else ("each generate", "their")
    yield Finding(
        "collapsed", "fault",
        f"{listed(few)} {each} near-identical images: they vary {vary} as much as {its} real ones.",
        "Train longer. If it stays so, lower --optimiser.generator-learning-rate or raise --batch.",
        tuple(few), {f"variety_{code}": e.variety[code] for code in few},
    )  # fmt: skip


def unrecognised(e: Evidence) -> Iterator[Finding]:
    """Classes whose generated images Q takes for another class."""
    own = e.recognised.diagonal()
    poor = [code for code in _used(e) if own[code] < RECOGNISED]
    if not poor:
        return
    taken = {code: int(e.recognised[code].argmax()) for code in poor}
    how = ", ".join(
        f"{own[code]:.2f}" + ("" if taken[code] == code else f" (most look like class {taken[code]})")
        for code in poor
    )
    these = "that class" if len(poor) == 1 else "these"
    yield Finding(
        "not-generated", "fault",
        f"{listed(poor)}: generated images are not recognised as {these}; probability {how} on average.",
        "Train longer: the generator comes last and rare classes after common ones."
        + (" Or raise --information.weight." if e.informed else ""),
        tuple(poor), {f"recognised_{code}": own[code] for code in poor},
    )  # fmt: skip


def starved(e: Evidence) -> Iterator[Finding]:
    """A discriminator that is so sure that the generator learns little."""
    loss = e.losses.get("adversarial_d", math.inf)
    if loss < STARVED:
        yield Finding(
            "d-overpowers-g", "fault",
            f"The discriminator overpowers the generator: its loss is {loss:.2f} (right with "
            f"{math.exp(-loss / 2):.0%} on average), the generator's {e.losses['adversarial_g']:.2f}.",
            "Give it --adversary.augment, if the plan of the run had none. Else halve "
            "--optimiser.discriminator-learning-rate, or double --optimiser.generator-learning-rate.",
            (), {"adversarial_d": loss, "adversarial_g": e.losses["adversarial_g"]},
        )  # fmt: skip


def disagreeing(e: Evidence) -> Iterator[Finding]:
    """A prior that is not the shares of the assignments."""
    gaps = e.prior - e.answers.shares
    distance = float(np.abs(gaps).sum() / 2)
    if distance > DISAGREE:
        worst = int(np.abs(gaps).argmax())
        remedy = (
            "Train longer, or, in a recipe with the stage encode, raise --prior.posterior-rate. If these are "
            "not the images of the training, the kinds are simply not as common here."
            if e.learned_prior
            else "This recipe keeps the prior fixed: train with --recipe elastic, which learns it."
        )
        yield Finding(
            "prior-disagrees", "fault" if distance > 2 * DISAGREE else "hint",
            f"Prior and assignments disagree about {distance:.0%} of the images; most about class {worst}: "
            f"prior {e.prior[worst]:.1%}, assigned {e.answers.shares[worst]:.1%}.",
            remedy, (worst,), {"distance": distance},
        )  # fmt: skip


def moved_by_views(e: Evidence) -> Iterator[Finding]:
    """Views after which Q gives another class."""
    if not e.view_changes:
        return
    alone = {name: value for name, value in e.view_changes.items() if name != "all"}
    guilty = [name for name, value in alone.items() if value > VIEW_ALONE]
    together = e.view_changes["all"]
    if not guilty and together <= VIEWS_TOGETHER:
        return
    names = sorted(guilty or alone, key=lambda name: -alone[name])[:3]
    parts = ", ".join(f"{name} alone {alone[name]:.0%}" for name in names)
    calmer = ", ".join(_calmer(name, e.views[name]) for name in names[: max(1, len(guilty))])
    yield Finding(
        "views-change-identity", "fault" if guilty else "hint",
        f"Views change what Q sees: {together:.0%} of the images get another class through a view ({parts}).",
        f"A view must keep the kind of object: try {calmer}. If they do keep it, train longer.",
        (), {"all": together, **{name: alone[name] for name in names}},
    )  # fmt: skip


def listed(codes: Iterable[int]) -> str:
    """Classes in words.

    >>> listed([3]), listed([0, 2, 5])
    ('Class 3', 'Classes 0, 2 and 5')
    """
    *some, last = [str(code) for code in codes]
    return f"Classes {', '.join(some)} and {last}" if some else f"Class {last}"


def _calmer(name: str, value: float | bool) -> str:
    flag = f"--views.{name.replace('_', '-')}"
    return "--views.no-mirror" if isinstance(value, bool) else f"{flag} {value / 2:g}"


def _used(e: Evidence) -> list[int]:
    return [int(code) for code in np.flatnonzero(e.answers.counts >= ENOUGH)]


def _pairs(e: Evidence, where: np.ndarray[Any, Any]) -> Iterator[tuple[int, int]]:
    """Pairs of classes with enough images each, where the matrix says so."""
    used = set(_used(e))
    return ((i, j) for i, j in np.argwhere(where).tolist() if {i, j} <= used)
