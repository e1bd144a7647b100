"""What `evaluate` does: a run's scores on a source, its files and its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from elastic_infogan.apps import tables, terminal
from elastic_infogan.apps.inference import codes_of
from elastic_infogan.apps.inputs import read_of_run
from elastic_infogan.apps.output import write_json
from elastic_infogan.core.model import ElasticInfoGAN
from elastic_infogan.data.images import ImageSet
from elastic_infogan.evaluation.clustering import shares
from elastic_infogan.evaluation.reference import reference_classifier
from elastic_infogan.evaluation.scores import evaluate_assigned, evaluate_generated
from elastic_infogan.training.hardware import choose_device
from elastic_infogan.training.run import Run

__all__ = ["evaluate"]


def evaluate(path: Path, source: str | None, labels: str | None, out: Path | None, device: str) -> None:
    """Score a run on a source, or on what it was trained on; write what was found and print it."""
    run = Run.open(path)
    model = run.load_model(choose_device(device))
    images, everything = read_of_run(run, model, source, labels)
    prior = model.prior.probabilities().detach().double().cpu().numpy()
    codes = codes_of(model, images.images)
    assigned = shares(codes, model.n_classes)
    metrics: dict[str, Any] = {"source": images.origin, "images": len(images), "recipe": run.config.recipe}
    metrics |= _by_labels(model, prior, codes, images, everything, run.config.seed)
    write_json(path / "shares.json", {"prior": prior.tolist(), "assigned": assigned.tolist()})
    write_json(out or path / "metrics.json", metrics)
    tables.class_table(metrics.get("classes") or _unlabelled(prior, assigned))
    _say_scores(metrics)
    for file in (_latest_grid(path), path / "shares.json", out or path / "metrics.json"):
        if file is not None:
            terminal.say(str(file))


def _by_labels(
    model: ElasticInfoGAN,
    prior: NDArray[np.float64],
    codes: NDArray[np.int64],
    images: ImageSet,
    everything: ImageSet,
    seed: int,
) -> dict[str, Any]:
    """The protocol's scores; none without labels. The ruler is trained on all labelled images there are."""
    if images.labels is None:
        return {}
    real = evaluate_assigned(codes, images.labels, prior, len(images.class_names), images.class_names)
    with terminal.counted("training the reference classifier") as progress:
        ruler = reference_classifier(everything, progress=lambda done: progress(round(100 * done), 100))
    noise = torch.Generator().manual_seed(seed)
    generated = evaluate_generated(lambda asked: model.sample(asked, noise), model.n_classes, ruler)
    return {**generated, **real}


def _unlabelled(prior: NDArray[np.float64], assigned: NDArray[np.float64]) -> list[dict[str, Any]]:
    return [
        {"code": k, "prior": float(p), "assigned_share": float(share)}
        for k, (p, share) in enumerate(zip(prior, assigned, strict=True))
    ]


def _say_scores(metrics: dict[str, Any]) -> None:
    terminal.say("")
    for name, value in metrics.items():
        if isinstance(value, float) or name == "classes_generated":
            text = f"{value:.4f}" if isinstance(value, float) else str(value)
            terminal.say(f"{name.replace('_', ' '):28} {text}")


def _latest_grid(path: Path) -> Path | None:
    """The last sample grid of a run, one row a class."""
    return max((path / "samples").glob("*.png"), default=None)
