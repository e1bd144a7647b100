"""Each stage's step against the machine's own peak: images/s, GFLOP/s, and their share of what it can do.

    python benchmarks/step.py [--recipes elastic,paper] [--batches 64,256] [--out step.json]

In fp32 and, where the CPU has instructions for it, in bf16. The peak is what a matrix product and a stride-2
convolution of comfortable sizes reach on this machine; the larger of the two in the precision of the step
counts. Peak and steps take turns in one process, and shares are taken within each round. Operations are
counted by torch's own counter (matrix products and convolutions, forwards and backwards).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from machine import arguments, describe, report, spread, use_threads
from torch.utils.flop_counter import FlopCounterMode

from elastic_infogan.core.precision import multiplies_bf16
from elastic_infogan.data.sources import load
from elastic_infogan.training import loop
from elastic_infogan.training.config import Precision
from elastic_infogan.training.recipes import named
from elastic_infogan.training.state import State, setup

__all__ = ["main"]

SIDE = 2048
"""rows and columns of the matrix product"""

BLOCK = 8
"""steps in a turn: as many as lie between two in which recipe `elastic` teaches Q"""

STEPS = {"elastic": ("encode", "refine", "play"), "paper": ("play",)}
"""stages of a recipe; any other has the last alone"""


def rate(work: Callable[[], object], operations: float) -> float:
    """GFLOP/s of one call."""
    began = time.perf_counter()
    work()
    return operations / (time.perf_counter() - began) / 1e9


def peaks(dtype: torch.dtype) -> dict[str, Callable[[], float]]:
    """Kernels whose rate is the machine's peak: each returns GFLOP/s when called."""
    a, b = torch.randn(2, SIDE, SIDE).to(dtype)
    convolution = torch.nn.Conv2d(64, 128, 4, 2, 1).to(dtype).to(memory_format=torch.channels_last)
    images = torch.randn(256, 64, 14, 14).to(dtype).contiguous(memory_format=torch.channels_last)
    multiplications = 256 * 7 * 7 * 128 * 64 * 4 * 4
    return {
        "matrix product": lambda: rate(lambda: a @ b, 2 * SIDE**3),
        "convolution": lambda: rate(lambda: convolution(images), 2 * multiplications),
    }


def prepared(recipe: str, stage: str, batch: int, precision: Precision) -> State:
    """A state that stands in `stage`, its labels drawn as discovery would hand them over."""
    config = replace(named(recipe), source="mnist", classes=10, steps=10**9, device="cpu", batch=batch)
    config = replace(config, precision=precision, schedule=replace(config.schedule, encode_batch=2 * batch))
    state = setup(config, load("mnist").images)
    state.stage = stage
    if state.config.schedule.encode and stage != "encode":
        state.labels = torch.randint(10, (len(state.batches),))
    return state


def figures_of(recipe: str, stage: str, batch: int, precision: Precision, rounds: int) -> dict[str, Any]:
    """One stage of one recipe at one batch in one precision."""
    state = prepared(recipe, stage, batch, precision)

    def block() -> None:
        for _ in range(BLOCK):
            loop.STEPS[stage](state)
            state.step += 1

    drawn = state.config.schedule.encode_batch if stage in ("encode", "refine") else batch
    with FlopCounterMode(display=False) as counter:
        block()
    operations = counter.get_total_flops()
    dtype = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
    kernels = peaks(dtype)
    for kernel in kernels.values():
        kernel()
    block()
    achieved, best, seconds = [], [], []
    for _ in range(rounds):
        best.append({name: max(kernel() for _ in range(3)) for name, kernel in kernels.items()})
        achieved.append(rate(block, operations))
        seconds.append(operations / achieved[-1] / 1e9 / BLOCK)
    return {
        "batch": drawn,
        "precision": str(dtype).removeprefix("torch."),
        "gflop_per_step": round(operations / 1e9 / BLOCK, 2),
        "images_per_s": spread([drawn / s for s in seconds], 0),
        "gflop_per_s": spread(achieved, 1),
        **{f"peak {name}": spread([peak[name] for peak in best], 1) for name in kernels},
        "share_of_peak": spread([a / max(p.values()) for a, p in zip(achieved, best, strict=True)], 2),
    }


def line(found: dict[str, Any]) -> str:
    """One row of what is printed."""
    product, convolution = (found[f"peak {name}"]["median"] for name in ("matrix product", "convolution"))
    return (
        f"{found['batch']:4} images {found['images_per_s']['median']:7,.0f} images/s  "
        f"{found['gflop_per_step']:6.1f} GFLOP a step  {found['gflop_per_s']['median']:6.1f} GFLOP/s, "
        f"{100 * found['share_of_peak']['median']:.0f} % of the peak in {found['precision']} "
        f"(product {product:.0f}, convolution {convolution:.0f})"
    )


def main() -> None:
    """Measure, print and, where asked, write."""
    parser = arguments("Each stage's step against the machine's own peak.")
    parser.add_argument("--recipes", default="elastic,paper", help="recipes, by commas")
    parser.add_argument("--batches", default="64,256", help="images in a step of the game, by commas")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each")
    options = parser.parse_args()
    use_threads(options.threads)
    machine, figures = describe(), {}
    precisions: list[Precision] = ["32-true", "bf16-mixed"] if multiplies_bf16("cpu") else ["32-true"]
    recipes, batches = options.recipes.split(","), [int(n) for n in options.batches.split(",")]
    stages = [(recipe, stage) for recipe in recipes for stage in STEPS.get(recipe, ("play",))]
    for (recipe, stage), batch, precision in itertools.product(stages, batches, precisions):
        found = figures_of(recipe, stage, batch, precision, options.rounds)
        figures[f"{recipe} {stage} {batch} {precision}"] = found
        print(f"{recipe} {stage:7} {line(found)}", flush=True)
    report("step", machine, figures, options.out)


if __name__ == "__main__":
    main()
