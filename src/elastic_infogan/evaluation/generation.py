"""How good generated images are: codes against recognised classes, and fidelity and diversity of features.

The features are whatever a named extractor gives; none of these numbers means anything without its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import entropy
from torch import Tensor

from elastic_infogan.evaluation.clustering import nmi

__all__ = ["classes_shown", "ent", "fid", "generated_nmi", "kid", "manifold_scores"]

Counts = NDArray[np.integer[Any]]

NEIGHBOURS = 5
"""k of the k-nearest-neighbour balls, as Naeem et al. (2020) advise."""

ROWS_AT_ONCE = 256
"""Rows of a distance or kernel matrix held at a time: 20 MB against 10,000 columns, which the C library
still keeps for the next block."""


def generated_nmi(counts: Counts) -> float:
    """NMI of code and recognised class, arithmetic normalisation, from the count matrix M.

    Arguments:
        counts: images by code and class, `(K, C)`, at least one.

    >>> round(generated_nmi(np.array([[0, 9], [9, 0]])), 6)
    1.0
    """
    codes, classes = np.indices(counts.shape).reshape(2, -1)
    return nmi(np.repeat(codes, counts.ravel()), np.repeat(classes, counts.ravel()))


def ent(counts: Counts) -> float:
    """ENT of Elastic-InfoGAN: mean Shannon entropy, in nats, over the K rows and C columns of M.

    A row's entropy says how mixed a code is, a column's over how many codes a class is spread. A class
    that is never generated has an empty column, whose entropy is undefined: it counts ln K, the worst
    case. By the same rule an empty row (a code without images, impossible where every code is asked for
    the same number) counts ln C.

    Source: Ojha et al., NeurIPS 2020; the rule for empty columns is this project's.

    Arguments:
        counts: images by code and class, `(K, C)`.

    >>> ent(np.array([[5, 0], [0, 5]]))
    0.0
    >>> round(ent(np.array([[5, 0], [5, 0]])), 4)  # (0 + 0 + ln 2 + ln 2) / 4
    0.3466
    """
    return float(np.mean(np.concatenate([_row_entropies(counts), _row_entropies(counts.T)])))


def _row_entropies(counts: Counts) -> NDArray[np.float64]:
    """Entropy of each row of `(R, S)` in nats, ln S where the row is empty: `(R,)`."""
    empty = counts.sum(1) == 0
    return np.asarray(entropy(np.where(empty[:, None], 1, counts), axis=1), np.float64)


def classes_shown(counts: Counts) -> NDArray[np.bool_]:
    """Whether each class makes up at least half of some code's images: `(C,)`; one that does not is lost.

    Arguments:
        counts: images by code and class, `(K, C)`.

    >>> classes_shown(np.array([[9, 1, 0], [6, 3, 1], [1, 7, 2]]))
    array([ True,  True, False])
    """
    totals = counts.sum(1, keepdims=True)
    return np.asarray(np.any((2 * counts >= totals) & (totals > 0), axis=0))


def manifold_scores(real: Tensor, fake: Tensor, neighbours: int = NEIGHBOURS) -> dict[str, float]:
    """Precision, recall, density and coverage by balls B that reach to a point's k-th neighbour.

        precision = mean_j 1[f_j ∈ ∪_i B(r_i)]     recall   = mean_i 1[r_i ∈ ∪_j B(f_j)]
        density   = Σ_ij 1[f_j ∈ B(r_i)] / (k M)   coverage = mean_i 1[∃ j : f_j ∈ B(r_i)]

    Balls are closed, so that a repeated image is inside its own. Fidelity is precision and density
    (which can exceed 1), diversity is recall and coverage. Use sets of about the same size.

    Source: Kynkäänniemi et al., NeurIPS 2019; Naeem et al., ICML 2020.

    Arguments:
        real, fake: features, `(N, F)` and `(M, F)`.
        neighbours: k; fewer where a set has no more than k points.

    Raises:
        ValueError: a set has fewer than two points.
    """
    real, fake = _double(real), _double(fake)
    if min(len(real), len(fake)) < 2:
        raise ValueError(f"manifold scores need two points a set, got {len(real)} real, {len(fake)} fake")
    k = min(neighbours, len(real) - 1)
    real_radius = _radius(real, k)
    fake_radius = _radius(fake, min(neighbours, len(fake) - 1))
    in_real_balls = torch.zeros(len(fake))
    covered, recalled = [], []
    for start, distances in _distances(real, fake):
        inside = distances <= real_radius[start : start + len(distances), None]
        in_real_balls += inside.sum(0)
        covered.append(inside.any(1))
        recalled.append((distances <= fake_radius).any(1))
    return {
        "precision": float((in_real_balls > 0).double().mean()),
        "recall": float(torch.cat(recalled).double().mean()),
        "density": float(in_real_balls.double().mean()) / k,
        "coverage": float(torch.cat(covered).double().mean()),
    }


def fid(real: Tensor, fake: Tensor) -> float:
    """Fréchet distance of two Gaussians fitted to features: ‖μ − μ'‖² + tr(Σ + Σ' − 2 (Σ Σ')^½).

    Source: Heusel et al., NIPS 2017, who use Inception features; its value depends on the extractor and,
    for fewer than a few thousand images, on their number. Name the extractor wherever it is printed.

    Arguments:
        real, fake: features, `(N, F)` and `(M, F)`, at least two each.
    """
    real, fake = _double(real), _double(fake)
    root = _root(torch.cov(real.T))
    # tr (Σ Σ')^½ = tr (Σ^½ Σ' Σ^½)^½, which is symmetric and so has real eigenvalues
    product = torch.linalg.eigvalsh(root @ torch.cov(fake.T) @ root).clamp(min=0).sqrt().sum()
    spread = real.var(0).sum() + fake.var(0).sum() - 2 * product
    return max(0.0, float((real.mean(0) - fake.mean(0)).square().sum() + spread))


def kid(real: Tensor, fake: Tensor) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x·y / F + 1)³.

    Computed once over all pairs rather than averaged over random subsets: no chance in it, and the
    variance is smaller. It is zero on average for two samples of one law, and can then be negative.

    Source: Bińkowski et al., ICLR 2018. Name the extractor wherever it is printed.

    Arguments:
        real, fake: features, `(N, F)` and `(M, F)`, at least two each.
    """
    real, fake = _double(real), _double(fake)
    across = _kernel_sum(real, fake) / (len(real) * len(fake))
    return _mean_of_pairs(real) + _mean_of_pairs(fake) - 2 * across


def _double(features: Tensor) -> Tensor:
    # float64 keeps the distances of near neighbours, and only the CPU is sure to have it
    return features.detach().to("cpu", torch.float64)


def _distances(points: Tensor, others: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Euclidean distances of `(N, F)` to `(M, F)`, as first row and block `(≤ ROWS_AT_ONCE, M)`."""
    for start in range(0, len(points), ROWS_AT_ONCE):
        yield start, torch.cdist(points[start : start + ROWS_AT_ONCE], others)


def _radius(points: Tensor, k: int) -> Tensor:
    """Distance of each of `(N, F)` to its k-th neighbour, itself not counted: `(N,)`."""
    return torch.cat(
        [block.topk(k + 1, dim=1, largest=False).values[:, -1] for _, block in _distances(points, points)]
    )


def _root(matrix: Tensor) -> Tensor:
    """Symmetric square root of a positive semi-definite `(F, F)`."""
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


def _kernel_sum(points: Tensor, others: Tensor) -> float:
    """Sum of (x·y / F + 1)³ over all pairs of `(N, F)` and `(M, F)`."""
    blocks = (
        (block @ others.T).div_(points.shape[1]).add_(1).pow_(3) for block in points.split(ROWS_AT_ONCE)
    )
    return float(sum(block.sum() for block in blocks))


def _mean_of_pairs(points: Tensor) -> float:
    """Mean kernel over ordered pairs of different points of `(N, F)`."""
    itself = (points.square().sum(1) / points.shape[1] + 1).pow(3).sum()
    return (_kernel_sum(points, points) - float(itself)) / (len(points) * (len(points) - 1))
