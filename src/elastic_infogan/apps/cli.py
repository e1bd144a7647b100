"""The command line: each verb's arguments and help; the work is done in the files beside this one."""

from __future__ import annotations

import errno
import functools
import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Concatenate, ParamSpec

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

from elastic_infogan import __version__
from elastic_infogan.apps.benchmarking.verb import Switch, benchmark, trial
from elastic_infogan.apps.flags import fill_from_recipe, in_panels
from elastic_infogan.errors import ElasticInfoGANError, RunError
from elastic_infogan.files import no_run
from elastic_infogan.training.config import Config

__all__ = ["app", "main", "run"]

Given = ParamSpec("Given")


def about_a_run(verb: Callable[Concatenate[Path, Given], None]) -> Callable[Concatenate[Path, Given], None]:
    """A verb whose first argument is a run: where there is none it says so before libraries are imported."""

    @functools.wraps(verb)
    def checked(run: Path, /, *given: Given.args, **flags: Given.kwargs) -> None:
        if problem := no_run(run):
            raise RunError(problem)
        verb(run, *given, **flags)

    return checked


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
data = App(name="data", help="Look at a source, pack it, or draw an imbalanced subset of it.", sort_key=9)
app.command(data)
app.command(benchmark, sort_key=8, usage="Usage: elastic-infogan benchmark [SOURCE] --out DIR [OPTIONS]")
app.command(trial, show=False)
in_panels(Config)


@app.command(sort_key=1, usage="Usage: elastic-infogan train SOURCE [--minutes M | --steps N] [OPTIONS]")
def train(
    source: str | None = None,
    /,
    *,
    out: Path | None = None,
    config_file: Annotated[Path | None, Parameter(name="--config")] = None,
    resume: Annotated[bool, Switch] = False,
    new: Annotated[bool, Switch] = False,
    dry_run: Annotated[bool, Switch] = False,
    tensorboard: Annotated[bool, Switch] = False,
    config: Annotated[Config, Parameter(name="*")] = Config(),  # noqa: B008 (frozen)
) -> None:
    """Learn classes, their shares and a generator from the images of SOURCE.

    Interrupted at any moment, the same command goes on where the run stopped.

    Parameters
    ----------
    source:
        What to train on; may also come from the file given with --config.
    out:
        The run folder. Left out: runs/SOURCE-RECIPE-N with the first free N.
    config_file:
        A TOML file with settings, for example another run's config.toml; flags win over it.
    resume:
        Go on with the run in --out and fail if there is none. Without it a run that is there goes on too.
    new:
        Start afresh; a run that is there is moved aside to OUT.1, OUT.2 and so on.
    dry_run:
        Print what was chosen for these images and why, and the resolved configuration; make no run folder.
    tensorboard:
        Also write losses, prior and sample grids to RUN/tensorboard. Needs the extra tracking.
    """
    from elastic_infogan.data.sources import locate

    if config.source:
        locate(config.source)  # before the libraries of training are imported, which takes seconds
    from elastic_infogan.apps.training import train as work

    work(config, out, resume=resume, new=new, dry_run=dry_run, tensorboard=tensorboard)


@app.command(sort_key=2)
@about_a_run
def assign(
    run: Path,
    source: str,
    /,
    *,
    out: Path,
    copy_to: Path | None = None,
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
) -> None:
    """Tell the class of every image of SOURCE, one row an image, with names and merges from explore.

    Parameters
    ----------
    run:
        The run folder.
    source:
        Images of any size and mode; they are brought to the run's.
    out:
        FILE.csv: image,class,probability,p_0,…,p_K-1, and name where classes were named. FILE.parquet: the
        same columns; needs the extra parquet.
    copy_to:
        A new folder that gets a copy of every picture, in class-00, class-01-NAME and so on.
    device:
        Where to compute: auto, cpu, cuda or mps.
    devices:
        Processes on this machine, one a device, that share the images.
    nodes:
        Machines, see train.
    """
    from elastic_infogan.apps.assignments import Request
    from elastic_infogan.apps.assignments import assign as work

    work(Request(run, source, out, copy_to), device, devices, nodes)


