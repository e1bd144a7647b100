"""Walks through the latent space: noise within a class, from class to class, along continuous codes."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from elastic_infogan.core.class_model import ClassModel

__all__ = ["along_continuous", "between_classes", "within_class"]

Pictures = NDArray[np.uint8]


def within_class(model: ClassModel, code: int, steps: int) -> Pictures:
    """A walk of `steps` images from one noise vector to another, the class kept: `(steps, H, W, C)`.

    Along the great circle between both (White, Sampling generative networks, 2016): a straight line would
    pass near the origin, where noise of many dimensions never is.
    """
    start, end = _noise(model, 2)
    return _render(model, _arc(start, end, steps), _one_hot(model, code).repeat(steps, 1))


def between_classes(model: ClassModel, first: int, second: int, steps: int) -> Pictures:
    """The noise kept, the code blended in a straight line from one class to another."""
    noise = _noise(model, 1).repeat(steps, 1)
    blend = torch.linspace(0, 1, steps)[:, None]
    return _render(model, noise, torch.lerp(_one_hot(model, first), _one_hot(model, second), blend))


def along_continuous(model: ClassModel, code: int, axis: int, steps: int) -> Pictures:
    """Noise and class kept, one continuous code going from -1 to 1 and the others at 0."""
    continuous = torch.zeros(steps, model.spec.continuous)
    continuous[:, axis] = torch.linspace(-1, 1, steps)
    noise = _noise(model, 1).repeat(steps, 1)
    return _render(model, noise, _one_hot(model, code).repeat(steps, 1), continuous)


def _arc(start: Tensor, end: Tensor, steps: int) -> Tensor:
    angle = torch.arccos(F.cosine_similarity(start, end, dim=0).clamp(-1, 1))
    along = torch.linspace(0, 1, steps)[:, None]
    if float(torch.sin(angle)) < 1e-4:  # parallel: any blend is on the way
        return torch.lerp(start, end, along)
    return (torch.sin((1 - along) * angle) * start + torch.sin(along * angle) * end) / torch.sin(angle)


def _noise(model: ClassModel, n: int) -> Tensor:
    return torch.randn(n, model.spec.noise, generator=torch.Generator().manual_seed(0))


def _one_hot(model: ClassModel, code: int) -> Tensor:
    return F.one_hot(torch.tensor([code]), model.n_classes).float()


def _render(model: ClassModel, noise: Tensor, code: Tensor, continuous: Tensor | None = None) -> Pictures:
    rest = torch.zeros(len(noise), model.spec.continuous) if continuous is None else continuous
    return np.asarray(model.eval().render(noise, code, rest).cpu())
