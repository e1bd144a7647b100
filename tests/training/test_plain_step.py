"""The benchmark's plain step and recipe `paper`'s real one are the same mathematics."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from elastic_infogan.training import steps
from elastic_infogan.training.recipes import named
from elastic_infogan.training.state import setup

PLAIN = Path(__file__).parents[2] / "benchmarks" / "plain.py"


@pytest.fixture(scope="module")
def plain():
    spec = importlib.util.spec_from_file_location("plain", PLAIN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def both(plain):
    """A state of the product and a plain step with the same weights and images."""
    images = np.random.default_rng(0).integers(0, 256, (64, 28, 28, 1), dtype=np.uint8)
    config = replace(
        named("paper"), source="noise", classes=10, steps=9, batch=16, device="cpu", precision="32-true"
    )
    state = setup(config, images)
    networks = plain.Networks()
    networks.copy_from(state.model)
    return state, plain.PlainStep(networks, images, state.views, config.batch)


def losses(state, step, seed):
    """The losses of one step of both from the same random numbers."""
    torch.manual_seed(seed)
    theirs = {name: float(value) for name, value in step().items()}
    torch.manual_seed(seed)
    state.meter.reset(0.0)
    steps.play(state)
    return state.meter.means(0), theirs


def test_the_same_weights_and_inputs_give_the_same_losses(both):
    ours, theirs = losses(*both, seed=1)
    assert theirs == pytest.approx(ours, abs=1e-4)


def test_a_step_changes_both_alike(both):
    """Later losses agree only if the same parameters moved by the same gradients."""
    for seed in range(3):
        ours, theirs = losses(*both, seed)
    assert theirs == pytest.approx(ours, abs=5e-3)
    state, step = both
    ours, theirs = state.model.prior.logits, step.networks.prior
    assert theirs.detach().numpy() == pytest.approx(ours.detach().numpy(), abs=1e-4)


def test_plain_is_plain(both):
    _, step = both
    for optimiser in (step.d_optimiser, step.g_optimiser):
        assert not optimiser.defaults["fused"]
        assert not optimiser.defaults["foreach"]
    assert all(p.requires_grad and p.is_contiguous() for p in step.networks.parameters())
