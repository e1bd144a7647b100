"""What a run tells while it trains: progress for the terminal, `stats.jsonl`, sample grids."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.errors import TrainingError
from elastic_infogan.training.run import Run
from elastic_infogan.training.tensor_files import replacing

__all__ = ["ADVICE", "Meter", "Progress", "grid", "save_samples"]

EXPLODED = 1e4
"""A mean loss beyond this has left the range in which any recipe recovers."""


ADVICE = (
    "the last good checkpoint is kept; start afresh with --new and smaller learning rates "
    "(--optimiser.…-learning-rate) or another --seed"
)
"""What to do about losses or weights that are no numbers any more."""


@dataclass(frozen=True)
class Progress:
    """A moment of training.

    Arguments:
        stage: `encode`, `refine` or `play`; JointVAE's is `reconstruct`.
        step: optimisation steps so far.
        fraction: of the budget used, 0 ... 1.
        seconds, seconds_left: of training time.
        images_per_second: since the last line.
        losses: mean of each term since the last line.
        prior: class probabilities, `(K,)`; empty for as long as K is to be found out.
    """

    stage: str
    step: int
    fraction: float
    seconds: float
    seconds_left: float
    images_per_second: float
    losses: Mapping[str, float]
    prior: tuple[float, ...]

    def as_line(self) -> dict[str, Any]:
        """As a line of `stats.jsonl`."""
        return {key: value for key, value in asdict(self).items() if key not in ("fraction", "seconds_left")}


class Meter:
    """Sums of named losses that stay on the device, so that no step waits for the host."""

    def __init__(self) -> None:
        self.reset(0.0)

    def reset(self, seconds: float) -> None:
        """Start anew at `seconds` of training time."""
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.images = 0
        self.since = seconds

    def add(self, terms: Mapping[str, Tensor], images: int) -> None:
        """Count the terms of one step that used `images` real images."""
        for name, value in terms.items():
            self.sums[name] = (
                self.sums[name] + value.detach() if name in self.sums else value.detach().clone()
            )
            self.counts[name] = self.counts.get(name, 0) + 1
        self.images += images

    def means(self, step: int, over_processes: Callable[[Tensor], Tensor] = lambda t: t) -> dict[str, float]:
        """Mean of each term since the last reset.

        Arguments:
            step: steps so far.
            over_processes: averages a vector over all processes.

        Raises:
            TrainingError: if one is not finite or has exploded.
        """
        if not self.sums:
            return {}
        own = torch.stack([value / self.counts[name] for name, value in self.sums.items()])
        means = dict(zip(self.sums, over_processes(own).tolist(), strict=True))
        for name, value in means.items():
            if not math.isfinite(value) or abs(value) > EXPLODED:
                raise TrainingError(f"the loss '{name}' became {value:g} by step {step}: {ADVICE}")
        return means


def grid(images: Tensor, columns: int) -> Image.Image:
    """A picture of images uint8 `(N, H, W, C)`, `columns` a row, with a pixel between them."""
    n, height, width, channels = images.shape
    rows = math.ceil(n / columns)
    canvas = torch.full(
        (rows * (height + 1) + 1, columns * (width + 1) + 1, channels), 128, dtype=torch.uint8
    )
    for i, image in enumerate(images.cpu()):
        top, left = i // columns * (height + 1) + 1, i % columns * (width + 1) + 1
        canvas[top : top + height, left : left + width] = image
    array = canvas.numpy()
    return Image.fromarray(array[..., 0] if channels == 1 else array)


def save_samples(run: Run, model: ClassModel, step: int, per_class: int = 16) -> None:
    """`samples/step-….png`: one row a class, always from the same noise, so that grids compare over time."""
    codes = torch.arange(model.n_classes).repeat_interleave(per_class)
    images = model.sample(codes, torch.Generator().manual_seed(0))
    with replacing(run.path / "samples" / f"step-{step:07d}.png") as beside:
        grid(images, per_class).save(beside, format="png")
