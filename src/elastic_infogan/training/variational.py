"""JointVAE's only stage: one step of reconstruction under capacities that grow with the budget."""

from __future__ import annotations

import torch
from torch import Tensor

from elastic_infogan.core import objectives
from elastic_infogan.core.objectives import learning
from elastic_infogan.core.pixel_range import to_range
from elastic_infogan.training.state import VariationalState
from elastic_infogan.training.steps import average, draw, temperature

__all__ = ["capacities", "reconstruct"]


def reconstruct(state: VariationalState) -> None:
    """Encode, draw both kinds of codes, decode; encoder and decoder learn together."""
    config, model = state.config, state.model
    batch = draw(state, config.batch)
    with learning(model, frozenset().union(*state.table.values())):
        with state.fabric.autocast():
            images = to_range(batch.images)
            terms = objectives.variational_terms(
                model, images, temperature(state), config.prior.samples, *capacities(state),
                state.share, state.processes.mean_with_gradient,
            )  # fmt: skip
        state.descend(terms)
    state.update("generator", "q")
    average(state)
    state.record(terms, len(batch))


@torch.no_grad()
def capacities(state: VariationalState) -> tuple[Tensor, float]:
    """What the class code and the continuous codes may carry now, in nats: linear from 0, then constant."""
    settings = state.config.variational
    grown = min(1.0, state.progress / settings.growth) if settings.growth else 1.0
    # Codes that follow the prior cannot carry more than its entropy: the published code stops at log K.
    carried = state.model.prior.entropy().clamp(max=grown * settings.capacity_class)
    return carried, grown * settings.capacity_continuous
