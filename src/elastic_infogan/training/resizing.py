"""Networks built anew around the encoder: for another number of class codes, or for a game from the start."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from elastic_infogan.training.state import State, build, make_optimisers

__all__ = ["begin_game_anew", "resize"]


def resize(state: State, n_classes: int) -> None:
    """Build head, prior, G and D anew with `n_classes` codes; the encoder goes on as it is.

    For the end of the stage `encode`, when the number of classes becomes known: until then no loss has
    touched anything but the encoder.
    """
    if n_classes != state.model.n_classes:
        _rebuild(state, n_classes)


def begin_game_anew(state: State) -> None:
    """Forget what G, D, the prior and Q's head have learned: classes that are found anew are others.

    For a return to the stage `encode`, with a budget that has become larger.
    """
    _rebuild(state, state.model.n_classes)
    state.played, state.augmented = 0, 0.0


def _rebuild(state: State, n_classes: int) -> None:
    """All networks but the encoder; the random draws of training go on as if nothing had been built."""
    config, old = state.config, state.model
    drawn = torch.get_rng_state()
    torch.default_generator.manual_seed(config.seed)  # the CPU's alone; the same weights in every process
    new = build(replace(config, classes=n_classes), old.spec.size, old.spec.channels)
    torch.set_rng_state(drawn)
    new = new.to(state.fabric.device)
    new.encoder.load_state_dict(old.encoder.state_dict())
    new.train(old.training)
    new.encoder.train(old.encoder.training)
    optimisers = make_optimisers(config, new)
    moments = state.optimisers["q"].state
    for was, now in zip(old.encoder.parameters(), new.encoder.parameters(), strict=True):
        if was in moments:
            optimisers["q"].state[now] = moments[was]
    state.model, state.optimisers = new, optimisers
    state.average = copy.deepcopy(new.generator).requires_grad_(False)
