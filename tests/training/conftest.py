"""A small run on digits, by the real code."""

from dataclasses import replace

import numpy as np
import pytest

from elastic_infogan.data.sources import load
from elastic_infogan.training.loop import train
from elastic_infogan.training.recipes import named
from elastic_infogan.training.run import Run

SHARES = (0.28, *(0.08,) * 9)
"""Shares for the recipes that want them."""


@pytest.fixture(scope="session")
def digits():
    return load("digits").images


@pytest.fixture
def small():
    """A configuration of `recipe` whose whole budget takes a second or two."""

    def make(recipe="elastic", **changes):
        base = named(recipe)
        schedule = replace(base.schedule, encode_batch=32)
        settings = {
            "source": "digits",
            "classes": 10,
            "steps": 24,
            "batch": 16,
            "schedule": schedule,
        } | changes
        if base.prior.start == "shares" and "prior" not in changes:
            settings["prior"] = replace(base.prior, shares=SHARES)
        return replace(base, **settings)

    return make


@pytest.fixture
def trained(tmp_path, digits):
    """Train `config` in a folder of its own; gives the run."""

    def make(config, name="run", images=digits):
        run = Run.create(tmp_path / name, config)
        train(config, np.asarray(images), run)
        return run

    return make


@pytest.fixture
def stop_at():
    """Makes what `fit` asks after each step: whether to stop, which it is to once so many are done."""

    class StopAt:
        def __init__(self, steps):
            self.left = steps

        @property
        def asked(self):
            self.left -= 1
            return self.left < 0

    return StopAt
