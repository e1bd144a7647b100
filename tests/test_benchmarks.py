"""The benchmarks still build what they time; what they say of its speed is for `make bench` alone."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def beside_each_other(monkeypatch):
    """Benchmarks import each other by name, as scripts do."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for script in FOLDER.glob("*.py"):
        sys.modules.pop(script.stem, None)


@pytest.mark.parametrize("side", ["product", "plain"])
def test_both_sides_of_the_throughput_take_a_step(side):
    step, facts = getattr(import_module("throughput"), side)()
    step()
    assert facts["precision"] in ("32-true", "bf16-mixed")


@pytest.mark.parametrize("stage", ["encode", "play"])
def test_a_stage_has_a_share_of_the_peak(stage):
    found = import_module("step").figures_of("elastic", stage, batch=8, precision="32-true", rounds=1)
    assert found["share_of_peak"]["median"] > 0
    assert found["gflop_per_step"] > 0
