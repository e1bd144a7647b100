"""The mathematics against independent oracles, closed forms and invariants."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.losses import NTXentLoss

from elastic_infogan.core import functional

seeds = st.integers(0, 2**31 - 1)


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=25, deadline=None)
@given(seed=seeds, n=st.integers(2, 9), temperature=st.sampled_from([0.1, 0.5, 1.0, 2.0]))
def test_nt_xent_agrees_with_an_independent_implementation(seed, n, temperature):
    anchors, views = random(seed, n, 5), random(seed + 1, n, 5)
    oracle = NTXentLoss(temperature)(torch.cat([anchors, views]), torch.arange(n).repeat(2))
    torch.testing.assert_close(functional.nt_xent(anchors, views, temperature), oracle)


@pytest.mark.parametrize("n", [2, 5, 64])
def test_nt_xent_of_equal_features_is_chance(n):
    same = torch.ones(n, 7)
    assert functional.nt_xent(same, same, 0.3).item() == pytest.approx(math.log(2 * n - 1), rel=1e-5)


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_nt_xent_ignores_scale_order_and_rotation(seed):
    anchors, views = random(seed, 6, 4), random(seed + 1, 6, 4)
    loss = functional.nt_xent(anchors, views, 0.5)
    rotation, _ = torch.linalg.qr(random(seed + 2, 4, 4))
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(functional.nt_xent(3 * anchors, 0.2 * views, 0.5), loss)
    torch.testing.assert_close(functional.nt_xent(anchors[order], views[order], 0.5), loss)
    torch.testing.assert_close(functional.nt_xent(anchors @ rotation, views @ rotation, 0.5), loss)
    torch.testing.assert_close(functional.nt_xent(views, anchors, 0.5), loss)


def test_nt_xent_counts_candidates_of_other_processes_as_negatives():
    anchors, views, others = random(0, 4, 3), random(1, 4, 3), random(2, 6, 3)
    alone = functional.nt_xent(anchors, views, 0.5)
    among = functional.nt_xent(anchors, views, 0.5, others)
    everyone = F.normalize(torch.cat([anchors, views, others]), dim=1)
    logits = everyone[:8] @ everyone.t() / 0.5
    logits[torch.arange(8), torch.arange(8)] = -math.inf
    torch.testing.assert_close(among, F.cross_entropy(logits, torch.arange(8).roll(4)))
    assert among > alone


def test_positive_pairs_attract_without_regard_to_length():
    anchors = random(0, 4, 3)
    assert functional.positive_pair_loss(anchors, 2 * anchors).item() == pytest.approx(0, abs=1e-6)
    assert functional.positive_pair_loss(anchors, -anchors).item() == pytest.approx(2, abs=1e-6)


@given(seed=seeds, temperature=st.floats(0.05, 5))
@settings(max_examples=30, deadline=None)
def test_gumbel_softmax_agrees_with_torch(seed, temperature):
    logits = random(seed, 3, 4)
    torch.manual_seed(seed)
    oracle = F.gumbel_softmax(logits, tau=temperature)
    torch.manual_seed(seed)
    noise = functional.sample_gumbel((3, 4), logits)
    torch.testing.assert_close(functional.gumbel_softmax(logits, noise, temperature), oracle)


def test_gumbel_argmax_is_a_sample_of_the_categorical_at_every_temperature():
    torch.manual_seed(0)
    p = torch.tensor([0.6, 0.3, 0.1])
    for temperature in (0.1, 1.0, 10.0):
        sample = functional.gumbel_softmax(p.log(), functional.sample_gumbel((40_000, 3), p), temperature)
        shares = torch.bincount(sample.argmax(1), minlength=3) / 40_000
        # Four standard errors of a share.
        torch.testing.assert_close(shares, p, atol=4 * (0.25 / 40_000) ** 0.5, rtol=0)


def test_gumbel_softmax_limits():
    noise, p = random(0, 5, 3), torch.tensor([0.2, 0.3, 0.5])
    cold = functional.gumbel_softmax(p.log(), noise, 1e-3)
    torch.testing.assert_close(cold.max(1).values, torch.ones(5))
    hot = functional.gumbel_softmax(p.log(), noise, 1e6)
    torch.testing.assert_close(hot, torch.full((5, 3), 1 / 3), atol=1e-4, rtol=0)


def test_straight_through_is_one_hot_with_the_relaxed_gradient():
    relaxed = F.softmax(random(0, 4, 3), 1).requires_grad_()
    hard, weight = functional.one_hot_straight_through(relaxed), random(1, 4, 3)
    torch.testing.assert_close(hard.detach(), F.one_hot(relaxed.argmax(1), 3).float())
    (hard * weight).sum().backward()
    torch.testing.assert_close(relaxed.grad, weight)


def test_adversarial_losses_agree_with_binary_cross_entropy():
    real, fake = random(0, 9), random(1, 9)
    bce = F.binary_cross_entropy_with_logits
    expected = bce(real, torch.ones(9)) + bce(fake, torch.zeros(9))
    torch.testing.assert_close(functional.non_saturating_discriminator_loss(real, fake), expected)
    torch.testing.assert_close(functional.non_saturating_generator_loss(fake), bce(fake, torch.ones(9)))
    chance = functional.non_saturating_discriminator_loss(torch.zeros(3), torch.zeros(3))
    assert chance.item() == pytest.approx(2 * math.log(2))


def test_categorical_information_is_cross_entropy_and_takes_relaxed_codes():
    logits, index = random(0, 6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    one_hot = F.one_hot(index, 4).float()
    loss = functional.categorical_mutual_information_loss(logits, one_hot)
    torch.testing.assert_close(loss, F.cross_entropy(logits, index))
    soft = F.softmax(random(1, 6, 4), 1)
    torch.testing.assert_close(
        functional.categorical_mutual_information_loss(logits, soft), F.cross_entropy(logits, soft)
    )


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_the_gaussian_divergence_agrees_with_torch(seed):
    mean, log_variance = random(seed, 5, 3), random(seed + 1, 5, 3)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    oracle = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(functional.gaussian_kl(mean, log_variance), oracle)


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_the_categorical_divergence_agrees_with_torch(seed):
    logits, prior = random(seed, 5, 4), F.log_softmax(random(seed + 1, 4), 0)
    categorical = torch.distributions.Categorical
    oracle = torch.distributions.kl_divergence(categorical(logits=logits), categorical(logits=prior)).mean()
    torch.testing.assert_close(functional.categorical_kl(logits, prior), oracle)


def test_divergences_vanish_at_the_prior_and_a_sure_posterior_is_log_k_from_uniform():
    uniform = torch.full((4,), 0.25).log()
    assert functional.gaussian_kl(torch.zeros(3, 2), torch.zeros(3, 2)).item() == 0
    assert functional.categorical_kl(torch.zeros(3, 4), uniform).item() == pytest.approx(0, abs=1e-6)
    sure = 1e3 * torch.eye(4)
    assert functional.categorical_kl(sure, uniform).item() == pytest.approx(math.log(4), rel=1e-5)


def test_a_divergence_is_pulled_to_its_capacity_from_both_sides():
    for nats, slope in ((1.0, -1.0), (3.0, 1.0)):
        kl = torch.tensor(nats, requires_grad=True)
        loss = functional.capacity_loss(kl, 2.0)
        loss.backward()
        assert (loss.item(), kl.grad.item()) == (1.0, slope)


def test_the_gaussian_quantile_is_within_its_bound_of_the_exact_one():
    uniform = torch.linspace(-0.9999, 0.9999, 1001, dtype=torch.float64)
    exact = torch.distributions.Normal(0.0, 1.0).icdf((uniform + 1) / 2)
    torch.testing.assert_close(functional.gaussian_quantile(uniform), exact, rtol=3e-3, atol=1e-9)
    ends = functional.gaussian_quantile(torch.tensor([-1.0, 0.0, 1.0]))
    assert ends.tolist() == pytest.approx([-3.89, 0, 3.89], abs=0.02)


def test_gaussian_information_agrees_with_the_density():
    mean, log_variance, code = random(0, 5, 2), random(1, 5, 2), random(2, 5, 2)
    density = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    expected = -density.log_prob(code).sum(1).mean()
    torch.testing.assert_close(
        functional.gaussian_mutual_information_loss(mean, log_variance, code), expected
    )


def test_pairs_of_unequal_number_are_refused():
    with pytest.raises(ValueError, match="anchors are"):
        functional.nt_xent(torch.ones(3, 2), torch.ones(2, 2), 1.0)


def test_the_gaussian_quantile_has_a_gradient_everywhere():
    uniform = torch.linspace(-1, 1, 401).requires_grad_()
    functional.gaussian_quantile(uniform).sum().backward()
    assert uniform.grad.isfinite().all()
    assert uniform.grad[200].item() == pytest.approx(math.sqrt(math.pi / 2), rel=0.01)
    small = functional.gaussian_quantile(torch.tensor([1e-4, 1e-6])) / torch.tensor([1e-4, 1e-6])
    assert small.tolist() == pytest.approx([math.sqrt(math.pi / 2)] * 2, rel=0.01)
