"""ElasticInfoGAN: generator, discriminator, recognition network and class prior as one module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic_infogan.core.networks import (
    Discriminator,
    Encoder,
    Generator,
    ImageShape,
    QHead,
    QOutput,
    Trunk,
    fold_batch_norms,
    initialise,
)
from elastic_infogan.core.prior import ClassPrior, CodeSample, SampleKind

__all__ = ["GROUPS", "ElasticInfoGAN", "Latent", "ModelSpec"]

GROUPS = ("generator", "trunk", "discriminator", "encoder", "q_head", "prior")
"""Names of the parameter groups; every parameter of the model is in exactly one."""


@dataclass(frozen=True)
class ModelSpec:
    """All that is needed to build the networks; saved as `model.json`.

    Arguments:
        size, channels: of the images.
        n_classes: K.
        noise, continuous: dimensions of z and number of continuous codes.
        q: what Q reads, D's trunk or an encoder of its own.
        conditional: D sees the class code too.
        generator_width, generator_hidden, discriminator_width, discriminator_hidden, encoder_width,
            features: see `training.config.Networks`.
        prior_floor: see `ClassPrior`.
    """

    size: int
    channels: int
    n_classes: int
    noise: int
    continuous: int
    q: Literal["trunk", "encoder"]
    conditional: bool
    generator_width: int
    generator_hidden: int
    discriminator_width: int
    discriminator_hidden: int
    encoder_width: int
    features: int
    prior_floor: float


@dataclass(frozen=True)
class Latent:
    """What N images are generated from: noise `(N, Z)`, class code and continuous codes `(N, M)`."""

    noise: Tensor
    code: CodeSample
    continuous: Tensor


class ElasticInfoGAN(nn.Module):
    """The networks and the prior of Elastic-InfoGAN; losses and training live elsewhere."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        shape = ImageShape(spec.size, spec.channels)
        latent = spec.noise + spec.n_classes + spec.continuous
        self.prior = ClassPrior(spec.n_classes, spec.prior_floor)
        self.generator = Generator(shape, latent, spec.generator_width, spec.generator_hidden)
        trunk = Trunk(shape, spec.discriminator_width, spec.discriminator_hidden)
        self.discriminator = Discriminator(trunk, spec.n_classes if spec.conditional else 0)
        self.encoder: nn.Module
        if spec.q == "encoder":
            self.encoder = Encoder(shape, spec.encoder_width, spec.features)
        else:
            linear = nn.Linear(trunk.units, spec.features)
            self.encoder = nn.Sequential(linear, nn.BatchNorm1d(spec.features), nn.LeakyReLU(0.2))
        self.q_head = QHead(spec.features, spec.n_classes, spec.continuous)
        initialise(self)
        for parameter in self.parameters():
            if parameter.dim() == 4:  # convolutions are fastest with channels last
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    @property
    def n_classes(self) -> int:
        """K, the number of class codes."""
        return self.spec.n_classes

    def group(self, name: str) -> Iterator[nn.Parameter]:
        """The parameters of one of `GROUPS`."""
        if name == "trunk":
            return self.discriminator.trunk.parameters()
        if name == "discriminator":
            return (p for n, p in self.discriminator.named_parameters() if not n.startswith("trunk."))
        module: nn.Module = getattr(self, name)
        return module.parameters()

    def draw(self, n: int, temperature: float, kind: SampleKind) -> Latent:
        """Random latents of `n` images; the class codes come from the prior by Gumbel-Softmax."""
        device = self.prior.logits.device
        noise = torch.randn(n, self.spec.noise, device=device)
        continuous = torch.empty(n, self.spec.continuous, device=device).uniform_(-1, 1)
        return Latent(noise, self.prior.sample(n, temperature, kind), continuous)

    def generate(self, noise: Tensor, code: Tensor, continuous: Tensor) -> Tensor:
        """Images `(N, C, H, W)` in [-1, 1] from noise `(N, Z)`, codes `(N, K)` and continuous `(N, M)`."""
        images: Tensor = self.generator(torch.cat([noise, code, continuous], dim=1))
        return images

    def recognise(self, images: Tensor) -> QOutput:
        """Q's answer for images `(N, C, H, W)` in [-1, 1]."""
        if self.spec.q == "encoder":
            return self.q_of(images)
        return self.q_of(self.discriminator.trunk(images))

    def q_of(self, read: Tensor) -> QOutput:
        """Q's answer from what it reads: images, or the trunk's features `(N, units)`."""
        output: QOutput = self.q_head(self.encoder(read))
        return output

    def for_inference(self) -> ElasticInfoGAN:
        """This model in eval mode, without gradients and with what Q reads folded for speed."""
        self.eval().requires_grad_(False)
        self.discriminator.trunk.layers = fold_batch_norms(self.discriminator.trunk.layers)
        if isinstance(self.encoder, Encoder):
            self.encoder.layers = fold_batch_norms(self.encoder.layers)
        return self

    @torch.inference_mode()
    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Class probabilities `(N, K)` and features `(N, F)` of uint8 images `(N, H, W, C)`, in eval mode."""
        output = self.recognise(self._as_read(images))
        return output.logits.float().softmax(dim=1), output.features.float()

    @torch.inference_mode()
    def hidden(self, images: Tensor) -> Tensor:
        """What Q's features are a layer away from, `(N, U)`, of uint8 images `(N, H, W, C)`, in eval mode.

        Losses on the features pull the images of a class together; one layer earlier more of what tells
        them apart is left (Chen et al., SimCLR, section 4.2).
        """
        pixels = self._as_read(images)
        if isinstance(self.encoder, Encoder):
            found: Tensor = self.encoder.layers[:-1](pixels)
            return found.float()
        trunk: Tensor = self.discriminator.trunk(pixels)
        return trunk.float()

    def _as_read(self, images: Tensor) -> Tensor:
        """uint8 `(N, H, W, C)` as the networks read them: `(N, C, H, W)` in [-1, 1] on their device."""
        pixels = images.to(self.prior.logits.device).permute(0, 3, 1, 2).to(torch.float32)
        return pixels.div_(127.5).sub_(1.0).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def sample(self, codes: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Images uint8 `(N, H, W, C)` of the classes `codes` (N,).

        Noise and continuous codes come from `generator`, a CPU generator, so that a seed gives the same
        images on every device.
        """
        n, device = len(codes), self.prior.logits.device
        noise = torch.randn(n, self.spec.noise, generator=generator).to(device)
        continuous = torch.rand(n, self.spec.continuous, generator=generator).mul(2).sub(1).to(device)
        code = F.one_hot(codes.to(device), self.n_classes).float()
        images = self.generate(noise, code, continuous).float()
        return images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
