"""What the report shows of the training: how far it got, its curves, its scores, how to repeat it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

import elastic_infogan
from elastic_infogan.apps import charts, terminal
from elastic_infogan.training.config import Config, flatten, to_toml
from elastic_infogan.training.recipes import named
from elastic_infogan.training.run import Run

__all__ = ["command", "content", "scores"]

LOSSES = {
    "contrast": ("Contrast", "NT-Xent: low where two views of an image are nearer than other images"),
    "self_labelling": (
        "Self-labelling",
        "cross-entropy of Q on views against its answers for untouched images",
    ),
    "adversarial_d": ("Discriminator", "1.39 is chance; towards 0 it overpowers the generator"),
    "adversarial_g": ("Generator", "high where the discriminator sees through it"),
    "information": ("Class information", "how hard it is to tell the class of a generated image; 0 is best"),
    "reconstruction": ("Reconstruction", "cross-entropy a pixel between an image and what is decoded of it"),
    "capacity_class": ("Class capacity", "nats between what the class code tells and what it may tell"),
    "capacity_continuous": ("Continuous capacity", "the same of the continuous codes together"),
    "information_continuous": ("Continuous codes", "how hard it is to read them off a generated image"),
}
SCORES = {
    "accuracy": ("Accuracy", "share of images in the right class, after matching classes with labels"),
    "nmi": ("NMI", "information that classes and labels share, from 0 to 1"),
    "ari": ("ARI", "agreement on pairs of images, 0 by chance and 1 at best"),
    "generated_nmi": ("Generated NMI", "the same as NMI between the code asked for and what was generated"),
    "ent": ("ENT", "mean entropy in nats between codes and generated kinds; 0 is best"),
    "classes_generated": ("Kinds generated", "kinds that make up at least half of some code"),
    "prior_rmse": ("Prior RMSE", "error of the class prior against the true shares"),
    "uniform_prior_rmse": ("… of a uniform prior", "what a prior that learned nothing has"),
    "prior_jsd": ("Prior JSD", "Jensen–Shannon divergence of prior and true shares"),
}


def content(run: Run) -> dict[str, Any]:
    """All that the template needs about the training; what needs a model is absent, see `missing`."""
    stats, metrics = run.stats(), run.metrics()
    trained = run.path / "model.safetensors"
    return {
        "name": run.path.resolve().name,
        "config": run.config,
        "classes": None,
        "findings": None,
        "number": (run.classes_found() or {}).get("says"),
        "missing": _missing(run, stats),
        "trained": f"{datetime.fromtimestamp(trained.stat().st_mtime):%d %B %Y}"
        if trained.exists()
        else None,
        "minutes": stats[-1]["seconds"] / 60 if stats else 0.0,
        "steps": stats[-1]["step"] if stats else 0,
        "charts": _charts(stats, run.config),
        "scores": scores(metrics),
        "scored_on": metrics.get("source"),
        "scored_images": metrics.get("images"),
        "by_label": metrics.get("classes", []),
        "evaluate": terminal.command("evaluate", str(run.path)),
        "command": None if run.of_array else command(run.config, str(run.path)),
        "toml": to_toml(run.config),
        "version": elastic_infogan.__version__,
    }


def command(config: Config, out: str) -> str:
    """The command line that starts such a run: what differs from the recipe.

    >>> from dataclasses import replace
    >>> command(replace(named("paper"), source="my pictures", classes=4), "runs/a")
    "elastic-infogan train 'my pictures' --recipe paper --classes 4 --out runs/a"
    """
    parts = ["train", config.source]
    if config.recipe != Config().recipe:
        parts += ["--recipe", config.recipe]
    usual = flatten(named(config.recipe))
    for name, value in flatten(config).items():
        if name not in ("source", "recipe") and value != usual[name] and value is not None:
            parts += _flag(name, value)
    return terminal.command(*parts, "--out", out)


def _flag(name: str, value: Any) -> list[str]:
    *group, last = name.replace("_", "-").split(".")
    if isinstance(value, bool):
        return ["--" + ".".join([*group, last if value else f"no-{last}"])]
    told = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return ["--" + ".".join([*group, last]), told]


def _missing(run: Run, stats: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the page has to do without, and how to get it."""
    again = f"{terminal.command('train', run.config.source, '--out', str(run.path))} goes on."
    if not stats:
        return [f"everything but the settings, since training has not told anything yet. {again}"]
    lines = []
    if not run.is_finished:
        done = f"training stopped in stage {stats[-1]['stage']} after step {stats[-1]['step']:,}"
        lines.append(f"the end of the training: {done}, before its budget was used. {again}")
    if not run.has_model:
        lines.append("classes, pictures and diagnosis, since no model has been saved yet.")
    return lines


def scores(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, value and meaning of each score that `metrics.json` holds."""
    return [
        (title, _rounded(key, metrics[key]), about)
        for key, (title, about) in SCORES.items()
        if metrics.get(key) is not None
    ]


def _rounded(key: str, value: Any) -> str:
    """A score with as many digits as tell good ones apart."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1g}" if 0 < value < 0.0001 else f"{value:.{4 if 'prior' in key else 3}f}"


def _charts(stats: Sequence[Mapping[str, Any]], config: Config) -> list[tuple[str, str, str]]:
    """Title, explanation and SVG of each chart; the prior first."""
    if not stats:
        return []
    stages = _stages(stats)
    drawn = []
    if n_classes := len(stats[-1]["prior"]):
        minutes = np.array([0.0, *(line["seconds"] / 60 for line in stats)])
        uniform = [1 / n_classes] * n_classes  # it starts so, and is not told while K is to be found out
        told = (line["prior"] if len(line["prior"]) == n_classes else uniform for line in stats)
        start = uniform if config.prior.start == "uniform" else stats[0]["prior"]
        prior = np.array([start, *told])
        about = "one band a class, its height the share; the largest bear the number of their class"
        drawn.append(("Class prior over time", about, charts.prior_over_time(minutes, prior, stages)))
    for name in dict.fromkeys(name for line in stats for name in line["losses"]):
        points = [(line["seconds"] / 60, line["losses"][name]) for line in stats if name in line["losses"]]
        title, about = LOSSES.get(name, (name.replace("_", " "), ""))
        svg = charts.curve(title, [x for x, _ in points], [y for _, y in points], stages)
        drawn.append((f"Loss: {title}", about, svg))
    return drawn


def _stages(stats: Sequence[Mapping[str, Any]]) -> list[tuple[str, float, float]]:
    """Name, first and last minute of each stage in a row."""
    stages: list[tuple[str, float, float]] = []
    before = 0.0
    for line in stats:
        minute = line["seconds"] / 60
        if stages and stages[-1][0] == line["stage"]:
            stages[-1] = (line["stage"], stages[-1][1], minute)
        else:
            stages.append((line["stage"], before, minute))
        before = minute
    return stages
