"""Peak memory of `elastic-infogan train`: on MNIST, and on stores of few and of millions of colour images.

    python benchmarks/memory.py [--recipe paper] [--images 10000,2000000] [--out memory.json]

Everything that the verb does is in it: start-up, all stages, checkpoint, samples and diagnosis. The budget is
a few steps: memory does not grow with more of them, since every stage and everything that a run writes comes
up once. Two figures: the largest resident set, which counts the pages of the store that the system keeps
cached while nobody needs the room, and the largest that is the process's own (Linux tells them apart).
Of two million images, labelling them all takes minutes and the store 6 GB of disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import arguments, describe, report, use_threads

from elastic_infogan.data.names import Names
from elastic_infogan.data.store import write_index

__all__ = ["main", "synthetic_store", "train"]

SIDE, CHANNELS = 32, 3
DIFFERENT = 10_000


def synthetic_store(folder: Path, number: int) -> Path:
    """A packed store of `number` images: squares of ten colours at random places, over and over."""
    random = np.random.default_rng(0)
    block = random.integers(0, 60, (DIFFERENT, SIDE, SIDE, CHANNELS), np.uint8)
    colours = random.integers(100, 256, (10, CHANNELS), np.uint8)
    for image, colour, (y, x) in zip(
        block, colours[random.integers(0, 10, DIFFERENT)], random.integers(2, 18, (DIFFERENT, 2)), strict=True
    ):
        image[y : y + 12, x : x + 12] = colour
    folder.mkdir()
    shape = (number, SIDE, SIDE, CHANNELS)
    with (folder / "images.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, number, DIFFERENT):
            file.write(block[: number - start].data)
    write_index(folder, "", str(folder), Names.of(f"{i:07}.png" for i in range(number)), ())
    return folder


def train(source: str, recipe: str, steps: int, threads: int | None) -> dict[str, float | None]:
    """Train in a process of its own; its largest sizes in GB: all that is resident, and what is its own."""
    environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})
    with tempfile.TemporaryDirectory() as folder:
        flags = [
            "--recipe",
            recipe,
            "--steps",
            str(steps),
            "--classes",
            "10",
            "--out",
            str(Path(folder, "run")),
        ]
        command = [sys.executable, "-m", "elastic_infogan", "train", source, *flags]
        child = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        own = 0
        while (ended := os.wait4(child.pid, os.WNOHANG))[0] == 0:
            own = max(own, _own_bytes(child.pid))
            time.sleep(0.02)
    if ended[1]:
        sys.exit(f"training on {source} failed: {' '.join(command)}")
    peak = ended[2].ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"peak_gb": round(peak / 1e9, 3), "own_gb": round(own / 1e9, 3) if own else None}


def _own_bytes(process: int) -> int:
    """Resident memory of a process that is no page of a file; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("RssAnon", "RssShmem")))


def main() -> None:
    """Measure, print and, where asked, write."""
    parser = arguments("Peak memory of `train`.")
    parser.add_argument("--recipe", default="elastic", help="recipe to train")
    parser.add_argument("--steps", type=int, default=24, help="budget of the run")
    parser.add_argument("--images", default="10000,2000000", help="sizes of synthetic stores, by commas")
    options = parser.parse_args()
    use_threads(options.threads)
    machine = describe()
    figures = {"mnist": train("mnist", options.recipe, options.steps, options.threads)}
    for number in map(int, filter(None, options.images.split(","))):
        with tempfile.TemporaryDirectory() as folder:
            store = synthetic_store(Path(folder, "store"), number)
            figures[f"{number} colour images"] = train(
                str(store), options.recipe, options.steps, options.threads
            )
    for source, found in figures.items():
        print(
            f"train {source}, {options.recipe}: {found['peak_gb']} GB resident, {found['own_gb']} GB its own"
        )
    facts = {"recipe": options.recipe, "steps": options.steps, "side": SIDE}
    report("memory", machine, facts | figures, options.out)


if __name__ == "__main__":
    main()
