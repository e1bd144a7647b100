"""The networks: generator, trunk, discriminator and recognition, for any image size and mode.

Every network halves or doubles the resolution in `stages(size)` steps, so that 28x28 gives exactly the
layers of the published MNIST networks and larger images gain one layer at each doubling.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from elastic_infogan.core.layers import Conv2d, ConvTranspose2d, Linear

__all__ = [
    "Discriminator",
    "Encoder",
    "FlattenChannelsLast",
    "Generator",
    "ImageShape",
    "QHead",
    "QOutput",
    "Trunk",
    "convolve_channels_last",
    "fold_batch_norms",
    "initialise",
    "leaky_relu",
    "relu",
    "stages",
]


@dataclass(frozen=True)
class ImageShape:
    """Side in pixels of the square images and their number of channels (1 grey, 3 colour)."""

    size: int
    channels: int


def stages(size: int) -> int:
    """How many times the resolution is halved on the way to the smallest feature map.

    Arguments:
        size: side of the image in pixels.

    Raises:
        ValueError: if `size` cannot be halved that often.

    Example:
        >>> [stages(s) for s in (8, 28, 32, 64, 128)]
        [2, 2, 3, 4, 5]
    """
    n = max(2, int(math.log2(size / 4))) if size >= 8 else 0
    if n == 0 or size % 2**n:
        raise ValueError(f"images of {size} pixels cannot be halved evenly: use 8, 16, 28, 32, 64 or 128")
    return n


def _widths(base: int, n: int) -> list[int]:
    return [min(base * 2**i, max(512, base)) for i in range(n)]


def initialise(module: nn.Module) -> None:
    """Weights N(0, 0.02^2), zero biases (the published setting); batch normalisation keeps one and zero."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class FlattenChannelsLast(nn.Module):
    """`(N, C, H, W)` to `(N, H W C)` as it lies in memory: no copy, and gradients come back in that order."""

    def forward(self, maps: Tensor) -> Tensor:
        """Flat `(N, H W C)`, C fastest."""
        return maps.permute(0, 2, 3, 1).flatten(1)


def relu() -> nn.Module:
    """In place: no layer before one of these looks at its own output when gradients come back."""
    return nn.ReLU(inplace=True)


def leaky_relu() -> nn.Module:
    """The slope of DCGAN and of the published network, in place as `relu`."""
    return nn.LeakyReLU(0.2, inplace=True)


def fold_batch_norms(layers: nn.Sequential) -> nn.Sequential:
    """The same function of eval mode with each batch normalisation folded into the layer before it."""
    folded: list[nn.Module] = []
    for layer in layers:
        before = folded[-1] if folded else None
        if isinstance(layer, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
            folded[-1] = fuse_conv_bn_eval(before, layer)
        elif isinstance(layer, nn.BatchNorm1d) and isinstance(before, nn.Linear):
            folded[-1] = fuse_linear_bn_eval(before, layer)
        else:
            folded.append(layer)
    return nn.Sequential(*folded)


def convolve_channels_last(module: nn.Module) -> None:
    """Keep the weights of convolutions in the memory order in which they are fastest.

    A tensor of one channel is in both orders, and `contiguous` would leave its strides as they are; torch
    would then give the first layer's output, and the gradients that meet it, in the slow order.
    """
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)


class Generator(nn.Module):
    """G: latent `(N, L)` to image `(N, C, H, W)` in [-1, 1].

    Arguments:
        shape: of the images.
        latent: L, the length of noise, class code and continuous codes together.
        width: channels of the last hidden feature map, doubled at each halving of the resolution.
        hidden: units of a layer between the latent and the first feature map; 0 leaves it out.
    """

    def __init__(self, shape: ImageShape, latent: int, width: int, hidden: int) -> None:
        super().__init__()
        n = stages(shape.size)
        widths = _widths(width, n)
        self.base, self.first = shape.size // 2**n, widths[-1]
        cells = self.first * self.base**2
        self.dense = nn.Sequential()
        if hidden:
            self.dense = nn.Sequential(Linear(latent, hidden), nn.BatchNorm1d(hidden), relu())
        self.dense.extend([Linear(hidden or latent, cells), nn.BatchNorm1d(cells), relu()])
        self.up = nn.Sequential()
        for wide, narrow in zip(widths[::-1], widths[-2::-1], strict=False):
            self.up.extend([ConvTranspose2d(wide, narrow, 4, 2, 1), nn.BatchNorm2d(narrow), relu()])
        self.up.extend([ConvTranspose2d(width, shape.channels, 4, 2, 1), nn.Tanh()])

    def forward(self, latent: Tensor) -> Tensor:
        """Images `(N, C, H, W)` from latents `(N, L)`."""
        cells = self.dense(latent).view(-1, self.base, self.base, self.first)
        images: Tensor = self.up(cells.permute(0, 3, 1, 2))
        return images


