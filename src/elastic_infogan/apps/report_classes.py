"""What the report shows of the model: shares, pictures of each class, latent walks, confusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.apps.gallery import Gallery
from elastic_infogan.apps.names import ClassNames
from elastic_infogan.apps.pictures import data_uri, resized, sprite
from elastic_infogan.apps.traversals import along_continuous, between_classes, within_class
from elastic_infogan.evaluation.doctor import CHECKS, Finding

__all__ = ["content", "examples", "strip"]

EACH = 12
"""pictures of a kind for each class: two rows of six, which a phone shows at their size"""
WALKED = 12
"""classes that are walked through, the most common ones"""
STEPS = 10
"""pictures on a walk"""
SHARP = 32
"""pixels up to which pictures are kept exactly; larger ones are photographs more often than not"""
LARGEST = 64
"""pixels of a side on the page; larger pictures are made smaller, so that the page stays light"""

Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class Counted:
    """A gallery whose answers count merged classes as one, under the lowest number among them."""

    gallery: Gallery
    names: ClassNames

    @property
    def prior(self) -> NDArray[np.float64]:
        """The learned share of each class, `(K,)`, that of merged ones added up."""
        prior: NDArray[np.float64] = self.names.merge_probabilities(self.gallery.prior[None])[0]
        return prior

    def merged_with(self, code: int) -> list[int]:
        """The other classes that count as `code`."""
        return [other for other in self.names.members(code) if other != code]


def content(gallery: Gallery, names: ClassNames) -> dict[str, Any]:
    """All that the template needs about the model and its images, by the names and merges of a person."""
    probabilities = names.merge_probabilities(gallery.answers.probabilities)
    answers = replace(gallery.answers, probabilities=probabilities)
    counted = Counted(replace(gallery, answers=answers), names)
    leads = [group[0] for group in names.groups()]
    order = sorted(leads, key=lambda k: -answers.counts[k])
    walked = [k for k in order if answers.counts[k]][:WALKED]
    return {
        "images": len(answers),
        "origin": gallery.images.origin,
        "size": gallery.images.size,
        "n_classes": len(order),
        "used": int((answers.counts > 0).sum()),
        "walked": len(walked),
        "classes": [_card(counted, k) for k in order],
        "scale": float(max(answers.interval[1].max(), counted.prior.max(), 1e-9)),
        "walks": _walks(counted, walked),
        "confusion": [[float(answers.confusion[i, j]) for j in order] for i in order],
        "renamed": bool(names),
        "checks": CHECKS,
    }


def examples(gallery: Gallery, finding: Finding) -> list[tuple[str, dict[str, Any]]]:
    """Pictures of what a finding is about, each strip with what it shows."""
    return [
        (shown, strip(gallery.at(images[:EACH]), EACH // 2, f"images of one group: {shown}"))
        for shown, images in finding.examples.items()
    ]


def strip(images: Pictures, columns: int, said: str) -> dict[str, Any]:
    """Pictures `(N, H, W, C)` as one, with what it shows for those who cannot see it."""
    whole, cell = sprite(images, columns), images.shape[1]
    columns, rows = min(columns, len(images)), -(-len(images) // columns)
    if cell > LARGEST:
        whole = resized(whole, columns * LARGEST, rows * LARGEST)
    return {
        "src": data_uri(whole, "PNG" if cell <= SHARP else "WEBP"),
        "alt": said,
        "width": whole.shape[1],
        "height": whole.shape[0],
        "columns": columns,
        "sharp": cell <= SHARP,
    }


def _card(counted: Counted, code: int) -> dict[str, Any]:
    answers, names = counted.gallery.answers, counted.names
    low, high = answers.interval
    made = counted.gallery.generated(names.members(code), EACH)
    card: dict[str, Any] = {
        "code": code,
        "name": names.name(code),
        "title": names.title(code),
        "merged_with": counted.merged_with(code),
        "count": int(answers.counts[code]),
        "share": float(answers.shares[code]),
        "low": float(low[code]),
        "high": float(high[code]),
        "prior": float(counted.prior[code]),
        "generated": strip(made, EACH // 2, f"{EACH} generated images of {_said(names, code)}"),
    }
    return card | (_real(counted, code) if card["count"] else {})


def _real(counted: Counted, code: int) -> dict[str, Any]:
    gallery, names = counted.gallery, counted.names
    answers = gallery.answers
    typical, unsure = gallery.typical(code, EACH), answers.uncertain(code, EACH)
    probabilities = answers.probabilities[unsure, code]
    rivals = answers.probabilities[unsure].copy()
    rivals[:, code] = 0
    whose = _said(names, code)
    return {
        "first": strip(typical[:6], 6, ""),
        "typical": strip(typical, EACH // 2, f"{len(typical)} most typical images of {whose}"),
        "uncertain": strip(gallery.at(unsure), EACH // 2, f"{len(unsure)} least certain images of {whose}"),
        "unsure_from": float(probabilities.min()),
        "unsure_to": float(probabilities.max()),
        "rivals": [_said(names, k) for k in _most_frequent(rivals.argmax(axis=1))] if rivals.any() else [],
    }


def _said(names: ClassNames, code: int) -> str:
    """A class in the middle of a sentence: its name, or `class 3`."""
    return names.name(code) or f"class {code}"


def _most_frequent(codes: NDArray[np.int64]) -> list[int]:
    values, counts = np.unique(codes, return_counts=True)
    return [int(value) for value in values[np.argsort(-counts, kind="stable")][:3]]


def _walks(counted: Counted, codes: Sequence[int]) -> list[dict[str, Any]]:
    """Kinds of walks, each with a title, what to look for, and rows of pictures."""
    model, names = counted.gallery.model, counted.names
    said = {k: _said(names, k) for k in codes}
    within = [
        (names.title(k), strip(within_class(model, k, STEPS), STEPS, f"walk through the noise in {said[k]}"))
        for k in (codes if model.spec.noise else [])
    ]
    pairs = list(zip(codes, [*codes[1:], *codes[:1]], strict=True)) if len(codes) > 1 else []
    between = [
        (
            f"{names.name(i) or i} → {names.name(j) or j}",
            strip(between_classes(model, i, j, STEPS), STEPS, f"walk from {said[i]} to {said[j]}"),
        )
        for i, j in pairs
    ]
    walks = [
        {
            "title": "Within a class",
            "about": "The noise z goes from one draw to another, the class stays: only style changes.",
            "rows": within,
        },
        {
            "title": "From class to class",
            "about": "The noise stays, the class code is blended into the next: kind changes, style stays.",
            "rows": between,
        },
    ]
    return [walk for walk in [*walks, *_continuous(counted, codes)] if walk["rows"]]


def _continuous(counted: Counted, codes: Sequence[int]) -> list[dict[str, Any]]:
    model, names = counted.gallery.model, counted.names
    return [
        {
            "title": f"Along continuous code {axis}",
            "about": "The code goes from −1 to 1, noise and class stay.",
            "rows": [
                (names.title(k), strip(along_continuous(model, k, axis, STEPS), STEPS, said))
                for k, said in ((k, f"code {axis} in {_said(names, k)}") for k in codes[:4])
            ],
        }
        for axis in range(model.spec.continuous)
    ]
