"""Images as files: PNG, a grid with one row a class, and `.npz`."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from elastic_infogan.apps.output import empty_folder, written_whole
from elastic_infogan.training.telemetry import grid

__all__ = ["png", "write_folder", "write_grid", "write_npz"]


def png(image: NDArray[np.uint8]) -> bytes:
    """One image `(H, W, C)`, C = 1 or 3, as the bytes of a PNG file."""
    buffer = BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(buffer, "PNG")
    return buffer.getvalue()


def write_grid(path: Path, images: NDArray[np.uint8], codes: NDArray[np.int64]) -> None:
    """A PNG with one row for each class, in the order in which `codes` (N,) name them."""
    with written_whole(path) as file:
        grid(torch.from_numpy(images), len(images) // len(np.unique(codes))).save(file, "PNG")


def write_npz(path: Path, images: NDArray[np.uint8], codes: NDArray[np.int64]) -> None:
    """A compressed `.npz` with `images` uint8 `(N, H, W, C)` and `codes` int64 `(N,)`."""
    with written_whole(path) as file:
        np.savez_compressed(file, images=images, codes=codes)


def write_folder(path: Path, images: NDArray[np.uint8], codes: NDArray[np.int64]) -> None:
    """A folder of PNG files `class3_0001.png`, numbered from 1 within each class."""
    folder = empty_folder(path, "--out")
    made: dict[int, int] = {}
    for image, code in zip(images, codes.tolist(), strict=True):
        made[code] = made.get(code, 0) + 1
        with written_whole(folder / f"class{code}_{made[code]:04d}.png") as file:
            file.write(png(image))
