"""A real run on digits, trained once for all tests of the command line."""

from __future__ import annotations

import shutil

import pytest

from elastic_infogan.apps.cli import run


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A finished run of a few steps; read only."""
    path = tmp_path_factory.mktemp("runs") / "digits"
    assert run(["train", "digits", "--imbalance", "random:0", "--steps", "30", "--out", str(path)]) == 0
    return path


@pytest.fixture
def digits_run(trained, tmp_path):
    """A copy of the run that a test may write to."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def fails(capsys):
    """Runs a command that has to fail with status 2 and gives its one line."""

    def line_of(*arguments):
        capsys.readouterr()
        assert run([str(argument) for argument in arguments]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("elastic-infogan: ")
        return lines[0].removeprefix("elastic-infogan: ")

    return line_of


@pytest.fixture(scope="session")
def explorable(tmp_path_factory):
    """A run of a few steps on all digits, with continuous codes; read only."""
    path = tmp_path_factory.mktemp("runs") / "explorable"
    asked = ["train", "digits", "--steps", "20", "--latent.continuous", "2", "--out", str(path)]
    assert run(asked) == 0
    return path


@pytest.fixture
def short_lesson(monkeypatch):
    """A reference classifier of few steps: what it learns is for the tests of the evaluation."""
    monkeypatch.setattr("elastic_infogan.evaluation.reference_network.STEPS_AT_LEAST", 30)
