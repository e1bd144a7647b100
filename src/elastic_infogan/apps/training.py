"""What `train` does: settle what is left open, load, train with a bar, and say where everything is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

from elastic_infogan.apps import plan, terminal
from elastic_infogan.apps.diagnosis import diagnosed, keep_findings, say_findings
from elastic_infogan.apps.extras import need
from elastic_infogan.apps.gallery import Gallery
from elastic_infogan.apps.inputs import drawn, read
from elastic_infogan.apps.oracle import note_other_shares, with_true_shares
from elastic_infogan.apps.output import held
from elastic_infogan.apps.processes import in_all
from elastic_infogan.data import imbalance
from elastic_infogan.data.images import ImageSet
from elastic_infogan.data.sources import known_classes
from elastic_infogan.errors import ConfigError, RunError
from elastic_infogan.evaluation.answers import ask
from elastic_infogan.files import is_leftover, writing
from elastic_infogan.training import loop
from elastic_infogan.training.choices import choose
from elastic_infogan.training.config import Config
from elastic_infogan.training.hardware import returning_freed_memory
from elastic_infogan.training.limits import within_limits
from elastic_infogan.training.meeting import same_for_all, together
from elastic_infogan.training.processes import Processes
from elastic_infogan.training.run import NAMES, Run
from elastic_infogan.training.sought import sought
from elastic_infogan.training.stages import GENERATIVE
from elastic_infogan.training.state import check
from elastic_infogan.training.telemetry import Progress

__all__ = ["train"]

DIAGNOSED = 25_000
"""images that a diagnosis after training looks at, so that it takes no more time and memory for more"""


def train(
    config: Config, out: Path | None, *, resume: bool, new: bool, dry_run: bool, tensorboard: bool = False
) -> None:
    """Train, or go on training; see the verb's help.

    Raises:
        ConfigError: SOURCE or --classes is missing, or settings contradict each other.
        ElasticInfoGANError: --tensorboard without the package.
    """
    if tensorboard:
        need("--tensorboard", "tracking", "tensorboard")
    asked = _settled(config)
    if dry_run:
        config, images = _prepared(asked)
        terminal.say(plan.settings_file(config))
        plan.show(asked, config, images)  # last, so that it is what a person sees
        return
    in_all(asked, lambda processes: _train(
        asked, out, processes, resume=resume, new=new, tensorboard=tensorboard and processes.first
    ))  # fmt: skip


def _train(
    asked: Config, out: Path | None, processes: Processes, *, resume: bool, new: bool, tensorboard: bool
) -> None:
    """What each process does once all have met; the first one owns the run folder and speaks for all."""
    together(processes, lambda: _check_resumable(out) if resume and processes.first else None)
    config, images = together(processes, lambda: _prepared(asked), in_turn=True)
    config = same_for_all(processes, config, images.images)
    with ExitStack() as held:
        begun = together(
            processes, lambda: _begin(out, asked, config, images, new, held) if processes.first else Path()
        )
        run = Run(processes.of_all(begun)[0], config)
        named = (run.path / NAMES).exists()
        try:
            with (
                terminal.training() as progress,
                _board(run, progress) if tensorboard else nullcontext(progress) as told,
            ):
                # pixels and nothing else: labels end here
                loop.train(images.images, run, told, processes.fabric)
        except (KeyboardInterrupt, loop.Interrupted) as stop:
            _say_how_to_go_on(config, run.path)
            raise KeyboardInterrupt from stop
        if processes.first:
            _conclude(run, images)
            if named and not (run.path / NAMES).exists():
                terminal.note(
                    "Classes were found anew: names and merges from before are set aside in the run folder"
                )
            then = terminal.command("report", str(run.path))
            terminal.say(f"Trained: {run.path}. Next: {then}")


def _prepared(asked: Config) -> tuple[Config, ImageSet]:
    """The whole configuration and the images.

    Checked before anything is written, so that a mended command starts afresh.
    """
    images = _images(asked)
    config = with_true_shares(choose(asked, images.images), images)
    check(config, images.images)
    note_other_shares(config, images)
    return config, images


def _begin(
    out: Path | None, asked: Config, config: Config, images: ImageSet, new: bool, held: ExitStack
) -> Path:
    """Make the run folder, hold it, and say what was chosen unless the run goes on with what it chose."""
    path = _run_folder(config) if out is None else _named(out)
    there = (path / "config.toml").exists()
    if there and new:
        _move_aside(path)
    elif there:
        held.enter_context(_alone(path))
    run = Run.create(path, config)
    if new or not there:
        held.enter_context(_alone(path))
    if not run.checkpoint.exists():
        plan.show(asked, config, images)
    return path


def _alone(path: Path) -> AbstractContextManager[None]:
    """Within the block no other training writes into the run folder."""
    return held(path, f"{path}: another training is at work there; wait for its end, or choose another --out")


def _say_how_many(run: Run) -> None:
    """How many classes were found, where that was not given."""
    found = run.classes_found() if isinstance(run.config.classes, str) else None
    if found:
        terminal.say(found["says"])


def _say_what_g_lacks(run: Run) -> None:
    """That the budget ended before the game, where it did."""
    if all(line["stage"] not in GENERATIVE for line in run.stats()):
        terminal.note(
            "The budget ended before G learned: classes were found, but images made of them are noise; the "
            "same command with more --minutes or --steps goes on"
        )


def _say_which_start(run: Run) -> None:
    """Which encoder was kept, where there were several."""
    tried = run.restarts()
    if tried:
        scores = ", ".join(f"{score:.3f}" for score in tried["agreement"])
        terminal.say(
            f"Of {len(tried['agreement'])} encoders number {tried['kept'] + 1} was kept: clusterings of its "
            f"features agree most (mean NMI {scores})."
        )


def _say_how_to_go_on(config: Config, path: Path) -> None:
    again = terminal.command("train", config.source, "--out", str(path))
    if config.nodes > 1:
        again = "the same command on each machine"
    terminal.note(f"Interrupted; what was learned so far is kept. To go on: {again}")


@contextmanager
def _board(run: Run, progress: Callable[[Progress], None]) -> Iterator[Callable[[Progress], None]]:
    """`progress`, and TensorBoard's files kept up to date with it."""
    from elastic_infogan.apps.tensorboard import Board

    board = Board(run)

    def told(moment: Progress) -> None:
        progress(moment)
        board.update()

    try:
        yield told
    finally:
        board.close()


