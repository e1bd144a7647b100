"""Pictures of every kind, good and bad, made on the spot; the cache is the test's own."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared import huge_png, noise


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def png_bytes(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_bad(folder: Path) -> dict[str, str]:
    """Files that cannot be used, by name, and a word that their reason has."""
    (folder / "empty.png").write_bytes(b"")
    (folder / "huge.png").write_bytes(huge_png())
    (folder / "text.png").write_text("this is not a picture")
    (folder / "cut.png").write_bytes(png_bytes(noise(64, 64))[:-900])
    whole = io.BytesIO()
    Image.fromarray(noise(64, 64, 3)).save(whole, "JPEG")
    (folder / "cut.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    frames = [Image.fromarray(noise(16, 16, seed=seed)) for seed in range(3)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(noise(8, 8).astype(np.float32)).save(folder / "floats.tiff")
    (folder / "noext").write_bytes(bytes(range(50)))
    return {
        "empty.png": "empty",
        "huge.png": "megapixels",
        "text.png": "not a picture",
        "cut.png": "truncated",
        "cut.jpg": "truncated",
        "moving.gif": "3 frames",
        "floats.tiff": "floating-point",
        "noext": "not a picture",
    }


def write_good(folder: Path) -> list[str]:
    """Pictures of every mode that can be used, of different sizes."""
    folder.mkdir(exist_ok=True)
    rgb, grey = Image.fromarray(noise(40, 50, 3)), Image.fromarray(noise(33, 20, seed=1))
    rgb.save(folder / "a.png")
    rgb.convert("CMYK").save(folder / "b.jpg")
    rgb.convert("P").save(folder / "c.png")
    rgb.convert("RGBA").save(folder / "d.png")
    grey.save(folder / "e.png")
    grey.convert("LA").save(folder / "f.png")
    grey.convert("1").save(folder / "g.png")
    Image.fromarray(noise(30, 30).astype(np.uint16) * 257).save(folder / "h.png")
    rgb.save(folder / "i.jpg")
    rgb.save(folder / "j.webp")
    grey.save(folder / "k.gif")
    rgb.save(folder / "l.bmp")
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def good(tmp_path):
    """A folder of usable pictures and their names."""
    return tmp_path / "good", write_good(tmp_path / "good")


@pytest.fixture
def bad(tmp_path):
    """A folder of unusable files and, by name, a word of the reason."""
    (tmp_path / "bad").mkdir()
    return tmp_path / "bad", write_bad(tmp_path / "bad")


@pytest.fixture
def mixed(tmp_path):
    """Usable and unusable files in one folder: path, usable names, reasons."""
    names = write_good(tmp_path / "mixed")
    return tmp_path / "mixed", names, write_bad(tmp_path / "mixed")


@pytest.fixture
def classes(tmp_path):
    """A folder with two classes: three dark squares, two bright ones."""
    for name, value, number in (("dark", 20, 3), ("bright", 230, 2)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(number):
            Image.new("L", (28, 28), value + i).save(tmp_path / "set" / name / f"{i}.png")
    return tmp_path / "set"
