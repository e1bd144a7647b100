"""Charts as inline SVG that take their colours from the page, so that they suit light, dark and paper."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = ["BANDS", "curve", "prior_over_time"]

SIZE = (4.2, 2.5)
"""inches; at 72 points an inch the text keeps its size on a phone"""

MOMENTS = 200
"""at most of a curve of bands: a point for each four pixels of a screen"""
BANDS = 10
"""colours of the page for classes: --band-0 … --band-9, repeated where there are more"""

_INK, _LINE, _FAINT, _BACK = "#010101", "#020202", "#030303", "#050505"
_BAND = [f"#0401{k:02x}" for k in range(BANDS)]
# The figure is drawn in colours that nobody would choose, each then replaced by a colour of the page.
_COLOURS = {_INK: "var(--ink-2)", _LINE: "var(--accent)", _FAINT: "var(--rule)", _BACK: "var(--bg)"} | {
    colour: f"var(--band-{k})" for k, colour in enumerate(_BAND)
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be searched, read aloud and takes the page's font
    "svg.hashsalt": "elastic-infogan",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}

Stages = Sequence[tuple[str, float, float]]
"""name, first and last minute of each stage of training"""


def curve(title: str, minutes: Sequence[float], values: Sequence[float], stages: Stages) -> str:
    """One loss over the minutes of training, as SVG."""
    with rc_context(_STYLE):
        figure, axes = _axes(stages)
        axes.plot(minutes, values, color=_LINE, linewidth=1.6, marker="o" if len(values) < 3 else None)
        axes.set_xlim(0, max(stages[-1][2], 1e-6))
        axes.margins(y=0.15)
        said = f"{title}: from {values[0]:.3g} to {values[-1]:.3g} over {minutes[-1]:.3g} minutes"
        return _svg(figure, said)


def prior_over_time(minutes: NDArray[np.float64], prior: NDArray[np.float64], stages: Stages) -> str:
    """The class prior `(T, K)` as bands whose heights are shares, as SVG; the largest are named."""
    few = np.unique(np.linspace(0, len(minutes) - 1, MOMENTS).astype(int))
    minutes, prior = minutes[few], prior[few]
    with rc_context(_STYLE):
        figure, axes = _axes(stages)
        colours = [_BAND[k % BANDS] for k in range(prior.shape[1])]
        axes.stackplot(minutes, prior.T, colors=colours, edgecolor=_BACK, linewidth=0.6)
        tops = prior[-1].cumsum()
        for k, (top, share) in enumerate(zip(tops, prior[-1], strict=True)):
            if share >= 0.035:  # the height of a line of text
                axes.annotate(
                    str(k), (1.0, top - share / 2), (5, 0), xycoords=("axes fraction", "data"),
                    textcoords="offset points", va="center", fontsize=8,
                )  # fmt: skip
        axes.set_xlim(0, max(minutes[-1], 1e-6))
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        largest = (f"{prior[-1][k]:.0%} class {k}" for k in np.argsort(-prior[-1], kind="stable")[:3])
        return _svg(
            figure, f"Class prior over time, one band a class; the largest in the end: {', '.join(largest)}"
        )


def _axes(stages: Stages) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel("minutes of training")
    axes.tick_params(length=3)
    axes.grid(axis="y", color=_FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    for name, first, last in stages:
        if first > 0:
            axes.axvline(first, color=_FAINT, linewidth=0.8, linestyle=(0, (3, 3)))
        axes.annotate(
            name, ((first + last) / 2, 1.01), xycoords=("data", "axes fraction"),
            ha="center", va="bottom", fontsize=8,
        )  # fmt: skip
    return figure, axes


def _svg(figure: Figure, said: str) -> str:
    """The figure as an `<svg>` element: no namespaces, no fixed size, and names that no other chart has."""
    buffer = StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Type", "Format")))
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'\s(width|height)="[\d.]+pt"', "", text, count=2)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text)
    unique = hashlib.sha256(said.encode()).hexdigest()[:8]
    text = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{unique}-", text)
    for colour, variable in _COLOURS.items():
        text = text.replace(colour, variable)
    return text.replace("<svg", f'<svg role="img" aria-label="{html.escape(said)}"', 1)
