"""What the report shows of the model: shares, pictures of each class, latent walks, confusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from elastic_infogan.apps.gallery import Gallery
from elastic_infogan.apps.pictures import data_uri, sprite
from elastic_infogan.apps.traversals import along_continuous, between_classes, within_class
from elastic_infogan.evaluation.doctor import CHECKS

__all__ = ["content", "strip"]

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


def content(gallery: Gallery) -> dict[str, Any]:
    """All that the template needs about the model and its images."""
    answers = gallery.answers
    order = np.argsort(-answers.counts, kind="stable").tolist()
    walked = [k for k in order if answers.counts[k]][:WALKED]
    return {
        "images": len(answers),
        "origin": gallery.images.origin,
        "size": gallery.images.size,
        "n_classes": answers.n_classes,
        "used": int((answers.counts > 0).sum()),
        "walked": len(walked),
        "classes": [_card(gallery, k) for k in order],
        "scale": float(max(answers.interval[1].max(), gallery.prior.max(), 1e-9)),
        "walks": _walks(gallery, walked),
        "confusion": [[float(answers.confusion[i, j]) for j in order] for i in order],
        "order": order,
        "checks": CHECKS,
    }


def strip(images: Pictures, columns: int, said: str) -> dict[str, Any]:
    """Pictures `(N, H, W, C)` as one, with what it shows for those who cannot see it."""
    whole, cell = sprite(images, columns), images.shape[1]
    columns, rows = min(columns, len(images)), -(-len(images) // columns)
    if cell > LARGEST:
        picture = Image.fromarray(whole[..., 0] if whole.shape[2] == 1 else whole)
        smaller = np.asarray(picture.resize((columns * LARGEST, rows * LARGEST), Image.Resampling.LANCZOS))
        whole = smaller.reshape(*smaller.shape[:2], -1)
    return {
        "src": data_uri(whole, "PNG" if cell <= SHARP else "WEBP"),
        "alt": said,
        "width": whole.shape[1],
        "height": whole.shape[0],
        "columns": columns,
        "sharp": cell <= SHARP,
    }


def _card(gallery: Gallery, code: int) -> dict[str, Any]:
    answers = gallery.answers
    low, high = answers.interval
    generated = gallery.generated(code, EACH)
    card: dict[str, Any] = {
        "code": code,
        "count": int(answers.counts[code]),
        "share": float(answers.shares[code]),
        "low": float(low[code]),
        "high": float(high[code]),
        "prior": float(gallery.prior[code]),
        "generated": strip(generated, EACH // 2, f"{EACH} generated images of class {code}"),
    }
    return card | (_real(gallery, code) if card["count"] else {})


def _real(gallery: Gallery, code: int) -> dict[str, Any]:
    answers = gallery.answers
    typical, unsure = gallery.typical(code, EACH), answers.uncertain(code, EACH)
    probabilities = answers.probabilities[unsure, code]
    rivals = answers.probabilities[unsure].copy()
    rivals[:, code] = 0
    said = f"{len(unsure)} least certain images of class {code}"
    return {
        "first": strip(typical[:6], 6, ""),
        "typical": strip(typical, EACH // 2, f"{len(typical)} most typical images of class {code}"),
        "uncertain": strip(gallery.at(unsure), EACH // 2, said),
        "unsure_from": float(probabilities.min()),
        "unsure_to": float(probabilities.max()),
        "rivals": _most_frequent(rivals.argmax(axis=1)),
    }


def _most_frequent(codes: NDArray[np.int64]) -> list[int]:
    values, counts = np.unique(codes, return_counts=True)
    return [int(value) for value in values[np.argsort(-counts, kind="stable")][:3]]


def _walks(gallery: Gallery, codes: Sequence[int]) -> list[dict[str, Any]]:
    """Kinds of walks, each with a title, what to look for, and rows of pictures."""
    model = gallery.model
    within = [
        (f"Class {k}", strip(within_class(model, k, STEPS), STEPS, f"walk through the noise in class {k}"))
        for k in codes
    ]
    pairs = list(zip(codes, [*codes[1:], *codes[:1]], strict=True)) if len(codes) > 1 else []
    between = [
        (f"{i} → {j}", strip(between_classes(model, i, j, STEPS), STEPS, f"walk from class {i} to class {j}"))
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
    return [walk for walk in [*walks, *_continuous(gallery, codes)] if walk["rows"]]


def _continuous(gallery: Gallery, codes: Sequence[int]) -> list[dict[str, Any]]:
    model = gallery.model
    return [
        {
            "title": f"Along continuous code {axis}",
            "about": "The code goes from −1 to 1, noise and class stay.",
            "rows": [
                (
                    f"Class {k}",
                    strip(along_continuous(model, k, axis, STEPS), STEPS, f"code {axis} in class {k}"),
                )
                for k in codes[:4]
            ],
        }
        for axis in range(model.spec.continuous)
    ]
