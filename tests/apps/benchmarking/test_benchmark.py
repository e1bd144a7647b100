"""A benchmark of real trials: killed and gone on with, with a trial that fails, and with wrong input."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from elastic_infogan.apps.benchmark import _sources
from elastic_infogan.apps.benchmarking import pool
from elastic_infogan.apps.benchmarking.plan import Budget, plan
from elastic_infogan.apps.benchmarking.systems import systems
from elastic_infogan.apps.cli import run
from elastic_infogan.data.sources import load
from elastic_infogan.evaluation.reference import reference_classifier
from elastic_infogan.training.config import Config
from shared import wait_for

SMALL = {"classes": "3", "batch": "16", "schedule.encode-batch": "16", "networks.features": "16"} | {
    f"networks.{network}-{part}": str(units)
    for network in ("generator", "discriminator")
    for part, units in (("width", 8), ("hidden", 32))
}
BUDGET = ["--steps", "100", "--snapshots", "2", "--jobs", "1"]


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    """The digits 0, 1 and 2, forty of each."""
    digits = load("digits")
    chosen = np.concatenate([np.flatnonzero(digits.labels == k)[:40] for k in range(3)])
    path = tmp_path_factory.mktemp("toys") / "toys.npz"
    np.savez(path, images=digits.images[chosen], labels=digits.labels[chosen])
    # What it learns is not looked at; all processes find it in the cache.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("elastic_infogan.evaluation.reference_network.STEPS_AT_LEAST", 30)
        reference_classifier(load(str(path)))
    return str(path)


def benchmark(toys, out, *more, imbalances="random:0"):
    common = [
        word for name, value in {**SMALL, "interval": "0.05"}.items() for word in ("--set", f"{name}={value}")
    ]
    return ["benchmark", toys, "--imbalances", imbalances, *common, "--out", str(out), *more]


def lines(out):
    return {row["name"]: row for row in map(json.loads, (out / "results.jsonl").read_text().splitlines())}


@pytest.fixture
def threads_of_a_lone_trial():
    """As many threads as a trial has, so that sums are rounded alike."""
    before = torch.get_num_threads()
    torch.set_num_threads(pool.machine.cores())
    yield
    torch.set_num_threads(before)


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("threads_of_a_lone_trial")
def test_a_benchmark_killed_goes_on_and_ends_like_plain_training(toys, tmp_path, capsys):
    out = tmp_path / "bench"
    arguments = benchmark(toys, out, "--recipes", "infogan,elastic", *BUDGET)
    first, second = (out / "trials" / f"{name}_random-0_0" for name in ("infogan", "elastic"))
    command = [sys.executable, "-m", "elastic_infogan", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for(second / "run/checkpoint/state.safetensors", process)
        finally:
            process.kill()  # signal 9: nothing of the parent's own can put things in order
    finished = (first / "result.json").read_bytes()
    assert not (second / "result.json").exists()

    assert run(arguments) == 0
    assert (first / "result.json").read_bytes() == finished
    assert not list(out.glob("trials/*/run/checkpoint"))
    row = lines(out)["elastic"]
    assert [point["step"] for point in row["curve"]] == [50, 100]
    for name in ("table.md", "table.csv", "lost.csv", "nmi-against-time.png", "prior-against-truth.png"):
        assert (out / name).stat().st_size
    assert "Interrupted" in (second / "log.txt").read_text()  # by its parent's end, with its state saved

    settings = [word for name, value in SMALL.items() for word in (f"--{name}", value)]
    plain = tmp_path / "plain"
    train = ["train", toys, "--recipe", "elastic", *settings, "--imbalance", "random:0", "--steps", "100"]
    assert run([*train, "--out", str(plain)]) == 0
    assert run(["evaluate", str(plain)]) == 0
    alone = json.loads((plain / "metrics.json").read_text())
    for key in ("accuracy", "generated_nmi", "ent", "prior_rmse", "count_matrix", "classes", "recall"):
        assert row[key] == alone[key], key

    capsys.readouterr()
    assert run([*arguments[:-2], "--jobs", "2"]) == 0  # nothing left to do
    assert (first / "result.json").read_bytes() == finished
    said = capsys.readouterr()
    assert "infogan" in said.out
    assert "to do" not in said.err


def test_a_benchmark_interrupted_saves_what_its_trials_learned(toys, tmp_path):
    out = tmp_path / "bench"
    trial = out / "trials" / "infogan_random-0_0"
    arguments = benchmark(toys, out, "--recipes", "infogan", "--steps", "100000", "--jobs", "1")
    command = [sys.executable, "-m", "elastic_infogan", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for(trial / "run/checkpoint/state.safetensors", process)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=120)[1]
        finally:
            process.kill()
    assert process.returncode == 130, said
    assert "give the same command again" in said
    assert "Traceback" not in said
    assert not (trial / "result.json").exists()
    assert "Interrupted; what was learned so far is kept" in (trial / "log.txt").read_text()


def test_a_trial_that_fails_is_recorded_and_the_others_go_on(toys, tmp_path, capsys):
    wild = "wild:recipe=gumbel,optimiser.generator-learning-rate=1e30"
    out = tmp_path / "bench"
    arguments = benchmark(toys, out, "--recipes", "", "--variants", f"{wild};tame:recipe=gumbel")
    assert run([*arguments, "--steps", "6", "--snapshots", "0", "--jobs", "2"]) == 1
    found = lines(out)
    assert "failed" not in found["tame"]
    assert found["tame"]["curve"][-1]["step"] == 6
    assert "became" in found["wild"]["failed"]
    assert found["wild"]["settings"]["optimiser.generator_learning_rate"] == 1e30
    assert "1 of 2 trials failed" in capsys.readouterr().err
    assert found["wild"]["failed"] in (out / "table.md").read_text()


def test_a_failure_of_an_earlier_plan_is_none_of_this_one(toys, tmp_path, capsys):
    out = tmp_path / "bench"
    earlier = out / "trials" / "wild_random-0_0"
    earlier.mkdir(parents=True)
    failed = {"name": "wild", "imbalance": "random:0", "seed": 0, "failed": "the loss became NaN"}
    (earlier / "failure.json").write_text(json.dumps(failed))
    arguments = benchmark(toys, out, "--recipes", "infogan", "--steps", "2", "--jobs", "1")
    assert run(arguments) == 0
    assert "tries them again" not in capsys.readouterr().err
    assert "the loss became NaN" in (out / "table.md").read_text()


def test_each_seed_is_a_trial_and_fidelity_is_scored_where_asked_for(toys, tmp_path):
    out = tmp_path / "bench"
    brief = ["--recipes", "infogan", "--steps", "2", "--snapshots", "0", "--jobs", "2"]
    assert run(benchmark(toys, out, *brief, "--seeds", "0-1", "--fidelity")) == 0
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [row["seed"] for row in rows] == [0, 1]
    assert all(0 <= row["coverage_reference_cnn1"] <= 1 for row in rows)


def test_what_cannot_be_benchmarked_is_one_line(toys, tmp_path, fails):
    out = tmp_path / "bench"
    assert "random:x" in fails(*benchmark(toys, out, imbalances="random:x"))
    assert "exclude each other" in fails(*benchmark(toys, out, "--steps", "5", "--minutes", "1"))
    assert "--jobs 0" in fails(*benchmark(toys, out, "--jobs", "0"))
    np.save(tmp_path / "x.npy", np.zeros((9, 8, 8), np.uint8))
    assert "by labels: " in fails(*benchmark(str(tmp_path / "x.npy"), out, "--steps", "5"))
    assert "--set classes=K" in fails("benchmark", toys, "--steps", "5", "--out", out)
    assert not (out / "trials").exists()


def test_a_folder_with_another_budget_is_left_alone(toys, tmp_path, fails):
    out = tmp_path / "bench"
    out.mkdir()
    asked = {"source": toys, "budget": {"minutes": None, "steps": 9, "images": None}, "fidelity": False}
    (out / "benchmark.json").write_text(json.dumps(asked))
    line = fails(*benchmark(toys, out, "--steps", "5"))
    assert "budget" in line
    assert "another --out" in line
    assert json.loads((out / "benchmark.json").read_text()) == asked
    assert not (out / "trials").exists()


def test_a_source_is_read_in_the_channels_of_each_system(toys):
    """The reference classifier of either is then there before the trials want it."""
    found = systems("", "grey:channels=1;colour:channels=3", ["classes=3"])
    trials = plan(Config(source=toys), found, [None], [0], Budget(steps=5))
    assert sorted(images.channels for images in _sources(trials).values()) == [1, 3]


@pytest.mark.parametrize(
    ("wanted", "trials", "memory", "expected"),
    [
        (None, 9, 1e12, 4),
        (None, 3, 1e12, 3),
        (None, 9, 3.5e9, 2),
        (None, 9, 1e8, 1),
        (7, 9, 1e8, 7),
        (7, 2, 1e8, 2),
    ],
)
def test_as_many_at_once_as_cores_and_memory_bear(wanted, trials, memory, expected, monkeypatch):
    monkeypatch.setattr(pool.machine, "cores", lambda: 4)
    monkeypatch.setattr(pool.machine, "free_memory", lambda: int(memory))
    assert pool.how_many(wanted, trials, 10_000_000, "cpu") == expected
    assert pool.how_many(None, trials, 10_000_000, "cuda") == 1


def test_trials_go_on_with_the_images_that_they_were_begun_with(toys, tmp_path, capsys):
    counts = tmp_path / "counts.npy"
    np.save(counts, [[20, 10, 10]])
    command = benchmark(toys, tmp_path / "out", *BUDGET, imbalances=str(counts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("elastic_infogan.apps.benchmark._carry_out", lambda *_: None)
        assert run(command) == 0
        np.save(counts, [[10, 20, 10]])
        assert run(command) == 2
    assert "was begun with other images" in capsys.readouterr().err
