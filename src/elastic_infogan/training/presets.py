"""Views by sort of picture: the ranges that a preset stands for, used wherever none is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from elastic_infogan.training.config import Views

__all__ = [
    "DIGITS",
    "FACES",
    "HANDWRITING",
    "LETTERS",
    "NATURAL",
    "OBJECTS",
    "PRESETS",
    "STROKES",
    "filled",
    "ranges",
    "unfilled",
]

DIGITS = Views(
    preset="digits",
    rotate=15.0,
    zoom=0.25,
    translate=0.1,
    shear=27.0,
    stretch=0.25,
    corners=0.0,
    deform=0.036,
    thickness=1.0,
    opening=0.0,
    crop=0.0,
    mirror=False,
    colour=0.0,
    hue=0.0,
    greyscale=0.0,
)
"""Digits: everything a hand varies, but no mirror, no quarter turn, no colour."""

LETTERS = replace(DIGITS, preset="letters", opening=0.1)
"""Letters and other signs in many styles: typefaces also vary how strokes end and how thin they may get."""

OBJECTS = replace(
    DIGITS,
    preset="objects",
    zoom=0.2,
    shear=10.0,
    stretch=0.15,
    deform=0.0,
    thickness=0.0,
    crop=0.2,
    mirror=True,
    colour=0.3,
    hue=0.05,
    greyscale=0.1,
)
"""Things on a plain background, icons, clothes: what is drawn stays in sight, its colours stay near."""

FACES = replace(
    OBJECTS, preset="faces", rotate=10.0, zoom=0.15, translate=0.05, shear=5.0, stretch=0.1, hue=0.02
)
"""Aligned faces: mirror, mild pose, light; the hue of skin and hair hardly moves."""

NATURAL = replace(
    DIGITS,
    preset="natural",
    rotate=5.0,
    zoom=0.0,
    translate=0.0,
    shear=0.0,
    stretch=0.33,
    deform=0.0,
    thickness=0.0,
    crop=0.7,
    mirror=True,
    colour=0.4,
    hue=0.1,
    greyscale=0.2,
)
"""Photographs: the random resized crop, mirror, colour jitter and greyscale of SimCLR (Chen et al. 2020),
with 30 % or more of the area kept, since an object that has left the picture is no longer its class. Its
blur is left out: at 128 pixels and below it takes away what little there is to see."""

PRESETS: Mapping[str, Views] = {v.preset: v for v in (DIGITS, LETTERS, OBJECTS, FACES, NATURAL)}

STROKES = (DIGITS.preset, LETTERS.preset)
"""Presets of what is drawn in strokes, which can be set upright."""

HANDWRITING = (DIGITS.preset,)
"""Presets of strokes without serifs, whose concavities tell signs apart and not typefaces."""


def filled(views: Views) -> Views:
    """`views` with every range that it leaves open taken from its preset; `auto` must be settled before."""
    preset = PRESETS[views.preset]
    missing = [f.name for f in fields(views) if getattr(views, f.name) is None]
    return replace(views, **{name: getattr(preset, name) for name in missing})


def unfilled(views: Views) -> Views:
    """Settled `views` without the ranges that their preset brings anyway."""
    preset = PRESETS[views.preset]
    own = {name: value for name, value in ranges(views).items() if getattr(preset, name) != value}
    return Views(preset=views.preset, **own)


def ranges(views: Views) -> dict[str, Any]:
    """Name and value of every range of settled views, as `IdentityViews` takes them."""
    return {name: value for name, value in asdict(views).items() if name != "preset"}
