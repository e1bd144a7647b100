"""The share of a run's time that is not the networks' step: data, views, logging and the loop itself.

    python benchmarks/overhead.py [--recipes elastic,paper] [--out overhead.json]

One real run of each recipe on MNIST, by `training.loop.train` with a small budget, its functions wrapped
from outside with clocks. What counts as what:

- data: drawing a batch, converting it to floats and to the networks' memory order;
- views: the identity-preserving transformations;
- logging: adding up losses, and, since a short run writes out of proportion, the measured cost of a line
  of statistics and of a checkpoint with its samples, spread over the seconds between two of them;
- loop: what `fit` does around a step;
- networks: the rest of the step, that is passes, gradients, optimisers and G's average.

What a run does once, finding the classes among the features and counting the shares at the end, is given in
seconds, as is a checkpoint.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from machine import arguments, describe, report, use_threads
from numpy.typing import NDArray

from elastic_infogan.data.batches import ImageBatches
from elastic_infogan.data.sources import load
from elastic_infogan.data.views import IdentityViews
from elastic_infogan.training import discovery, loop, steps
from elastic_infogan.training.config import Config
from elastic_infogan.training.recipes import named
from elastic_infogan.training.run import Run
from elastic_infogan.training.telemetry import Meter

__all__ = ["Clocks", "main"]

WITHIN_STEP = (
    (ImageBatches, "draw", "data"),
    (ImageBatches, "gather", "data"),
    (steps, "to_range", "data"),
    (IdentityViews, "__call__", "views"),
    (Meter, "add", "logging"),
)
"""owner, function and what its time counts as"""

WITHIN_LABELS = ("data", "views", "logging")

AROUND_STEP = (
    (loop, "set_learning_rates", "loop"),
    (loop, "write_line", "line"),
    (loop, "save", "save"),
    (discovery, "balance", "balance"),
    (discovery, "discover", "discover"),
    (discovery, "assign", "assign"),
)


class Clocks:
    """Seconds and calls by stage and by what they count as."""

    def __init__(self) -> None:
        self.stage = ""
        self.in_step = False
        self.seconds: dict[tuple[str, str], list[float]] = defaultdict(list)

    def timed(self, function: Callable[..., Any], label: str) -> Callable[..., Any]:
        """`function` with its time added to `label`; what a step uses counts within steps only."""

        def call(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                if self.in_step or label not in WITHIN_LABELS:
                    self.seconds[self.stage, label].append(time.perf_counter() - began)

        return call

    def step(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The step of a stage; its first two calls are warm-up and forgotten."""
        timed = self.timed(function, "step")

        def call(*args: Any) -> None:
            self.stage, self.in_step = stage, True
            timed(*args)
            self.in_step = False
            if len(self.seconds[stage, "step"]) == 2 and (stage, "warm") not in self.seconds:
                self.seconds = defaultdict(list, {k: v for k, v in self.seconds.items() if k[0] != stage})
                self.seconds[stage, "warm"] = []

        return call

    def total(self, stage: str, label: str) -> float:
        """Seconds of one stage and label."""
        return sum(self.seconds[stage, label])

    def once(self, label: str) -> list[float]:
        """The times of a label in every stage."""
        return [t for (_, name), times in self.seconds.items() if name == label for t in times]


def run_timed(config: Config, images: NDArray[np.uint8]) -> Clocks:
    """Train with clocks on."""
    clocks = Clocks()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        for owner, name, label in WITHIN_STEP + AROUND_STEP:
            wrapped = clocks.timed(getattr(owner, name), label)
            # a class needs a plain function, so that its instances are passed as self
            stack.enter_context(patch.object(owner, name, wrapped))
        timed = {stage: clocks.step(stage, step) for stage, step in loop.STEPS.items()}
        stack.enter_context(patch.dict(loop.STEPS, timed))
        loop.train(images, Run.create(Path(folder, "run"), config))
    return clocks


def shares(clocks: Clocks, config: Config, stage: str) -> dict[str, float]:
    """Percent of the time of a stage by what it went into."""
    step = clocks.total(stage, "step")
    inside = {label: clocks.total(stage, label) for label in WITHIN_LABELS}
    loop_seconds = clocks.total(stage, "loop")
    line, save = np.median(clocks.once("line")), np.median(clocks.once("save"))
    per_second = line / config.interval + save / (config.interval * loop.LINES_PER_CHECKPOINT)
    written = float(per_second) * (step + loop_seconds)
    whole = step + loop_seconds + written
    parts = {**inside, "loop": loop_seconds}
    parts["logging"] += written
    percent = {name: round(100 * value / whole, 2) for name, value in parts.items()}
    return {**percent, "outside": round(sum(percent.values()), 2)}


def measure(recipe: str, images: NDArray[np.uint8], n: int) -> dict[str, Any]:
    """Shares of each stage of a recipe in a run of `n` steps."""
    config = replace(named(recipe), source="mnist", classes=10, steps=n, size=images.shape[1])
    # Lines and checkpoints come often enough to be timed, and are counted as often as the recipe writes them.
    clocks = run_timed(replace(config, interval=0.5), images)
    stages = {stage: shares(clocks, config, stage) for stage in loop.STEPS if clocks.total(stage, "step")}
    labels = {"balance_s": "balance", "discover_s": "discover", "checkpoint_s": "save", "assign_s": "assign"}
    once = {name: clocks.once(label) for name, label in labels.items()}
    return {"steps": n, "percent": stages} | {k: round(float(np.median(v)), 2) for k, v in once.items() if v}


def main() -> None:
    """Measure, print and, where asked, write."""
    parser = arguments("Share of training time outside the networks' step.")
    parser.add_argument("--recipes", default="elastic,paper", help="recipes to run, by commas")
    parser.add_argument("--steps", type=int, default=48, help="budget of each run")
    options = parser.parse_args()
    use_threads(options.threads)
    machine, images, figures = describe(), load("mnist").images, {}
    for recipe in options.recipes.split(","):
        figures[recipe] = measure(recipe, images, options.steps)
        for stage, percent in figures[recipe]["percent"].items():
            parts = ", ".join(f"{name} {value:.1f} %" for name, value in percent.items() if name != "outside")
            print(f"{recipe} {stage:7} {percent['outside']:5.1f} % outside the networks' step ({parts})")
        once = [f"{k.removesuffix('_s')} {v} s" for k, v in figures[recipe].items() if k.endswith("_s")]
        print(f"{recipe} each time: {', '.join(once)}")
    report("overhead", machine, figures, options.out)


if __name__ == "__main__":
    main()
