"""What `benchmark` does: plan trials, carry them out as processes, gather what came of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from elastic_infogan.apps import terminal
from elastic_infogan.apps.benchmarking import plots, tables
from elastic_infogan.apps.benchmarking.board import board
from elastic_infogan.apps.benchmarking.folder import BenchmarkFolder, TrialFolder
from elastic_infogan.apps.benchmarking.plan import Budget, Trial, expand, numbers, plan
from elastic_infogan.apps.benchmarking.pool import how_many, run_all
from elastic_infogan.apps.benchmarking.systems import systems
from elastic_infogan.apps.inputs import read
from elastic_infogan.apps.scoring import ruler_of
from elastic_infogan.data import imbalance
from elastic_infogan.data.images import ImageSet
from elastic_infogan.data.sources import known_classes
from elastic_infogan.errors import ConfigError
from elastic_infogan.training.choices import with_budget
from elastic_infogan.training.config import Config, flatten
from elastic_infogan.training.hardware import choose_device
from elastic_infogan.training.meeting import fingerprint

__all__ = ["Options", "benchmark"]


@dataclass(frozen=True)
class Options:
    """The verb's arguments; see its help."""

    source: str
    out: Path
    recipes: str
    variants: str | None
    imbalances: str | None
    seeds: str
    common: Sequence[str]
    budget: Budget
    jobs: int | None
    snapshots: int
    fidelity: bool
    device: Literal["auto", "cpu", "cuda", "mps"]


def benchmark(options: Options) -> int:
    """Carry out what is not done yet and write results, tables and plots; the exit status.

    Raises:
        ConfigError, DataError, RunError: something asked for cannot be.
        KeyboardInterrupt: after every trial at work was saved.
    """
    if options.jobs is not None and options.jobs < 1:
        raise ConfigError(f"--jobs {options.jobs}: 1 or more is needed")
    planned = _planned(options)
    folder = BenchmarkFolder(options.out)
    with folder.locked():
        images = _sources(planned)
        trials = [_resolved(trial, images) for trial in planned]
        budget = options.budget.as_dict()
        folder.share({"source": options.source, "budget": budget, "fidelity": options.fidelity})
        pending = _ask(folder, trials, options, max(x.images.nbytes for x in images.values()))
        if pending:
            for labelled in images.values():  # once, before many processes want it
                ruler_of(labelled, choose_device(options.device))
        del images  # trials read their own
        try:
            _carry_out(folder, trials, pending)
        except KeyboardInterrupt:
            terminal.note("Interrupted; all that was learned is kept. To go on, give the same command again.")
            raise
        finally:
            lines = _gather(folder, trials)
    return _conclude(folder, trials, lines)


def _planned(options: Options) -> list[Trial]:
    base = Config(
        source=options.source, classes=known_classes(options.source), device=options.device,
        snapshots=options.snapshots,
    )  # fmt: skip
    found = systems(options.recipes, options.variants, options.common)
    seeds = numbers(options.seeds, "--seeds")
    trials = plan(base, found, expand(options.imbalances), seeds, options.budget)
    if unknown := [trial.system.name for trial in trials if trial.config.classes is None]:
        raise ConfigError(f"how many kinds are in {options.source}? give --set classes=K ({unknown[0]})")
    return trials


Key = tuple[int | None, int | None, str | None]
"""size, channels and labels: what decides how a source is read"""


def _key(config: Config) -> Key:
    return config.size, config.channels, config.labels


def _sources(trials: Sequence[Trial]) -> dict[Key, ImageSet]:
    """The source as the trials read it, in most benchmarks once."""
    configs = {_key(trial.config): trial.config for trial in trials}
    return {
        key: read(c.source, size=c.size, channels=c.channels, labels=c.labels) for key, c in configs.items()
    }


def _resolved(trial: Trial, sources: dict[Key, ImageSet]) -> Trial:
    """A trial with its budget, and the certainty that its imbalance can be drawn."""
    images, spec = sources[_key(trial.config)], trial.config.imbalance
    if images.labels is None:
        raise ConfigError(f"a benchmark scores by labels: {images.origin} has no labels; --set labels=FILE")
    n, drawn = len(images), np.zeros(0, np.int64)
    if spec is not None:
        n = int((drawn := imbalance.counts(spec, np.bincount(images.labels))).sum())
    config = with_budget(replace(trial.config, size=images.size[0]), n)
    return replace(trial, config=config, images=(*fingerprint(images.images), *drawn.tolist()))


def _ask(folder: BenchmarkFolder, trials: Sequence[Trial], options: Options, image_bytes: int) -> list[Trial]:
    """Write down what is asked of every trial; those not done yet.

    How many run at once goes by all of them, so that the last ones of an interrupted benchmark get no more
    threads than the others had.
    """
    pending = [trial for trial in trials if not folder.trial(trial.name).done]
    jobs = how_many(options.jobs, len(trials), image_bytes, choose_device(options.device))
    for trial in trials:
        config = trial.config
        folder.trial(trial.name).request(
            {
                "name": trial.system.name,
                "recipe": config.recipe,
                "settings": dict(trial.system.changes),
                "imbalance": config.imbalance,
                "seed": config.seed,
                "budget": options.budget.as_dict(),
                "fingerprint": list(trial.images),
                "fidelity": options.fidelity,
                "jobs": jobs,
                "config": flatten(config),
            }
        )
    return pending


def _carry_out(folder: BenchmarkFolder, trials: Sequence[Trial], pending: Sequence[Trial]) -> None:
    for trial in trials:
        if folder.trial(trial.name).done:
            folder.trial(trial.name).tidy()
    if not pending:
        return
    at_once = int(folder.trial(pending[0].name).asked()["jobs"])
    terminal.note(f"{len(pending)} of {len(trials)} trials to do, {at_once} at once")
    with board({trial.name: trial.config for trial in pending}, len(trials) - len(pending)) as show:

        def report(at_work: Sequence[TrialFolder], ended: TrialFolder | None) -> None:
            show(at_work, ended)
            if ended is not None:
                folder.collect(trials)

        run_all([folder.trial(trial.name) for trial in pending], at_once, report)


def _gather(folder: BenchmarkFolder, trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Results, tables and plots of all trials that have ended."""
    lines = folder.collect(trials)
    tables.write(folder.path, lines, terminal.command(*sys.argv[1:]))
    plots.write(folder.path, lines)
    return lines


def _conclude(folder: BenchmarkFolder, trials: Sequence[Trial], lines: Sequence[dict[str, Any]]) -> int:
    """Print what was found; the exit status, by the trials of this plan alone: no other is tried again."""
    for row in _transposed(tables.main_rows(lines)):
        terminal.say(row)
    for path in sorted(folder.path.glob("*.*")):
        if path.suffix in (".jsonl", ".md", ".csv", ".png"):
            terminal.say(str(path))
    outcomes = [folder.trial(trial.name).outcome() or {} for trial in trials]
    failed = sum("failed" in outcome for outcome in outcomes)
    if failed:
        terminal.note(f"{failed} of {len(trials)} trials failed; the same command tries them again.")
    return 1 if failed else 0


def _transposed(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with a column for each row, so that many figures of few systems fit a terminal.

    >>> _transposed([["", "NMI"], ["paper", "0.7"]])
    ['      paper', 'NMI     0.7']
    """
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, row)) for row in rows]
    cells = ([cell.rjust(width) for cell, width in zip(c[1:], widths[1:], strict=True)] for c in columns)
    return ["   ".join([c[0].ljust(widths[0]), *rest]) for c, rest in zip(columns, cells, strict=True)]
