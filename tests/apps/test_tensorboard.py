"""TensorBoard shows what stats.jsonl and samples/ hold, also of a run that went on."""

from __future__ import annotations

import json
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from elastic_infogan.apps.cli import run


def shown(path):
    board = EventAccumulator(str(path / "tensorboard"))
    board.Reload()
    return board


def test_scalars_and_grids_are_those_of_the_run_after_it_went_on_too(tmp_path):
    path = tmp_path / "run"
    wanted = [
        "train",
        "digits",
        "--recipe",
        "gumbel",
        "--interval",
        "0.01",
        "--tensorboard",
        "--out",
        str(path),
    ]
    for steps in ("4", "6"):
        assert run([*wanted, "--steps", steps]) == 0
        lines = [json.loads(line) for line in (path / "stats.jsonl").read_text().splitlines()]
        board = shown(path)
        for name in ("adversarial_d", "information"):
            events = board.Scalars(f"losses/{name}")
            assert [event.step for event in events] == [line["step"] for line in lines]
            logged = [line["losses"][name] for line in lines]
            assert [event.value for event in events] == pytest.approx(logged, rel=1e-5)
        assert len([tag for tag in board.Tags()["scalars"] if tag.startswith("prior/")]) == 10
        grids = sorted(int(file.stem[5:]) for file in (path / "samples").glob("*.png"))
        assert sorted(event.step for event in board.Images("samples")) == grids


def test_without_tensorboard_one_line_says_so_and_nothing_begins(tmp_path, fails, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    line = fails("train", "digits", "--steps", "2", "--tensorboard", "--out", tmp_path / "run")
    assert line == '--tensorboard needs tensorboard: pip install "elastic-infogan[tracking]"'
    assert list(tmp_path.iterdir()) == []
