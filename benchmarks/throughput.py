"""Images/s of recipe `paper`'s real training step against the same mathematics written plainly.

    python benchmarks/throughput.py [--out throughput.json]

The product's side is `training.steps.play` on a state from `training.state.setup`, everything in it: batch,
views, losses, optimisers, G's average, meters. The other side is `plain.py`, whose docstring says what
plain means. Both train on MNIST at batch 64 in one process and take turns, block by block, so that a
machine that speeds up or slows down does so for both; the ratio is taken within each round.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from machine import arguments, describe, report, spread, use_threads
from numpy.typing import NDArray
from plain import Networks, PlainStep

from elastic_infogan.data.sources import load
from elastic_infogan.training import steps
from elastic_infogan.training.hardware import choose_precision
from elastic_infogan.training.recipes import named
from elastic_infogan.training.state import State, setup

__all__ = ["alternate", "main"]

BATCH = 64
"""images in a step, as published"""


def product_state(images: NDArray[np.uint8]) -> State:
    """Recipe `paper` on the CPU, ready to play."""
    config = replace(named("paper"), source="mnist", classes=10, steps=10**9, device="cpu", batch=BATCH)
    state = setup(config, images)
    state.stage = "play"
    return state


def seconds(step: Callable[[], object], n: int) -> float:
    """Time of `n` steps."""
    began = time.perf_counter()
    for _ in range(n):
        step()
    return time.perf_counter() - began


def alternate(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int, block: int
) -> tuple[list[float], list[float]]:
    """Images/s of both in each round of `block` steps of one, then of the other, after a warm-up."""
    for step in (ours, theirs):
        seconds(step, 2)
    timed = [(seconds(ours, block), seconds(theirs, block)) for _ in range(rounds)]
    images = BATCH * block
    return [images / a for a, _ in timed], [images / b for _, b in timed]


def layout(module: torch.nn.Module) -> str:
    """The memory order of a network's convolutions of more than one channel."""
    kernels = [p for p in module.parameters() if p.dim() == 4 and min(p.shape[:2]) > 1]
    last = all(p.is_contiguous(memory_format=torch.channels_last) for p in kernels)
    return "channels_last" if last else "NCHW"


def measure(rounds: int, block: int) -> dict[str, Any]:
    """Both sides, with the precision and memory order that each has."""
    images = load("mnist").images
    state = product_state(images)
    networks = Networks()
    networks.copy_from(state.model)
    plain = PlainStep(networks, images, state.views, BATCH)
    ours, theirs = alternate(lambda: steps.play(state), plain, rounds, block)
    precision = choose_precision(state.config.precision, "cpu")
    return {
        "batch": BATCH,
        "rounds": rounds,
        "steps_per_block": block,
        "product": {"precision": precision, "layout": layout(state.model), "images_per_s": spread(ours, 1)},
        "plain": {"precision": "32-true", "layout": layout(networks), "images_per_s": spread(theirs, 1)},
        "ratio": spread([a / b for a, b in zip(ours, theirs, strict=True)], 2),
    }


def main() -> None:
    """Measure, print and, where asked, write."""
    parser = arguments("Throughput of recipe paper's step against plain PyTorch.")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side")
    parser.add_argument("--block", type=int, default=4, help="steps in a turn")
    options = parser.parse_args()
    use_threads(options.threads)
    machine = describe()
    figures = measure(options.rounds, options.block)
    for side in ("product", "plain"):
        rate = figures[side]["images_per_s"]
        print(
            f"{side:8} {rate['median']:7,.0f} images/s ({rate['min']:,.0f}–{rate['max']:,.0f})  "
            f"{figures[side]['precision']}, {figures[side]['layout']}"
        )
    ratio = figures["ratio"]
    print(f"ratio    {ratio['median']:7.2f} (median of {options.rounds}; {ratio['min']}–{ratio['max']})")
    report("throughput", machine, figures, options.out)


if __name__ == "__main__":
    main()
