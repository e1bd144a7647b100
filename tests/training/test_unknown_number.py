"""Training without knowing the number of classes: found on leaving the first stage, and kept from then on."""

import json
from dataclasses import replace

import pytest

from elastic_infogan.errors import ConfigError
from elastic_infogan.training import loop
from elastic_infogan.training.loop import Interrupted, train
from elastic_infogan.training.run import Run
from elastic_infogan.training.snapshots import kept
from elastic_infogan.training.state import setup
from shared import same, weights


def test_the_number_found_is_that_of_every_file(small, whole):
    run = whole(small(classes="2-14", steps=16), 300)
    told = json.loads((run.path / "classes.json").read_text())
    assert told["asked"] == "2-14"
    assert 2 <= told["low"] <= told["found"] <= told["high"] <= 14
    assert f'classes = "2-14" # {told["found"]} found' in (run.path / "config.toml").read_text()
    opened = Run.open(run.path)
    assert opened.config.classes == "2-14"
    assert opened.load_model().n_classes == told["found"] == opened.classes_found()["found"]
    assert len(json.loads((run.path / "shares.json").read_text())["prior"]) == told["found"]
    told_of = {len(line["prior"]) for line in run.stats() if line["stage"] != "encode"}
    assert told_of == {told["found"]}


@pytest.mark.parametrize("stop", [4, 10])
def test_an_interrupted_run_finds_the_same_and_ends_with_the_same_weights(
    stop, small, whole, tmp_path, few, stop_at
):
    config = small(classes="2-14", steps=16)
    undisturbed = whole(config, 300)
    run = Run.create(tmp_path / "halved", config)
    with pytest.raises(Interrupted):
        loop.fit(setup(config, few), run, lambda _: None, stop_at(stop))
    again = Run.create(tmp_path / "halved", config)
    train(few, again)
    assert same(weights(again.path), weights(undisturbed.path))
    for name in ("classes.json", "config.toml"):
        assert (again.path / name).read_text() == (undisturbed.path / name).read_text()


def test_a_given_number_leaves_no_word_of_it(small, trained, few):
    run = trained(small(steps=8), images=few)
    assert not (run.path / "classes.json").exists()
    assert run.classes_found() is None
    assert "classes = 10\n" in (run.path / "config.toml").read_text()


@pytest.mark.parametrize("recipe", ["paper", "jointvae"])
def test_recipes_that_cannot_find_it_refuse(recipe, small, digits):
    with pytest.raises(ConfigError, match="--classes auto: how many there are is found on leaving the stage"):
        setup(replace(small(recipe), classes="auto"), digits)


def test_more_classes_than_images_are_refused_in_a_range_only(small, digits):
    schedule = replace(small().schedule, encode_batch=16)
    setup(small(classes="auto", schedule=schedule), digits[:20])
    with pytest.raises(ConfigError, match="--classes 2-30: there are only 20 images"):
        setup(small(classes="2-30", schedule=schedule), digits[:20])


def test_every_snapshot_has_as_many_codes_as_were_found(small, trained, few):
    run = trained(small(classes="2-14", steps=16, snapshots=8), images=few)
    moments = kept(run)
    assert {moment.stage for moment in moments} == {"refine", "play"}
    assert {run.load_model(file=moment.file).n_classes for moment in moments} == {
        run.classes_found()["found"]
    }


def test_a_run_that_found_the_number_is_not_resumed_with_a_given_one(small, trained, few):
    run = trained(small(classes="auto", steps=16), images=few)
    with pytest.raises(ConfigError, match="was started with classes = 'auto', not 8"):
        Run.create(run.path, small(classes=8, steps=16))
    assert Run.create(run.path, run.config).config.classes == "auto"
