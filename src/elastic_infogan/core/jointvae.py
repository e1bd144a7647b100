"""JointVAE: an autoencoder whose latent is a relaxed class code beside Gaussian codes (Dupont 2018)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from elastic_infogan.core.class_model import ClassModel, Spec
from elastic_infogan.core.functional import gaussian_quantile
from elastic_infogan.core.layers import Conv2d, ConvTranspose2d, Linear
from elastic_infogan.core.networks import (
    FlattenChannelsLast,
    ImageShape,
    QHead,
    QOutput,
    convolve_channels_last,
    relu,
    stages,
)
from elastic_infogan.core.prior import ClassPrior

__all__ = ["Decoder", "JointVAE", "JointVAESpec", "VariationalEncoder"]


@dataclass(frozen=True)
class JointVAESpec(Spec):
    """All that is needed to build the networks.

    Arguments:
        encoder_width, generator_width, generator_hidden: see `training.config.Networks`.
    """

    encoder_width: int
    generator_width: int
    generator_hidden: int


def _widths(base: int, n: int) -> list[int]:
    """Channels after each of `n` halvings; the published ones for 32 and 64 pixels.

    >>> [_widths(32, n) for n in (2, 3, 4)]
    [[32, 64], [32, 64, 64], [32, 32, 64, 64]]
    """
    return ([base] * max(1, n - 2) + [2 * base] * 2)[:n]


class VariationalEncoder(nn.Module):
    """Image `(N, C, H, W)` to features `(N, F)`, from which `QHead` tells both kinds of codes.

    Dupont, appendix A: convolutions of 4 by 4 and stride 2, then one layer, each followed by ReLU. One
    convolution less at 28 pixels, which the published code enlarges to 32, and one more at each doubling.
    """

    def __init__(self, shape: ImageShape, width: int, features: int) -> None:
        super().__init__()
        n = stages(shape.size)
        widths = [shape.channels, *_widths(width, n)]
        self.layers = nn.Sequential()
        for before, after in itertools.pairwise(widths):
            self.layers.extend([Conv2d(before, after, 4, 2, 1), relu()])
        cells = widths[-1] * (shape.size // 2**n) ** 2
        self.layers.extend([FlattenChannelsLast(), Linear(cells, features), relu()])

    def forward(self, images: Tensor) -> Tensor:
        """Features `(N, F)` of images `(N, C, H, W)` in [0, 1]."""
        features: Tensor = self.layers(images)
        return features


class Decoder(nn.Module):
    """Latent `(N, L)` to the logits of each pixel's Bernoulli mean, `(N, C, H, W)`: the encoder reversed."""

    def __init__(self, shape: ImageShape, latent: int, width: int, hidden: int) -> None:
        super().__init__()
        n = stages(shape.size)
        self.base, self.first = shape.size // 2**n, 2 * width
        cells = self.first * self.base**2
        self.dense = nn.Sequential()
        if hidden:
            self.dense.extend([Linear(latent, hidden), relu()])
        self.dense.extend([Linear(hidden or latent, cells), relu()])
        self.up = nn.Sequential()
        # Published from the first map on: 64, 32, 32 channels at 32 pixels and 64, 64, 32, 32 at 64.
        wide = [self.first] * max(1, n - 2) + [width] * 2
        for before, after in itertools.pairwise([*wide[:n], shape.channels]):
            self.up.extend([ConvTranspose2d(before, after, 4, 2, 1), relu()])
        del self.up[-1]

    def forward(self, latent: Tensor) -> Tensor:
        """Pixel logits `(N, C, H, W)` from latents `(N, L)`."""
        cells = self.dense(latent).view(-1, self.base, self.base, self.first)
        logits: Tensor = self.up(cells.permute(0, 3, 1, 2))
        return logits


class JointVAE(ClassModel):
    """The networks and the fixed class prior of JointVAE; losses and training live elsewhere.

    Its continuous codes are Gaussian inside, and uniform on [-1, 1] to whoever calls `generate`.
    """

    kind = "jointvae"
    spec_type = JointVAESpec
    groups = ("generator", "encoder", "q_head", "prior")

    spec: JointVAESpec
    encoder: VariationalEncoder

    def __init__(self, spec: JointVAESpec) -> None:
        super().__init__(spec)
        shape = ImageShape(spec.size, spec.channels)
        latent = spec.n_classes + spec.continuous
        self.prior = ClassPrior(spec.n_classes)
        self.generator = Decoder(shape, latent, spec.generator_width, spec.generator_hidden)
        self.encoder = VariationalEncoder(shape, spec.encoder_width, spec.features)
        self.q_head = QHead(spec.features, spec.n_classes, spec.continuous)
        convolve_channels_last(self)

    def recognise(self, images: Tensor) -> QOutput:
        """q(c | x) and q(z | x), the latter Gaussian, for images `(N, C, H, W)` in [-1, 1]."""
        output: QOutput = self.q_head(self.encoder((images + 1) / 2))
        return output

    @torch.inference_mode()
    def hidden(self, images: Tensor) -> Tensor:
        """See `ClassModel.hidden`: the last feature map."""
        cells: Tensor = self.encoder.layers[:-2]((self._as_read(images) + 1) / 2)
        return cells.float()

    def decode(self, code: Tensor, gaussian: Tensor) -> Tensor:
        """Pixel logits `(N, C, H, W)` from class codes `(N, K)` and Gaussian codes `(N, M)`."""
        logits: Tensor = self.generator(torch.cat([code, gaussian], dim=1))
        return logits

    def generate(self, noise: Tensor, code: Tensor, continuous: Tensor) -> Tensor:
        """The mean image of a latent, in [-1, 1]; beside the two codes there is no noise to read."""
        return 2 * self.decode(code, gaussian_quantile(continuous)).sigmoid() - 1
