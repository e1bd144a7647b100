"""The command line: its verbs, and what is said where one of them fails."""

from __future__ import annotations

import errno
import re
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from types import FrameType

from cyclopts import App, CycloptsError, UnusedCliTokensError

from elastic_infogan import __version__
from elastic_infogan.apps import data_verbs, verbs
from elastic_infogan.apps.benchmarking.verb import benchmark, trial
from elastic_infogan.apps.flags import fill_from_recipe, in_panels
from elastic_infogan.errors import ElasticInfoGANError
from elastic_infogan.training.config import Config

__all__ = ["app", "main", "run"]

app = App(
    name="elastic-infogan",
    help="Finds the kinds in unlabelled, imbalanced images, says how common each is, tells the kind of "
    "every image, and makes new images of any kind.\n\n"
    "SOURCE is mnist, fashion-mnist, digits, a folder or zip of pictures, a .npy or .npz, or IDX files.",
    version=__version__,
    config=fill_from_recipe,
    suppress_keyboard_interrupt=False,
    help_format="plaintext",
)
app.register_install_completion_command(help="Complete verbs and flags in this shell, and exit.")
app.command(
    verbs.train, sort_key=1, usage="Usage: elastic-infogan train SOURCE [--minutes M | --steps N] [OPTIONS]"
)
app.command(verbs.assign, sort_key=2)
app.command(verbs.generate, sort_key=3)
app.command(verbs.evaluate, sort_key=4)
app.command(verbs.doctor, sort_key=4)
app.command(verbs.report, sort_key=5)
app.command(verbs.explore, sort_key=5)
app.command(verbs.export, sort_key=7)
app.command(verbs.push, sort_key=7)
app.command(benchmark, sort_key=8, usage="Usage: elastic-infogan benchmark [SOURCE] --out DIR [OPTIONS]")
app.command(trial, show=False)
data = App(name="data", help="Look at a source, pack it, or draw an imbalanced subset of it.", sort_key=9)
for verb in (data_verbs.inspect, data_verbs.pack, data_verbs.imbalance):
    data.command(verb)
app.command(data)
in_panels(Config)

# Mistakes of the person or limits of the machine that a person can lift: status 2 and one line.
_LIMITS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EFBIG,
    errno.ENAMETOOLONG,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
}


_NO_MEMORY = re.compile("out of memory|can't allocate memory", re.IGNORECASE)
"""in what PyTorch says of the host's memory and of a device's"""


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments ask for; the exit status. Faults of our own are raised, for a traceback."""
    try:
        status = app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        line = _line_about(error)
        if line is None:
            raise
        from elastic_infogan.apps.terminal import printable

        print("elastic-infogan:", printable(" ".join(line.split())), file=sys.stderr)
        return 2
    return status if isinstance(status, int) else 0


def _line_about(error: Exception) -> str | None:
    """What to tell the person about a mistake or a limit of the machine; None where the fault is ours."""
    if isinstance(error, UnusedCliTokensError):
        left = " ".join(error.unused_tokens or ())
        return f"{left!r} is one argument too many; an on/off setting is --name or --no-name"
    if isinstance(error, (CycloptsError, ElasticInfoGANError)):
        return str(error)
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error))):
        return f"there is not enough memory for this: take fewer or smaller images. {error}"
    if isinstance(error, OSError) and error.errno in _LIMITS:
        return f"{error.filename or 'a file'}: {error.strerror}"
    return None


def main() -> None:
    """The console script: `run` with the process's arguments; SIGTERM is heard like Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # names may have letters that the terminal has not
            stream.reconfigure(errors="backslashreplace")
    try:
        status = run(sys.argv[1:])
    except KeyboardInterrupt:  # while another error was being told
        status = 130
    finally:
        # The interpreter's own end is no work to interrupt: an exception there would only be printed.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(status)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