class Trunk(nn.Module):
    """Convolutions of D (and of Q where it shares them): image `(N, C, H, W)` to `(N, self.units)`.

    No batch normalisation after the first layer, as in DCGAN and the published network.
    """

    def __init__(self, shape: ImageShape, width: int, hidden: int) -> None:
        super().__init__()
        n = stages(shape.size)
        widths = _widths(width, n)
        self.layers = nn.Sequential(Conv2d(shape.channels, width, 4, 2, 1), leaky_relu())
        for narrow, wide in itertools.pairwise(widths):
            self.layers.extend([Conv2d(narrow, wide, 4, 2, 1), nn.BatchNorm2d(wide), leaky_relu()])
        cells = widths[-1] * (shape.size // 2**n) ** 2
        self.layers.append(FlattenChannelsLast())
        if hidden:
            self.layers.extend([Linear(cells, hidden), nn.BatchNorm1d(hidden), leaky_relu()])
        self.units = hidden or cells

    def forward(self, images: Tensor, populations: int = 1) -> Tensor:
        """Features `(N, units)` of images `(N, C, H, W)`.

        Arguments:
            populations: equal parts of the images, one after another, that batch normalisation sees each by
                itself. All else takes them at once: a wide layer's weights are read and their gradient is
                written once instead of once for each part.
        """
        maps = images
        for layer in self.layers:
            if populations > 1 and isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
                maps = torch.cat([layer(part) for part in maps.chunk(populations)])
            else:
                maps = layer(maps)
        return maps


class Discriminator(nn.Module):
    """D: trunk and head; with `n_classes` it judges image and code together.

    The conditional logit is `w . h + h . (V c)` (Miyato and Koyama, cGANs with projection, ICLR 2018).

    Arguments:
        trunk: gives h, `(N, trunk.units)`.
        n_classes: K for a conditional discriminator; 0 for one that sees images only.
    """

    def __init__(self, trunk: Trunk, n_classes: int = 0) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(trunk.units, 1)
        self.embedding = nn.Linear(n_classes, trunk.units, bias=False) if n_classes else None

    def forward(self, images: Tensor, code: Tensor, populations: int = 1) -> Tensor:
        """Logits `(N,)` for images `(N, C, H, W)` with codes `(N, K)`, which only a conditional D reads.

        For `populations` see `Trunk`.
        """
        return self.judge(self.trunk(images, populations), code)

    def judge(self, hidden: Tensor, code: Tensor) -> Tensor:
        """Logits `(N,)` from the trunk's features `(N, units)`."""
        logits: Tensor = self.head(hidden).squeeze(1)
        if self.embedding is not None:
            logits = logits + (hidden * self.embedding(code)).sum(1)
        return logits


@dataclass(frozen=True)
class QOutput:
    """What Q says of N images.

    Arguments:
        features: penultimate features f, `(N, F)`.
        logits: of the class posterior Q(c | x), `(N, K)`.
        mean, log_variance: of the continuous codes, `(N, M)` each.
    """

    features: Tensor
    logits: Tensor
    mean: Tensor
    log_variance: Tensor


class QHead(nn.Module):
    """Linear layers from the penultimate features `(N, F)` to posterior logits and continuous codes."""

    def __init__(self, features: int, n_classes: int, continuous: int) -> None:
        super().__init__()
        self.classes = nn.Linear(features, n_classes)
        self.continuous = nn.Linear(features, 2 * continuous) if continuous else None

    def forward(self, features: Tensor) -> QOutput:
        """Q's answer from its features `(N, F)`."""
        if self.continuous is None:
            nothing = features.new_zeros(features.shape[0], 0)  # len would fix N in an exported graph
            return QOutput(features, self.classes(features), nothing, nothing)
        mean, log_variance = self.continuous(features).chunk(2, dim=1)
        return QOutput(features, self.classes(features), mean, log_variance)


class Encoder(nn.Module):
    """Q's own convolutions: image `(N, C, H, W)` to penultimate features `(N, F)` of unit length.

    Images of more than `WHOLE` pixels are seen at half their side: what class they show is as plain there,
    and four times as many are seen in the same time. On the unit sphere cosine similarity is an inner
    product, and classes that contrast has gathered there are told apart by a linear-softmax posterior, which
    is what `QHead` computes.
    """

    WHOLE: ClassVar = 32

    def __init__(self, shape: ImageShape, width: int, features: int) -> None:
        super().__init__()
        halved = shape.size > self.WHOLE
        size = shape.size // 2 if halved else shape.size
        widths = [shape.channels, *_widths(width, stages(size) + 1)]
        self.layers = nn.Sequential(*[nn.AvgPool2d(2)] * halved)
        for narrow, wide in itertools.pairwise(widths):
            self.layers.extend([Conv2d(narrow, wide, 4, 2, 1 + size % 2), nn.BatchNorm2d(wide), leaky_relu()])
            size = (size + 2 * (size % 2)) // 2
        cells = widths[-1] * size**2
        self.layers.extend([FlattenChannelsLast(), Linear(cells, 2 * features)])
        self.layers.extend([nn.BatchNorm1d(2 * features), leaky_relu(), nn.Linear(2 * features, features)])

    def forward(self, images: Tensor) -> Tensor:
        """Unit features `(N, F)` of images `(N, C, H, W)`."""
        return F.normalize(self.layers(images).float(), dim=1)
