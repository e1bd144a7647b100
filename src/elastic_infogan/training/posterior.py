"""The linear-softmax posterior that tells classes by features: what Q's head becomes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

__all__ = ["HEAD_NORM", "LinearPosterior", "regressed"]

HEAD_NORM = 10.0
"""Mean length of a row of Q's head after discovery."""

FREEDOM = 10.0
"""Inverse strength of the regression's penalty; from 1 to 100 nothing changes (docs/experiments.md)."""


@dataclass(frozen=True)
class LinearPosterior:
    """`softmax(W f + b)`.

    Arguments:
        weight: W, `(K, F)`.
        bias: b, `(K,)`.
        shares: of the classes, `(K,)`.
    """

    weight: Tensor
    bias: Tensor
    shares: Tensor


def regressed(features: NDArray[np.float64], classes: NDArray[np.int64], n_classes: int) -> LinearPosterior:
    """Logistic regression from features `(N, F)` to `classes` (N,), of which some may be empty.

    A mixture of Gaussians with one covariance is linear-softmax too, but puts a variant that lies apart
    from its class with whatever mean is nearest; only the border matters here. Images weigh the inverse
    square root of their class's size, so that the borders of rare classes count for more.
    """
    present = np.unique(classes)
    weight = np.zeros((n_classes, features.shape[1]))
    bias = np.full(n_classes, -HEAD_NORM)  # where images repeat, fewer clusters than asked for are filled
    bias[present] = 0.0
    if len(present) > 1:
        weights = {k: (len(classes) / (classes == k).sum()) ** 0.5 for k in present}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # near enough: training goes on from here
            fitted = LogisticRegression(C=FREEDOM, class_weight=weights, max_iter=300).fit(features, classes)
        rows, offsets = fitted.coef_, fitted.intercept_
        if len(present) == 2:  # the library then gives the difference of the two alone
            rows, offsets = np.concatenate([-rows, rows]) / 2, np.concatenate([-offsets, offsets]) / 2
        weight[present], bias[present] = rows, offsets
    shares = np.bincount(classes, minlength=n_classes) / len(classes)
    return LinearPosterior(*(torch.as_tensor(found).float() for found in (weight, bias, shares)))
