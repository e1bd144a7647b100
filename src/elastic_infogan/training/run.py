"""The run folder: configuration, statistics, sample grids, the model and checkpoints that resume."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain, count
from pathlib import Path
from typing import Any

import torch

from elastic_infogan import files
from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.core.jointvae import JointVAE
from elastic_infogan.core.model import ElasticInfoGAN
from elastic_infogan.data.sources import same_place
from elastic_infogan.errors import ConfigError, RunError
from elastic_infogan.training.config import Config, flatten, from_toml, overlay, to_toml
from elastic_infogan.training.tensor_files import FORMAT, read_tensors, replacing, write_tensors

__all__ = ["CHANGEABLE", "ESTIMATOR", "NAMES", "NAMES_ASIDE", "Run", "remove"]

MODELS: Mapping[str, type[ClassModel]] = {model.kind: model for model in (ElasticInfoGAN, JointVAE)}
"""What `model.json` may call the model."""

NAMES, NAMES_ASIDE = "names.json", "names-before.json"
"""Names and merges of the classes, and those of classes that were found anew since."""

ESTIMATOR = "estimator.safetensors"
"""what an estimator needs besides to come back: labels, range and shape of its input"""

CHANGEABLE = {"minutes", "steps", "device", "precision", "devices", "nodes", "interval", "snapshots"}
"""Settings that a resumed run may be given anew: how long and where, not what."""


def remove(path: Path) -> None:
    """Take a file away if it is there.

    Raises:
        RunError: if it cannot be removed.
    """
    with files.writing(path, RunError):
        path.unlink(missing_ok=True)


class Run:
    """A run folder whose configuration is known.

    Arguments:
        path: the folder.
        config: as resolved.
    """

    def __init__(self, path: Path, config: Config) -> None:
        self.path, self.config = path, config

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """A run that exists.

        Raises:
            RunError: if `path` is not a run folder of this program.
            ConfigError: if its configuration has a key that is not a setting.
        """
        path = Path(path)
        if problem := files.no_run(path):
            raise RunError(problem)
        file = path / "config.toml"
        return cls(path, overlay(Config(), from_toml(_text_of(file), str(file)), str(file)))

    @classmethod
    def create(cls, path: str | Path, config: Config) -> Run:
        """A new run in an empty or missing folder, or the run that is there, to be resumed.

        Raises:
            RunError: if the folder holds something else, or a model whose training cannot go on.
            ConfigError: if the run there has other settings; the first one is named.
        """
        path = Path(path)
        if not _is_utf8(path):  # which the library that reads tensors asks for
            raise RunError(f"{path}: a run folder needs a path that is UTF-8; choose another with --out")
        if (path / "config.toml").exists():
            return cls._resume(path, config)
        if path.exists() and (not path.is_dir() or not all(map(files.is_leftover, path.iterdir()))):
            raise RunError(
                f"{path} exists and is not a run folder of elastic-infogan; choose another with --out"
            )
        return cls(path, config)._begin()

    @classmethod
    def _resume(cls, path: Path, config: Config) -> Run:
        there, wanted = flatten(cls.open(path).config), flatten(config)
        if same_place(there["source"], wanted["source"]):
            there["source"] = wanted["source"]
        for name, value in there.items():
            # What was left open may have been chosen since; that K is to be found out, or that all images are
            # taken, is a choice.
            settled = (
                value not in (None, "auto") or name == "imbalance" or (name, value) == ("classes", "auto")
            )
            if name not in CHANGEABLE and settled and wanted[name] != value:
                raise ConfigError(
                    f"{path} was started with {name} = {value!r}, not {wanted[name]!r}: "
                    "use --new to start afresh, or --out for another folder"
                )
        run = cls(path, config)
        _refuse_less(run, there, wanted)
        if run.has_model and not run.checkpoint.exists():
            raise RunError(
                f"{path} holds a model but no checkpoint, so that its training cannot go on: "
                "choose another folder with --out, or move this one aside and start afresh with --new"
            )
        return run._begin()

    def _begin(self) -> Run:
        """Write the configuration first: a folder without it is nobody's run, whenever a crash comes."""
        with files.writing(self.path, RunError):
            self.path.mkdir(parents=True, exist_ok=True)
            self.write_settings()
            for name in ("samples", "checkpoint"):
                (self.path / name).mkdir(exist_ok=True)
            for name in (".", "samples", "checkpoint", "snapshots"):
                files.sweep(self.path / name)
        return self

    @property
    def checkpoint(self) -> Path:
        """What resuming needs, in one file that is replaced as a whole."""
        return self.path / "checkpoint" / "state.safetensors"

    def write_text(self, name: str, text: str) -> None:
        """Write a text file of the run folder, whole or not at all."""
        with replacing(self.path / name) as beside:
            beside.write_text(text, encoding="utf-8", errors="surrogateescape")

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a JSON file of the run folder, whole or not at all."""
        self.write_text(name, files.as_json(value))

    def write_settings(self) -> None:
        """Write `config.toml`: what was asked for, and how many classes were found, once that is known."""
        found = self.classes_found()
        self.write_text("config.toml", to_toml(self.config, found["found"] if found else None))

    def write_classes(self, found: Mapping[str, Any]) -> None:
        """Write `classes.json`: how many classes were `found`, how sure that is, and the evidence."""
        self.write_json("classes.json", {"asked": self.config.classes, **found})
        self.write_settings()

    def write_restarts(self, agreement: Sequence[float]) -> None:
        """Write `restarts.json`: the score of each encoder, and the number of the one that was kept."""
        kept = max(range(len(agreement)), key=agreement.__getitem__)
        self.write_json("restarts.json", {"agreement": list(agreement), "kept": kept})

    def classes_found(self) -> dict[str, Any] | None:
        """What `write_classes` wrote; None where the number was given, or is not known yet."""
        return self._noted("classes.json", {"found": int, "says": str})

    def restarts(self) -> dict[str, Any] | None:
        """What `write_restarts` wrote; None where one encoder was trained, or none is settled on yet."""
        return self._noted("restarts.json", {"agreement": list, "kept": int})

    def shares(self) -> dict[str, Any] | None:
        """Prior and shares assigned, as training left them at its end; None before it."""
        return self._noted("shares.json", {"prior": list, "assigned": list})

    def metrics(self) -> dict[str, Any]:
        """Scores, as the verb `evaluate` left them; empty where there are none."""
        return self._noted("metrics.json", {}) or {}

    def diagnosis(self) -> dict[str, Any] | None:
        """The last diagnosis, as the verb `doctor` wrote it; None where there is none."""
        return self._noted("diagnosis.json", {"findings": _findings})

    def _noted(self, name: str, kinds: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any] | None:
        """A JSON file, if it is there; `kinds` read the fields that it must have.

        Raises:
            RunError: it lacks one.
        """
        file = self.path / name
        if not file.exists():
            return None
        try:
            found: dict[str, Any] = json.loads(_text_of(file))
            return {**found, **{field: kind(found[field]) for field, kind in kinds.items()}}
        except (ValueError, TypeError, KeyError) as error:
            raise RunError(f"{file} is damaged: delete it, and the run is read without it") from error

    def log(self, line: Mapping[str, Any]) -> None:
        """Append a line to `stats.jsonl`."""
        path = self.path / "stats.jsonl"
        with files.writing(path, RunError), path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop lines of `stats.jsonl` and sample grids later than `step`: a resumed run writes them again."""
        if (self.path / "stats.jsonl").exists():
            lines = [json.dumps(line) for line in self.stats() if line["step"] <= step]
            self.write_text("stats.jsonl", "".join(f"{line}\n" for line in lines))
        for grid in (self.path / "samples").glob("step-*.png"):
            number = grid.stem.removeprefix("step-")
            if number.isdigit() and int(number) > step:
                remove(grid)

    def forget_end(self) -> None:
        """Take away what tells that training ended, and what was found of the model then, since it goes on.

        Raises:
            RunError: if it cannot be removed.
        """
        for name in ("shares.json", "metrics.json", "diagnosis.json"):
            remove(self.path / name)

    def set_names_aside(self) -> None:
        """Rename `names.json`: classes are found anew, and their numbers mean something else from now on.

        What was set aside before stays: `names-before.json`, `names-before-2.json` and so on.

        Raises:
            RunError: if it cannot be renamed.
        """
        if not (self.path / NAMES).exists():
            return
        first = self.path / NAMES_ASIDE
        others = (first.with_stem(f"{first.stem}-{n}") for n in count(2))
        aside = next(path for path in chain([first], others) if not path.exists())
        with files.writing(aside, RunError):
            (self.path / NAMES).rename(aside)

    def latest_grid(self) -> Path | None:
        """The last sample grid, one row a class; pictures that somebody else put beside it are none."""
        return max((self.path / "samples").glob("step-*.png"), default=None)

    def stats(self) -> list[dict[str, Any]]:
        """The lines of `stats.jsonl` so far, without one that a crash or a full disk cut short."""
        file = self.path / "stats.jsonl"
        if not file.exists():
            return []
        return [line for line in map(_line_of, _text_of(file).splitlines()) if line is not None]

    def save_model(self, model: ClassModel) -> None:
        """Write what inference needs: the networks, the generator as averaged, and the prior."""
        write_tensors(self.path / "model.safetensors", model.state_dict(), {})
        told = {"format": FORMAT, "model": model.kind, "range": [-1, 1], **asdict(model.spec)}
        self.write_json("model.json", told)

    @property
    def has_model(self) -> bool:
        """Whether a model has been saved."""
        return (self.path / "model.safetensors").exists()

    @property
    def is_finished(self) -> bool:
        """Whether training came to the end of its budget."""
        return (self.path / "shares.json").exists()

    @property
    def of_array(self) -> bool:
        """Whether an estimator was fitted to an array, which no command line can name."""
        return self.config.source == "array" and (self.path / ESTIMATOR).exists()

    def model_state(self) -> tuple[int, int] | None:
        """Changes whenever `save_model` writes; None while there is no model."""
        try:
            status = (self.path / "model.safetensors").stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

    def load_model(self, device: str | torch.device = "cpu", file: Path | None = None) -> ClassModel:
        """The trained model as `for_inference` makes it, which `save_model` cannot write again.

        Arguments:
            file: another state of it, see `snapshots.kept`.

        Raises:
            RunError: if there is none yet, or its files are damaged or of another program.
        """
        tensors, _ = read_tensors(file or self.path / "model.safetensors")
        try:
            model = _described(json.loads((self.path / "model.json").read_text(encoding="utf-8")))
            model.load_state_dict(tensors)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise RunError(
                f"{self.path / 'model.json'} does not describe model.safetensors: {reason}"
            ) from error
        return model.for_inference().to(device)


