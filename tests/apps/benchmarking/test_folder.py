"""The folder of a benchmark keeps apart what does not belong together, and says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from filelock import FileLock

from elastic_infogan.apps.benchmarking import trial
from elastic_infogan.apps.benchmarking.folder import TrialFolder
from elastic_infogan.errors import ConfigError, RunError
from elastic_infogan.training.config import flatten
from elastic_infogan.training.recipes import named

CONFIG = replace(named("elastic"), source="digits", classes=10, steps=9)


def request(config=CONFIG):
    return {"name": "elastic", "fingerprint": [1, 2], "config": flatten(config)}


@pytest.fixture
def folder(tmp_path):
    """The folder of a trial that was begun."""
    (tmp_path / "elastic_whole_0").mkdir()
    folder = TrialFolder(tmp_path / "elastic_whole_0")
    folder.request(request())
    return folder


@pytest.fixture
def in_this_process(monkeypatch):
    """A trial ends with its standard input, which these tests have none of."""
    monkeypatch.setattr(trial, "_stop_when_alone", lambda: None)


def test_a_trial_goes_on_with_the_settings_that_it_was_begun_with(folder):
    folder.request(request(replace(CONFIG, interval=3.0)))
    assert folder.config().interval == 3
    with pytest.raises(ConfigError, match=r"was begun with batch = None, not 32: .*name among --variants"):
        folder.request(request(replace(CONFIG, batch=32)))
    assert folder.config().batch is None


@pytest.mark.parametrize("text", ['{"config": ', "[1]", "null"])
def test_a_damaged_request_says_how_to_begin_again(folder, text):
    (folder.path / "request.json").write_text(text)
    with pytest.raises(RunError, match=r"request\.json cannot be read: .*; remove its folder to begin"):
        folder.request(request())


def test_two_benchmarks_do_not_share_a_folder(tmp_path, fails):
    with FileLock(tmp_path / ".lock"):
        line = fails("benchmark", "digits", "--steps", "5", "--out", tmp_path)
    assert f"another benchmark is at work in {tmp_path}: wait" in line
    assert not (tmp_path / "benchmark.json").exists()


def test_a_file_is_no_place_for_a_benchmark(tmp_path, fails):
    (tmp_path / "mine.txt").write_text("here first")
    line = fails("benchmark", "digits", "--steps", "5", "--out", tmp_path / "mine.txt")
    assert line == f"--out: {tmp_path / 'mine.txt'} is a file; the name of a folder is needed"
    assert (tmp_path / "mine.txt").read_text() == "here first"


@pytest.mark.usefixtures("in_this_process")
def test_two_processes_do_not_carry_out_one_trial(folder, fails, monkeypatch):
    monkeypatch.setattr(trial, "PATIENCE", 0.0)
    with FileLock(folder.path / ".lock"):
        assert fails("trial", folder.path) == f"another process is at work on {folder.path}"


@pytest.mark.usefixtures("in_this_process")
def test_a_trial_is_one_process(tmp_path, fails):
    TrialFolder(tmp_path).request(request(replace(CONFIG, devices=2)))
    assert "a trial is one process; leave devices and nodes at 1" in fails("trial", tmp_path)
    assert not (tmp_path / "run").exists()
