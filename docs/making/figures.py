"""Draws the figures of the documentation: from formulae, from bundled digits, and from two finished runs.

elastic-infogan train mnist --imbalance random:0 --minutes 10 --out runs/demo
elastic-infogan evaluate runs/demo
elastic-infogan train mnist --imbalance random:0 --recipe paper --steps 1706 --out runs/paper
elastic-infogan evaluate runs/paper
python docs/making/figures.py --elastic runs/demo --paper runs/paper --out docs/figures
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from sklearn.manifold import TSNE

from elastic_infogan.apps.gallery import open_gallery
from elastic_infogan.core.functional import gumbel_softmax, sample_gumbel
from elastic_infogan.data.sources import load
from elastic_infogan.data.views import IdentityViews
from elastic_infogan.training import steps
from elastic_infogan.training.counting import OF_ONE_KIND, count
from elastic_infogan.training.discovery import looks_of
from elastic_infogan.training.grouping import Looks, compared, grouped
from elastic_infogan.training.presets import PRESETS, ranges
from elastic_infogan.training.recipes import ELASTIC
from elastic_infogan.training.run import Run
from elastic_infogan.training.sought import Sought
from elastic_infogan.training.state import setup

__all__ = ["FIGURES", "main"]

INK, FAINT = "#30363d", "#c9d1d9"
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif", "font.size": 9, "axes.titlesize": 9.5, "axes.spines.top": False,
    "axes.spines.right": False, "axes.edgecolor": FAINT, "xtick.color": INK, "ytick.color": INK,
    "axes.labelcolor": INK, "text.color": INK, "savefig.facecolor": "white",
}  # fmt: skip
TEN = colormaps["tab10"]


def gumbel(path: Path, runs: argparse.Namespace) -> None:
    """Relaxed samples of three classes on their triangle, at four temperatures."""
    torch.manual_seed(0)
    p = torch.tensor([0.6, 0.3, 0.1])
    noise = sample_gumbel((1500, 3), p)
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.866]])
    figure = Figure(figsize=(9, 2.5), layout="constrained")
    for axes, temperature in zip(figure.subplots(1, 4), (0.1, 0.5, 1.0, 5.0), strict=True):
        samples = gumbel_softmax(p.log(), noise, temperature).numpy()
        axes.plot(*corners[[0, 1, 2, 0]].T, color=FAINT, linewidth=1)
        places, chosen = samples @ corners, samples.argmax(axis=1)
        axes.scatter(*places.T, s=5, alpha=0.35, c=[TEN(k) for k in chosen], linewidths=0)
        for k, (x, y) in enumerate(corners):
            below = -0.1 if y == 0 else 0.06
            axes.text(x, y + below, f"$p_{k}$ = {p[k]:.1f}", ha="center", va="center", fontsize=8)
        axes.set_title(f"τ = {temperature:g}", y=1.04)
        axes.set(xlim=(-0.2, 1.2), ylim=(-0.16, 1.0), aspect="equal")
        axes.axis("off")
    _save(figure, path)


def uniform(path: Path, runs: argparse.Namespace) -> None:
    """One posterior on the demo's images, read as it is and with every class forced to hold 1/K of them."""
    gallery = open_gallery(runs.elastic)
    labels = np.asarray(gallery.images.labels)
    log_q = np.log(np.maximum(gallery.answers.probabilities.astype(np.float64), 1e-12))
    code_of = _matching(runs.elastic)
    figure = Figure(figsize=(9, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    _matrix(left, labels, gallery.answers.codes, code_of, "classes as large as they are")
    _matrix(right, labels, _of_equal_size(log_q), code_of, "every class forced to hold a tenth")
    _save(figure, path)


def _of_equal_size(log_q: NDArray[np.float64]) -> NDArray[np.int64]:
    """The likeliest classes `(N,)` by log Q `(N, K)` among those that give every class as many images.

    Each class has a price, which rises while too many images want it: dual ascent on the assignment problem.
    """
    n, k = log_q.shape
    price = np.zeros(k)
    for i in range(1500):
        wanted = (log_q - price).argmax(axis=1)
        price += 20 * 0.996**i * (np.bincount(wanted, minlength=k) / n - 1 / k)
    return wanted


def _save(figure: Figure, path: Path, colours: int = 128) -> None:
    """As a PNG of few colours, which a drawing can do with and a page loads fast."""
    figure.savefig(path.with_suffix(".png"), dpi=140)
    with Image.open(path.with_suffix(".png")) as drawn:
        few = drawn.convert("RGB").quantize(colours)
    few.save(path.with_suffix(".png"), optimize=True)


def _matching(run: Path) -> list[int]:
    """The code of each digit, most common digit first, as `evaluate` matched them."""
    rows = json.loads((run / "metrics.json").read_text())["classes"]
    return [row["code"] for row in sorted(rows, key=lambda row: -row["true_share"])]


def _matrix(
    axes: Axes, labels: NDArray[np.int64], codes: NDArray[np.int64], code_of: list[int], title: str
) -> None:
    order = np.argsort(-np.bincount(labels), kind="stable")
    counts = np.array([[((labels == d) & (codes == k)).sum() for d in order] for k in code_of])
    axes.imshow(counts / counts.sum(axis=0), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (k, d), n in np.ndenumerate(counts):
        if n >= 0.02 * counts[:, d].sum():
            strong = n > 0.6 * counts[:, d].sum()
            axes.text(d, k, f"{n:,}", ha="center", va="center", fontsize=7, color="white" if strong else INK)
    axes.set_xticks(range(len(order)), [f"{d}" for d in order])
    axes.set_yticks(range(len(order)), [f"{k}" for k in code_of])
    axes.set(xlabel="digit, most common first", ylabel="class", title=title)


def views(path: Path, runs: argparse.Namespace) -> None:
    """Five images of MNIST and eight views of each, by the preset for digits."""
    images = load("mnist").images[[1, 5, 13, 17, 25]]
    torch.manual_seed(0)
    make = IdentityViews(**ranges(PRESETS["digits"]))
    batch = torch.from_numpy(images).permute(0, 3, 1, 2)
    shown = [batch.float() / 127.5 - 1, *(make(batch) for _ in range(8))]
    cells = torch.stack(shown, 1).add(1).mul(127.5).clamp(0, 255).to(torch.uint8).numpy()[:, :, 0]
    gap = np.full((5, 9, 32, 32), 255, np.uint8)
    gap[:, :, 2:30, 2:30] = cells
    sheet = gap.transpose(0, 2, 1, 3).reshape(5 * 32, 9 * 32)
    sheet = np.concatenate([sheet[:, :32], np.full((160, 16), 255, np.uint8), sheet[:, 32:]], axis=1)
    whole = Image.fromarray(sheet)
    whole.resize((whole.width * 3, whole.height * 3), Image.Resampling.NEAREST).save(
        path.with_suffix(".png"), optimize=True
    )


def found(path: Path, runs: argparse.Namespace) -> None:
    """The way from features to classes on the bundled digits: small clusters, joined, and what is true."""
    digits = load("digits")
    looks = _encoded(digits.images)
    small = compared(looks, 10, 0).clusters(100, 0)
    classes = grouped(looks, 10, 0).classes
    places = TSNE(metric="cosine", init="pca", random_state=0).fit_transform(looks.features.numpy())
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    shades = np.random.default_rng(0).uniform(0.15, 0.85, (100, 3))
    panels = figure.subplots(1, 3)
    for axes, colours, title in (
        (panels[0], shades[small], "1. a hundred small clusters"),
        (panels[1], [TEN(k) for k in classes], "2. joined into ten classes"),
        (panels[2], [TEN(k) for k in np.asarray(digits.labels)], "for comparison: the labels"),
    ):
        axes.scatter(*places.T, s=5, c=colours, linewidths=0)
        axes.set_title(title)
        axes.axis("off")
    _save(figure, path)


def _encoded(images: NDArray[np.uint8]) -> Looks:
    """What images are compared by after 600 steps of the first stage."""
    state = setup(replace(ELASTIC, source="digits", classes=10, steps=600), images)
    for group in state.optimisers["q"].param_groups:
        group["lr"] = group["encode"]
    for _ in range(600):
        steps.encode(state)
    steps.settle(state)
    return looks_of(state, torch.arange(len(images)))


def closeness(path: Path, runs: argparse.Namespace) -> None:
    """How close the two closest groups are while the digits are joined further, and where that stops."""
    found = count(_encoded(load("digits").images), Sought(2, 30), seed=0)
    figure = Figure(figsize=(6.5, 2.6), layout="constrained")
    axes = figure.subplots()
    k = np.arange(2, len(found.closeness) + 2)
    axes.bar(k, found.closeness, color=[TEN(0) if n <= found.found else FAINT for n in k], width=0.7)
    axes.axhline(OF_ONE_KIND, color=TEN(3), linewidth=1)
    axes.text(k[-1] + 0.6, OF_ONE_KIND + 0.02, "of one kind above", ha="right", fontsize=8, color=TEN(3))
    axes.set(xlabel="groups left", ylabel="closeness of the closest two", xlim=(1.4, k[-1] + 0.7))
    axes.set_title(f"{found.found} classes found ({found.low} to {found.high}), {found.how_sure}")
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})


def priors(path: Path, runs: argparse.Namespace) -> None:
    """The class prior over training, published recipe and default, with the true shares at the end."""
    figure = Figure(figsize=(9, 3.1), layout="constrained")
    pairs = ((runs.paper, "recipe paper"), (runs.elastic, "recipe elastic"))
    for axes, (run, title) in zip(figure.subplots(1, 2, sharey=True), pairs, strict=True):
        stats = Run.open(run).stats()
        k = len(stats[0]["prior"])
        minutes = np.array([0, *(line["seconds"] / 60 for line in stats)])
        prior = np.array([[1 / k] * k, *(line["prior"] for line in stats)])
        for code in range(k):
            axes.plot(minutes, prior[:, code], color=TEN(code), linewidth=1.5)
        for row in json.loads((run / "metrics.json").read_text())["classes"]:
            axes.plot(minutes[-1] * 1.04, row["true_share"], "o", color=TEN(row["code"]), markersize=5)
        axes.axhline(1 / k, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.set(title=title, xlabel="minutes of training", ylim=(0, None))
        schedule = Run.open(run).config.schedule
        if schedule.encode:
            for name, part in (("refine", schedule.encode), ("play", schedule.encode + schedule.refine)):
                axes.axvline(part * minutes[-1], color=FAINT, linewidth=0.8)
                axes.text(part * minutes[-1], 0.003, f" {name}", fontsize=8)
    figure.axes[0].set_ylabel("class probability p, one line a class")
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})


