"""One step of each stage, looked at from inside: who learns from what, and what stays as it is."""

from dataclasses import replace

import pytest
import torch

from elastic_infogan.core.model import ElasticInfoGAN
from elastic_infogan.training import loop, steps
from elastic_infogan.training.config import Latent, overlay
from elastic_infogan.training.interruption import Interruption
from elastic_infogan.training.loop import Interrupted, train
from elastic_infogan.training.run import Run
from elastic_infogan.training.state import State, setup
from elastic_infogan.training.tensor_files import read_tensors

FORMULA = {"networks.q_trains_trunk": True}
"""Q's terms train the trunk that it shares with D, as the published formula has it."""


@pytest.fixture
def ready(small, digits):
    """A state of `recipe` that stands in the game, with labels where there are any."""

    def make(recipe="elastic", changes=(), **settings):
        config = small(recipe, latent=Latent(continuous=2), **settings)
        state = setup(overlay(config, dict(changes), "here"), digits)
        if state.config.adversary.conditional:
            state.labels = torch.arange(len(state.batches)) % 10
        state.stage = "play"
        loop.set_learning_rates(state)
        return state

    return make


def gradients(state, monkeypatch, term):
    """Groups that one step of the game gives gradients to, with all terms but one weighing nothing."""
    moved = set()

    def keep(state, *_):
        for name in state.model.groups:
            if any(p.grad is not None and p.grad.any() for p in state.model.group(name)):
                moved.add(name)
        state.model.zero_grad(set_to_none=True)

    monkeypatch.setattr(State, "update", keep)
    monkeypatch.setattr(State, "weights", dict.fromkeys(state.table, 0.0) | {term: 1.0})
    steps.play(state)
    return moved


@pytest.mark.parametrize(
    ("recipe", "changes"),
    [("elastic", {}), ("elastic", {"prior.learned": False}), ("paper", {}), ("paper", FORMULA)],
)
def test_a_step_of_the_game_updates_exactly_the_rows_of_the_table(recipe, changes, ready, monkeypatch):
    state = ready(recipe, changes)
    played = {"adversarial_d", "adversarial_g", "information", "information_continuous", "contrast"}
    played |= {"self_labelling"} if recipe == "elastic" else set()
    for term in sorted(played):
        with monkeypatch.context() as patch:
            assert gradients(state, patch, term) == state.table[term], term


def test_no_gradient_outlives_a_step(ready):
    for recipe, changes in (("elastic", {}), ("paper", {}), ("paper", FORMULA)):
        state = ready(recipe, changes)
        steps.play(state)
        assert all(p.grad is None for p in state.model.parameters()), (recipe, changes)


def test_q_can_train_the_trunk_that_it_reads(ready):
    """The second trap: its terms take a pass of their own, at the weights that D's step has left."""
    state = ready("paper", FORMULA)
    trunk, update = state.model.discriminator.trunk, state.update
    first = next(trunk.parameters())
    seen, after = [], {}
    trunk.register_forward_pre_hook(lambda *_: seen.append(first.detach().clone()))

    def updated(*names):
        update(*names)
        after.setdefault(names, first.detach().clone())

    state.update = updated
    steps.play(state)
    by_d, *by_q = seen
    ds_step = after["discriminator",]
    assert not torch.equal(by_d, ds_step)
    assert len(by_q) == 2
    assert all(torch.equal(weights, ds_step) for weights in by_q)
    assert not torch.equal(first, ds_step)


def test_a_run_whose_trunk_q_trains_goes_on_bit_for_bit(small, trained, digits, tmp_path, stop_at):
    config = overlay(small("paper", steps=6), FORMULA, "here")
    whole = read_tensors(trained(config, "whole").path / "model.safetensors")[0]
    run = Run.create(tmp_path / "halved", config)
    with pytest.raises(Interrupted):
        loop.fit(setup(config, digits), run, lambda _: None, stop_at(3))
    train(digits, run)
    halved = read_tensors(run.path / "model.safetensors")[0]
    assert all(torch.equal(halved[name], whole[name]) for name in whole)


def test_a_conditional_d_is_told_the_labels_of_real_images_and_the_codes_of_generated_ones(
    ready, monkeypatch
):
    state, drawn, told = ready(), [], []
    draw, recode = steps.draw, ElasticInfoGAN.draw

    def kept(*arguments):
        drawn.append(draw(*arguments))
        return drawn[-1]

    def coded(*arguments):
        drawn.append(recode(*arguments))
        return drawn[-1]

    monkeypatch.setattr(steps, "draw", kept)
    monkeypatch.setattr(ElasticInfoGAN, "draw", coded)
    state.model.discriminator.register_forward_pre_hook(lambda _, given: told.append(given[1]))
    steps.play(state)
    batch, latent = drawn
    real, made = told[0].chunk(2)
    assert torch.equal(real, torch.nn.functional.one_hot(batch.labels, 10).float())
    assert torch.equal(made, latent.code.value)


