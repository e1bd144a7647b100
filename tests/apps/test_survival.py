"""What a run survives: kill -9, signals, a full disk; and that no label reaches training."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
from filelock import FileLock

from elastic_infogan.apps.cli import run
from elastic_infogan.data.sources import load
from elastic_infogan.training.run import Run
from elastic_infogan.training.tensor_files import read_tensors
from shared import same, wait_for, weights

pytestmark = pytest.mark.timeout(900)

TRAIN = ["train", "digits", "--steps", "60", "--interval", "1e-6", "--networks.features", "16"]
"""Every step is a line and every fourth one a checkpoint, on machines of any speed."""


def start(out, *more, **options):
    command = [sys.executable, "-m", "elastic_infogan", *TRAIN, "--out", str(out), *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The weights of a run that nothing disturbed."""
    path = tmp_path_factory.mktemp("whole") / "run"
    assert run([*TRAIN, "--out", str(path)]) == 0
    return weights(path)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_run_that_was_stopped_ends_with_the_same_weights(number, status, whole, tmp_path):
    out = tmp_path / "run"
    with start(out) as process:
        wait_for(out / "checkpoint" / "state.safetensors", process)
        process.send_signal(number)
        said = process.communicate(timeout=120)[1]
    assert process.returncode == status, said
    if status == 130:
        assert f"elastic-infogan train digits --out {out}" in said
        assert "Traceback" not in said
    assert read_tensors(out / "checkpoint" / "state.safetensors")[1]["step"] < 60
    assert run([*TRAIN, "--out", str(out)]) == 0
    assert same(weights(out), whole)
    steps = [line["step"] for line in Run.open(out).stats()]
    assert steps == sorted(set(steps))


def test_a_disk_that_fills_up_is_one_line_and_loses_nothing(tmp_path):
    """A limit on the size of files stands in for the full disk: the system refuses the write alike."""
    out = tmp_path / "run"
    short = ["3" if argument == "60" else argument for argument in TRAIN]
    assert run([*short, "--out", str(out)]) == 0
    before = (out / "checkpoint" / "state.safetensors").read_bytes()

    def little_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    with start(out, preexec_fn=little_room) as process:
        message = process.communicate(timeout=120)[1]
    assert process.returncode == 2, message
    assert "free some space" in message.splitlines()[-1]
    assert "Traceback" not in message
    assert (out / "checkpoint" / "state.safetensors").read_bytes() == before
    assert not list(out.rglob("*.part"))


def test_labels_do_not_reach_training(tmp_path):
    images = load("digits")
    shuffled = np.random.default_rng(0).permutation(images.labels)
    kept = []
    for name, labels in (("true", images.labels), ("shuffled", shuffled)):
        np.savez(tmp_path / f"{name}.npz", images=images.images, labels=labels)
        out = tmp_path / name
        arguments = ["--classes", "10", "--steps", "20", "--networks.features", "16", "--out", str(out)]
        assert run(["train", str(tmp_path / f"{name}.npz"), *arguments]) == 0
        kept.append(weights(out))
    assert not np.array_equal(images.labels, shuffled)
    assert same(*kept)


def test_two_trainings_do_not_share_a_folder(digits_run, fails):
    with FileLock(digits_run / ".lock"):
        line = fails("train", "digits", "--imbalance", "random:0", "--steps", "60", "--out", digits_run)
        again = fails("train", "digits", "--new", "--out", digits_run)
    assert "another training is at work there" in line
    assert "another training is at work there" in again


def test_runs_without_a_name_take_the_next_one_that_is_free(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/digits-infogan-1").mkdir(parents=True)  # as a run has it that begins at the same time
    command = ["train", "digits", "--recipe", "infogan", "--steps", "1", "--batch", "16"]
    assert run(command) == 0
    assert (tmp_path / "runs/digits-infogan-2/model.json").exists()


def test_a_run_that_is_here_is_moved_aside(digits_run, monkeypatch):
    monkeypatch.chdir(digits_run)
    command = ["train", "digits", "--recipe", "infogan", "--steps", "1", "--batch", "16", "--new"]
    assert run([*command, "--out", "."]) == 0
    assert "steps = 30" in (digits_run.with_name("run.1") / "config.toml").read_text()
    assert (digits_run.with_name("run.1") / "model.json").exists()
    assert "steps = 1\n" in (digits_run / "config.toml").read_text()
    assert (digits_run / "model.json").exists()
