"""What a person sees while trials run: how far each is, how much is left, what came of those that ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic

from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from elastic_infogan.apps import terminal
from elastic_infogan.apps.benchmarking.folder import TrialFolder
from elastic_infogan.apps.benchmarking.pool import fraction_done
from elastic_infogan.training.config import Config

__all__ = ["Board", "board", "summary"]

TRAINING = 0.9
"""share of a trial's time that is training; the rest is start-up and scores"""

SHOWN = (
    ("generated_nmi", "generated NMI"),
    ("ent", "ENT"),
    ("accuracy", "accuracy"),
    ("prior_rmse", "prior RMSE"),
)


class Board:
    """Takes in how trials go.

    Arguments:
        progress: the bars.
        configs: settings of every trial there is to do, by name.
        before: trials that were done already.
    """

    def __init__(self, progress: Progress, configs: Mapping[str, Config], before: int) -> None:
        self.progress, self.configs, self.before = progress, configs, before
        self.began, self.ended = monotonic(), 0
        self.start = dict[str, float]()
        self.all = progress.add_task("all trials", total=before + len(configs), completed=before, rest="")
        self.bars: dict[str, TaskID] = {}

    def __call__(self, at_work: Sequence[TrialFolder], ended: TrialFolder | None) -> None:
        """Show the trials at work; say what came of one that has ended."""
        done = {trial.name: TRAINING * fraction_done(trial, self.configs[trial.name]) for trial in at_work}
        for name, fraction in done.items():
            self.start.setdefault(name, fraction)
            if name not in self.bars:
                self.bars[name] = self.progress.add_task(name, total=1.0, rest="")
            self.progress.update(self.bars[name], completed=fraction)
        for name in [name for name in self.bars if name not in done]:
            self.progress.remove_task(self.bars.pop(name))
        self.ended += ended is not None
        rest = self.time_left(done)
        self.progress.update(self.all, completed=self.before + self.ended + sum(done.values()), rest=rest)
        if ended is not None:
            terminal.note(
                f"{self.before + self.ended}/{self.before + len(self.configs)}  {summary(ended)}  {rest}"
            )

    def time_left(self, done: Mapping[str, float]) -> str:
        """From how much was gained since the start; nothing while that is too little to tell."""
        gained = self.ended + sum(done.values()) - sum(self.start.values())
        left = len(self.configs) - self.ended - sum(done.values())
        if gained <= 0.01 or left <= 0:
            return ""
        minutes = (monotonic() - self.began) * left / gained / 60
        return f"about {minutes / 60:.1f} h left" if minutes >= 90 else f"about {minutes:.0f} min left"


@contextmanager
def board(configs: Mapping[str, Config], before: int) -> Iterator[Board]:
    """Bars for the trials in `configs`, of which `before` others were done already."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rest]}"),
    )
    with Progress(*columns, console=terminal.notes, disable=not terminal.notes.is_terminal) as progress:
        yield Board(progress, configs, before)


def summary(trial: TrialFolder) -> str:
    """One line on what came of a trial."""
    outcome = trial.outcome() or {}
    if "failed" in outcome:
        return f"{trial.name} failed: {outcome['failed']}"
    figures = [
        f"{title} {outcome[key]:.{4 if key == 'prior_rmse' else 3}f}"
        for key, title in SHOWN
        if key in outcome
    ]
    return f"{trial.name}  {', '.join(figures)} ({outcome.get('wall_seconds', 0):.0f} s)"
