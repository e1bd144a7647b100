"""ClassModel: what every trained model answers, whichever method trained it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic_infogan.core.networks import QHead, QOutput
from elastic_infogan.core.pixel_range import to_range, to_uint8
from elastic_infogan.core.prior import ClassPrior

__all__ = ["ClassModel", "Spec"]

SAMPLED = 512
"""Images that are made at once."""


@dataclass(frozen=True)
class Spec:
    """What the description of any model says; saved as `model.json`.

    Arguments:
        size, channels: of the images.
        n_classes: K.
        noise: dimensions of z.
        continuous: number of continuous codes.
        features: units of the layer below the class posterior.
    """

    size: int
    channels: int
    n_classes: int
    noise: int
    continuous: int
    features: int


class ClassModel(nn.Module, ABC):
    """An encoder with a posterior over K classes, a generator that makes images of them, and their prior.

    The continuous codes that `generate` takes are uniform on [-1, 1] in every model, so that whoever steers
    them need not know which method trained it.
    """

    kind: ClassVar[str]
    """the name of the method, as `--model` and `model.json` say it"""
    spec_type: ClassVar[type[Spec]]
    """what describes a model of this kind"""
    groups: ClassVar[tuple[str, ...]]
    """names of the parameter groups; every parameter is in exactly one"""

    spec: Spec
    prior: ClassPrior
    generator: nn.Module
    encoder: nn.Module
    q_head: QHead

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec

    @property
    def n_classes(self) -> int:
        """K, the number of class codes."""
        return self.spec.n_classes

    def group(self, name: str) -> Iterator[nn.Parameter]:
        """The parameters of one of `groups`."""
        module: nn.Module = getattr(self, name)
        return module.parameters()

    @abstractmethod
    def generate(self, noise: Tensor, code: Tensor, continuous: Tensor) -> Tensor:
        """Images `(N, C, H, W)` in [-1, 1] from noise `(N, Z)`, codes `(N, K)` and continuous `(N, M)`."""

    @abstractmethod
    def recognise(self, images: Tensor) -> QOutput:
        """The posterior of images `(N, C, H, W)` in [-1, 1]."""

    @abstractmethod
    def hidden(self, images: Tensor) -> Tensor:
        """Activations of the layer below the features, `(N, U)`, of uint8 images `(N, H, W, C)`.

        The model has to be in eval mode, see `for_inference`.

        Losses on the features pull the images of a class together; one layer earlier more of what tells
        them apart is left (Chen et al., SimCLR, section 4.2).
        """

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.prior.logits.device

    def for_inference(self) -> ClassModel:
        """This model in eval mode and without gradients."""
        return self.eval().requires_grad_(False)

    @torch.inference_mode()
    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Class probabilities `(N, K)` and features `(N, F)` of uint8 images `(N, H, W, C)`.

        The model has to be in eval mode, see `for_inference`.

        Raises:
            TypeError: the images are not uint8.
        """
        output = self.recognise(self._as_read(images))
        return output.logits.float().softmax(dim=1), output.features.float()

    @torch.inference_mode()
    def sample(self, codes: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Images uint8 `(N, H, W, C)` of the classes `codes`, int64 `(N,)`; the model has to be in eval mode.

        Noise and continuous codes come from `generator`, a CPU generator, so that a seed gives the same
        images on every device.
        """
        n = len(codes)
        noise = torch.randn(n, self.spec.noise, generator=generator)
        continuous = torch.rand(n, self.spec.continuous, generator=generator).mul(2).sub(1)
        made = []
        for z, classes, c in zip(*(t.split(SAMPLED) for t in (noise, codes, continuous)), strict=True):
            made.append(self.render(z, F.one_hot(classes, self.n_classes).float(), c))
        return torch.cat(made)

    @torch.inference_mode()
    def render(self, noise: Tensor, code: Tensor, continuous: Tensor) -> Tensor:
        """What `generate` makes of latents on any device, as images uint8 `(N, H, W, C)`; in eval mode."""
        device = self.device
        images = self.generate(noise.to(device), code.to(device), continuous.to(device))
        return to_uint8(images).permute(0, 2, 3, 1).contiguous()

    def _as_read(self, images: Tensor) -> Tensor:
        """uint8 `(N, H, W, C)` as the networks read them: `(N, C, H, W)` in [-1, 1] on their device."""
        pixels = to_range(images.to(self.device)).permute(0, 3, 1, 2)
        return pixels.contiguous(memory_format=torch.channels_last)
