"""JointVAE's step: capacities that follow the budget, and the weights of its terms."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from elastic_infogan.training import variational
from elastic_infogan.training.state import VariationalState, setup


@pytest.fixture
def state(small, digits):
    return setup(small("jointvae", steps=100), digits)


def test_capacities_grow_with_the_budget_and_the_class_code_stops_at_log_k(state):
    assert isinstance(state, VariationalState)
    state.config = replace(state.config, variational=replace(state.config.variational, growth=0.5))
    found = []
    for state.step in (0, 10, 50, 99):
        class_code, continuous = variational.capacities(state)
        found.append((class_code.item(), continuous))
    expected = [(0, 0), (1, 1), (math.log(10), 5), (math.log(10), 5)]
    assert np.array(found) == pytest.approx(np.array(expected), abs=1e-6)


def test_an_oracle_prior_bounds_the_class_code_by_its_entropy(state):
    state.model.prior.assign(torch.tensor([0.91, *[0.01] * 9]))
    state.step = 99
    entropy = torch.distributions.Categorical(probs=state.model.prior.probabilities()).entropy()
    assert variational.capacities(state)[0].item() == pytest.approx(entropy.item())


def test_terms_weigh_as_if_the_cross_entropy_were_summed_over_the_image(state):
    weights = state.weights
    assert weights["capacity_class"] / weights["reconstruction"] == pytest.approx(30 / 64)


def test_a_step_moves_everything_but_the_prior(state):
    before = {name: tensor.clone() for name, tensor in state.model.state_dict().items()}
    variational.reconstruct(state)
    moved = {n.split(".")[0] for n, t in state.model.state_dict().items() if not torch.equal(t, before[n])}
    assert moved == {"generator", "encoder", "q_head"}


def test_it_learns_to_reconstruct(small, digits):
    state = setup(small("jointvae", steps=150, batch=64), digits)
    losses = []
    for state.step in range(60):
        state.meter.reset(0.0)
        variational.reconstruct(state)
        losses.append(state.meter.means(state.step)["reconstruction"])
    assert np.mean(losses[-5:]) < 0.85 * np.mean(losses[:5])
