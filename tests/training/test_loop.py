"""Training end to end on digits: every recipe, determinism, resuming, and what stops it."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from elastic_infogan.core.model import ElasticInfoGAN
from elastic_infogan.errors import ConfigError, DataError, RunError, TrainingError
from elastic_infogan.training import loop, steps
from elastic_infogan.training.adaptive_augmentation import adapt
from elastic_infogan.training.checkpoint import restore
from elastic_infogan.training.config import Latent
from elastic_infogan.training.loop import Interrupted, train
from elastic_infogan.training.recipes import RECIPES
from elastic_infogan.training.run import NAMES, NAMES_ASIDE, Run
from elastic_infogan.training.stages import stage_at
from elastic_infogan.training.state import setup
from elastic_infogan.training.tensor_files import read_tensors
from shared import same, weights


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_leaves_a_whole_run(recipe, small, whole):
    run = whole(small(recipe))
    for name in ("config.toml", "stats.jsonl", "model.safetensors", "model.json", "shares.json"):
        assert (run.path / name).is_file(), name
    assert list((run.path / "samples").glob("*.png"))
    game = {"adversarial_d", "adversarial_g", "information"}
    variational = {"reconstruction", "capacity_class", "capacity_continuous"}
    assert set(run.stats()[-1]["losses"]) >= (variational if recipe == "jointvae" else game)
    assert run.load_model().kind == run.config.model
    assert run.load_model().sample(torch.arange(10)).shape == (10, 8, 8, 1)


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name != "jointvae"])
def test_continuous_codes_and_annealing_work_in_every_recipe_of_the_game(recipe, small, digits, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        ElasticInfoGAN, "draw", lambda *a, draw=ElasticInfoGAN.draw: drawn.append(a[2]) or draw(*a)
    )
    base = small(recipe, steps=12, latent=Latent(continuous=2))
    prior = replace(base.prior, temperature=1.0, temperature_end=0.25)
    state = setup(replace(base, prior=prior), digits)
    before = state.model.q_head.continuous.weight.clone()
    for state.step in range(6, 12):
        play_at(state)
    assert drawn == pytest.approx([0.25 ** (step / 12) for step in range(6, 12)])
    assert state.meter.means(12)["information_continuous"] > 0
    assert not torch.equal(state.model.q_head.continuous.weight, before)


def play_at(state):
    """One adversarial step with everything that the loop does for it."""
    if state.config.adversary.conditional and state.labels is None:
        state.labels = torch.zeros(len(state.batches), dtype=torch.int64)
    state.stage = "play"
    loop.set_learning_rates(state)
    steps.play(state)


@pytest.mark.parametrize("augmented", [0.0, 1.0])
def test_d_alone_sees_images_changed(augmented, small, digits):
    """Real and generated ones alike; Q names what G made as it is."""
    state = setup(small(), digits)
    seen = {"trunk": [], "encoder": []}
    for name, network in ("trunk", state.model.discriminator.trunk), ("encoder", state.model.encoder):
        network.register_forward_pre_hook(lambda _, images, name=name: seen[name].append(images[0].detach()))
    state.step = 1  # between two steps in which real images train Q, and between two looks at D's loss
    state.augmented = augmented
    play_at(state)
    (both, by_d), (by_q,) = seen["trunk"], seen["encoder"]
    made = both.chunk(2)[1]
    assert torch.equal(by_d, by_q) is (not augmented)
    assert torch.equal(made, by_q) is (not augmented)
    covered = (by_d == 0).flatten(1).float().mean(1)
    assert bool(covered.max() > 0.1) is bool(augmented)


def test_more_images_are_changed_the_surer_d_is_and_fewer_again(small, digits):
    state = setup(small(), digits)
    for loss, after in ((0.3, 0.02), (0.7, 0.04), (1.2, 0.02), (1.3, 0.0), (1.3, 0.0)):
        adapt(state, torch.tensor(loss))
        assert state.augmented == pytest.approx(after)
    state.step = 1  # not yet another look
    adapt(state, torch.tensor(0.1))
    assert state.augmented == 0
    never = setup(small("paper"), digits)
    adapt(never, torch.tensor(0.1))
    assert never.augmented == 0


@pytest.mark.parametrize("recipe", ["infogan-oracle", "infogan-oracle-pos"])
def test_an_oracle_keeps_the_shares_that_it_was_given(recipe, small, whole):
    run = whole(small(recipe))
    assert run.load_model().prior.probabilities().tolist() == pytest.approx(run.config.prior.shares)
    assert ("contrast" in run.stats()[-1]["losses"]) is recipe.endswith("pos")


def test_a_seed_decides_the_weights(small, trained, whole):
    once = weights(whole(small()).path)
    assert same(once, weights(trained(small(), "again").path))
    assert not same(once, weights(trained(small(seed=1), "other").path))


@pytest.mark.parametrize("recipe", ["elastic", "paper", "jointvae"])
@pytest.mark.parametrize("stop", [4, 10, 18])
def test_an_interrupted_run_ends_with_the_same_weights(recipe, stop, small, whole, tmp_path, digits, stop_at):
    config = small(recipe)
    run = Run.create(tmp_path / "halved", config)
    with pytest.raises(Interrupted):
        loop.fit(setup(config, digits), run, lambda _: None, stop_at(stop))
    train(digits, run)
    assert same(weights(run.path), weights(whole(config).path))


def test_a_run_that_is_cut_short_while_it_finishes_ends_with_the_same_weights(
    small, whole, tmp_path, digits, monkeypatch
):
    config = small()
    run = Run.create(tmp_path / "cut", config)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Run, "write_json", interrupt_at("shares.json", Run.write_json))
        train(digits, run)
    train(digits, run)
    assert same(weights(run.path), weights(whole(config).path))


def test_a_longer_budget_that_is_cut_short_while_it_finishes_can_be_finished(
    small, copied, digits, monkeypatch
):
    """What the shorter one left must not pass for the end of the longer."""
    run = copied(small())
    shorter = weights(run.path)
    longer = Run.create(run.path, replace(run.config, steps=30))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "export", interrupt)
        train(digits, longer)
    assert not (run.path / "shares.json").exists()
    train(digits, longer)
    assert (run.path / "shares.json").exists()
    assert not same(weights(run.path), shorter)


def test_lines_of_a_run_without_a_checkpoint_are_written_again(small, tmp_path, digits):
    run = Run.create(tmp_path / "run", small(steps=6, interval=1e-9))
    run.log({"step": 999})  # a process was killed before its first checkpoint
    train(digits, run)
    assert [line["step"] for line in run.stats()] == [1, 2, 3, 4, 5, 6]


def interrupt(*_):
    raise KeyboardInterrupt


def interrupt_at(culprit, write):
    def write_unless(run, name, value):
        if name == culprit:
            raise KeyboardInterrupt
        write(run, name, value)

    return write_unless


def test_restoring_gives_back_every_number(small, whole, digits):
    run = whole(small())
    state = setup(run.config, digits)
    restore(state, run)
    saved, _ = read_tensors(run.checkpoint)
    assert torch.equal(torch.get_rng_state(), saved["random/cpu"])
    for i, parameter in enumerate(p for g in state.optimisers["q"].param_groups for p in g["params"]):
        moments = state.optimisers["q"].state[parameter]
        assert moments["exp_avg"].stride() == parameter.stride()
        assert torch.equal(moments["exp_avg"], saved[f"optimiser/q/{i}/exp_avg"])


def test_a_checkpoint_of_other_networks_is_refused(small, whole, digits):
    run, config = whole(small("paper")), small("paper")
    state = setup(replace(config, networks=replace(config.networks, features=24)), digits)
    with pytest.raises(RunError, match=r"state\.safetensors does not fit the settings of this run: "):
        restore(state, run)


def test_stages_follow_the_budget(small):
    config = small()
    order = [stage_at(config, p) for p in np.linspace(0, 0.999, 50)]
    assert sorted(set(order), key=order.index) == ["encode", "refine", "play"]
    assert stage_at(small("paper"), 0.0) == "play"
    assert stage_at(small("jointvae"), 0.5) == "reconstruct"


def test_the_second_half_of_encode_draws_by_groups_and_goes_on_so(small, digits, tmp_path, stop_at):
    config = small(steps=48)  # ten of them for the encoder
    drawn = {}
    for stop in (3, 6, 12):
        state, run = setup(config, digits), Run.create(tmp_path / str(stop), config)
        with pytest.raises(Interrupted):
            loop.fit(state, run, lambda _: None, stop_at(stop))
        drawn[stop] = state.batches.groups
    assert drawn[3] is None
    assert drawn[12] is None  # the game is played with images as common as they are
    groups = drawn[6].of
    assert len(groups.unique()) == 20
    again = setup(config, digits)
    restore(again, Run(tmp_path / "6", config))
    assert torch.equal(again.batches.groups.of, groups)


def test_encode_can_draw_as_common_as_images_are_throughout(small, digits, tmp_path, stop_at):
    base = small(steps=48)
    config = replace(base, schedule=replace(base.schedule, balance=1.0))
    state, run = setup(config, digits), Run.create(tmp_path / "run", config)
    with pytest.raises(Interrupted):
        loop.fit(state, run, lambda _: None, stop_at(7))
    assert state.stage == "encode"
    assert state.batches.groups is None


def test_finding_classes_leaves_each_later_stage_its_part_of_the_time_left(small, digits):
    state = setup(small(steps=None, minutes=1.0), digits)
    state.pauses.append((0.0, 20.0))
    state.seconds = 20.0
    assert state.progress == 0
    state.seconds += 10
    assert state.progress == pytest.approx(0.25)
    state.seconds = 60.0
    assert state.progress == 1


def test_a_prior_that_is_not_learned_stays_uniform_whatever_classes_are_found(small, trained):
    base = small()
    run = trained(replace(base, prior=replace(base.prior, learned=False)))
    assert run.load_model().prior.probabilities().tolist() == pytest.approx([0.1] * 10)


@pytest.mark.parametrize("decay", [1.0, 0.25, 0.0])
def test_the_prior_follows_less_as_learning_rates_fall(decay, small, digits):
    state = setup(small(), digits)
    labels = torch.zeros(16, dtype=torch.int64)
    state.decay = decay
    steps.follow(state, steps.Batch(torch.zeros(16, 1, 8, 8), labels))
    rate = state.config.prior.posterior_rate * decay
    assert state.model.prior.probabilities()[0].item() == pytest.approx(0.1 + 0.9 * rate)


def test_losses_that_explode_keep_the_last_good_checkpoint(small, digits, tmp_path, stop_at):
    config = small("paper", steps=4)
    run = Run.create(tmp_path / "run", config)
    train(digits, run)
    before = run.checkpoint.read_bytes()
    # Contradictory on purpose: a step so large that the weights overflow.
    wild = replace(config, steps=40, optimiser=replace(config.optimiser, generator_learning_rate=1e30))
    state = setup(wild, digits)
    with pytest.raises(TrainingError, match="last good checkpoint is kept"):
        loop.fit(state, run, lambda _: None, stop_at(39))
    assert run.checkpoint.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "kind", "culprit"),
    [
        ({"classes": None}, ConfigError, "--classes is missing"),
        ({"classes": 1}, ConfigError, "--classes 1"),
        ({"classes": 2000}, ConfigError, "only 1797 images"),
        ({"batch": 1798}, DataError, "--batch 1797 or less"),
        ({"batch": 1}, ConfigError, "--batch 1"),
        ({"device": "mps" if not torch.backends.mps.is_available() else "cuda"}, ConfigError, "--device"),
    ],
)
def test_settings_that_cannot_be_trained_are_refused(changes, kind, culprit, small, digits):
    with pytest.raises(kind, match=culprit):
        setup(small(**changes), digits)


def test_a_conditional_discriminator_without_labels_is_refused(small, digits):
    """Real images without a code beside generated ones with theirs would be told apart by that alone."""
    base = small()
    with pytest.raises(ConfigError, match=r"--adversary\.conditional"):
        setup(replace(base, schedule=replace(base.schedule, encode=0.0, refine=0.0)), digits)


def test_images_of_an_awkward_size_are_refused(small):
    with pytest.raises(ConfigError, match=r"--size.*30 pixels"):
        setup(small(), np.zeros((50, 30, 30, 1), np.uint8))


def test_a_pause_takes_from_all_that_is_left_alike(small, digits):
    """A quarter used, then a pause of half of what is left: the rest goes twice as fast."""
    state = setup(small(steps=None, minutes=1.0), digits)
    state.seconds = 15.0
    assert state.progress == pytest.approx(0.25)
    state.pauses.append((15.0, 22.5))
    state.seconds = 37.5
    assert state.progress == pytest.approx(0.25)
    state.seconds += 7.5
    assert state.progress == pytest.approx(0.25 + 0.75 / 3)
    state.pauses.append((45.0, 15.0))
    state.seconds = 60.0
    assert state.progress == 1


def test_what_is_left_of_minutes_is_less_by_each_pause(small, digits):
    state = setup(small(steps=None, minutes=1.0), digits)
    state.pauses.append((15.0, 22.5))
    state.seconds = 40.0
    assert loop.seconds_left(state) == pytest.approx(20.0)


def test_what_is_left_of_steps_goes_by_how_long_they_took(small, digits):
    state = setup(small(steps=40), digits)
    state.step, state.seconds = 10, 30.0
    state.pauses.append((15.0, 10.0))
    assert loop.seconds_left(state) == pytest.approx(60.0)


HOUR = 3600.0


@pytest.mark.parametrize("when", ["before the step", "in the step"])
def test_a_time_of_standing_still_uses_no_budget(when, small, digits, tmp_path, monkeypatch):
    take, suspended = loop.take_step, []

    def suspended_once(state, run):
        before, during = take(state, run)
        if state.step != 4:
            return before, during
        suspended.append(signal.raise_signal(signal.SIGCONT))
        return (before + HOUR, during) if when == "before the step" else (before, during + HOUR)

    monkeypatch.setattr(loop, "take_step", suspended_once)
    run = Run.create(tmp_path / "run", small(steps=12, interval=1e-9))
    train(digits, run)
    assert len(suspended) == 1
    state = setup(run.config, digits)
    restore(state, run)
    assert state.step == 12
    assert state.seconds < HOUR
    assert sum(took for _, took in state.pauses) < HOUR


def test_a_larger_budget_that_leads_back_to_encode_begins_it_without_labels(small, digits, tmp_path, stop_at):
    config = small(steps=100)
    state, run = setup(config, digits), Run.create(tmp_path / "run", config)
    with pytest.raises(Interrupted):
        loop.fit(state, run, lambda _: None, stop_at(25))
    assert state.stage == "refine"
    longer = setup(replace(config, steps=400), digits)
    restore(longer, run)
    assert longer.labels is not None
    with pytest.raises(Interrupted):
        loop.fit(longer, run, lambda _: None, stop_at(1))
    assert (longer.stage, longer.labels) == ("encode", None)


def test_a_return_to_encode_begins_the_game_anew_and_keeps_the_encoder(small, digits, tmp_path, stop_at):
    """G learned for codes that mean other classes from then on."""
    config = small(steps=24)
    state, run = setup(config, digits), Run.create(tmp_path / "run", config)
    fresh = [p.detach().clone() for p in state.model.generator.parameters()]
    with pytest.raises(Interrupted):
        loop.fit(state, run, lambda _: None, stop_at(20))
    assert (state.stage, state.played > 0) == ("play", True)
    longer = setup(replace(config, steps=400), digits)
    restore(longer, run)
    learned = [p.detach().clone() for p in longer.model.encoder.parameters()]
    draws = torch.get_rng_state()
    loop.prepare(longer, run)
    assert (longer.stage, longer.played, longer.augmented) == ("encode", 0, 0.0)
    assert torch.equal(torch.get_rng_state(), draws)
    assert all(map(torch.equal, longer.model.encoder.parameters(), learned))
    assert all(map(torch.equal, longer.model.generator.parameters(), fresh))
    assert all(map(torch.equal, longer.average.parameters(), fresh))


def test_a_budget_that_ends_with_the_encoder_finds_classes_all_the_same(small, trained):
    run = trained(small(steps=1))
    assert {line["stage"] for line in run.stats()} == {"encode"}
    assigned = json.loads((run.path / "shares.json").read_text())["assigned"]
    assert sum(share > 0.01 for share in assigned) >= 8


def test_training_leaves_the_number_of_threads_as_it_was(small, trained, monkeypatch):
    """However many it came to use: what comes after it, and the next run, may use them all."""
    before = torch.get_num_threads()
    monkeypatch.setattr(loop, "candidates", lambda _: [1, 1])
    seen = []
    monkeypatch.setattr(
        loop, "finish", lambda *_, end=loop.finish: (seen.append(torch.get_num_threads()), end(*_))
    )
    try:
        torch.set_num_threads(2)
        trained(small(steps=None, minutes=0.01))
        assert seen == [2]
    finally:
        torch.set_num_threads(before)


def test_classes_that_are_found_anew_have_nobodys_names(small, digits, tmp_path, stop_at):
    config = small(steps=24)
    state, run = setup(config, digits), Run.create(tmp_path / "run", config)
    run.write_json(NAMES, {"names": {"0": "cat"}, "merged": []})
    with pytest.raises(Interrupted):
        loop.fit(state, run, lambda _: None, stop_at(8))
    assert not (run.path / NAMES).exists()
    assert "cat" in (run.path / NAMES_ASIDE).read_text()


def test_a_run_does_not_go_on_with_other_images(small, trained, digits):
    run = trained(small(steps=4))
    longer = Run.create(run.path, replace(run.config, steps=8))
    before = run.checkpoint.read_bytes()
    with pytest.raises(RunError, match=r"digits holds other images than when .*run began"):
        train(digits[1:], longer)
    assert run.checkpoint.read_bytes() == before


def test_a_floor_holds_also_where_the_gradient_alone_moves_the_prior(small, digits):
    base = small("paper", steps=10)
    state = setup(replace(base, prior=replace(base.prior, floor=0.5)), digits)
    with torch.no_grad():
        state.model.prior.logits[3] = -9.0
    play_at(state)
    assert state.model.prior.probabilities().min().item() == pytest.approx(0.05, rel=0.1)
