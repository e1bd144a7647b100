"""Adaptive augmentation: D sees the more images changed, the better it knows them by heart."""

from __future__ import annotations

from torch import Tensor

from elastic_infogan.data.augmentation import augment, draw_augmentation
from elastic_infogan.training.state import State

__all__ = ["adapt", "as_seen"]

EVERY = 8
"""Steps between two looks at D's loss, each of which waits for the device."""

AT_LEAST = 0.8
"""D's loss that is aimed at: games that went well had .8 to 1.4 at their end (docs/experiments.md)."""

STEP = 0.02
"""What the part of the images changes by at each look: from none to all in 400 steps."""


def as_seen(state: State, images: Tensor) -> Tensor:
    """This process's `images` (n, C, H, W) in [-1, 1] as D sees them: `state.augmented` of them changed."""
    if not state.augmented:
        return images
    drawn = draw_augmentation(len(images) * state.share.of, images, state.augmented)
    return augment(images, state.share.take_each(drawn))


def adapt(state: State, loss: Tensor) -> None:
    """Have D see more images changed if its `loss` is too small, else fewer.

    Karras et al., Training Generative Adversarial Networks with Limited Data (NeurIPS 2020), whose measure of
    overfitting is how surely D tells real images; its loss says that of generated ones too, and is at hand.
    """
    if not state.config.adversary.augment or state.step % EVERY:
        return
    change = STEP if float(state.processes.mean(loss.detach())) < AT_LEAST else -STEP
    state.augmented = min(1.0, max(0.0, state.augmented + change))