def _refuse_less(run: Run, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """A run that has used its budget is not told that it had less.

    Raises:
        ConfigError: less of the same kind is wanted.
    """
    for name in ("minutes", "steps"):
        before, now = there[name], wanted[name]
        if run.is_finished and before is not None and now is not None and now < before:
            raise ConfigError(
                f"{run.path} has been trained for {before:,} {name}: give it more --{name} to go on, or use "
                "--new to start afresh"
            )


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _described(told: Any) -> ClassModel:
    """The untrained model that `model.json` tells of.

    Raises:
        ValueError, TypeError: it tells of no model that is known here.
    """
    if not isinstance(told, dict):
        raise TypeError("it holds no table of names and values")
    kind = told.get("model", ElasticInfoGAN.kind)  # the only one there was when it went without saying
    if kind not in MODELS:
        raise ValueError(f"its model is {kind!r}; {' and '.join(MODELS)} are known to this version")
    spec = {name: value for name, value in told.items() if name not in ("format", "model", "range")}
    return MODELS[kind](MODELS[kind].spec_type(**spec))


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise RunError(files.why_not_read(file, error)) from error


def _line_of(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and "step" in line else None


def _findings(content: Any) -> list[dict[str, Any]]:
    """Findings of a diagnosis, with what is asked for later on."""
    return [
        {**finding, "kind": str(finding["kind"]), "classes": list(finding["classes"])} for finding in content
    ]
