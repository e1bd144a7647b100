"""Peak memory of `elastic-infogan train mnist`, start-up, all stages, checkpoint and samples included.

    python benchmarks/memory.py [--recipe paper] [--out memory.json]

The budget is a few steps: memory does not grow with more of them, since every stage and everything that a
run writes comes up once. This process imports no torch before its child has ended, because the peak of a
child counts from the size that its parent had.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import arguments, describe, report

__all__ = ["main", "peak_bytes"]


def peak_bytes(recipe: str, steps: int, threads: int | None) -> int:
    """Largest resident memory of a training process."""
    environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--recipe", recipe, "--steps", str(steps), "--out", str(Path(folder, "run"))]
        command = [sys.executable, "-m", "elastic_infogan", "train", "mnist", *flags]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    """Measure, print and, where asked, write."""
    parser = arguments("Peak memory of `train mnist`.")
    parser.add_argument("--recipe", default="elastic", help="recipe to train")
    parser.add_argument("--steps", type=int, default=24, help="budget of the run")
    options = parser.parse_args()
    peak = peak_bytes(options.recipe, options.steps, options.threads) / 1e9
    print(f"train mnist, recipe {options.recipe}: at most {peak:.2f} GB")
    figures = {"recipe": options.recipe, "steps": options.steps, "peak_gb": round(peak, 3)}
    report("memory", describe(), figures, options.out)


if __name__ == "__main__":
    main()
