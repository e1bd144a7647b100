"""New images that a person steers: one class or a mixture of two, directions in z, continuous codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.core.networks import fold_batch_norms

__all__ = ["STEPS", "Wish", "directions", "steered"]

STEPS = 9
"""images from one class to another, both ends among them"""


@dataclass(frozen=True)
class Wish:
    """What to make.

    Arguments:
        first: a class code.
        second: another one: each noise then gives a row of `STEPS` images from `first` to `second`.
        count: noises to draw, N.
        seed: of noise and continuous codes.
        walk: how far to go along each of the `directions` of z, in standard deviations of z.
        continuous: the value in [-1, 1] of each continuous code; None where it is drawn for each image.
    """

    first: int
    second: int | None = None
    count: int = 24
    seed: int = 0
    walk: Sequence[float] = ()
    continuous: Sequence[float | None] = ()


@torch.inference_mode()
def steered(model: ClassModel, wish: Wish, axes: Tensor) -> NDArray[np.uint8]:
    """Images uint8 `(N, H, W, C)`, or `(N · STEPS, H, W, C)` row by row for a mixture.

    Without a mixture and with nothing steered these are the images of `generate` with the same seed.

    Arguments:
        axes: `(A, Z)` from `directions`; `wish.walk` has at most A values.
    """
    model.eval()
    draw = torch.Generator().manual_seed(wish.seed)
    noise = torch.randn(wish.count, model.spec.noise, generator=draw)
    continuous = torch.rand(wish.count, model.spec.continuous, generator=draw).mul(2).sub(1)
    if wish.walk:
        noise = noise + torch.tensor(wish.walk, dtype=torch.float32) @ axes[: len(wish.walk)]
    for column, value in enumerate(wish.continuous):
        if value is not None:
            continuous[:, column] = value
    codes = _codes(model.n_classes, wish)
    rows = [x.repeat_interleave(len(codes), 0) for x in (noise, continuous)]
    return np.asarray(model.render(rows[0], codes.repeat(wish.count, 1), rows[1]).cpu())


def _codes(n_classes: int, wish: Wish) -> Tensor:
    """The class codes of one noise: `(1, K)`, or `(STEPS, K)` from one class to another."""
    first = F.one_hot(torch.tensor([wish.first]), n_classes).float()
    if wish.second is None:
        return first
    second = F.one_hot(torch.tensor([wish.second]), n_classes).float()
    weights = torch.linspace(0, 1, STEPS)[:, None]
    return (1 - weights) * first + weights * second


@torch.inference_mode()
def directions(model: ClassModel, most: int = 6) -> Tensor:
    """The unit vectors of z that move G's first layer most, `(min(most, Z), Z)`.

    With that layer's map z → W z, batch normalisation folded in, they are the first right singular vectors
    of W's columns for z: Shen and Zhou, "Closed-Form Factorization of Latent Semantics in GANs", CVPR 2021.
    """
    dense = cast(nn.Sequential, model.eval().generator.dense)  # what every generator begins with
    folded = fold_batch_norms(nn.Sequential(*list(dense)[:2]))
    weight = next(folded.parameters())[:, : model.spec.noise].float().cpu()
    _, vectors = torch.linalg.eigh(weight.T @ weight)  # in ascending order of their effect
    ordered: Tensor = vectors.flip(1).T[:most].contiguous()
    return ordered
