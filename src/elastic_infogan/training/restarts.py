"""Encoders from several starts, of which the one whose classes are most agreed upon goes on."""

from __future__ import annotations

from elastic_infogan.training.discovery import agreement
from elastic_infogan.training.state import State, build

__all__ = ["begin_again", "judge", "take_best"]


def judge(state: State) -> None:
    """Score the encoder that has just learned, and keep it if it is the best so far.

    The score is how much clusterings of its features from different starts agree on the classes. It needs no
    label, and rises and falls with accuracy (docs/experiments.md).
    """
    score = agreement(state)
    if score > max(state.agreement, default=-1.0):
        state.best = {name: t.clone() for name, t in state.model.encoder.state_dict().items()}
    state.agreement.append(score)


def begin_again(state: State) -> None:
    """Give the encoder new random weights, alike in every process, and its optimiser nothing to remember."""
    spec = state.model.spec
    fresh = build(state.config, spec.size, spec.channels)
    state.model.encoder.load_state_dict(fresh.encoder.state_dict())
    state.optimisers["q"].state.clear()


def take_best(state: State) -> None:
    """Go on with the best encoder; what the optimiser remembers is of the last one, and is forgotten."""
    state.model.encoder.load_state_dict(state.best)
    state.optimisers["q"].state.clear()
    state.best = {}
