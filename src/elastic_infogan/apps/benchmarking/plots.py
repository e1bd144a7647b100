"""Pictures of the results: how generated NMI grows with time, and learned priors against the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from elastic_infogan.apps.benchmarking.figures import Line, by_system
from elastic_infogan.apps.output import written_whole

__all__ = ["growth", "priors", "write"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
"""Okabe and Ito's palette, told apart by colour-blind readers too; used in a fixed order."""

STYLES = ("-", "--", ":", "-.")
"""for systems beyond the number of colours"""


def write(folder: Path, lines: Sequence[Line]) -> list[Path]:
    """Write the plots that the lines allow; their paths."""
    systems = by_system(lines)
    drawn = {
        "nmi-against-time.png": growth({n: [x for x in own if x.get("curve")] for n, own in systems.items()}),
        "prior-against-truth.png": priors(
            {n: [x for x in own if "classes" in x] for n, own in systems.items()}
        ),
    }
    written = []
    for name, figure in drawn.items():
        if figure is not None:
            with written_whole(folder / name) as file:
                figure.savefig(file, format="png", dpi=150, bbox_inches="tight")
            written.append(folder / name)
    return written


def growth(systems: Mapping[str, Sequence[Line]]) -> Figure | None:
    """Generated NMI against minutes of training: each trial thin, the mean over trials thick."""
    shown = {name: lines for name, lines in systems.items() if lines}
    if not shown:
        return None
    figure = Figure(figsize=(7.5, 4.5))
    axes = figure.add_subplot()
    for i, (name, lines) in enumerate(shown.items()):
        look = _look(i)
        curves = [_curve(line) for line in lines]
        for minutes, nmi in curves:
            axes.plot(minutes, nmi, alpha=0.35, linewidth=0.8, **look)
        alike = [curve for curve in curves if len(curve[0]) == max(len(c[0]) for c in curves)]
        minutes, nmi = np.mean(alike, axis=0)
        meant = "" if len(alike) == len(curves) else f"{len(alike)} of "  # others have fewer points so far
        label = f"{name} ({meant}{len(lines)} trial{'s' * (len(lines) > 1)})"
        axes.plot(minutes, nmi, marker="o", markersize=3.5, linewidth=2, label=label, **look)
    axes.set(xlabel="training time (minutes)", ylabel="generated NMI", ylim=(-0.02, 1.02), xlim=(0, None))
    axes.set_title("Growth of generated NMI: mean over trials, thin lines single trials", fontsize=10)
    _plain(axes)
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _look(i: int) -> dict[str, Any]:
    """Colour and line of the system number `i`."""
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": STYLES[i // len(COLOURS) % len(STYLES)]}


def _curve(line: Line) -> tuple[list[float], list[float]]:
    """Minutes and generated NMI of a trial, from the start, where nothing is generated yet."""
    points = line["curve"]
    return [0.0, *(p["seconds"] / 60 for p in points)], [0.0, *(p["generated_nmi"] for p in points)]


def priors(systems: Mapping[str, Sequence[Line]]) -> Figure | None:
    """Learned prior against true share, a panel a system, with the truth and the uniform prior as lines."""
    shown = {name: lines for name, lines in systems.items() if lines}
    if not shown:
        return None
    columns = min(4, len(shown))
    n_rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(3.1 * columns + 0.6, 3.1 * n_rows + 0.6), layout="constrained")
    panels = figure.subplots(n_rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    most = max(max(row["prior"], row["true_share"]) for own in shown.values() for row in _classes_of(own))
    for panel in panels[len(shown) :]:
        panel.set_visible(False)
    for i, (name, lines) in enumerate(shown.items()):
        _priors_of(panels[i], name, lines, 1.08 * most)
    told = {
        label: handle
        for panel in panels
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(told.values(), told, loc="outside upper center", ncols=len(told), frameon=False, fontsize=9)
    figure.supxlabel("true share of the class", fontsize=10)
    figure.supylabel("prior of its code", fontsize=10)
    return figure


def _classes_of(lines: Sequence[Line]) -> list[Mapping[str, Any]]:
    """The rows of classes; those of spare codes, which stand for no class, have no true share."""
    return [row for line in lines for row in line["classes"] if row["class"] is not None]


def _priors_of(axes: Axes, name: str, lines: Sequence[Line], limit: float) -> None:
    classes = _classes_of(lines)
    there, absent = ([row for row in classes if (row["code"] is None) == no] for no in (False, True))
    axes.plot([0, limit], [0, limit], color="0.35", linewidth=1, label="truth")
    for n_classes in sorted({len(line["shares"]["prior"]) for line in lines}):
        axes.axhline(1 / n_classes, color="0.35", linewidth=1, linestyle="--", label="uniform")
    x, y = ([row[key] for row in there] for key in ("true_share", "prior"))
    axes.scatter(x, y, s=14, alpha=0.6, color=COLOURS[0], linewidths=0, label="class with its code")
    if absent:
        x = [row["true_share"] for row in absent]
        axes.scatter(x, [0.0] * len(x), s=22, marker="x", color=COLOURS[1], label="class without a code")
    rmse = np.mean([line["prior_rmse"] for line in lines])
    axes.set_title(f"{name}: RMSE {rmse:.4f}", fontsize=10)
    axes.set(xlim=(0, limit), ylim=(-0.01 * limit, limit), aspect="equal")
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
