"""Trials as processes, as many at once as the machine bears; one that fails leaves the others alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from elastic_infogan.apps import machine
from elastic_infogan.apps.benchmarking.folder import TrialFolder
from elastic_infogan.training.config import Config

__all__ = ["fraction_done", "how_many", "run_all"]

A_TRIAL = 1_500_000_000
"""bytes that a training process and its scores need beside the images, measured on MNIST"""

COPIES = 4
"""of all images that a process holds at its peak: the source, the subset, the device's and a view of them"""

PAUSE = 0.2
GRACE = 60.0
"""seconds that processes have to save their state before they are killed"""

Report = Callable[[Sequence[TrialFolder], TrialFolder | None], None]
"""called with the trials at work and, when one has ended, that one"""


@dataclass(frozen=True)
class Worker:
    """A process at work on a trial."""

    trial: TrialFolder
    process: subprocess.Popen[bytes]


def how_many(wanted: int | None, trials: int, image_bytes: int, device: str) -> int:
    """Processes at once: one a core, as far as memory lasts; one alone on an accelerator.

    Two trainings of one thread each get more out of two cores than one training of two threads.

    Arguments:
        wanted: by the person; None leaves it to the machine.
        trials: how many there are to do.
        image_bytes: of all images of the source.
    """
    if wanted is not None:
        return min(wanted, max(1, trials))
    if device != "cpu":
        return 1
    by_memory = machine.free_memory() // (A_TRIAL + COPIES * image_bytes)
    return max(1, min(trials, machine.cores(), int(by_memory)))


def run_all(trials: Sequence[TrialFolder], jobs: int, report: Report) -> None:
    """Carry out all trials, `jobs` at once; those that fail have their message written down.

    Raises:
        KeyboardInterrupt: after every process has saved its state and stopped.
    """
    waiting, workers = list(trials), list[Worker]()
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                workers.append(_start(waiting.pop(0), max(1, machine.cores() // jobs)))
            sleep(PAUSE)
            ended = [worker for worker in workers if worker.process.poll() is not None]
            workers = [worker for worker in workers if worker not in ended]
            at_work = [worker.trial for worker in workers]
            for worker in ended:
                _settle(worker)
                report(at_work, worker.trial)
            report(at_work, None)
    finally:
        _stop(workers)


def _start(trial: TrialFolder, threads: int) -> Worker:
    """A process for a trial, away from the terminal's signals, that ends when its input does."""
    (trial.path / "failure.json").unlink(missing_ok=True)
    limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    command = [sys.executable, "-m", "elastic_infogan", "trial", str(trial.path)]
    with trial.log.open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env={**os.environ, **limits},
            start_new_session=True,
        )  # fmt: skip
    return Worker(trial, process)


def _settle(worker: Worker) -> None:
    """Write down the failure of a process that left no result."""
    _close(worker)
    if not worker.trial.done:
        worker.trial.fail(_reason(worker.process.returncode, worker.trial.log))


def _reason(status: int, log: Path) -> str:
    """What to say of a process that left no result: its own last words, or what ended it."""
    if status < 0:
        hint = " (out of memory? try fewer --jobs)" if -status == signal.SIGKILL else ""
        return f"ended by {signal.Signals(-status).name}{hint}"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = lines[-1].removeprefix("elastic-infogan: ") if lines else ""
    return last or f"ended with status {status} and no message"


def _close(worker: Worker) -> None:
    """End a process's input, which asks it to save and stop, as the end of this one would."""
    if worker.process.stdin is not None:
        worker.process.stdin.close()


def _stop(workers: Sequence[Worker]) -> None:
    """Ask processes to save and stop, and wait until they have."""
    for worker in workers:
        _close(worker)
    for worker in workers:
        try:
            worker.process.wait(GRACE)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            worker.process.kill()
            worker.process.wait()


def fraction_done(trial: TrialFolder, config: Config) -> float:
    """How much of a trial's training is done, by the last line of its statistics."""
    try:
        line = json.loads((trial.run / "stats.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return 0.0
    if config.steps is not None:
        return min(1.0, float(line["step"]) / config.steps)
    return min(1.0, float(line["seconds"]) / (60 * config.minutes)) if config.minutes else 0.0
