"""Images/s of training in two processes that meet through gloo, against one process with the same batches.

    python benchmarks/processes.py [--recipe paper] [--devices 2] [--out processes.json]

Both sides are `elastic-infogan train mnist` as a user would type it, in turns, with as many threads in all as
there are cores: what is compared is threads that share each layer with processes that share each batch and
exchange gradients and statistics. Rates are read from `stats.jsonl`, stage by stage; the first line of a
stage also counts what led to it and is left out. On one machine without GPUs this tells what the exchange
costs; there is nothing to gain.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from machine import arguments, describe, report, spread

__all__ = ["main", "rates"]

INTERVAL = 0.5
"""seconds between two lines of statistics, of which a fast machine writes a few in the shortest stage"""


def rates(recipe: str, devices: int, steps: int, threads: int) -> dict[str, float]:
    """Images/s of each stage of one training."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        command = [
            *(sys.executable, "-m", "elastic_infogan", "train", "mnist", "--recipe", recipe),
            *("--steps", str(steps), "--classes", "10", "--interval", str(INTERVAL)),
            *("--devices", str(devices), "--out", str(run)),
        ]
        done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"training failed: {' '.join(command)}\n{done.stderr.strip()}")
        lines = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    by_stage: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        by_stage[line["stage"]].append(line["images_per_second"])
    if any(len(found) < 2 for found in by_stage.values()):
        sys.exit(f"{steps} steps are too few: each stage needs two lines of statistics; give more --steps")
    return {stage: median(found[1:]) for stage, found in by_stage.items()}


def compare(recipe: str, devices: int, steps: int, cores: int, rounds: int) -> dict[str, Any]:
    """Rates of each stage in `devices` processes and in one, and their ratios within each round."""
    several, one = [], []
    for _ in range(rounds):
        several.append(rates(recipe, devices, steps, max(1, cores // devices)))
        one.append(rates(recipe, 1, steps, cores))
    return {
        stage: {
            "images_per_s": spread([found[stage] for found in several], 0),
            "images_per_s_of_one": spread([found[stage] for found in one], 0),
            "ratio": spread([a[stage] / b[stage] for a, b in zip(several, one, strict=True)]),
        }
        for stage in several[0]
    }


def main() -> None:
    """Measure, print and, where asked, write."""
    parser = arguments("Images/s of several processes against one.")
    parser.add_argument("--recipe", default="elastic", help="recipe to train")
    parser.add_argument("--devices", type=int, default=2, help="processes of the one side")
    parser.add_argument("--steps", type=int, default=1000, help="budget of each training")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each")
    options = parser.parse_args()
    machine = describe()
    cores = options.threads or machine["cores"]
    figures = compare(options.recipe, options.devices, options.steps, cores, options.rounds)
    for stage, found in figures.items():
        ratio = found["ratio"]
        print(
            f"{options.recipe} {stage}: {found['images_per_s']['median']:,.0f} images/s in {options.devices} "
            f"processes, {found['images_per_s_of_one']['median']:,.0f} in one: "
            f"{ratio['median']:.2f} ({ratio['min']:.2f}–{ratio['max']:.2f})"
        )
    facts = {"recipe": options.recipe, "devices": options.devices, "steps": options.steps}
    report("processes", machine, facts | figures, options.out)


if __name__ == "__main__":
    main()
