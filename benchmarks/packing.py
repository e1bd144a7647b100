"""Packing a folder of JPEG pictures against decoding them alone, on all cores, in turns.

    python benchmarks/packing.py [--pictures 10000] [--side 256] [--size 64] [--out packing.json]

Sides, each with a thread a core:

- pack: `data.packed.pack` from the folder to a whole store on the disk, as the verb does it;
- decoding: the same decoder at the same scale (Pillow with libjpeg's reduced decoding), and nothing else:
  file, header, pixels; no resampling, no store;
- full decoding: Pillow at the pictures' own size, which is what packing would cost without reduced decoding;
- again: `pack` of a folder that has been packed, which only looks whether it is still the same.

A ratio is the time of decoding over that of packing: 1 where everything but decoding is hidden or free. It is
given by the clock, and in processor time, which other work on the machine disturbs less. The pictures are
drawn here (smooth shapes and grain, quality 90, about as many bytes as a photograph), so many different ones
as `--different` says, and repeated under other names; all are in the page cache.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from machine import arguments, describe, report, spread
from PIL import Image

from elastic_infogan.data.packed import pack
from elastic_infogan.data.parallel import cores, in_order

__all__ = ["main"]

SIDES = ("pack", "decoding", "full_decoding", "again")


def jpeg(random: np.random.Generator, side: int) -> bytes:
    """A picture with shapes of several sizes and some grain."""
    pixels = random.normal(0, 6, (side, side, 3))
    for cells in (3, 8, 20, 50):
        coarse = random.uniform(0, 255, (cells, cells, 3)).astype(np.uint8)
        pixels += np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)) / 4.0
    file = BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def write_pictures(folder: Path, number: int, side: int, different: int) -> int:
    """Write the pictures in folders of a thousand; bytes of them all."""
    random = np.random.default_rng(0)
    contents = [jpeg(random, side) for _ in range(min(different, number))]
    for n in range(number):
        path = folder / f"{n // 1000:03d}" / f"{n:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[n % len(contents)])
    return sum(len(contents[n % len(contents)]) for n in range(number))


def decode(path: Path, side: int | None) -> int:
    """Decode a picture, reduced to no less than `side` pixels or at its own size; its number of pixels."""
    with path.open("rb") as file, Image.open(file) as picture:
        if side is not None:
            picture.draft(None, (side, side))
        picture.load()
        return picture.width * picture.height


def decode_all(paths: list[Path], side: int | None) -> None:
    """Decode every picture on all cores, a block at a time, as packing does."""
    blocks = [paths[start : start + 64] for start in range(0, len(paths), 64)]
    for _ in in_order(lambda block: [decode(path, side) for path in block], blocks, cores()):
        pass


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """How long something takes: by the clock, and in processor time of all threads."""
    began, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - used


def measure(folder: Path, number: int, size: int, rounds: int) -> dict[str, Any]:
    """Times of all sides, taken in turns, and their ratios within each round."""
    pictures, store = folder / "pictures", folder / "store"
    paths = sorted(pictures.rglob("*.jpg"))
    taken: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        shutil.rmtree(store, ignore_errors=True)
        taken["decoding"].append(seconds(lambda: decode_all(paths, size)))
        taken["pack"].append(seconds(lambda: pack(pictures, store, size=size)))
        taken["again"].append(seconds(lambda: pack(pictures, store, size=size)))
        taken["full_decoding"].append(seconds(lambda: decode_all(paths, None)))
    figures = {f"{side}_per_s": spread([number / t for t, _ in times], 0) for side, times in taken.items()}
    for side in ("decoding", "full_decoding"):
        rounds_of_both = list(zip(taken[side], taken["pack"], strict=True))
        figures[f"{side}_over_pack"] = spread([a[0] / b[0] for a, b in rounds_of_both])
        figures[f"{side}_over_pack_processor"] = spread([a[1] / b[1] for a, b in rounds_of_both])
    return figures


def main() -> None:
    """Measure, print and, where asked, write."""
    parser = arguments("Packing a folder of JPEG pictures against decoding alone.", threads=False)
    parser.add_argument("--pictures", type=int, default=10_000, help="how many")
    parser.add_argument("--different", type=int, default=200, help="how many different ones")
    parser.add_argument("--side", type=int, default=256, help="their side in pixels")
    parser.add_argument("--size", type=int, default=64, help="side in pixels to pack them in")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side")
    options = parser.parse_args()
    machine = describe()
    with tempfile.TemporaryDirectory() as folder:
        size = write_pictures(Path(folder, "pictures"), options.pictures, options.side, options.different)
        figures = measure(Path(folder), options.pictures, options.size, options.rounds)
    for side in SIDES:
        rate = figures[f"{side}_per_s"]
        print(f"{side:14} {rate['median']:9,.0f} pictures/s ({rate['min']:,.0f}–{rate['max']:,.0f})")
    for side in ("decoding", "full_decoding"):
        clock, processor = figures[f"{side}_over_pack"], figures[f"{side}_over_pack_processor"]
        print(
            f"{side} over pack: {clock['median']:.2f} ({clock['min']:.2f}–{clock['max']:.2f}) by the clock, "
            f"{processor['median']:.2f} ({processor['min']:.2f}–{processor['max']:.2f}) in processor time"
        )
    facts = {name: value for name, value in vars(options).items() if name != "out"}
    report("packing", machine, facts | {"mean_bytes": size // options.pictures} | figures, options.out)


if __name__ == "__main__":
    main()