@pytest.mark.parametrize("stage", ["encode", "refine", "play"])
def test_running_statistics_are_of_untouched_images_alone(stage, ready):
    """Views would move rare classes into their neighbours, see docs/experiments.md."""
    state = ready()
    if stage == "encode":
        state.labels = None
    steps.settle(state)
    settled = statistics(state)
    loop.STEPS[stage](state)
    assert all(torch.equal(now, then) for now, then in zip(statistics(state), settled, strict=True))
    steps.settle(state)
    assert not torch.equal(statistics(state)[0], settled[0])


def statistics(state):
    return [t.clone() for layer in steps.batch_norms(state) for t in (layer.running_mean, layer.running_var)]


def test_real_images_teach_q_in_each_eighth_step_of_the_game(ready):
    state = ready()
    assert state.config.schedule.q_interval == 8
    taught = []
    for state.step in range(17):
        state.meter.reset(0.0)
        steps.play(state)
        taught.append("contrast" in state.meter.means(state.step))
    assert [step for step, was in enumerate(taught) if was] == [0, 8, 16]


def test_what_a_run_saves_is_the_average_of_g(ready):
    state = ready()
    weight = next(state.model.generator.parameters())
    expected = weight.detach().clone()
    for played in range(3):
        steps.play(state)
        decay = min(state.config.adversary.ema, (1 + played) / (10 + played))
        expected = decay * expected + (1 - decay) * weight.detach()
    saved = next(state.inference_model().generator.parameters())
    torch.testing.assert_close(saved, expected)
    assert not torch.equal(saved, weight)
    last = overlay(state.config, {"adversary.ema": 0.0}, "here")
    assert torch.equal(next(replace(state, config=last).inference_model().generator.parameters()), weight)


def test_labels_stay_while_q_is_refined_and_are_told_anew_after_it(small, digits, tmp_path):
    config = small(steps=100)
    state, run = setup(config, digits), Run.create(tmp_path / "run", config)
    seen = []

    class UntilTheGame(Interruption):
        @property
        def asked(self):
            seen.append((state.stage, state.labels))
            return state.stage == "play"

    with pytest.raises(Interrupted):
        loop.fit(state, run, lambda _: None, UntilTheGame())
    refined = [labels for stage, labels in seen if stage == "refine"]
    assert len(refined) == 15
    assert all(torch.equal(labels, refined[0]) for labels in refined)
    assert not torch.equal(seen[-1][1], refined[0])


@pytest.mark.parametrize(
    ("stage", "step", "left"),
    [
        *[("encode", 0, 1.0), ("encode", 12, 1.0), ("encode", 18, 0.25)],
        *[("refine", 20, 1.0), ("refine", 33, 1 / 3)],
        *[("play", 35, 1.0), ("play", 74, 1.0), ("play", 87, 0.5), ("play", 100, 0.0)],
    ],
)
def test_learning_rates_are_those_of_the_stage_and_fall_over_its_last_part(stage, step, left, small, digits):
    state = setup(small(steps=100), digits)
    rates, prior = state.config.optimiser, state.config.prior.learning_rate
    before = {"encode": rates.encode_learning_rate, "refine": rates.refine_learning_rate}
    state.stage, state.step = stage, step
    loop.set_learning_rates(state)
    found = {name: [group["lr"] for group in o.param_groups] for name, o in state.optimisers.items()}
    whole = {"q": [before.get(stage, rates.q_learning_rate)]}
    if stage == "play":
        whole["generator"] = [rates.generator_learning_rate, prior]
        whole["discriminator"] = [rates.discriminator_learning_rate]
    for name, lr in whole.items():
        assert found[name] == pytest.approx([left * rate for rate in lr], abs=1e-9)
    assert state.decay == pytest.approx(left)


def test_every_stage_takes_a_step_in_bf16_and_keeps_its_weights_in_single_precision(small, digits):
    state = setup(small(precision="bf16-mixed"), digits)
    state.labels = torch.arange(len(state.batches)) % 10
    for stage, moves in (("encode", "encoder"), ("refine", "q_head"), ("play", "generator")):
        state.stage = stage
        loop.set_learning_rates(state)
        before = [p.detach().clone() for p in state.model.group(moves)]
        loop.STEPS[stage](state)
        after = list(state.model.group(moves))
        assert any((a != b).any() for a, b in zip(before, after, strict=True)), stage
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in state.model.parameters())
