"""What `evaluate` does, and the scores that it shares with `benchmark`: a run against labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from elastic_infogan.apps import tables, terminal
from elastic_infogan.apps.inference import codes_of
from elastic_infogan.apps.inputs import OfRun, read_of_run
from elastic_infogan.apps.names import ClassNames
from elastic_infogan.apps.output import no_folder, write_json
from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.data.images import ImageSet
from elastic_infogan.errors import ConfigError
from elastic_infogan.evaluation.clustering import shares
from elastic_infogan.evaluation.held_out import HeldOut, hold_out
from elastic_infogan.evaluation.reference import ReferenceClassifier, reference_classifier
from elastic_infogan.evaluation.scores import evaluate_assigned, evaluate_generated
from elastic_infogan.training.hardware import choose_device
from elastic_infogan.training.run import Run

__all__ = ["Measure", "evaluate", "measure_for", "ruler_of", "score", "score_generated", "score_real"]


@dataclass(frozen=True)
class Measure:
    """What a model is scored by.

    Arguments:
        images: real images to tell the classes of.
        ruler: a classifier of all labelled images there are; None without labels.
        held_out: real images to compare generated ones with; None leaves fidelity out.
    """

    images: ImageSet
    ruler: ReferenceClassifier | None
    held_out: HeldOut | None


def evaluate(
    path: Path,
    source: str | None,
    labels: str | None,
    out: Path | None,
    device: str,
    fidelity: bool,
    real_only: bool,
) -> None:
    """Score a run on a source, or on what it was trained on; write what was found and print it.

    Real images come first and are told at once: generated ones may have to wait for the reference classifier.

    Raises:
        ConfigError: fidelity is asked for without labels, or without looking at generated images.
    """
    if fidelity and real_only:
        raise ConfigError("--fidelity is about generated images, which --real-only leaves out")
    run, file = Run.open(path), out or path / "metrics.json"
    no_folder(file)
    model = run.load_model(choose_device(device))
    found = read_of_run(run, model, source, labels)
    images, everything = found.images, found.everything
    if fidelity and everything.labels is None:
        raise ConfigError(f"--fidelity compares class by class, and {everything.origin} has no labels")
    scores = {"recipe": run.config.recipe, **score_real(model, images)}
    _say_real(scores, merged=bool(ClassNames.of(run, model.n_classes).merged))
    write_json(file, scores)  # said first: it cost time, and the folder may be another's
    if everything.labels is not None and not real_only:
        measure = _measure(found, model, fidelity)
        generated = score_generated(model, measure, run.config.seed)
        whole = _together(scores, generated, measure)
        _say_scores(generated)
        _say_rarest(whole["rarest"])
        write_json(file, whole)
    for shown in (run.latest_grid(), path / "shares.json", file):
        if shown is not None and shown.exists():
            terminal.say(str(shown))


def measure_for(run: Run, model: ClassModel, fidelity: bool) -> Measure:
    """What to score a run by, on what it was trained on."""
    return _measure(read_of_run(run, model), model, fidelity)


def _measure(found: OfRun, model: ClassModel, fidelity: bool) -> Measure:
    """What to score a run by on what was read of it."""
    everything, labelled = found.everything, found.everything.labels is not None
    return Measure(
        images=found.images,
        ruler=ruler_of(everything, model.device.type) if labelled else None,
        held_out=hold_out(everything, found.trained_on) if fidelity and labelled else None,
    )


def ruler_of(images: ImageSet, device: str) -> ReferenceClassifier:
    """The reference classifier of a labelled set on a device, trained with a bar where no cache has it."""
    what = "training the reference classifier, once for these images"
    with terminal.counted(what, lines=True) as progress:
        share = lambda done: progress(round(100 * done), 100)  # noqa: E731
        return reference_classifier(images, progress=share, device=device)


def score(model: ClassModel, measure: Measure, seed: int) -> dict[str, Any]:
    """The scores of a model on real and on generated images; without labels only its shares.

    Arguments:
        seed: of the noise from which images are generated.

    Returns: what `score_real` does and, with labels, the scores of generated images, `rarest` (what was made
        of the rarest class) and, with fidelity, `held_out`.
    """
    scores = score_real(model, measure.images)
    if measure.ruler is None or measure.images.labels is None:
        return scores
    return _together(scores, score_generated(model, measure, seed), measure)


def score_real(model: ClassModel, images: ImageSet) -> dict[str, Any]:
    """The scores of a model on real images.

    Returns: `source`, `images`, `shares` (`prior` and `assigned`, `(K,)` each) and, with labels, those of
        `evaluation.scores.evaluate_assigned`.
    """
    prior = model.prior.probabilities().detach().cpu().double().numpy()
    codes = codes_of(model, images.images)
    assigned = shares(codes, model.n_classes)
    scores: dict[str, Any] = {
        "source": images.origin,
        "images": len(images),
        "shares": {"prior": prior.tolist(), "assigned": assigned.tolist()},
    }
    if images.labels is None:
        return scores
    return scores | evaluate_assigned(
        codes, images.labels, prior, len(images.class_names), images.class_names
    )


def _together(scores: dict[str, Any], generated: dict[str, Any], measure: Measure) -> dict[str, Any]:
    """Scores of real and of generated images, and what they say together."""
    held_out = {} if measure.held_out is None else {"held_out": dict(measure.held_out.unseen)}
    return {**scores, **generated, "rarest": _rarest(scores["classes"], generated), **held_out}


def score_generated(model: ClassModel, measure: Measure, seed: int) -> dict[str, Any]:
    """The scores of generated images alone; needs labels."""
    if measure.ruler is None:
        raise ConfigError(f"{measure.images.origin} has no labels: generated images cannot be judged")
    noise = torch.Generator().manual_seed(seed)
    real = None if measure.held_out is None else measure.held_out.images
    return evaluate_generated(
        lambda asked: model.sample(asked, noise), model.n_classes, measure.ruler, real=real,
        among=measure.images.labels,
    )  # fmt: skip


def _rarest(rows: list[dict[str, Any]], generated: Mapping[str, Any]) -> dict[str, Any]:
    """What was made of the rarest class that there is, by name, share, recall and, where known, fidelity."""
    row = min((row for row in rows if row["true_share"]), key=lambda row: row["true_share"])
    name, extractor = row["class"], generated["reference"]
    fidelity = generated.get(f"per_class_{extractor}", {}).get(name, {})
    rest = {f"{key}_{extractor}": fidelity[key] for key in ("precision", "coverage") if key in fidelity}
    return {"class": name, "share": row["true_share"], "recall": row["recall"], **rest}


def _unlabelled(prior: list[float], assigned: list[float]) -> list[dict[str, Any]]:
    return [
        {"code": k, "prior": p, "assigned_share": share}
        for k, (p, share) in enumerate(zip(prior, assigned, strict=True))
    ]


def _say_real(scores: Mapping[str, Any], merged: bool) -> None:
    if merged:
        terminal.note("Scores are of the classes as they were learned, before any merge.")
    tables.class_table(scores.get("classes") or _unlabelled(**scores["shares"]))
    terminal.say("")
    _say_scores(scores)


def _say_scores(scores: Mapping[str, Any]) -> None:
    for name, value in scores.items():
        if isinstance(value, float) or name == "classes_generated":
            _say_figure(name, value)


def _say_rarest(rarest: Mapping[str, Any]) -> None:
    for name, value in rarest.items():
        _say_figure(f"rarest class: {name}", value)


def _say_figure(name: str, value: Any) -> None:
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    terminal.say(f"{name.replace('_', ' '):36} {text}")
