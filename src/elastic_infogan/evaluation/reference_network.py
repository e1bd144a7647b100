"""The network of the reference classifier, and how it is trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from elastic_infogan.core.networks import convolve_channels_last
from elastic_infogan.core.precision import multiplies_bf16
from elastic_infogan.data.images import ImageSet

__all__ = ["EXTRACTOR", "FEATURES", "ReferenceNetwork", "in_batches", "train_reference"]

EXTRACTOR = "reference_cnn1"
"""Name of network and training together. Raise its number when either changes: it is part of every
cache key and of every metric's name."""

FEATURES = 128
EPOCHS, BATCH = 3, 128
STEPS_AT_LEAST, STEPS_AT_MOST = 600, 20_000
HIGHEST_LR = 4e-3
HOLD_OUT_ONE_IN = 10
READ_AT_ONCE = 1000


class ReferenceNetwork(nn.Module):
    """Convolutions that halve the image until its shorter side is at most three pixels, then two layers.

    Arguments:
        size: height and width of the images in pixels, 8 to 128.
        channels: 1 or 3.
        n_classes: C.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: tuple[int, int], channels: int, n_classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))
        stride = 1 if min(size) < 16 else 2 if min(size) <= 64 else 4
        layers, width = _convolution(channels, 32, kernel=5, stride=stride), 32
        height, breadth = (-(-side // stride) for side in size)
        while min(height, breadth) > 3:
            wider = min(2 * width, 128)
            layers += [*_convolution(width, wider, kernel=3), nn.MaxPool2d(2)]
            height, breadth, width = height // 2, breadth // 2, wider
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        self.hidden = nn.Sequential(nn.Linear(width * height * breadth, FEATURES), nn.ReLU())
        self.head = nn.Linear(FEATURES, n_classes)

    def features(self, images: Tensor) -> Tensor:
        """Penultimate layer `(N, F)` of uint8 images `(N, H, W, C)`."""
        return self._features(self._scaled(images))

    def forward(self, images: Tensor) -> Tensor:
        """Class logits `(N, C)` of uint8 images `(N, H, W, C)`; in training mode each is moved a little."""
        pixels = self._scaled(images)
        return cast(Tensor, self.head(self._features(_jitter(pixels) if self.training else pixels)))

    def _features(self, pixels: Tensor) -> Tensor:
        return cast(Tensor, self.hidden(self.trunk(pixels)))

    def _scaled(self, images: Tensor) -> Tensor:
        """Standardised `(N, C, H, W)`, channels last in memory as they came."""
        return ((images.float() - self.mean) / self.deviation).permute(0, 3, 1, 2)


def _convolution(channels: int, width: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(width), nn.ReLU()]


def _jitter(pixels: Tensor) -> Tensor:
    """Each of `(N, C, H, W)` turned by up to 10°, zoomed by up to 10 %, moved by up to 7 % of its size."""
    n = len(pixels)
    angle, zoom, right, down = torch.empty(4, n, device=pixels.device).uniform_(-1, 1)
    angle, zoom = angle * math.radians(10), 1 + 0.1 * zoom
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    moves = torch.stack([cosine, -sine, 0.14 * right, sine, cosine, 0.14 * down], 1).view(n, 2, 3)
    grid = F.affine_grid(moves, list(pixels.shape), align_corners=False)
    edge = 1 - 1 / pixels.shape[-1]  # the outermost pixels, beyond which not every device repeats them itself
    return F.grid_sample(pixels, grid.clamp(-edge, edge), align_corners=False)


def train_reference(
    images: ImageSet,
    labels: NDArray[np.int64],
    n_classes: int,
    device: torch.device,
    seed: int,
    progress: Callable[[float], None],
) -> tuple[ReferenceNetwork, float]:
    """A network trained on nine tenths of each class, and its accuracy on the rest.

    Arguments:
        labels: class of each image, `(N,)`.
        progress: told the share of training done, in [0, 1].

    Returns: the network, and the accuracy (NaN where no class has ten images and nothing is held out).
    """
    train, held_out = _split(labels, seed)
    forked = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(forked):  # weights and jitter draw from the global generators
        torch.manual_seed(seed)
        network = ReferenceNetwork(images.size, images.channels, n_classes)
        network.mean[:], network.deviation[:] = _pixel_statistics(images.images[train[:10_000]])
        network = network.to(device).train()
        convolve_channels_last(network)
        batches = _batches(train, seed)
        optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-2, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, HIGHEST_LR, len(batches))
        for done, batch in enumerate(batches, start=1):
            pixels, targets = torch.from_numpy(images.images[batch]), torch.from_numpy(labels[batch])
            _step(network, optimiser, pixels.to(device), targets.to(device))
            schedule.step()
            progress(done / len(batches))
    return network, _accuracy(network.eval(), images.images, held_out, labels[held_out])


def _step(
    network: ReferenceNetwork, optimiser: torch.optim.Optimizer, images: Tensor, targets: Tensor
) -> None:
    with torch.autocast(images.device.type, torch.bfloat16, enabled=multiplies_bf16(images.device.type)):
        logits = network(images)
    loss = F.cross_entropy(logits.float(), targets, label_smoothing=0.05)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def in_batches(function: Callable[[Tensor], Tensor], images: Tensor, device: torch.device) -> Tensor:
    """What `function` gives for uint8 images `(N, H, W, C)`, computed in batches, float32 on the CPU."""
    with torch.inference_mode():
        rows = [function(batch.to(device)).float().cpu() for batch in images.split(READ_AT_ONCE)]
    return torch.cat(rows)


def _accuracy(
    network: ReferenceNetwork,
    images: NDArray[np.uint8],
    indices: NDArray[np.int64],
    labels: NDArray[np.int64],
) -> float:
    """Share right of the images at `indices` (n,), of which `labels` (n,); never all of them in memory."""
    if not len(labels):
        return math.nan
    parts = np.array_split(indices, math.ceil(len(indices) / READ_AT_ONCE))
    logits = [in_batches(network, torch.from_numpy(images[part]), network.mean.device) for part in parts]
    return float((torch.cat(logits).argmax(1).numpy() == labels).mean())


def _split(labels: NDArray[np.int64], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices to train on and to hold out: a tenth of every class, rounded down."""
    order = np.random.default_rng(seed).permutation(len(labels))
    classes = (order[labels[order] == label] for label in np.unique(labels))
    held_out = np.concatenate([members[: len(members) // HOLD_OUT_ONE_IN] for members in classes])
    return np.setdiff1d(order, held_out), np.sort(held_out)


def _batches(train: NDArray[np.int64], seed: int) -> list[NDArray[np.int64]]:
    """Indices of each step, no image twice in an epoch; a set smaller than a batch is one batch."""
    size = min(BATCH, len(train))
    per_epoch = len(train) // size
    steps = min(max(EPOCHS * per_epoch, STEPS_AT_LEAST), STEPS_AT_MOST)
    random = np.random.default_rng(seed)
    epochs = [random.permutation(train)[: per_epoch * size] for _ in range(math.ceil(steps / per_epoch))]
    return list(np.concatenate(epochs).reshape(-1, size)[:steps])


def _pixel_statistics(images: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel of uint8 `(N, H, W, C)`; at least 1 for a blank channel."""
    pixels = torch.from_numpy(images.astype(np.float32))
    return pixels.mean((0, 1, 2)), pixels.std((0, 1, 2)).clamp(min=1)
