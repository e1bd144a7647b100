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
    Networks,
    Optimiser,
    Prior,
    Schedule,
    SelfLabelling,
    Views,
)

__all__ = ["ELASTIC", "GUMBEL", "INFOGAN", "PAPER", "RECIPES", "named"]

ELASTIC = Config()
"""The default: Q's encoder learns ahead by NT-Xent, a mixture on its features gives Q's head and the
prior, self-labelling refines both, and G plays against a conditional D. Its values are the defaults of
`training.config`; the evidence for each is in docs/experiments.md."""

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
    adversary=Adversary(conditional=False, ema=0.0),
    self_labelling=SelfLabelling(weight=0.0),
    schedule=Schedule(encode=0.0, refine=0.0, q_interval=1),
    views=Views(
        rotate=20.0,
        zoom=0.1,
        translate=0.0,
        shear=0.0,
        stretch=0.0,
        corners=0.05,
        thickness=0.0,
        mirror=False,
    ),
)
"""Elastic-InfoGAN as published, with every setting of its MNIST code (Ojha et al. 2020). Unspecified and
decided here: the size of the corner distortion, 5 % of the side. The trunk is trained by D's loss alone,
as in the published code; `--networks.q-trains-trunk` follows the published formula."""

GUMBEL = replace(PAPER, recipe="gumbel", contrast=replace(PAPER.contrast, weight=0.0))
"""The paper's ablation: a learned prior without an identity constraint."""

INFOGAN = replace(GUMBEL, recipe="infogan", prior=replace(PAPER.prior, learned=False, samples="hard"))
"""InfoGAN (Chen et al. 2016): a fixed uniform prior, one-hot codes, no identity constraint. The networks
are those of `paper`, so that a comparison shows the method alone."""

RECIPES: Mapping[str, Config] = {r.recipe: r for r in (ELASTIC, PAPER, GUMBEL, INFOGAN)}


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