@app.command(sort_key=3)
@about_a_run
def generate(
    run: Path,
    /,
    *,
    out: Path,
    classes: str | None = None,
    per_class: int = 10,
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Make new images of the classes asked for.

    Parameters
    ----------
    run:
        The run folder.
    out:
        FILE.png: a grid with one row a class. FILE.npz: images and codes. Else a new folder of PNG files.
    classes:
        Class numbers, or names given in explore, with commas between them: 0,3. Left out: all.
    per_class:
        Images of each class.
    seed:
        The same seed makes the same images.
    device:
        Where to compute: auto, cpu, cuda or mps.
    """
    from elastic_infogan.apps.generation import generate as work

    work(run, out, classes, per_class, seed, device)


@app.command(sort_key=7)
@about_a_run
def export(run: Path, /, *, out: Path) -> None:
    """Write a run as ONNX graphs that need neither PyTorch nor this package.

    Both are compared with PyTorch before they are written. Needs the extra export.

    Parameters
    ----------
    run:
        The run folder.
    out:
        A new folder: classify.onnx (image to class probabilities and features), generate.onnx (noise and
        class to image), model.json (classes, shares, sizes) and a README.md.
    """
    from elastic_infogan.apps.export import export as work

    work(run, out)


@app.command(sort_key=7)
@about_a_run
def push(run: Path, name: str, /, *, private: Annotated[bool, Switch] = False) -> None:
    """Publish a model with a card that says what it is: on the Hugging Face hub, or as a folder.

    Python's ElasticInfoGAN.from_pretrained(NAME) reads it back. Needs the extra hub; `hf auth login` logs in.

    Parameters
    ----------
    run:
        The run folder.
    name:
        OWNER/MODEL on the hub. Beginning with ./, / or ~: a new folder instead, without any network.
    private:
        On the hub, show it to its owner alone.
    """
    from elastic_infogan.apps.hub import push as work

    work(run, name, private)


@app.command(sort_key=4)
@about_a_run
def evaluate(
    run: Path,
    source: str | None = None,
    /,
    *,
    labels: str | None = None,
    out: Path | None = None,
    fidelity: Annotated[bool, Switch] = False,
    real_only: Annotated[bool, Switch] = False,
    device: str = "auto",
) -> None:
    """Score a run and print its classes: learned prior, share assigned, true share, recall.

    Generated images are judged by a classifier that is trained on nine tenths of all labelled images
    and kept. The first time that takes minutes, more for larger images; what is found on real ones is said
    and written before.

    Parameters
    ----------
    run:
        The run folder; metrics.json is written there unless --out says otherwise.
    source:
        What to judge it on. Left out: what it was trained on.
    labels:
        CSV file with the header image,label, where the source has no labels of its own.
    out:
        Where the scores go. Left out: metrics.json in the run folder.
    fidelity:
        Also compare generated with real images, class by class, first with those that the run was not trained
        on: precision, recall, density and coverage (5 neighbours), FID and KID, all in the features of the
        reference classifier. Takes a minute or so.
    real_only:
        Leave generated images out: an answer in seconds.
    device:
        Where to compute: auto, cpu, cuda or mps.
    """
    from elastic_infogan.apps.scoring import evaluate as work

    work(run, source, labels, out, device, fidelity, real_only)


@app.command(sort_key=4)
@about_a_run
def doctor(run: Path, source: str | None = None, /, *, device: str = "auto") -> None:
    """Look for faults without labels, say what to do about each, and write diagnosis.json.

    Parameters
    ----------
    run:
        The run folder; diagnosis.json is written there.
    source:
        Images to look at. Left out: what it was trained on.
    device:
        Where to compute: auto, cpu, cuda or mps.
    """
    from elastic_infogan.apps.diagnosis import doctor as work

    work(run, source, device)


@app.command(sort_key=5)
@about_a_run
def report(run: Path, source: str | None = None, /, *, out: Path | None = None, device: str = "auto") -> None:
    """Write one page about a run that needs no other file: shares, pictures, curves, diagnosis, scores.

    Parameters
    ----------
    run:
        The run folder, finished or not; diagnosis.json is written there.
    source:
        Images to show. Left out: what it was trained on.
    out:
        The page. Left out: report.html in the run folder.
    device:
        Where to compute: auto, cpu, cuda or mps.
    """
    from elastic_infogan.apps.report import report as work

    work(run, source, out, device)


@app.command(sort_key=5)
@about_a_run
def explore(
    run: Path,
    source: str | None = None,
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    device: str = "auto",
) -> None:
    """Serve a page to browse, name and merge classes, make images and recognise pictures.

    Parameters
    ----------
    run:
        The run folder; names and merges are kept there in names.json.
    source:
        What to browse. Left out: what the run was trained on.
    host:
        Where to listen. Beyond this machine (0.0.0.0) the address that is printed carries a token.
    port:
        The port; 0 takes any that is free.
    device:
        Where to compute: auto, cpu, cuda or mps.
    """
    from elastic_infogan.apps.explorer import explore as work

    work(run, source, host, port, device)


@data.command
def inspect(source: str, /, *, labels: str | None = None) -> None:
    """Say what is in SOURCE: images, sizes, classes where there are labels, files that cannot be used.

    Parameters
    ----------
    source:
        What to look at.
    labels:
        CSV file with the header image,label.
    """
    from elastic_infogan.apps.datasets import inspect as work

    work(source, labels)


@data.command
def pack(source: str, /, *, out: Path, size: int | None = None) -> None:
    """Decode SOURCE once into a store that every verb takes as a source.

    Parameters
    ----------
    source:
        What to pack.
    out:
        The store, a new folder.
    size:
        Side in pixels. Left out: chosen from the data.
    """
    from elastic_infogan.apps.datasets import pack as work

    work(source, out, size)


@data.command
def imbalance(source: str, spec: str, /, *, labels: str | None = None, out: Path | None = None) -> None:
    """Draw an imbalanced subset of SOURCE and print how many images of each class it has.

    Parameters
    ----------
    source:
        Images with labels.
    spec:
        random:SEED, longtail:RATIO:SEED, counts such as 6300,1585,… or FILE.npy:ROW.
    labels:
        CSV file with the header image,label.
    out:
        A .npz that gets the subset's images and labels.
    """
    from elastic_infogan.apps.datasets import imbalance as work

    work(source, spec, labels, out)


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
