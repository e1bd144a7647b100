"""Named settings: each recipe is a frozen `Config` that differs from another only in what differs."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace

from elastic_infogan.errors import ConfigError
from elastic_infogan.training.config import (
    Adversary,
    Config,
    Contrast,
    Information,
    Latent,
    Networks,
    Optimiser,
    Prior,
    Schedule,
    SelfLabelling,
    Variational,
    Views,
)

__all__ = [
    "ELASTIC",
    "GUMBEL",
    "GUMBEL_POS",
    "INFOGAN",
    "INFOGAN_ORACLE",
    "INFOGAN_ORACLE_POS",
    "JOINTVAE",
    "PAPER",
    "RECIPES",
    "named",
]

ELASTIC = Config()
"""The default: Q's encoder learns ahead by NT-Xent, classes found among its features give Q's head
and the prior their start, self-labelling refines both, and G plays against a conditional D. Its values
are the defaults of `training.config`; the evidence for each is in docs/experiments.md."""

PAPER = Config(
    recipe="paper",
    batch=64,
    networks=Networks(
        q="trunk",
        q_trains_trunk=False,
        generator_hidden=1024,
        discriminator_width=64,
        generator_width=64,
        discriminator_hidden=1024,
    ),
    prior=Prior(
        samples="soft",
        temperature=0.1,
        temperature_end=0.1,
        learning_rate=2e-4,
        posterior_rate=0.0,
        floor=0.0,
    ),
    contrast=Contrast(weight=10.0, temperature=1.0, negatives=True, pairs="original-view"),
    information=Information(weight=1.0, target="argmax"),
    optimiser=Optimiser(
        discriminator_learning_rate=2e-4,
        generator_learning_rate=2e-4,
        q_learning_rate=2e-4,
        beta1=0.5,
        q_beta1=0.5,
        decay=0.0,
    ),
    adversary=Adversary(conditional=False, ema=0.0, augment=False),
    self_labelling=SelfLabelling(weight=0.0),
    schedule=Schedule(encode=0.0, refine=0.0, q_interval=1),
    views=Views(
        preset="digits",
        rotate=20.0,
        zoom=0.1,
        translate=0.0,
        shear=0.0,
        stretch=0.0,
        corners=0.05,
        deform=0.0,
        thickness=0.0,
        opening=0.0,
        mirror=False,
    ),
)
"""Elastic-InfoGAN as published, with every setting of its MNIST code (Ojha et al. 2020). Unspecified and
decided here: the size of the corner distortion, 5 % of the side. The trunk is trained by D's loss alone,
as in the published code; `--networks.q-trains-trunk` follows the published formula."""

GUMBEL = replace(PAPER, recipe="gumbel", contrast=replace(PAPER.contrast, weight=0.0))
"""The paper's ablation: a learned prior without an identity constraint."""

GUMBEL_POS = replace(PAPER, recipe="gumbel-pos", contrast=replace(PAPER.contrast, negatives=False))
"""The paper's ablation: a learned prior, and positive pairs only: an image and its view attract each other,
and no other image repels them. Unspecified and decided here: the distance is one less the cosine, what is
left of NT-Xent without its denominator (but for the factor 1/tau', which is 1), under `paper`'s weight."""

INFOGAN = replace(GUMBEL, recipe="infogan", prior=replace(PAPER.prior, learned=False, samples="hard"))
"""InfoGAN (Chen et al. 2016): a fixed uniform prior, one-hot codes, no identity constraint. The networks
are those of `paper`, so that a comparison shows the method alone."""

INFOGAN_ORACLE = replace(INFOGAN, recipe="infogan-oracle", prior=replace(INFOGAN.prior, start="shares"))
"""The paper's ablation: InfoGAN whose fixed prior is the true shares. K numbers are all that it is told: they
are counted among the labels before training, which sees pixels alone. Unspecified and decided here: codes are
one-hot as in `infogan`, and code k has the share of class k, a numbering that nothing else knows of."""

INFOGAN_ORACLE_POS = replace(INFOGAN_ORACLE, recipe="infogan-oracle-pos", contrast=GUMBEL_POS.contrast)
"""The paper's ablation: `infogan-oracle` with the positive pairs of `gumbel-pos`."""

JOINTVAE = replace(
    INFOGAN,
    recipe="jointvae",
    model="jointvae",
    latent=Latent(noise=0, continuous=10),
    networks=Networks(encoder_width=32, features=256, generator_width=32, generator_hidden=256),
    prior=replace(INFOGAN.prior, samples="soft", temperature=0.67, temperature_end=0.67),
    optimiser=Optimiser(
        generator_learning_rate=5e-4, q_learning_rate=5e-4, beta1=0.9, q_beta1=0.9, decay=0.0
    ),
    variational=Variational(weight=30.0, capacity_class=5.0, capacity_continuous=5.0, growth=0.267),
)
"""JointVAE (Dupont, NeurIPS 2018), the paper's baseline that is no GAN, with the published MNIST settings:
ten Gaussian codes beside the class code, gamma = 30, both capacities from 0 to 5 nats, relaxed codes at
tau = 0.67, Adam at 5e-4, batches of 64. Its schedule was 25,000 of 100 epochs' 93,800 steps, and is that
fraction of any budget here. Unspecified and decided here: images of 28 pixels keep their size, where the
published code enlarges them to 32 (see `core.jointvae`); colours count as further pixels; class shares of an
oracle may replace the uniform prior. The capacity of the class code ends at the prior's entropy, log K, as in
the published code."""

RECIPES: Mapping[str, Config] = {
    recipe.recipe: recipe
    for recipe in (
        ELASTIC, PAPER, GUMBEL_POS, GUMBEL, INFOGAN_ORACLE_POS, INFOGAN_ORACLE, INFOGAN, JOINTVAE,
    )
}  # fmt: skip


def named(name: str) -> Config:
    """The recipe called `name`.

    Raises:
        ConfigError: if there is none; the nearest name is suggested.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"choose from {', '.join(RECIPES)}"
        raise ConfigError(f"--recipe {name}: there is no such recipe; {hint}")
    return RECIPES[name]
