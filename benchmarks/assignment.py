"""Images/s of `elastic-infogan assign` on all of MNIST after start-up, and where its time goes.

    python benchmarks/assignment.py [--recipes elastic,paper] [--out assignment.json]

Timed by the functions behind the verb, from the first batch to the closed CSV; loading torch, the model and
the images came before. The model is of a run of a few steps: the time does not depend on its weights.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import arguments, describe, report, spread, use_threads
from numpy.typing import NDArray

from elastic_infogan.apps.assignments import write_assignments
from elastic_infogan.apps.inference import posteriors
from elastic_infogan.apps.names import ClassNames
from elastic_infogan.core.model import ElasticInfoGAN
from elastic_infogan.data.images import ImageSet
from elastic_infogan.data.sources import load
from elastic_infogan.training.loop import train
from elastic_infogan.training.recipes import named
from elastic_infogan.training.run import Run

__all__ = ["main"]

Posteriors = Iterable[NDArray[np.float64]]


def trained(recipe: str, images: ImageSet, folder: Path) -> ElasticInfoGAN:
    """The model of a run of a few steps on a few of the images, read back as the verb does."""
    config = replace(named(recipe), source="mnist", classes=10, steps=8, size=images.size[0])
    run = Run.create(folder / recipe, config)
    train(images.images[:2000], run)
    return Run.open(run.path).load_model()


class Stopwatch:
    """Passes batches on and keeps the time that it took to make them."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, batches: Posteriors) -> Iterator[NDArray[np.float64]]:
        """The same batches."""
        source = iter(batches)
        while True:
            began = time.perf_counter()
            batch = next(source, None)
            self.seconds += time.perf_counter() - began
            if batch is None:
                return
            yield batch


def measure(model: ElasticInfoGAN, images: ImageSet, out: Path, rounds: int) -> dict[str, Any]:
    """Rate of the whole, and the share of it that the networks take."""
    rates, shares = [], []
    for _ in range(rounds):
        watch, began = Stopwatch(), time.perf_counter()
        write_assignments(out, images, watch(posteriors(model, images.images)), ClassNames(model.n_classes))
        seconds = time.perf_counter() - began
        rates.append(len(images) / seconds)
        shares.append(watch.seconds / seconds)
    return {"images": len(images), "images_per_s": spread(rates, 0), "networks_share": spread(shares)}


def main() -> None:
    """Measure, print and, where asked, write."""
    parser = arguments("Rate of `assign` on all of MNIST.")
    parser.add_argument("--recipes", default="elastic", help="recipes whose networks to use, by commas")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions")
    options = parser.parse_args()
    use_threads(options.threads)
    machine, images, figures = describe(), load("mnist"), {}
    with tempfile.TemporaryDirectory() as folder:
        for recipe in options.recipes.split(","):
            model = trained(recipe, images, Path(folder))
            figures[recipe] = measure(model, images, Path(folder, "assignments.csv"), options.rounds)
            rate, share = figures[recipe]["images_per_s"], figures[recipe]["networks_share"]["median"]
            print(
                f"assign, {recipe}: {rate['median']:,.0f} images/s ({rate['min']:,.0f}–{rate['max']:,.0f}), "
                f"{share:.0%} of it in the networks"
            )
    report("assignment", machine, figures, options.out)


if __name__ == "__main__":
    main()
