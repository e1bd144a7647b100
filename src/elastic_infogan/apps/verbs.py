"""The arguments and help of each verb about a run; the work is done in the files beside this one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Concatenate, ParamSpec

from cyclopts import Parameter

from elastic_infogan.apps.benchmarking.verb import Switch
from elastic_infogan.errors import RunError
from elastic_infogan.files import no_run
from elastic_infogan.training.config import Config

__all__ = ["assign", "doctor", "evaluate", "explore", "export", "generate", "push", "report", "train"]

Given = ParamSpec("Given")


def about_a_run(verb: Callable[Concatenate[Path, Given], None]) -> Callable[Concatenate[Path, Given], None]:
    """A verb whose first argument is a run: where there is none it says so before libraries are imported."""

    @functools.wraps(verb)
    def checked(run: Path, /, *given: Given.args, **flags: Given.kwargs) -> None:
        if problem := no_run(run):
            raise RunError(problem)
        verb(run, *given, **flags)

    return checked


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

    if config.source and config.devices * config.nodes == 1:  # of several processes all are told together
        locate(config.source)  # before the libraries of training are imported, which takes seconds
    from elastic_infogan.apps.training import train as work

    work(config, out, resume=resume, new=new, dry_run=dry_run, tensorboard=tensorboard)


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
        Where to listen: this machine alone, or beyond it (0.0.0.0). The address that is printed carries a
        token, without which nobody sees anything.
    port:
        The port; 0 takes any that is free.
    device:
        Where to compute: auto, cpu, cuda or mps.
    """
    from elastic_infogan.apps.explorer import explore as work

    work(run, source, host, port, device)
