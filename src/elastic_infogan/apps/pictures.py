"""Images as files and as addresses inside a page: PNG, WebP, a grid with one row a class, and `.npz`."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from elastic_infogan.apps.output import empty_folder, written_whole
from elastic_infogan.training.telemetry import grid

__all__ = ["data_uri", "picture", "png", "resized", "sprite", "write_folder", "write_grid", "write_npz"]


def png(image: NDArray[np.uint8]) -> bytes:
    """One image `(H, W, C)`, C = 1 or 3, as the bytes of a PNG file."""
    return picture(image, "PNG")


def sprite(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Images `(N, H, W, C)` side by side, `columns` a row and without gaps, as one `(H', W', C)`.

    Cells that no image fills are white, as is paper.

    >>> sprite(np.zeros((3, 2, 2, 1), np.uint8), 2).shape
    (4, 4, 1)
    """
    n, height, width, channels = images.shape
    columns = max(1, min(columns, n))
    rows = -(-n // columns)
    cells = np.full((rows * columns, height, width, channels), 255, np.uint8)
    cells[:n] = images
    table = cells.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    whole: NDArray[np.uint8] = table.reshape(rows * height, columns * width, channels)
    return whole


def picture(image: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    """One image `(H, W, C)`, C = 1 or 3, as the bytes of a file.

    Arguments:
        kind: `PNG`, which keeps every pixel, or `WEBP`, a tenth of the size for photographs.
    """
    buffer = BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(buffer, kind)
    return buffer.getvalue()


def resized(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """One image `(H, W, C)` at another size.

    >>> resized(np.zeros((8, 4, 1), np.uint8), 2, 4).shape
    (4, 2, 1)
    """
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    pixels = np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))
    return pixels.reshape(height, width, image.shape[2])


def data_uri(image: NDArray[np.uint8], kind: str = "PNG") -> str:
    """One image `(H, W, C)` as a `data:` address, for a page that needs no other file."""
    return f"data:image/{kind.lower()};base64,{base64.b64encode(picture(image, kind)).decode('ascii')}"


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
