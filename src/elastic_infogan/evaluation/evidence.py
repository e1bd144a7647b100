"""What can be measured about a run without any label: the evidence that `doctor` judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.core.model import ElasticInfoGAN
from elastic_infogan.core.pixel_range import to_uint8
from elastic_infogan.data.views import IdentityViews
from elastic_infogan.evaluation.answers import Answers, ask
from elastic_infogan.evaluation.groups import TwoGroups, two_groups
from elastic_infogan.training.config import Config, Views
from elastic_infogan.training.joining import links, nearest
from elastic_infogan.training.presets import ranges

__all__ = ["Evidence", "affinity", "game_losses", "gather", "spread_of", "view_changes"]

LINKED = 10_000
"""images whose nearest neighbours are looked for: all pairs of them are compared, in about a second"""
NEIGHBOURS = 10
"""links of each image, as in discovery"""
VIEWED = 2_000
"""images that are looked at through views: a share among them is known to two hundredths"""
GENERATED = 64
"""images made of each class"""
ENOUGH = 20
"""images of a class below which its spread and its links say nothing"""


@dataclass(frozen=True)
class Evidence:
    """Measurements of one run on unlabelled images; K classes.

    Arguments:
        answers: Q's, for every image.
        prior: class probabilities, `(K,)`.
        learned_prior: whether training could move them.
        informed: whether the bound on mutual information has a part in training.
        groups: the best division of each class into two, by code.
        links: affinity of two classes among nearest neighbours, see `affinity`, `(K, K)`.
        view_changes: share of images whose class changes through a view, by the name of the one kind of
            change applied; `all` is what training applies. Empty where Q learns from no views.
        views: the settings of those that are not off.
        variety: spread of the generated images of each class over that of its real ones, `(K,)`; NaN
            where there are too few real ones.
        copies: mean squared difference of two classes' images made from the same noise, over the variance
            of all generated images, `(K, K)`; 0 where both make the same pictures.
        recognised: mean posterior of Q on the images generated for each class, `(K, K)`.
        losses: mean of each loss over the last third of the game; empty where it was not played.
    """

    answers: Answers
    prior: NDArray[np.float64]
    learned_prior: bool
    informed: bool
    groups: Mapping[int, TwoGroups]
    links: NDArray[np.float64]
    view_changes: Mapping[str, float]
    views: Mapping[str, Any]
    variety: NDArray[np.float64]
    copies: NDArray[np.float64]
    recognised: NDArray[np.float64]
    losses: Mapping[str, float]


def gather(
    model: ClassModel,
    images: NDArray[np.uint8],
    answers: Answers,
    config: Config,
    stats: Sequence[Mapping[str, Any]],
) -> Evidence:
    """Measure a model on images `(N, H, W, C)`, Q's answers to which are known.

    Arguments:
        config: that the model was trained with; its views are tried one by one.
        stats: the lines of `stats.jsonl`.
    """
    generated = _generated(model)
    some = np.sort(np.random.default_rng(0).permutation(len(images))[:VIEWED])
    flat = generated.reshape(model.n_classes, GENERATED, -1).astype(np.float32)
    asked = ask(model, generated.reshape(-1, *generated.shape[2:])).probabilities
    return Evidence(
        answers=answers,
        prior=model.prior.probabilities().detach().cpu().double().numpy(),
        learned_prior=config.prior.learned,
        informed=config.model == ElasticInfoGAN.kind,
        groups=two_groups(model, images, answers),
        links=affinity(answers),
        view_changes=view_changes(model, np.array(images[some]), answers.codes[some], config.views)
        if config.contrast.weight or config.self_labelling.weight
        else {},
        views={name: value for name, value in ranges(config.views).items() if value},
        variety=_variety(images, answers, flat),
        copies=_copies(flat),
        recognised=asked.reshape(model.n_classes, GENERATED, -1).mean(axis=1).astype(np.float64),
        losses=game_losses(stats),
    )


def affinity(answers: Answers) -> NDArray[np.float64]:
    """How strongly two classes hang together among nearest neighbours: `L_ij / sqrt(d_i d_j)`, `(K, K)`.

    L counts the links between neighbours (`training.joining.links`), d those of a class with anyone.
    The diagonal is zero.
    """
    some = np.sort(np.random.default_rng(0).permutation(len(answers))[:LINKED])
    features = torch.from_numpy(answers.features[some])
    linked = links(nearest(features, NEIGHBOURS), answers.codes[some], answers.n_classes)
    degree = linked.sum(axis=1)
    strength: NDArray[np.float64] = linked / np.sqrt(np.maximum(np.outer(degree, degree), 1e-12))
    np.fill_diagonal(strength, 0.0)
    return strength


def view_changes(
    model: ClassModel, images: NDArray[np.uint8], codes: NDArray[np.int64], views: Views
) -> dict[str, float]:
    """Share of images that Q puts into another class once they went through a view.

    Arguments:
        images: untouched, `(n, H, W, C)`.
        codes: their classes, `(n,)`.
        views: as trained with; first all kinds of change together, then each kind alone.
    """
    settings = {name: value for name, value in ranges(views).items() if value}
    kinds = {"all": settings} | {name: {name: value} for name, value in settings.items()}
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    with torch.random.fork_rng(devices=[]):  # views of images in memory draw there
        torch.default_generator.manual_seed(0)
        seen = {name: _as_images(IdentityViews(**kind)(pixels)) for name, kind in kinds.items()}
    return {name: float((ask(model, view).codes != codes).mean()) for name, view in seen.items()}


def game_losses(stats: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Mean of each loss over the last third of the adversarial game's lines."""
    lines = [line["losses"] for line in stats if line["stage"] == "play"]
    last = lines[-max(1, len(lines) // 3) :]
    names = {name for line in last for name in line}
    return {name: float(np.mean([line[name] for line in last if name in line])) for name in sorted(names)}


def _generated(model: ClassModel) -> NDArray[np.uint8]:
    """`(K, GENERATED, H, W, C)`, all classes from the same noise."""
    classes = [
        model.sample(torch.full((GENERATED,), k), torch.Generator().manual_seed(0))
        for k in range(model.n_classes)
    ]
    return torch.stack(classes).cpu().numpy()


def _as_images(views: Tensor) -> NDArray[np.uint8]:
    return np.ascontiguousarray(to_uint8(views).permute(0, 2, 3, 1).numpy())


def _variety(
    images: NDArray[np.uint8], answers: Answers, generated: NDArray[np.float32]
) -> NDArray[np.float64]:
    ratios = np.full(answers.n_classes, np.nan)
    for k in range(answers.n_classes):
        members = answers.members(k)
        if len(members) >= ENOUGH:
            some = members[:: max(1, len(members) // 200)]
            real = np.array(images[some]).reshape(len(some), -1)
            ratios[k] = spread_of(generated[k]) / max(spread_of(real), 1e-9)
    return ratios


def spread_of(images: NDArray[Any]) -> float:
    """Sum over pixels of the variance over images `(n, P)`."""
    return float(images.astype(np.float32).var(axis=0).sum())


def _copies(generated: NDArray[np.float32]) -> NDArray[np.float64]:
    n_classes = len(generated)
    everything = max(spread_of(generated.reshape(-1, generated.shape[2])), 1e-9)
    distance = np.zeros((n_classes, n_classes))
    for k in range(n_classes):
        # two independent images differ by twice the variance
        distance[k] = np.square(generated - generated[k]).mean(axis=1).sum(axis=1) / (2 * everything)
    return distance
