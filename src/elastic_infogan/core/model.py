"""ElasticInfoGAN: generator, discriminator, recognition network and class prior as one module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from elastic_infogan.core.class_model import ClassModel, Spec
from elastic_infogan.core.networks import (
    Discriminator,
    Encoder,
    Generator,
    ImageShape,
    QHead,
    QOutput,
    Trunk,
    convolve_channels_last,
    fold_batch_norms,
    initialise,
    leaky_relu,
)
from elastic_infogan.core.prior import ClassPrior, CodeSample, SampleKind
from elastic_infogan.core.share import Share

__all__ = ["ElasticInfoGAN", "Latent", "ModelSpec"]


@dataclass(frozen=True)
class ModelSpec(Spec):
    """All that is needed to build the networks.

    Arguments:
        q: what Q reads, D's trunk or an encoder of its own.
        conditional: D sees the class code too.
        generator_width, generator_hidden, discriminator_width, discriminator_hidden, encoder_width: see
            `training.config.Networks`.
        prior_floor: see `ClassPrior`.
    """

    q: Literal["trunk", "encoder"]
    conditional: bool
    generator_width: int
    generator_hidden: int
    discriminator_width: int
    discriminator_hidden: int
    encoder_width: int
    prior_floor: float


@dataclass(frozen=True)
class Latent:
    """What N images are generated from: noise `(N, Z)`, class code and continuous codes `(N, M)`."""

    noise: Tensor
    code: CodeSample
    continuous: Tensor

    def part(self, share: Share) -> Latent:
        """The rows that are one process's share."""
        code = CodeSample(*(share.take(t) for t in (self.code.value, self.code.relaxed, self.code.index)))
        return Latent(share.take(self.noise), code, share.take(self.continuous))


class ElasticInfoGAN(ClassModel):
    """The networks and the prior of Elastic-InfoGAN; losses and training live elsewhere."""

    kind = "elastic-infogan"
    spec_type = ModelSpec
    groups = ("generator", "trunk", "discriminator", "encoder", "q_head", "prior")

    spec: ModelSpec

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        shape = ImageShape(spec.size, spec.channels)
        latent = spec.noise + spec.n_classes + spec.continuous
        self.prior = ClassPrior(spec.n_classes, spec.prior_floor)
        self.generator = Generator(shape, latent, spec.generator_width, spec.generator_hidden)
        trunk = Trunk(shape, spec.discriminator_width, spec.discriminator_hidden)
        self.discriminator = Discriminator(trunk, spec.n_classes if spec.conditional else 0)
        if spec.q == "encoder":
            self.encoder = Encoder(shape, spec.encoder_width, spec.features)
        else:
            linear = nn.Linear(trunk.units, spec.features)
            self.encoder = nn.Sequential(linear, nn.BatchNorm1d(spec.features), leaky_relu())
        self.q_head = QHead(spec.features, spec.n_classes, spec.continuous)
        initialise(self)
        convolve_channels_last(self)

    def group(self, name: str) -> Iterator[nn.Parameter]:
        """The parameters of one of `groups`; the trunk is a group apart from the rest of D."""
        if name == "trunk":
            return self.discriminator.trunk.parameters()
        if name == "discriminator":
            return (p for n, p in self.discriminator.named_parameters() if not n.startswith("trunk."))
        return super().group(name)

    def draw(self, n: int, temperature: float, kind: SampleKind) -> Latent:
        """Random latents of `n` images; the class codes come from the prior by Gumbel-Softmax."""
        device = self.device
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
        super().for_inference()
        self.discriminator.trunk.layers = fold_batch_norms(self.discriminator.trunk.layers)
        if isinstance(self.encoder, Encoder):
            self.encoder.layers = fold_batch_norms(self.encoder.layers)
        return self

    @torch.inference_mode()
    def hidden(self, images: Tensor) -> Tensor:
        """See `ClassModel.hidden`; with Q on D's trunk, the trunk's features."""
        pixels = self._as_read(images)
        if isinstance(self.encoder, Encoder):
            found: Tensor = self.encoder.layers[:-1](pixels)
            return found.float()
        trunk: Tensor = self.discriminator.trunk(pixels)
        return trunk.float()
