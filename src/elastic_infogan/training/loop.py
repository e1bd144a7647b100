"""The whole training loop: setup, then fit, which repeats one step of the current stage.

Stages: `encode` (NT-Xent alone trains Q's encoder), `refine` (self-labelling, after classes among the
features gave Q's head and the prior their start), `play` (the adversarial game). Recipes without the
first two begin with `play`. JointVAE has one of its own, `reconstruct`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from elastic_infogan.training import checkpoint, discovery, restarts, snapshots, steps, variational
from elastic_infogan.training.hardware import returning_freed_memory
from elastic_infogan.training.interruption import Interruption
from elastic_infogan.training.resizing import begin_game_anew
from elastic_infogan.training.run import Run
from elastic_infogan.training.stages import GENERATIVE, attempt_at, bounds, stage_at
from elastic_infogan.training.state import State, setup
from elastic_infogan.training.telemetry import Progress, save_samples
from elastic_infogan.training.threads import ThreadTuner, candidates

__all__ = ["Interrupted", "train"]

STEPS: Mapping[str, Callable[[Any], None]] = {
    "encode": steps.encode,
    "refine": steps.refine,
    "play": steps.play,
    "reconstruct": variational.reconstruct,
}
"""What a stage repeats."""

LINES_PER_CHECKPOINT = 4

PAUSE = 0.1
"""Seconds between two steps from which on they count as a pause, see `State.progress`."""


class Interrupted(Exception):
    """Training stopped because it was asked to; the checkpoint is up to date."""


def train(
    images: NDArray[np.uint8],
    run: Run,
    report: Callable[[Progress], None] = lambda _: None,
    fabric: Fabric | None = None,
) -> None:
    """Train on `images` until the budget of `run` is used, and leave the result there.

    Continues from the checkpoint of `run` where there is one.

    Arguments:
        images: uint8 `(N, H, W, C)`; no label comes near this function.
        run: the folder that keeps everything; its configuration is resolved, with a budget and a number of
            classes.
        report: called with each line of statistics.
        fabric: of processes that have met already; None: they meet here.

    Raises:
        DataError, ConfigError: if images and settings do not fit each other.
        TrainingError: if losses or weights become NaN, or another process has ended; the last good
            checkpoint is kept.
        Interrupted: after SIGINT or SIGTERM, with the state saved.
        RunError: if the folder cannot be written or its checkpoint cannot be read.
    """
    state = setup(run.config, images, fabric)
    if resume(state, run):
        return
    with Interruption() as interruption:
        fit(state, run, report, interruption)
    finish(state, run)


def resume(state: State, run: Run) -> bool:
    """Continue from the checkpoint of `run` if there is one; whether the run has been finished already."""
    # the folder may be the first process's alone
    begun, finished = state.processes.by_first(lambda: (run.checkpoint.exists(), run.is_finished))
    if begun:
        checkpoint.restore(state, run)
        state.meter.reset(state.seconds)
    if state.processes.first:
        run.forget_after(state.step)
        snapshots.forget_after(run, state.step)
    return finished and state.progress >= 1


def fit(state: State, run: Run, report: Callable[[Progress], None], interruption: Interruption) -> None:
    """Repeat steps until the budget is used."""
    if state.progress < 1 and state.processes.first:
        run.forget_end()
    threads = torch.get_num_threads()
    try:
        repeat(
            state,
            run,
            report,
            interruption,
            ThreadTuner(candidates(threads) if may_tune(state) else [threads]),
        )
    finally:
        torch.set_num_threads(threads)


def repeat(
    state: State, run: Run, report: Callable[[Progress], None], interruption: Interruption, tuner: ThreadTuner
) -> None:
    """One step after another, timed, with lines of statistics and checkpoints between."""
    lines, usual = 0, 0.0
    while state.progress < 1:
        before, took = state.progress, take_step(state, run)
        paused, seconds, asked, suspended = state.processes.largest(
            *took, interruption.asked, interruption.was_suspended()
        )
        if suspended:  # which was no training, must not use the budget, and says nothing of threads
            paused, seconds = 0.0, usual
        else:
            tuner.record(seconds)
        usual = seconds
        if paused > PAUSE:
            state.pauses.append((state.seconds, paused))
        state.seconds += paused + seconds
        snapshots.keep(state, run, before)
        if state.seconds - state.meter.since >= state.config.interval:
            write_line(state, run, report)
            lines += 1
            if lines % LINES_PER_CHECKPOINT == 0:
                save(state, run)
        if asked:
            stop(state, run)


def take_step(state: State, run: Run) -> tuple[float, float]:
    """Prepare and take the next step; the seconds that each took."""
    began = time.perf_counter()
    prepare(state, run)
    ready = time.perf_counter()
    STEPS[state.stage](state)
    state.step += 1
    return ready - began, time.perf_counter() - ready


def stop(state: State, run: Run) -> None:
    """Save, and end by `Interrupted`; no process does while the first one writes."""
    checkpoint.save(state, run)
    state.fabric.barrier()
    raise Interrupted


def may_tune(state: State) -> bool:
    """Whether the number of threads may change: with a budget of steps a seed decides the weights."""
    return state.config.steps is None and state.fabric.device.type == "cpu" and state.fabric.world_size == 1


def prepare(state: State, run: Run) -> None:
    """What comes before the next step: a stage entered, images drawn by groups, learning rates set."""
    now = stage_at(state.config, state.progress), attempt_at(state.config, state.progress)
    if now != (state.stage, state.attempt):
        with returning_freed_memory():
            enter(state, *now, run)
    elif balance_is_due(state):
        steps.settle(state)
        checkpoint.refuse_nan(state)
        with returning_freed_memory():
            discovery.balance(state)
    set_learning_rates(state)


def enter(state: State, stage: str, attempt: int, run: Run) -> None:
    """Begin a stage, or the next encoder of several.

    Leaving `encode` means finding the classes among the features, and with them a label for every image, for
    the stage to build on. Leaving `refine`, Q labels them anew.
    """
    if stage == "encode" and (state.stage != "encode" or attempt < state.attempt):
        # Begins, or is returned to: of a budget that has become larger less is used.
        state.labels, state.agreement, state.best = None, [], {}
        state.batches.draw_by_groups(None)
        if state.stage not in ("", "encode"):
            begin_game_anew(state)
    elif state.stage == "encode":
        leave_encode(state, stage, run)
        state.batches.draw_by_groups(None)
    elif state.stage == "refine":
        steps.settle(state)
        state.labels = discovery.assign(state)
    state.stage, state.attempt = stage, attempt


def leave_encode(state: State, stage: str, run: Run) -> None:
    """What an encoder that has learned alone leads to: another one, or classes."""
    steps.settle(state)
    checkpoint.refuse_nan(state)
    if state.config.restarts > 1:
        restarts.judge(state)
        if stage == "encode":
            restarts.begin_again(state)
            return
        restarts.take_best(state)
    number = discovery.discover(state)
    if not state.processes.first:
        return
    run.set_names_aside()
    if number is not None:
        run.write_classes(number.as_json())
    if state.config.restarts > 1:
        run.write_restarts(state.agreement)


def balance_is_due(state: State) -> bool:
    """Whether the encoder has learned enough for groups to show, and does not draw by them yet."""
    after = state.config.schedule.balance
    if state.stage != "encode" or state.batches.groups is not None or after == 1:
        return False
    begin, end = bounds(state.config, "encode", state.attempt)
    return state.progress - begin >= after * (end - begin)


def set_learning_rates(state: State) -> None:
    """Constant, then linear to zero over the last part of each stage."""
    begin, end = bounds(state.config, state.stage, state.attempt)
    left = (end - state.progress) / (end - begin)
    decay = state.config.optimiser.decay
    state.decay = min(1.0, left / decay) if decay else 1.0
    for optimiser in state.optimisers.values():
        for group in optimiser.param_groups:
            group["lr"] = state.decay * group[state.stage]


def write_line(state: State, run: Run, report: Callable[[Progress], None]) -> None:
    """One line of `stats.jsonl`, also given to `report`."""
    elapsed = state.seconds - state.meter.since
    progress = Progress(
        state.stage,
        state.step,
        min(1.0, state.progress),
        state.seconds,
        seconds_left(state),
        state.meter.images / max(elapsed, 1e-9),
        state.meter.means(state.step, state.processes.mean),
        tuple(state.model.prior.probabilities().tolist()) if state.number_is_known else (),
    )
    state.meter.reset(state.seconds)
    if state.processes.first:
        run.log(progress.as_line())
    report(progress)


def seconds_left(state: State) -> float:
    """Of training: what the budget says, or how long steps have taken so far."""
    if state.config.minutes is not None:
        return max(0.0, 60 * state.config.minutes - state.seconds)
    worked = state.seconds - sum(took for _, took in state.pauses)
    return max(0.0, worked * (1 / state.progress - 1))


def save(state: State, run: Run) -> None:
    """Checkpoint, model and a sample grid of the averaged generator."""
    checkpoint.save(state, run)
    if state.processes.first:
        export(state, run)


def export(state: State, run: Run) -> None:
    """The model as inference needs it and a sample grid."""
    model = state.inference_model()
    run.save_model(model)
    if state.stage in GENERATIVE:
        save_samples(run, model, state.step)


def finish(state: State, run: Run) -> None:
    """Leave the final model, its samples, and `shares.json`.

    Where the budget ended with the encoder, classes are found all the same.
    """
    if state.meter.images:  # else the last step has its line already
        write_line(state, run, lambda _: None)
    if state.stage == "encode":
        enter(state, "play", state.attempt, run)
    checkpoint.save(state, run)  # before settling, so that a finish cut short can be repeated alike
    if state.config.networks.q == "encoder":
        steps.settle(state)
        checkpoint.refuse_nan(state)
    counts = torch.bincount(discovery.assign(state), minlength=state.model.n_classes)
    if state.processes.first:
        export(state, run)
        assigned = (counts / counts.sum()).tolist()
        run.write_json(
            "shares.json", {"prior": state.model.prior.probabilities().tolist(), "assigned": assigned}
        )
