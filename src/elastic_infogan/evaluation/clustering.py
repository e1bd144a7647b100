"""How well codes agree with labels, and a class prior with true shares: pure functions on integer arrays.

Codes and labels are the two sides of one table. `match` pairs them one to one; whatever is compared
class by class is compared through that pairing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import rel_entr
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

__all__ = [
    "UNMATCHED",
    "accuracy",
    "align",
    "ari",
    "count_matrix",
    "match",
    "match_counts",
    "nmi",
    "prior_jsd",
    "prior_rmse",
    "recall",
    "shares",
]

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]

UNMATCHED = -1
"""What `match` gives for a code that has no class."""


def count_matrix(codes: Ints, labels: Ints, n_codes: int, n_classes: int) -> NDArray[np.int64]:
    """How often each code meets each class: M_kc = |{i : code_i = k, label_i = c}|.

    Arguments:
        codes: code of each image in 0 … K−1, `(N,)`.
        labels: class of each image in 0 … C−1, `(N,)`.
        n_codes: K.
        n_classes: C.

    Returns: counts, int64 `(K, C)`.

    Raises:
        ValueError: the lengths differ or a value is out of range.

    >>> count_matrix(np.array([0, 0, 1]), np.array([2, 2, 0]), 2, 3)
    array([[0, 0, 2],
           [1, 0, 0]])
    """
    codes, labels = np.asarray(codes, np.int64), np.asarray(labels, np.int64)
    if codes.shape != labels.shape or codes.ndim != 1:
        raise ValueError(f"codes {codes.shape} and labels {labels.shape} must be one value for each image")
    for name, values, limit in (("code", codes, n_codes), ("label", labels, n_classes)):
        if values.size and (values.min() < 0 or values.max() >= limit):
            raise ValueError(f"{name}s run from {values.min()} to {values.max()}, not within 0 … {limit - 1}")
    cells = np.bincount(codes * n_classes + labels, minlength=n_codes * n_classes)
    return cells.reshape(n_codes, n_classes).astype(np.int64)


def shares(values: Ints, n: int) -> NDArray[np.float64]:
    """Share of each value 0 … n−1 among `values` (N,): `(n,)`, summing to one."""
    return np.bincount(values, minlength=n) / max(len(values), 1)


def nmi(codes: Ints, labels: Ints) -> float:
    """Normalised mutual information 2 I(code; label) / (H(code) + H(label)), in [0, 1].

    Arguments:
        codes, labels: `(N,)`; any integers, only the grouping counts.

    >>> round(nmi(np.array([0, 0, 1, 1]), np.array([5, 5, 3, 3])), 6)
    1.0
    """
    return float(normalized_mutual_info_score(labels, codes, average_method="arithmetic"))


def ari(codes: Ints, labels: Ints) -> float:
    """Adjusted Rand index (Hubert and Arabie, 1985): 1 for equal groupings, 0 on average for random ones.

    Arguments:
        codes, labels: `(N,)`; any integers, only the grouping counts.
    """
    return float(adjusted_rand_score(labels, codes))


def match(codes: Ints, labels: Ints, n_codes: int, n_classes: int) -> NDArray[np.int64]:
    """The one-to-one pairing of codes with classes that most images agree with (Kuhn, 1955).

    min(K, C) pairs are made, also where a pair shares no image. Of K > C codes those left over are
    `UNMATCHED`; of C > K classes those left over appear nowhere in the answer.

    Arguments:
        codes: code of each image, `(N,)`.
        labels: class of each image, `(N,)`.
        n_codes: K.
        n_classes: C.

    Returns: class of each code, int64 `(K,)`.

    >>> match(np.array([0, 0, 1, 2, 2]), np.array([1, 1, 0, 0, 1]), 3, 2)
    array([ 1,  0, -1])
    """
    return match_counts(count_matrix(codes, labels, n_codes, n_classes))


def match_counts(counts: Ints) -> NDArray[np.int64]:
    """`match` from the count matrix `(K, C)`: class of each code, int64 `(K,)`."""
    rows, columns = linear_sum_assignment(counts, maximize=True)
    matching = np.full(len(counts), UNMATCHED, np.int64)
    matching[rows] = columns
    return matching


def accuracy(codes: Ints, labels: Ints, matching: Ints) -> float:
    """Share of images whose code is matched with their class; images of unmatched codes count as wrong.

    Arguments:
        codes, labels: `(N,)`, at least one image.
        matching: class of each code, `(K,)`, from `match`.

    >>> accuracy(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 1]), np.array([1, 0]))
    0.75
    """
    return float(np.mean(matching[codes] == labels))


def recall(codes: Ints, labels: Ints, matching: Ints, n_classes: int) -> NDArray[np.float64]:
    """Share of each class's images that have its code: `(C,)`.

    A class without a code has recall 0, a class without images NaN.

    Arguments:
        codes, labels: `(N,)`.
        matching: class of each code, `(K,)`, from `match`.
        n_classes: C.

    >>> recall(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 1]), np.array([1, 0]), 2).round(3)
    array([1.   , 0.667])
    """
    found = np.bincount(labels[matching[codes] == labels], minlength=n_classes)
    present = np.bincount(labels, minlength=n_classes)
    answer = np.full(n_classes, np.nan)
    np.divide(found, present, out=answer, where=present > 0)
    return answer


def align(
    prior: Floats, true_shares: Floats, matching: Ints
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Prior and true shares as two distributions over the same max(K, C) outcomes.

    Classes come first, in their order, then unmatched codes. A class without a code has prior 0 there,
    and an unmatched code has share 0: a spare code is right to be empty, a lost class is an error.

    Arguments:
        prior: probability of each code, `(K,)`.
        true_shares: share of each class, `(C,)`.
        matching: class of each code, `(K,)`, from `match`.

    Returns: prior and shares, each `(max(K, C),)`.

    >>> align(np.array([0.6, 0.1, 0.3]), np.array([0.4, 0.6]), np.array([1, -1, 0]))
    (array([0.3, 0.6, 0.1]), array([0.4, 0.6, 0. ]))
    """
    matched = np.asarray(matching) != UNMATCHED
    spare = np.asarray(prior, np.float64)[~matched]
    by_class = np.zeros(len(true_shares))
    by_class[matching[matched]] = np.asarray(prior, np.float64)[matched]
    return np.concatenate([by_class, spare]), np.concatenate([true_shares, np.zeros_like(spare)])


def prior_rmse(prior: Floats, true_shares: Floats, matching: Ints) -> float:
    """Error of the learned prior: √ mean_k (p_k − share_k)², over the outcomes of `align`.

    Arguments:
        prior: probability of each code, `(K,)`.
        true_shares: share of each class, `(C,)`.
        matching: class of each code, `(K,)`, from `match`.

    >>> round(prior_rmse(np.array([0.5, 0.5]), np.array([0.4, 0.6]), np.array([0, 1])), 6)
    0.1
    """
    p, q = align(prior, true_shares, matching)
    return float(np.sqrt(np.mean((p - q) ** 2)))


def prior_jsd(prior: Floats, true_shares: Floats, matching: Ints) -> float:
    """Jensen–Shannon divergence of prior and shares, in nats: ½ KL(p‖m) + ½ KL(q‖m), m = (p + q)/2.

    Between 0 and ln 2 (Lin, 1991), over the outcomes of `align`.

    Arguments:
        prior: probability of each code, `(K,)`.
        true_shares: share of each class, `(C,)`.
        matching: class of each code, `(K,)`, from `match`.
    """
    p, q = align(prior, true_shares, matching)
    middle = (p + q) / 2
    divergence = (rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2
    return max(0.0, float(divergence))
