"""What a person sees on a terminal while a verb works."""

from __future__ import annotations

from io import StringIO

import pytest

from elastic_infogan.apps import terminal
from elastic_infogan.data.images import SetAside
from elastic_infogan.training.telemetry import Progress


@pytest.fixture
def screen(monkeypatch):
    """What is drawn on a terminal."""
    monkeypatch.setenv("TERM", "xterm")
    drawn = StringIO()
    monkeypatch.setattr(terminal, "notes", terminal._Console(file=drawn, force_terminal=True, width=120))
    return drawn


def test_a_training_shows_stage_speed_time_left_and_losses(screen):
    losses = {"information": 0.25, "contrast": 3.0}
    with terminal.training() as report:
        report(Progress("play", 40, 0.4, 600.0, 3600.0, 1234.0, losses, (0.5, 0.5)))
    for words in ("play", "1,234 images/s", " left", "information 0.25", "contrast 3"):
        assert words in screen.getvalue()


def test_what_is_counted_shows_its_words_and_how_far_it_is(screen):
    with terminal.counted("decoding pictures") as progress:
        progress(3, 8)
    assert "decoding pictures" in screen.getvalue()
    assert "3/8" in screen.getvalue()


def test_what_is_counted_is_not_shown_before_it_begins(screen):
    with terminal.counted("decoding pictures"):
        pass
    assert "decoding" not in screen.getvalue()


@pytest.mark.parametrize(("limit", "named"), [(terminal.LISTED, 20), (None, 24)])
def test_files_beyond_those_that_are_named_are_counted(limit, named, capsys):
    terminal.report_set_aside("pets", [SetAside(f"{i:02}.png", "empty file") for i in range(24)], limit)
    said = capsys.readouterr().err
    assert said.startswith("24 of the files in pets could not be used")
    assert said.count(".png: empty file") == named
    assert ("and 4 more, which `elastic-infogan data inspect pets` names" in said) is (named == 20)
