"""What is known of trials at work: how far each is, when all will be done, and what ended one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.progress import Progress

from elastic_infogan.apps import machine
from elastic_infogan.apps.benchmarking import board, pool
from elastic_infogan.apps.benchmarking.board import Board
from elastic_infogan.apps.benchmarking.folder import TrialFolder
from elastic_infogan.training.config import Config

STEPS = Config(steps=200)


@pytest.fixture
def trial(tmp_path):
    (tmp_path / "one" / "run").mkdir(parents=True)
    return TrialFolder(tmp_path / "one")


def test_a_container_leaves_no_more_memory_than_its_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_GROUP", tmp_path)
    free = machine.free_memory()
    assert free > 2**20
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("700000\n")
    (tmp_path / "memory.stat").write_text("anon 500000\ninactive_file 150000\n")
    assert machine.free_memory() == 450_000
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.free_memory() > 2**20


@pytest.mark.parametrize(
    ("status", "log", "reason"),
    [
        (-9, "", "ended by SIGKILL (out of memory? try fewer --jobs)"),
        (-15, "", "ended by SIGTERM"),
        (1, "", "ended with status 1 and no message"),
        (2, "Seen\nelastic-infogan: the loss became NaN\n", "the loss became NaN"),
    ],
)
def test_a_trial_that_left_no_result_has_a_reason(status, log, reason, tmp_path):
    (tmp_path / "log.txt").write_text(log)
    assert pool._reason(status, tmp_path / "log.txt") == reason


@pytest.mark.parametrize(
    ("config", "line", "done"),
    [
        (STEPS, None, 0.0),
        (STEPS, '{"step": 50, "seco', 0.0),
        (STEPS, '{"step": 50, "seconds": 9.0}', 0.25),
        (STEPS, '{"step": 900, "seconds": 9.0}', 1.0),
        (replace(STEPS, steps=None, minutes=1.0), '{"step": 50, "seconds": 45.0}', 0.75),
    ],
)
def test_how_much_of_a_trial_is_done(config, line, done, trial):
    if line is not None:
        (trial.run / "stats.jsonl").write_text(line)
    assert pool.fraction_done(trial, config) == done


def test_the_time_left_goes_by_what_was_gained_since_the_start(trial, monkeypatch):
    """A trial that goes on has done half its training before; it gains a quarter in six minutes."""
    clock = [0.0]
    monkeypatch.setattr(board, "monotonic", lambda: clock[0])
    with Progress(disable=True) as progress:
        show = Board(progress, {"one": STEPS, "two": STEPS}, before=3)
        (trial.run / "stats.jsonl").write_text('{"step": 100, "seconds": 9.0}')
        show([trial], None)
        assert show.time_left({"one": 0.45}) == ""
        clock[0] = 360.0
        assert show.time_left({"one": 0.675}) == "about 35 min left"
        clock[0] = 36_000.0
        assert show.time_left({"one": 0.675}) == "about 58.9 h left"
