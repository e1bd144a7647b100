"""Settings that contradict each other are refused by the flag that has to change."""

from dataclasses import replace

import pytest

from elastic_infogan.errors import ConfigError
from elastic_infogan.training.config import overlay
from elastic_infogan.training.consistency import consistent
from elastic_infogan.training.recipes import RECIPES, named

SHARES = {"prior.shares": [0.5, 0.3, 0.2]}


def changed(recipe, changes):
    return overlay(replace(named(recipe), classes=3), changes, "here")


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_consistent(recipe):
    consistent(changed(recipe, SHARES if named(recipe).prior.start == "shares" else {}))


@pytest.mark.parametrize(
    ("recipe", "changes", "line"),
    [
        ("paper", {"schedule.encode": 0.1}, "--networks.q trunk: Q has no encoder"),
        ("elastic", {"schedule.encode": 0.0}, "--adversary.conditional: D needs"),
        (
            "elastic",
            {"schedule.encode": 0.0, "adversary.conditional": False},
            "--schedule.refine 0.15: what is refined are the classes that the stage encode ends with",
        ),
        (
            "elastic",
            {"latent.continuous": 2, "information.trains_q": False},
            "--information.no-trains-q: Q's head for continuous codes",
        ),
        ("paper", {"prior.posterior_rate": 0.1}, "--prior.posterior-rate 0.1: Q's labels"),
        ("paper", {"self_labelling.weight": 1.0}, "--self-labelling.weight 1.0: Q's labels"),
        ("paper", {"information.trains_q": False}, "--information.no-trains-q: without the stage encode"),
        ("paper", {"networks.q": "encoder"}, "--networks.q encoder: an encoder of Q's own learns ahead"),
        (
            "paper",
            {"variational.weight": 2.0},
            "--variational.weight: model elastic-infogan does not read it",
        ),
        ("jointvae", {"information.weight": 2.0}, "--information.weight: model jointvae does not read it"),
        ("jointvae", {"prior.samples": "hard"}, "--prior.samples hard: no gradient of what is decoded"),
        ("elastic", {"recipe": "mine"}, "--recipe mine: there is no such recipe"),
        ("jointvae", {"contrast.weight": 1.0}, "--contrast.weight: jointvae has no such part"),
        ("jointvae", {"prior.learned": True}, "--prior.learned: jointvae has no such part"),
        ("elastic", {"model": "jointvae"}, "--latent.noise: jointvae has no such part"),
        ("elastic", {"prior.start": "shares", **SHARES}, "--prior.start shares: the stage encode numbers"),
        ("gumbel", {"prior.samples": "hard"}, "--prior.samples hard: no gradient reaches the prior"),
        ("gumbel", {"networks.q": "encoder", "networks.q_trains_trunk": True}, "--networks.q-trains-trunk"),
        ("infogan", SHARES, "--prior.shares: the prior starts uniform; add --prior.start shares"),
        ("infogan-oracle", {}, "--prior.start shares: the shares are missing"),
        (
            "infogan-oracle",
            {"prior.shares": [0.5, 0.5]},
            "--prior.shares: there are 2 of them, and --classes is 3",
        ),
        ("infogan-oracle", {"prior.shares": [0.5, 0.5, 0.5]}, "--prior.shares are 1.5 together"),
        ("infogan-oracle", {"prior.shares": [1.5, -0.5, 0]}, "--prior.shares: a share is between 0 and 1"),
        ("infogan-oracle", {"prior.shares": [float("nan"), 0.5, 0.5]}, "--prior.shares: a share is between"),
    ],
)
def test_a_contradiction_is_one_line(recipe, changes, line):
    with pytest.raises(ConfigError) as caught:
        consistent(changed(recipe, changes))
    assert str(caught.value).startswith(line)


def test_rounded_shares_pass():
    consistent(changed("infogan-oracle", {"prior.shares": [0.333, 0.333, 0.333]}))
