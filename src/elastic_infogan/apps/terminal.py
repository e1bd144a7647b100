"""What a person reads while a verb works: lines of the answer, notes, progress."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from elastic_infogan.data.images import SetAside

if TYPE_CHECKING:  # it brings torch along, which looking at pictures does not need
    from elastic_infogan.training import telemetry

__all__ = [
    "LISTED",
    "command",
    "counted",
    "note",
    "notes",
    "out",
    "printable",
    "report_set_aside",
    "say",
    "show",
    "silence",
    "training",
]

LISTED = 20
"""files set aside that are named on the terminal before the rest is only counted"""

EVERY = 60.0
"""seconds between lines about what takes minutes where the output is no terminal"""


class _Console(Console):
    """A console whose work goes on when its reader has had enough, as behind `| head`."""

    def on_broken_pipe(self) -> None:
        """Send the rest nowhere. Rich itself ends the process here, and what it was at is lost."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())  # what is still in the stream's buffer goes there at the end
        os.close(nowhere)


out = _Console(markup=False, highlight=False, soft_wrap=True)
notes = _Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """A line of the answer, on standard output."""
    out.print(printable(text))


def note(text: str) -> None:
    """A line about the work, on standard error, so that the answer can be piped."""
    notes.print(printable(text))


def show(table: RenderableType) -> None:
    """A table about the work, on standard error."""
    notes.print(table)


def report_set_aside(origin: str, aside: Sequence[SetAside], limit: int | None = LISTED) -> None:
    """Name the files of a source that could not be used, at most `limit` of them."""
    if not aside:
        return
    note(f"{len(aside):,} of the files in {origin} could not be used and were set aside:")
    for item in aside[:limit]:
        note(f"  {item.name}: {item.reason}")
    if limit is not None and len(aside) > limit:
        all_of_them = command("data", "inspect", origin)
        note(f"  and {len(aside) - limit:,} more, which `{all_of_them}` names")


def command(*arguments: str) -> str:
    """This program and its arguments as one would type them.

    >>> command("train", "my pictures")
    "elastic-infogan train 'my pictures'"
    """
    words = ["elastic-infogan", *arguments]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def silence() -> None:
    """Say nothing from now on: of several processes the first one speaks for all."""
    out.quiet = notes.quiet = True


@contextmanager
def counted(what: str, lines: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar that is told how much is done of how much; it appears with the first call.

    Arguments:
        what: is counted.
        lines: whether to say so where the output is no terminal: for what takes minutes.
    """
    if not notes.is_terminal:
        yield _Parts(what) if lines else _unsaid
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=notes, transient=True) as progress:
        task = progress.add_task(what, total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=True)


def _unsaid(done: int, total: int) -> None:
    """Progress that nobody reads."""


class _Parts:
    """A line when it begins, and now and then how far it is."""

    def __init__(self, what: str) -> None:
        self.what, self.last = what, float("-inf")

    def __call__(self, done: int, total: int) -> None:
        if monotonic() - self.last >= EVERY:
            self.last = monotonic()
            note(f"{self.what}: {done} of {total}")


@contextmanager
def training() -> Iterator[Callable[[telemetry.Progress], None]]:
    """A bar with stage, losses, images/s and time left; a line a minute where there is no terminal."""
    if not notes.is_terminal:
        yield _Lines()
        return
    with _Clock(console=notes) as clock:
        yield clock.report


class _Clock(Progress):
    """A bar that moves with the clock between the moments that it is told of, with the losses below it."""

    def __init__(self, console: Console) -> None:
        columns = ("{task.description}", BarColumn(), TaskProgressColumn(), "{task.fields[rest]}")
        self.moment: telemetry.Progress | None = None
        self.told = 0.0
        super().__init__(*columns, console=console)
        self.bar = self.add_task("starting", total=None, rest="")

    def report(self, moment: telemetry.Progress) -> None:
        """Take in a moment of training."""
        self.moment, self.told = moment, monotonic()

    def get_renderables(self) -> Iterator[RenderableType]:
        """The bar as it stands now, and the losses of the last moment."""
        if self.moment is not None:
            total = self.moment.seconds + self.moment.seconds_left
            now = min(total, self.moment.seconds + monotonic() - self.told)
            task = self.tasks[0]
            task.description, task.total, task.completed = self.moment.stage, total, now
            task.fields["rest"] = f"{self.moment.images_per_second:,.0f} images/s  {_clock(total - now)} left"
        yield from super().get_renderables()
        if self.moment is not None:
            yield Text(_losses(self.moment), style="dim")


class _Lines:
    """A line of text now and then."""

    def __init__(self) -> None:
        self.last = float("-inf")

    def __call__(self, moment: telemetry.Progress) -> None:
        if monotonic() - self.last >= EVERY:
            self.last = monotonic()
            rest = f"{moment.images_per_second:,.0f} images/s  {_clock(moment.seconds_left)} left"
            note(f"{moment.fraction:4.0%}  {moment.stage}  {_losses(moment)}  {rest}")


def _losses(moment: telemetry.Progress) -> str:
    return "  ".join(f"{name} {value:.3g}" for name, value in moment.losses.items())


def _clock(seconds: float) -> str:
    """Minutes and seconds.

    >>> _clock(605.2)
    '10:05'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def printable(text: str) -> str:
    """Text whose file names cannot steer the terminal and need not be valid Unicode.

    >>> printable("caf\\udce9 \\x1b[2J")
    'caf\\\\udce9 \\\\x1b[2J'
    """
    lines = text.split("\n")
    return "\n".join(x if x.isprintable() else x.encode("unicode_escape").decode("ascii") for x in lines)
