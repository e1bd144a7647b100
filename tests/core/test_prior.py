"""The class prior: sampling, gradients and updates."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elastic_infogan.core.prior import ClassPrior


def test_a_prior_starts_uniform():
    torch.testing.assert_close(ClassPrior(4).probabilities(), torch.full((4,), 0.25))


@pytest.mark.parametrize(("kind", "reaches"), [("soft", True), ("straight-through", True), ("hard", False)])
def test_which_samples_carry_a_gradient_to_p(kind, reaches):
    prior = ClassPrior(3)
    value = prior.sample(16, 0.5, kind).value
    assert value.requires_grad is reaches
    if reaches:
        (value * torch.arange(3.0)).sum().backward()
        assert prior.logits.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", ["soft", "straight-through", "hard"])
def test_samples_lie_on_the_simplex_and_agree_with_their_index(kind):
    sample = ClassPrior(5).sample(200, 0.5, kind)
    torch.testing.assert_close(sample.value.sum(1), torch.ones(200))
    assert torch.equal(sample.value.argmax(1), sample.index)
    assert kind == "soft" or set(sample.value.detach().unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("kind", ["soft", "straight-through"])
def test_gradient_descent_on_samples_finds_the_rewarded_class(kind):
    torch.manual_seed(0)
    prior = ClassPrior(3)
    optimiser = torch.optim.Adam(prior.parameters(), 0.05)
    for _ in range(100):
        optimiser.zero_grad()
        prior.sample(64, 0.5, kind).value[:, 0].mean().neg().backward()
        optimiser.step()
    assert prior.probabilities()[0] > 0.9


@given(st.lists(st.floats(1e-3, 1), min_size=2, max_size=12))
@settings(max_examples=50, deadline=None)
def test_assign_sets_the_shares(weights):
    shares = torch.tensor(weights) / sum(weights)
    prior = ClassPrior(len(weights))
    prior.assign(torch.tensor(weights))
    torch.testing.assert_close(prior.probabilities(), shares, atol=1e-5, rtol=1e-4)


def test_the_floor_keeps_an_empty_class_alive():
    prior = ClassPrior(4, floor=0.2)
    prior.assign(torch.tensor([1.0, 1.0, 1.0, 0.0]))
    assert prior.probabilities().tolist() == pytest.approx([0.95 / 3] * 3 + [0.05], rel=1e-4)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_no_share_is_below_the_floor_and_those_that_are_above_stay(weights, floor):
    weights[0] += 0.5  # one class at least
    prior = ClassPrior(len(weights), floor)
    prior.assign(torch.tensor(weights))
    once = prior.probabilities().detach().clone()
    assert once.sum().item() == pytest.approx(1, abs=1e-5)
    assert once.min().item() >= floor / len(weights) - 1e-6
    prior.assign(once)
    torch.testing.assert_close(prior.probabilities(), once, atol=1e-5, rtol=1e-4)


def test_following_posteriors_converges_to_their_mean():
    prior, shares = ClassPrior(3), torch.tensor([0.7, 0.2, 0.1])
    for _ in range(300):
        prior.follow(shares, 0.05)
    torch.testing.assert_close(prior.probabilities(), shares, atol=1e-5, rtol=0)
