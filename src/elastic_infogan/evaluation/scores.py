"""The two halves of the evaluation protocol, each as one flat mapping that goes straight into JSON.

A number that is undefined (the recall of a class without images) is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elastic_infogan.data.images import ImageSet
from elastic_infogan.errors import DataError
from elastic_infogan.evaluation import clustering, generation
from elastic_infogan.evaluation.clustering import UNMATCHED
from elastic_infogan.evaluation.reference import ReferenceClassifier

__all__ = ["Sampler", "evaluate_assigned", "evaluate_generated"]

Sampler = Callable[[Tensor], Tensor]
"""From codes, int64 `(N,)`, to images, uint8 `(N, H, W, C)`."""

SAMPLE_AT_ONCE = 500


def evaluate_assigned(
    codes: NDArray[np.int64],
    labels: NDArray[np.int64],
    prior: NDArray[np.floating[Any]],
    n_classes: int,
    class_names: Sequence[str] = (),
) -> dict[str, Any]:
    """Clustering of real images and the learned prior, against labels.

    Arguments:
        codes: assigned code of each image, `(N,)`.
        labels: class of each image, `(N,)`.
        prior: probability of each code, `(K,)`.
        n_classes: C.
        class_names: name of each class; its index where there is none.

    Returns: `accuracy`, `nmi`, `ari`, `recall` {class: value}, `prior_rmse`, `prior_jsd`,
        `uniform_prior_rmse` (what a prior that learned nothing scores) and `classes`, the rows of a table:
        class, code, prior, assigned share, true share, recall. Rows of codes without a class come last.

    Raises:
        DataError: no images.
    """
    if not len(labels):
        raise DataError("there are no labelled images to evaluate")
    n_codes, names = len(prior), _names(class_names, n_classes)
    matching = clustering.match(codes, labels, n_codes, n_classes)
    true_shares = clustering.shares(labels, n_classes)
    recalls = clustering.recall(codes, labels, matching, n_classes)
    uniform = np.full(n_codes, 1 / n_codes)
    return {
        "accuracy": clustering.accuracy(codes, labels, matching),
        "nmi": clustering.nmi(codes, labels),
        "ari": clustering.ari(codes, labels),
        "recall": {name: _defined(value) for name, value in zip(names, recalls, strict=True)},
        "prior_rmse": clustering.prior_rmse(prior, true_shares, matching),
        "prior_jsd": clustering.prior_jsd(prior, true_shares, matching),
        "uniform_prior_rmse": clustering.prior_rmse(uniform, true_shares, matching),
        "classes": _class_rows(
            names, matching, prior, clustering.shares(codes, n_codes), true_shares, recalls
        ),
    }


def evaluate_generated(
    sample: Sampler,
    n_codes: int,
    reference: ReferenceClassifier,
    per_code: int = 1000,
    real: ImageSet | None = None,
    among: NDArray[np.int64] | None = None,
) -> dict[str, Any]:
    """Images made with every code equally often, as the reference classifier sees them.

    Arguments:
        sample: makes images of given codes, of the size and mode that `reference` reads.
        n_codes: K.
        reference: a classifier of the labelled data.
        per_code: images made with each code.
        real: labelled images to compare features with; None leaves these numbers out.
        among: classes that the measured images are of; a drawn set may have no image of others, which then
            count neither as lost nor in means over the classes. None: all that the reference knows.

    Returns: `generated_nmi`, `ent`, `classes_generated`, `classes_lost` (the others `among` them, by name),
        `count_matrix` (code × class), `reference` and `reference_held_out_accuracy`. With real images also
        `fid_R`, `kid_R`, `precision_R`, `recall_R`, `density_R` and `coverage_R`, R being the extractor's
        name, `per_class_R` {class: the same}, and `class_precision_R` and `class_coverage_R`, their means
        over the classes.
    """
    codes = torch.arange(n_codes).repeat_interleave(per_code)
    images = torch.cat([sample(batch).cpu() for batch in codes.split(SAMPLE_AT_ONCE)])
    counts = clustering.count_matrix(codes.numpy(), reference.predict(images), n_codes, reference.n_classes)
    shown = generation.classes_shown(counts)
    names = reference.class_names
    there: Sequence[int] = range(reference.n_classes) if among is None else np.unique(among).tolist()
    scores: dict[str, Any] = {
        "generated_nmi": generation.generated_nmi(counts),
        "ent": generation.ent(counts),
        "classes_generated": int(shown.sum()),
        "classes_lost": [names[c] for c in there if not shown[c]],
        "count_matrix": counts.tolist(),
        "reference": reference.name,
        "reference_held_out_accuracy": _defined(reference.held_out_accuracy),
    }
    if real is not None:
        asked = clustering.match_counts(counts)[codes.numpy()]
        scores |= _fidelity(reference, images, asked, real, per_code, there)
    return scores


def _fidelity(
    reference: ReferenceClassifier,
    images: Tensor,
    asked: NDArray[np.int64],
    real: ImageSet,
    per_class: int,
    among: Sequence[int],
) -> dict[str, Any]:
    """Features of generated images against those of real ones, over all classes and in each.

    Classes are equally common on both sides, as far as real images last: what is judged is how images
    look, not the prior. A class's generated images are those whose code is matched with it, whatever
    they turned out to show.

    Arguments:
        asked: class that each generated image was meant to show, or `UNMATCHED`, `(N,)`.
        per_class: most real images to take of a class.
        among: classes that count in means over the classes.
    """
    if real.labels is None:
        raise DataError(f"{real.origin} has no labels, and fidelity per class needs them")
    chosen = _some_of_each_class(real.labels, per_class)
    shown = real.labels[chosen]
    real_features = reference.features(real.images[chosen])
    fake_features = reference.features(images)
    per_class_scores = {
        name: _compare(real_features[shown == c], fake_features[asked == c])
        for c, name in enumerate(reference.class_names)
    }
    comparable = [reference.class_names[c] for c in among if (shown == c).sum() > 1]
    overall = _compare(real_features, fake_features) | {
        f"class_{key}": _mean_over_classes([per_class_scores[name] for name in comparable], key)
        for key in ("precision", "coverage")
    }
    return {f"{key}_{reference.name}": value for key, value in overall.items()} | {
        f"per_class_{reference.name}": per_class_scores
    }


def _mean_over_classes(per_class: Sequence[Mapping[str, float | None]], key: str) -> float | None:
    """Mean of a score over classes of two real images or more, None where there are none.

    A class that no code stands for counts as 0, the worst case.
    """
    return float(np.mean([scores[key] or 0.0 for scores in per_class])) if per_class else None


def _compare(real: Tensor, fake: Tensor) -> dict[str, float | None]:
    """All fidelity and diversity numbers of two feature sets; None where one has fewer than two images."""
    if min(len(real), len(fake)) < 2:
        return dict.fromkeys(("fid", "kid", "precision", "recall", "density", "coverage"))
    distances = {"fid": generation.fid(real, fake), "kid": generation.kid(real, fake)}
    return {**distances, **generation.manifold_scores(real, fake)}


def _some_of_each_class(labels: NDArray[np.int64], per_class: int) -> NDArray[np.int64]:
    """Sorted indices of up to `per_class` images of each class, spread evenly over the set."""
    chosen = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        chosen.append(members[np.linspace(0, len(members) - 1, min(per_class, len(members))).astype(int)])
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)


def _class_rows(
    names: Sequence[str],
    matching: NDArray[np.int64],
    prior: NDArray[np.floating[Any]],
    assigned: NDArray[np.float64],
    true_shares: NDArray[np.float64],
    recalls: NDArray[np.float64],
) -> list[dict[str, Any]]:
    """One row a class, in their order, then one a code without a class."""
    code_of = {int(c): k for k, c in enumerate(matching) if c != UNMATCHED}
    rows = [
        _row(name, code_of.get(c), prior, assigned, true_shares[c], recalls[c])
        for c, name in enumerate(names)
    ]
    spare = np.flatnonzero(matching == UNMATCHED)
    return rows + [_row(None, int(k), prior, assigned, 0.0, math.nan) for k in spare]


def _row(
    name: str | None,
    code: int | None,
    prior: NDArray[np.floating[Any]],
    assigned: NDArray[np.float64],
    true_share: float,
    recall: float,
) -> dict[str, Any]:
    return {
        "class": name,
        "code": code,
        "prior": 0.0 if code is None else float(prior[code]),
        "assigned_share": 0.0 if code is None else float(assigned[code]),
        "true_share": float(true_share),
        "recall": _defined(recall),
    }


def _names(class_names: Sequence[str], n_classes: int) -> list[str]:
    return [*class_names[:n_classes], *(str(c) for c in range(len(class_names), n_classes))]


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
