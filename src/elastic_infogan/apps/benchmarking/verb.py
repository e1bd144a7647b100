"""The arguments and help of the verb `benchmark`, and of `trial`, which it calls by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from elastic_infogan.training.config import Config

__all__ = ["Switch", "benchmark", "trial"]

Device = Literal["auto", "cpu", "cuda", "mps"]
Switch = Parameter(negative="", show_default=False)
"""of a flag that is given or left out"""


def benchmark(
    source: str = "mnist",
    /,
    *,
    out: Path,
    recipes: str = Config().recipe,
    variants: str | None = None,
    imbalances: str | None = None,
    seeds: str = "0",
    common: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
    minutes: float | None = None,
    steps: int | None = None,
    images: int | None = None,
    jobs: int | None = None,
    snapshots: int = 8,
    fidelity: Annotated[bool, Switch] = False,
    device: Device = "auto",
) -> int:
    """Train and score recipes on imbalances with seeds: results, tables with mean, spread and worst, plots.

    Interrupted at any moment, the same command goes on; trials that are done are not done again, and more
    recipes, imbalances or seeds may join them. Exit status 1 tells that a trial failed.

    Parameters
    ----------
    source:
        What to train on.
    out:
        The folder of the benchmark.
    recipes:
        Names with commas between them, for example elastic,paper,infogan.
    variants:
        More rows of the table, under names of their own: "NAME:setting=value,setting=value;NAME:..." or a
        TOML file with one table a variant. Each starts from the default recipe, or from its setting recipe.
    imbalances:
        What to draw from SOURCE: random:0-49, longtail:100:0-4, counts, FILE.npy for all its rows or
        FILE.npy:0-9, and lists of these with commas. Left out: SOURCE as it is.
    seeds:
        Numbers and ranges, for example 0-2.
    common:
        SETTING=VALUE for all systems, for example --set interval=5; may be repeated.
    minutes:
        Budget of each trial as training time.
    steps:
        Budget as optimisation steps: the same seed then gives the same weights, where the device allows.
    images:
        Budget as real images drawn, whatever the size of the batches.
    jobs:
        Processes at once, which share the cores. Left out: as many as cores and memory bear.
    snapshots:
        Equal parts of the budget at whose ends generated NMI is scored, for its growth; 0 leaves it out.
    fidelity:
        Also compare generated with real images, as `evaluate --fidelity` does.
    device:
        Where to compute: auto, cpu, cuda or mps.
    """
    from elastic_infogan.apps.benchmark import Options
    from elastic_infogan.apps.benchmark import benchmark as work
    from elastic_infogan.apps.benchmarking.plan import Budget

    budget = Budget(minutes, steps, images)
    options = Options(
        source=source, out=out, recipes=recipes, variants=variants, imbalances=imbalances, seeds=seeds,
        common=common, budget=budget, jobs=jobs, snapshots=snapshots, fidelity=fidelity, device=device,
    )  # fmt: skip
    return work(options)


def trial(folder: Path, /) -> None:
    """Carry out one trial of a benchmark, as `benchmark` does in a process of its own."""
    from elastic_infogan.apps.benchmarking.trial import carry_out as work

    work(folder)