def _conclude(run: Run, images: ImageSet) -> None:
    """Say how many classes there are, and what is wrong with them, in at most `DIAGNOSED` of the images."""
    _say_which_start(run)
    _say_how_many(run)
    _say_what_g_lacks(run)
    model = run.load_model()
    seen = images.images[:: -(-len(images) // DIAGNOSED)]
    with returning_freed_memory():
        gallery = Gallery(run, model, ImageSet(seen, images.origin), ask(model, seen), run.model_state())
        findings = diagnosed(gallery)
    say_findings(findings, len(seen))
    keep_findings(gallery, findings)


def _settled(config: Config) -> Config:
    """The configuration with its number of classes, checked as far as that goes without the images."""
    if not config.source:
        raise ConfigError("SOURCE is missing: what to train on, for example mnist or a folder of pictures")
    if config.imbalance is not None:
        imbalance.parse(config.imbalance)
    within_limits(config)
    classes = known_classes(config.source) if config.classes is None else config.classes
    if classes is None and config.schedule.encode:
        classes = "auto"
    if isinstance(classes, str) and sought(classes).known:
        classes = sought(classes).low
    if classes is None:
        raise ConfigError(
            f"--classes is missing: how many kinds to look for in {config.source}; "
            f"recipe {config.recipe} does not find it out"
        )
    return replace(config, classes=classes)


def _images(config: Config) -> ImageSet:
    """The images to train on, with labels to draw an imbalance by and to count an oracle's shares.

    A file of labels that does not fit the images is refused now, and not when the run is evaluated.
    """
    images = read(config.source, size=config.size, channels=config.channels, labels=config.labels)
    return drawn(images, config.imbalance)


def _check_resumable(out: Path | None) -> None:
    """Refuse to go on where there is no run."""
    if out is None or not (out / "config.toml").exists():
        where = "--out, which is missing" if out is None else str(out)
        raise RunError(f"--resume: there is no run in {where}")


def _run_folder(config: Config) -> Path:
    """The first of runs/SOURCE-RECIPE-1, -2, … that did not exist, made so that nobody else takes it.

    Raises:
        RunError: it cannot be made.
    """
    # A run folder's path must be UTF-8, a source's need not.
    name = Path(config.source).stem.encode("utf-8", "ignore").decode() or "images"
    runs = Path("runs")
    with writing(runs, RunError):
        runs.mkdir(exist_ok=True)
        for path in (runs / f"{name}-{config.recipe}-{n}" for n in count(1)):
            with suppress(FileExistsError):
                path.mkdir()
                break
    return path


def _named(path: Path) -> Path:
    """A path by its name: "." has none that a number could be added to, and moves with what is in it."""
    return path if path.name else path.resolve()


def _move_aside(path: Path) -> None:
    """Rename the run that is there to PATH.1, PATH.2 and so on, unless it is being trained.

    Raises:
        RunError: it is, or the folder is another program's.
    """
    began = {"config.toml", ".lock"}  # what a run has at first
    others = [p for p in path.iterdir() if p.name not in began and not is_leftover(p)]
    if others and not any((path / name).exists() for name in ("checkpoint", "model.json", "stats.jsonl")):
        raise RunError(f"{path} has a config.toml and {others[0].name}, but no run; choose another --out")
    with _alone(path):
        pass
    aside = next(p for n in count(1) if not (p := path.with_name(f"{path.name}.{n}")).exists())
    with writing(aside, RunError):
        path.rename(aside)
    terminal.note(f"The run that was in {path} is now in {aside}")
