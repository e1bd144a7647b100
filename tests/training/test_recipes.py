"""Recipe `paper` is the published system, and the others differ in what they say."""

from dataclasses import replace

from elastic_infogan.training.config import Latent
from elastic_infogan.training.recipes import (
    ELASTIC,
    GUMBEL,
    GUMBEL_POS,
    INFOGAN,
    INFOGAN_ORACLE,
    INFOGAN_ORACLE_POS,
    JOINTVAE,
    PAPER,
    RECIPES,
)


def test_paper_has_the_published_settings():
    assert (PAPER.batch, PAPER.latent.noise, PAPER.latent.continuous) == (64, 62, 0)
    rates = PAPER.optimiser
    published = (2e-4, 2e-4, 2e-4, 0.5, 0.5, 0.999, 0.0)
    assert published == (
        rates.discriminator_learning_rate, rates.generator_learning_rate, rates.q_learning_rate, rates.beta1,
        rates.q_beta1, rates.beta2, rates.decay,
    )  # fmt: skip
    assert (PAPER.prior.samples, PAPER.prior.temperature, PAPER.prior.learning_rate) == ("soft", 0.1, 2e-4)
    assert (PAPER.contrast.weight, PAPER.contrast.temperature, PAPER.contrast.pairs) == (
        10,
        1,
        "original-view",
    )
    assert (PAPER.information.weight, PAPER.information.target) == (1, "argmax")
    assert (PAPER.views.rotate, PAPER.views.zoom) == (20, 0.1)
    assert not PAPER.adversary.conditional
    assert PAPER.adversary.ema == 0
    assert (PAPER.schedule.encode, PAPER.schedule.refine, PAPER.schedule.q_interval) == (0, 0, 1)


def test_gumbel_is_paper_without_the_identity_constraint():
    restored = replace(GUMBEL, recipe="paper", contrast=PAPER.contrast)
    assert restored == PAPER


def test_infogan_is_gumbel_with_a_fixed_uniform_prior():
    assert not INFOGAN.prior.learned
    assert replace(INFOGAN, recipe="gumbel", prior=PAPER.prior) == GUMBEL


def test_gumbel_pos_is_paper_without_its_negatives():
    assert not GUMBEL_POS.contrast.negatives
    assert replace(GUMBEL_POS, recipe="paper", contrast=PAPER.contrast) == PAPER


def test_the_oracles_differ_from_infogan_in_where_the_prior_starts_and_in_positive_pairs():
    prior = replace(INFOGAN_ORACLE.prior, start="uniform")
    assert INFOGAN_ORACLE.prior.start == "shares"
    assert not INFOGAN_ORACLE.prior.learned
    assert replace(INFOGAN_ORACLE, recipe="infogan", prior=prior) == INFOGAN
    assert INFOGAN_ORACLE_POS.contrast == GUMBEL_POS.contrast
    assert replace(INFOGAN_ORACLE_POS, recipe="infogan-oracle", contrast=INFOGAN.contrast) == INFOGAN_ORACLE


def test_jointvae_has_the_published_mnist_settings():
    assert JOINTVAE.latent == Latent(noise=0, continuous=10)
    v, rates = JOINTVAE.variational, JOINTVAE.optimiser
    assert (v.weight, v.capacity_class, v.capacity_continuous) == (30, 5, 5)
    assert (JOINTVAE.prior.samples, JOINTVAE.prior.temperature, JOINTVAE.prior.temperature_end) == (
        "soft",
        0.67,
        0.67,
    )
    assert (rates.generator_learning_rate, rates.q_learning_rate, rates.decay) == (5e-4, 5e-4, 0)
    assert (rates.beta1, rates.q_beta1, rates.beta2, JOINTVAE.batch) == (0.9, 0.9, 0.999, 64)


def test_recipes_are_known_by_their_own_names():
    assert {name: recipe.recipe for name, recipe in RECIPES.items()} == {name: name for name in RECIPES}
    assert len(RECIPES) == 8


def test_the_default_avoids_the_slow_prior_and_the_cold_temperature():
    """The fourth and fifth traps: logits that need 5,000 steps for a nat, and tau below 0.5."""
    assert ELASTIC.prior.posterior_rate > 0
    assert 0.5 <= ELASTIC.prior.temperature_end <= ELASTIC.prior.temperature <= 1
