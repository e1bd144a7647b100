"""Encoders from several starts: each gets its time, and the most agreed upon goes on."""

import copy
import json
from dataclasses import replace

import pytest

from elastic_infogan.errors import ConfigError
from elastic_infogan.training import loop
from elastic_infogan.training.loop import Interrupted, train
from elastic_infogan.training.run import Run
from elastic_infogan.training.stages import attempt_at, bounds, stage_at
from elastic_infogan.training.state import setup
from shared import same, weights


def test_every_encoder_gets_as_much_time_and_all_stages_shrink_alike(small):
    config = small(restarts=3)
    starts = [bounds(config, "encode", attempt) for attempt in range(3)]
    assert [end - start for start, end in starts] == pytest.approx([starts[0][1]] * 3)
    (refine, play), (_, end) = bounds(config, "refine"), bounds(config, "play")
    assert (refine, end) == (pytest.approx(starts[-1][1]), 1.0)
    schedule, shrunk = config.schedule, starts[0][1] / config.schedule.encode
    assert play - refine == pytest.approx(shrunk * schedule.refine)
    assert end - play == pytest.approx(shrunk * (1 - schedule.encode - schedule.refine))
    moments = [(stage_at(config, p / 1000), attempt_at(config, p / 1000)) for p in range(1000)]
    order = list(dict.fromkeys(moments))
    assert order == [("encode", 0), ("encode", 1), ("encode", 2), ("refine", 2), ("play", 2)]


def test_the_most_agreed_upon_encoder_goes_on(small, trained, few, monkeypatch):
    """Whatever the scores are, the encoder that learns on is the one with the highest."""
    ended, taken, scores = [], [], iter([0.5, 0.9, 0.7])

    def score(state):
        ended.append(copy.deepcopy(state.model.encoder.state_dict()))
        return next(scores)

    def discover(state, discover=loop.discovery.discover):
        taken.append(copy.deepcopy(state.model.encoder.state_dict()))
        return discover(state)

    monkeypatch.setattr("elastic_infogan.training.restarts.agreement", score)
    monkeypatch.setattr(loop.discovery, "discover", discover)
    run = trained(small(restarts=3), images=few)
    assert [same(encoder, taken[0]) for encoder in ended] == [False, True, False]
    assert json.loads((run.path / "restarts.json").read_text()) == {"agreement": [0.5, 0.9, 0.7], "kept": 1}


def test_scores_are_agreements(small, whole):
    told = whole(small(restarts=2), 300).restarts()
    assert len(told["agreement"]) == 2
    assert all(0 < score <= 1 for score in told["agreement"])
    assert told["agreement"][told["kept"]] == max(told["agreement"])


@pytest.mark.parametrize("stop", [3, 6, 9])
def test_an_interrupted_run_ends_with_the_same_weights(stop, small, whole, tmp_path, few, stop_at):
    config = small(restarts=2)
    undisturbed = whole(config, 300)
    run = Run.create(tmp_path / "halved", config)
    with pytest.raises(Interrupted):
        loop.fit(setup(config, few), run, lambda _: None, stop_at(stop))
    train(few, run)
    assert same(weights(run.path), weights(undisturbed.path))
    assert run.restarts() == undisturbed.restarts()


def test_one_encoder_leaves_no_word_of_it(small, trained, few):
    run = trained(small(steps=8), images=few)
    assert not (run.path / "restarts.json").exists()
    assert run.restarts() is None


def test_recipes_without_an_encoder_to_restart_refuse(small, digits):
    with pytest.raises(ConfigError, match="--restarts 2: what is started again is the stage encode"):
        setup(replace(small("gumbel"), restarts=2), digits)


def test_a_budget_so_large_that_encoders_are_trained_again_forgets_the_first(small, copied, few):
    run = copied(small(restarts=2), 300)
    longer = Run.create(run.path, replace(run.config, steps=150))
    train(few, longer)
    assert len(longer.restarts()["agreement"]) == 2
