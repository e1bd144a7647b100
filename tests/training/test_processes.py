"""Two processes train as one does, and any number goes on from a checkpoint."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from elastic_infogan.errors import ConfigError
from elastic_infogan.training.choices import choose
from elastic_infogan.training.consistency import consistent
from elastic_infogan.training.processes import Processes
from elastic_infogan.training.recipes import named
from elastic_infogan.training.run import Run
from elastic_infogan.training.state import setup
from elastic_infogan.training.tensor_files import read_tensors

pytestmark = pytest.mark.timeout(900)

STEPS, HALF, BATCH = 50, 24, 16

WORK = Path(__file__).with_name("trains_together.py")
TORCHRUN = [
    "-m",
    "torch.distributed.run",
    "--standalone",
    "--local-addr",
    "127.0.0.1",
    "--nproc-per-node",
    "2",
]


def small(recipe, devices, **changes):
    """A recipe on digits of which every step is a line."""
    base = named(recipe)
    return replace(
        base, source="digits", classes=10, steps=STEPS, batch=BATCH, interval=1e-9, device="cpu",
        precision="32-true", devices=devices, schedule=replace(base.schedule, encode_batch=2 * BATCH),
        **changes,
    )  # fmt: skip


def slow_paper(devices):
    """Recipe `paper` with a thirtieth of its learning rates and smaller networks.

    Adam divides by the size of a gradient, so that where one is nearly zero its rounding becomes a step as
    large as any other: at the published rates single precision parts two processes from one by 1e-4 within a
    few steps of the game, which double precision shows to be rounding alone (docs/architecture.md).
    """
    base = named("paper")
    rates = {
        f"{name}_learning_rate": getattr(base.optimiser, f"{name}_learning_rate") / 30
        for name in ("generator", "discriminator", "q")
    }
    widths = {"generator_width": 16, "discriminator_width": 16, "generator_hidden": 64}
    networks = replace(base.networks, **widths)
    return small("paper", devices, optimiser=replace(base.optimiser, **rates), networks=networks)


def work(*arguments):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr


def test_where_no_gradient_is_there_is_nothing_to_average():
    """Q has none in most steps of the game where MI spares it."""
    two = SimpleNamespace(global_rank=0, world_size=2, device=torch.device("cpu"))
    Processes(two).average_([])


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs by name: of one process, of two, and of two and one that went on where the others stopped.

    `double` is recipe `elastic` as it is, in double precision; `single` is `slow_paper`.
    """
    found = {}
    for precision, config in (("double", lambda n: small("elastic", n)), ("single", slow_paper)):
        folder = tmp_path_factory.mktemp(precision)
        one, two, half_one, half_two = (folder / name for name in ("one", "two", "half-one", "half-two"))
        Run.create(one, config(1))
        work(WORK, precision, HALF, one)
        Run.create(two, config(2))
        Run.create(half_one, config(2))
        work(*TORCHRUN, WORK, precision, HALF, two, half_one)
        Run.create(half_two, config(1))
        work(WORK, precision, HALF, half_two)
        found |= {f"{precision} {run.name}": Run.open(run) for run in (one, two, half_one, half_two)}
    return found


def losses(run):
    return [line["losses"] for line in run.stats()]


def largest_difference(ours, theirs):
    """In any loss of any step."""
    assert [line.keys() for line in losses(ours)] == [line.keys() for line in losses(theirs)]
    assert len(losses(ours)) == STEPS
    pairs = zip(losses(ours), losses(theirs), strict=True)
    return max(abs(our[name] - their[name]) for our, their in pairs for name in our)


def test_two_processes_give_the_losses_of_one(runs):
    """Negatives, batch statistics, prior, discovery, labels, views and codes, in three stages."""
    assert {line["stage"] for line in runs["double one"].stats()} == {"encode", "refine", "play"}
    assert largest_difference(runs["double two"], runs["double one"]) < 1e-6
    contrast = [line["contrast"] for line in losses(runs["double one"]) if "contrast" in line]
    assert contrast[-1] < contrast[0] - 0.1  # or there would be nothing to agree about


def test_two_processes_give_the_losses_of_one_in_single_precision(runs):
    assert largest_difference(runs["single two"], runs["single one"]) < 1e-4


@pytest.mark.parametrize(("precision", "tolerance"), [("double", 1e-6), ("single", 1e-4)])
@pytest.mark.parametrize("stopped", ["one", "two"])
def test_any_number_goes_on_where_another_stopped(runs, precision, tolerance, stopped):
    assert largest_difference(runs[f"{precision} half-{stopped}"], runs[f"{precision} one"]) < tolerance


def test_both_leave_the_same_random_state_labels_and_shares(runs):
    one, two = runs["double one"], runs["double two"]
    ours, theirs = (read_tensors(run.checkpoint)[0] for run in (one, two))
    assert ours.keys() == theirs.keys()
    for name in ("random/cpu", "labels"):
        assert torch.equal(ours[name], theirs[name])
    shares = [json.loads((run.path / "shares.json").read_text()) for run in (one, two)]
    assert shares[0]["assigned"] == shares[1]["assigned"]
    assert shares[0]["prior"] == pytest.approx(shares[1]["prior"], abs=1e-6)


def test_the_images_of_all_processes_count(runs):
    lines = runs["single two"].stats()
    spent = [after["seconds"] - before["seconds"] for before, after in pairwise(lines)]
    counted = [line["images_per_second"] * s for line, s in zip(lines[1:], spent, strict=True)]
    assert counted[HALF:] == pytest.approx([BATCH] * (STEPS - HALF - 1), rel=1e-3)


def test_a_batch_that_cannot_be_shared_evenly_is_refused():
    with pytest.raises(ConfigError, match=r"--batch 16: 3 processes .* use a multiple of 3"):
        consistent(small("elastic", 3))


def test_a_batch_that_is_left_open_is_shared_evenly(digits):
    assert choose(replace(small("elastic", 3), batch=None), digits).batch == 63


def test_processes_that_nobody_started_are_refused(digits):
    with pytest.raises(ConfigError, match="--devices 2 --nodes 1: nobody has started"):
        setup(small("elastic", 2), digits)
