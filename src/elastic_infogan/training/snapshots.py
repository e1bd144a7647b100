"""Models kept at equal parts of the budget, so that a figure's growth over a run can be told afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elastic_infogan.errors import RunError
from elastic_infogan.files import writing
from elastic_infogan.training.run import Run, remove
from elastic_infogan.training.state import State
from elastic_infogan.training.tensor_files import read_tensors, write_tensors

__all__ = ["Snapshot", "due", "forget_after", "keep", "kept"]


@dataclass(frozen=True)
class Snapshot:
    """A model on the way.

    Arguments:
        file: its tensors, for `Run.load_model`.
        step: optimisation steps done.
        seconds: of training time.
        stage: the stage it was in.
    """

    file: Path
    step: int
    seconds: float
    stage: str


def due(before: float, now: float, n: int) -> int | None:
    """Which of `n` equal parts of the budget ended between two moments of progress; None for no part.

    The last part ends with the run, whose model is kept anyway.

    >>> due(0.24, 0.26, 4), due(0.26, 0.3, 4), due(0.9, 1.0, 4), due(0.0, 0.5, 0)
    (1, None, None, None)
    """
    part = int(now * n)
    return part if int(before * n) < part < n else None


def keep(state: State, run: Run, before: float) -> None:
    """Keep the model as it stands if a part of the budget ended since progress was `before`.

    Not while the number of classes is to be found out: a model of that time has other codes than `model.json`
    tells of later.

    Draws no random number and changes no weight, so that a run with snapshots ends like one without. Q's
    running statistics are those of the stage's beginning; what G makes does not depend on them.

    Raises:
        RunError: it cannot be written.
    """
    part = due(before, state.progress, state.config.snapshots)
    if part is None or not state.number_is_known or not state.processes.first:
        return
    folder = run.path / "snapshots"
    with writing(folder, RunError):
        folder.mkdir(exist_ok=True)
    moment = {"step": state.step, "seconds": state.seconds, "stage": state.stage}
    write_tensors(folder / f"{part:03d}.safetensors", state.inference_model().state_dict(), moment)


def kept(run: Run) -> list[Snapshot]:
    """The snapshots of a run, the earliest first."""
    files = sorted((run.path / "snapshots").glob("*.safetensors"))
    return sorted((_told(file) for file in files), key=lambda snapshot: snapshot.step)


def forget_after(run: Run, step: int) -> None:
    """Remove snapshots later than `step`: a resumed run keeps its own.

    Raises:
        RunError: one cannot be read or removed.
    """
    for snapshot in kept(run):
        if snapshot.step > step:
            remove(snapshot.file)


def _told(file: Path) -> Snapshot:
    return Snapshot(file=file, **read_tensors(file)[1])
