"""The verb `doctor`, and what `train` says at its end."""

from __future__ import annotations

import json

import numpy as np
import pytest

from elastic_infogan.apps.cli import run
from elastic_infogan.data.sources import load


def test_doctor_says_and_writes_what_it_found(digits_run, capsys):
    (digits_run / "diagnosis.json").unlink()
    assert run(["doctor", str(digits_run)]) == 0
    said = capsys.readouterr().out
    written = json.loads((digits_run / "diagnosis.json").read_text())
    assert written["source"] == "digits"
    assert written["findings"]  # thirty steps leave much to find
    for finding in written["findings"]:
        assert finding["says"] in said
        assert finding["do"] in said


def test_a_run_that_cannot_be_written_to_is_diagnosed_all_the_same(digits_run, capsys):
    (digits_run / "diagnosis.json").unlink()
    (digits_run / "diagnosis.json").mkdir()
    assert run(["doctor", str(digits_run)]) == 0
    said = capsys.readouterr()
    assert "Diagnosis without labels" in said.out
    assert "diagnosis.json is not kept" in said.err


@pytest.mark.parametrize("verb", [["doctor"], ["evaluate", "--real-only"]])
def test_that_merges_are_not_counted_is_said_where_they_are_not(verb, digits_run, capsys):
    def said():
        assert run([verb[0], str(digits_run), *verb[1:]]) == 0
        return "before any merge" in capsys.readouterr().err

    assert not said()
    (digits_run / "names.json").write_text('{"names": {}, "merged": [[1, 2]]}')
    assert said()


def test_train_leaves_a_diagnosis_of_what_it_was_trained_on(trained):
    written = json.loads((trained / "diagnosis.json").read_text())
    shares = json.loads((trained / "shares.json").read_text())["assigned"]
    assert np.array(written["counts"]) / written["images"] == pytest.approx(shares, abs=1e-3)


def test_doctor_looks_at_other_images_and_not_at_their_labels(digits_run, tmp_path):
    digits = load("digits")
    diagnoses = []
    for labels in (digits.labels, np.roll(digits.labels, 500)):
        np.savez(tmp_path / "some.npz", images=digits.images[:600], labels=labels[:600])
        assert run(["doctor", str(digits_run), str(tmp_path / "some.npz")]) == 0
        diagnoses.append(json.loads((digits_run / "diagnosis.json").read_text()))
    assert diagnoses[0]["images"] == 600
    assert diagnoses[0]["findings"] == diagnoses[1]["findings"]


def test_doctor_names_a_run_that_is_not_there(fails, tmp_path):
    assert "is not a run folder" in fails("doctor", tmp_path / "nowhere")
