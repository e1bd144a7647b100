"""A small run on digits, by the real code."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from elastic_infogan.data.sources import load
from elastic_infogan.training.interruption import Interruption
from elastic_infogan.training.loop import train
from elastic_infogan.training.recipes import named
from elastic_infogan.training.run import Run

SHARES = (0.28, *(0.08,) * 9)
"""Shares for the recipes that want them."""


@pytest.fixture(scope="session")
def digits():
    return load("digits").images


@pytest.fixture(scope="session")
def few(digits):
    return digits[:300]


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
        train(np.asarray(images), run)
        return run

    return make


@pytest.fixture(scope="session")
def whole(tmp_path_factory, digits):
    """Train `config`, on as many digits as told, once however often it is asked for; the run is read only."""
    runs = {}

    def make(config, count=None):
        if (config, count) not in runs:
            run = Run.create(tmp_path_factory.mktemp("whole") / "run", config)
            train(digits[:count], run)
            runs[config, count] = run
        return runs[config, count]

    return make


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of a run that `whole` gives, which a test may write to."""

    def make(config, count=None):
        return Run.open(shutil.copytree(whole(config, count).path, tmp_path / "run"))

    return make


@pytest.fixture
def stop_at():
    """Makes what `fit` asks after each step: whether to stop, which it is to once so many are done."""

    class StopAt(Interruption):
        def __init__(self, steps):
            super().__init__()
            self.left = steps

        @property
        def asked(self):
            self.left -= 1
            return self.left <= 0

    return StopAt
