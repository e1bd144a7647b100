"""Images/s of recipe `paper`'s real training step against the same mathematics written plainly.

    python benchmarks/throughput.py [--out throughput.json]

The package's side is `training.steps.play` on a state from `training.state.setup`, everything in it: batch,
views, losses, optimisers, G's average, meters. The other side is `plain.py`, whose docstring says what
plain means. Both train on MNIST at batch 64 and take turns, block by block, so that a machine that speeds
up or slows down does so for both; the ratio is taken within each round. Each side has a process of its own,
which waits while the other works, so that neither gains from what the other asked of the C library.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import torch
from machine import arguments, describe, report, spread, use_threads
from plain import Networks, PlainStep

from elastic_infogan.data.sources import load
from elastic_infogan.data.views import IdentityViews
from elastic_infogan.training import steps
from elastic_infogan.training.hardware import choose_precision
from elastic_infogan.training.presets import filled, ranges
from elastic_infogan.training.recipes import named
from elastic_infogan.training.state import setup

__all__ = ["Side", "alternate", "main"]

BATCH = 64
"""images in a step, as published"""


def product() -> tuple[Callable[[], object], dict[str, str]]:
    """Recipe `paper`'s step on the CPU, and what it computes in."""
    config = replace(named("paper"), source="mnist", classes=10, steps=10**9, device="cpu", batch=BATCH)
    state = setup(config, load("mnist").images)
    state.stage = "play"
    facts = {"precision": choose_precision(config.precision, "cpu"), "layout": layout(state.model)}
    return lambda: steps.play(state), facts


def plain() -> tuple[Callable[[], object], dict[str, str]]:
    """The plain step, and what it computes in."""
    networks = Networks()
    views = IdentityViews(**ranges(filled(named("paper").views)))
    step = PlainStep(networks, load("mnist").images, views, BATCH)
    return step, {"precision": "32-true", "layout": layout(networks)}


def layout(module: torch.nn.Module) -> str:
    """The memory order of a network's convolutions of more than one channel."""
    kernels = [p for p in module.parameters() if p.dim() == 4 and min(p.shape[:2]) > 1]
    last = all(p.is_contiguous(memory_format=torch.channels_last) for p in kernels)
    return "channels_last" if last else "NCHW"


def serve(
    make: Callable[[], tuple[Callable[[], object], dict[str, str]]], threads: int, pipe: Connection
) -> None:
    """In a child: build a side, then answer each number of steps with the seconds that they took."""
    torch.set_num_threads(threads)
    step, facts = make()
    step()
    pipe.send(facts)
    while n := pipe.recv():
        began = time.perf_counter()
        for _ in range(n):
            step()
        pipe.send(time.perf_counter() - began)


class Side:
    """A child process that times steps of one implementation when asked.

    Arguments:
        make: builds the step; called in the child.
    """

    def __init__(self, make: Callable[[], tuple[Callable[[], object], dict[str, str]]]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(make, torch.get_num_threads(), theirs), daemon=True
        )
        self.process.start()
        theirs.close()  # so that a child that fails ends the wait for it
        self.facts = self.pipe.recv()

    def rate(self, n: int) -> float:
        """Images/s of `n` steps."""
        self.pipe.send(n)
        return BATCH * n / float(self.pipe.recv())

    def close(self) -> None:
        """End the child."""
        self.pipe.send(0)
        self.process.join()


def alternate(ours: Side, theirs: Side, rounds: int, block: int) -> list[tuple[float, float]]:
    """Images/s of both in each round of `block` steps of one, then of the other, after a warm-up."""
    ours.rate(2), theirs.rate(2)
    return [(ours.rate(block), theirs.rate(block)) for _ in range(rounds)]


def measure(rounds: int, block: int) -> dict[str, Any]:
    """Both sides, with the precision and memory order that each has."""
    sides = {"product": Side(product), "plain": Side(plain)}
    rates = alternate(sides["product"], sides["plain"], rounds, block)
    figures: dict[str, Any] = {"batch": BATCH, "rounds": rounds, "steps_per_block": block}
    for (name, side), of_side in zip(sides.items(), zip(*rates, strict=True), strict=True):
        figures[name] = {**side.facts, "images_per_s": spread(of_side, 1)}
        side.close()
    return figures | {"ratio": spread([a / b for a, b in rates], 2)}


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
