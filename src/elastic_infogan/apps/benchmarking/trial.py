"""One trial, in a process of its own: train by the ordinary way, score, leave the result."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from pathlib import Path
from time import perf_counter
from typing import Any

from filelock import FileLock, Timeout

from elastic_infogan import __version__
from elastic_infogan.apps import machine, scoring
from elastic_infogan.apps.benchmarking.folder import TrialFolder
from elastic_infogan.apps.training import train
from elastic_infogan.errors import ConfigError, RunError
from elastic_infogan.training import snapshots
from elastic_infogan.training.config import Config
from elastic_infogan.training.hardware import choose_device
from elastic_infogan.training.run import Run

__all__ = ["carry_out"]

PATIENCE = 120.0
"""seconds to wait for an earlier process of the same trial, which saves its state before it stops"""


def carry_out(path: Path) -> None:
    """Train and score what the trial's folder asks for, or go on where an earlier process stopped.

    Raises:
        RunError: an earlier process of the trial does not stop.
    """
    _stop_when_alone()
    trial = TrialFolder(path)
    try:
        with FileLock(path / ".lock", timeout=PATIENCE):
            if not trial.done:
                began = perf_counter()
                train(_of_one_process(trial.config()), trial.run, resume=False, new=False, dry_run=False)
                result = _scored(trial)
                trial.finish({**result, "wall_seconds": round(perf_counter() - began, 2)})
    except Timeout as error:
        raise RunError(f"another process is at work on {path}") from error


def _of_one_process(config: Config) -> Config:
    """`config`, which must not ask for more processes: trials are compared by the time of one.

    Raises:
        ConfigError: it does.
    """
    if config.devices * config.nodes > 1:
        raise ConfigError("--variants: a trial is one process; leave devices and nodes at 1")
    return config


def _scored(trial: TrialFolder) -> dict[str, Any]:
    """The line of a finished run."""
    asked, run = trial.asked(), Run.open(trial.run)
    began = perf_counter()
    model = run.load_model(choose_device(run.config.device))
    measure = scoring.measure_for(run, model, bool(asked["fidelity"]))
    scores = scoring.score(model, measure, run.config.seed)
    curve = [] if measure.ruler is None else _growth(run, measure, scores)
    last = run.stats()[-1]
    return {
        **{key: value for key, value in asked.items() if key != "config"},
        "version": __version__,
        "machine": machine.describe(),
        "classes_sought": run.config.classes,
        "steps": last["step"],
        "training_seconds": round(last["seconds"], 2),
        "scoring_seconds": round(perf_counter() - began, 2),
        **scores,
        "curve": curve,
    }


def _growth(run: Run, measure: scoring.Measure, final: dict[str, Any]) -> list[dict[str, Any]]:
    """Scores of what was generated on the way, and at the end."""
    plain = scoring.Measure(measure.images, measure.ruler, None)
    last, device = run.stats()[-1], choose_device(run.config.device)
    points = []
    for moment in snapshots.kept(run):
        scores = scoring.score_generated(run.load_model(device, moment.file), plain, run.config.seed)
        points.append(_point(moment.step, moment.seconds, moment.stage, scores))
    return [*points, _point(last["step"], last["seconds"], last["stage"], final)]


def _point(step: int, seconds: float, stage: str, scores: dict[str, Any]) -> dict[str, Any]:
    figures = {key: scores[key] for key in ("generated_nmi", "ent", "classes_generated")}
    return {"step": step, "seconds": round(seconds, 2), "stage": stage, **figures}


def _stop_when_alone() -> None:
    """Stop as on SIGTERM when the coordinating process is gone, even by kill -9: its pipe then ends."""

    def listen() -> None:
        while os.read(sys.stdin.fileno(), 1):  # unbuffered: a lock held at exit would be fatal
            pass
        if sys.platform == "win32":  # where a signal sent to oneself is the end
            _thread.interrupt_main(signal.SIGTERM)
        else:
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=listen, daemon=True).start()