def grown(path: Path, runs: argparse.Namespace) -> None:
    """What the generator of the demo's run made at four moments of the game: six columns of each grid."""
    grids = sorted((runs.elastic / "samples").glob("*.png"))
    chosen = [*grids[:3], grids[-1]]
    figure = Figure(figsize=(9, 4.0), layout="constrained")
    for axes, file in zip(figure.subplots(1, 4), chosen, strict=True):
        with Image.open(file) as grid:
            columns = grid.width * 6 // 16
            axes.imshow(np.asarray(grid.convert("L"))[:, :columns], cmap="gray", vmin=0, vmax=255)
        axes.set_title(f"step {int(file.stem.split('-')[1]):,}")
        axes.axis("off")
    _save(figure, path, 16)


FIGURES = {f.__name__: f for f in (gumbel, uniform, views, found, closeness, priors, grown)}


def main() -> None:
    """Draw all figures, or those named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--elastic", type=Path, default=Path("runs/demo"), help="a run of recipe elastic")
    parser.add_argument("--paper", type=Path, default=Path("runs/paper"), help="a run of recipe paper")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    parser.add_argument("names", nargs="*", default=list(FIGURES), help=", ".join(FIGURES))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    with rc_context(STYLE | {"svg.hashsalt": "elastic-infogan"}):
        for name in asked.names:
            FIGURES[name](asked.out / name, asked)


if __name__ == "__main__":
    main()
