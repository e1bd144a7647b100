"""The folder of a benchmark: what each trial was asked, what came of it, and all results together.

DIR/benchmark.json   what all trials share
DIR/trials/NAME/     request.json, then run/ and log.txt, in the end result.json or failure.json
DIR/results.jsonl    one line a trial, made from the trials' files whenever one ends
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from elastic_infogan import files
from elastic_infogan.apps.benchmarking.plan import Trial
from elastic_infogan.apps.output import held, write_json, written_whole
from elastic_infogan.errors import ConfigError, RunError
from elastic_infogan.training.config import Config, flatten, overlay
from elastic_infogan.training.run import CHANGEABLE

__all__ = ["BenchmarkFolder", "TrialFolder"]

FREE = CHANGEABLE - {"minutes", "steps", "precision"}
"""settings that a trial may go on with anew"""


WRITTEN = frozenset(
    ("results.jsonl", "table.md", "table.csv", "lost.csv", "nmi-against-time.png", "prior-against-truth.png")
)
"""files of a benchmark, which replace what is there"""


class TrialFolder:
    """The folder of one trial, for the process that coordinates and the one that trains.

    Arguments:
        path: the folder; its name is the trial's.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name
        self.run, self.log = path / "run", path / "log.txt"

    @property
    def done(self) -> bool:
        """Whether it has its result, so that nothing is left to do."""
        return (self.path / "result.json").exists()

    def request(self, content: Mapping[str, Any]) -> None:
        """Write down what is asked, or make sure that it was asked before.

        Raises:
            ConfigError: the trial was begun with other settings; the first one is named.
        """
        if (self.path / "request.json").exists():
            there, wanted = flatten(self.config()), content["config"]
            for name, value in there.items():
                if wanted[name] != value and name not in FREE:
                    raise ConfigError(
                        f"{self.path} was begun with {name} = {value!r}, not {wanted[name]!r}: "
                        "choose another --out, or another name among --variants"
                    )
            if self.asked().get("fingerprint", content["fingerprint"]) != content["fingerprint"]:
                raise ConfigError(f"{self.path} was begun with other images: choose another --out")
        if not self.done:
            write_json(self.path / "request.json", content)

    def asked(self) -> dict[str, Any]:
        """What was asked.

        Raises:
            RunError: it cannot be read.
        """
        return _read(self.path / "request.json")

    def config(self) -> Config:
        """The settings that were asked for."""
        return overlay(Config(), self.asked().get("config", {}), str(self.path / "request.json"))

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result; from now on the trial is done."""
        write_json(self.path / "result.json", result)
        self.tidy()

    def tidy(self) -> None:
        """Drop what a finished run no longer needs: checkpoint and snapshots, most of its size."""
        (self.path / "failure.json").unlink(missing_ok=True)
        for name in ("checkpoint", "snapshots"):
            shutil.rmtree(self.run / name, ignore_errors=True)

    def fail(self, message: str) -> None:
        """Write down why there is no result."""
        asked = {key: value for key, value in self.asked().items() if key != "config"}
        write_json(self.path / "failure.json", {**asked, "failed": message})

    def outcome(self) -> dict[str, Any] | None:
        """Result or failure; None while there is neither."""
        for name in ("result.json", "failure.json"):
            if (self.path / name).exists():
                return _read(self.path / name)
        return None


class BenchmarkFolder:
    """The folder of a benchmark.

    Arguments:
        path: may be missing, or hold an earlier part of the same benchmark.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other benchmarks out of the folder.

        Raises:
            RunError: one is at work there already, or the folder cannot be written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"--out: {self.path} is a file; the name of a folder is needed")
        with files.writing(self.path, RunError):
            self.path.mkdir(parents=True, exist_ok=True)
        self._refuse_others()
        with held(self.path, f"another benchmark is at work in {self.path}: wait, or choose another --out"):
            yield

    def _refuse_others(self) -> None:
        """Raise a `RunError` where the folder holds what no benchmark has written, and might be replaced."""
        if (self.path / "benchmark.json").exists() or any((self.path / "trials").glob("*/request.json")):
            return
        for path in self.path.iterdir():
            if path.name in WRITTEN:
                what = f"{self.path} holds {path.name} and is no benchmark"
                raise RunError(f"--out: {what}; choose a new folder")

    def share(self, content: Mapping[str, Any]) -> None:
        """Write down what all trials share, or make sure that it is what those there have.

        Raises:
            ConfigError: it is not, so that one table could not hold both; the first difference is named.
        """
        file = self.path / "benchmark.json"
        there = _read(file, "remove it") if file.exists() else content
        for name, value in there.items():
            if content.get(name) != value:
                raise ConfigError(
                    f"{self.path} holds trials with {name} {value}, not {content.get(name)}: "
                    "choose another --out"
                )
        write_json(file, content)

    def trial(self, name: str) -> TrialFolder:
        """The folder of a trial."""
        return TrialFolder(self.path / "trials" / name)

    def collect(self, first: Sequence[Trial]) -> list[dict[str, Any]]:
        """Write `results.jsonl` from what there is, and give its lines.

        Those of the trials in `first` come in their order, then those of earlier plans by name.
        """
        names = dict.fromkeys(trial.name for trial in first)
        names |= dict.fromkeys(sorted(path.name for path in (self.path / "trials").glob("*")))
        outcomes = [outcome for name in names if (outcome := self.trial(name).outcome()) is not None]
        with written_whole(self.path / "results.jsonl") as file:
            file.write("".join(json.dumps(line, allow_nan=False) + "\n" for line in outcomes).encode())
        return outcomes


def _read(path: Path, remedy: str = "remove its folder to begin that trial again") -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path} cannot be read: {error}; {remedy}") from error
