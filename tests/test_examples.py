"""The examples run from beginning to end, in a folder of their own."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

from elastic_infogan.data.inspection import inspect
from elastic_infogan.data.sources import load

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOK = EXAMPLES / "quickstart.ipynb"


def example(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch):
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))  # not those of the person who runs the tests
        (tmp_path / name).mkdir()
    notebook = nbformat.read(NOTEBOOK, 4)
    for cell in notebook.cells:
        # What is tested is every line, not how good the result is: that takes 600 steps.
        cell.source = cell.source.replace("steps=600", "steps=40")
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert notebook.cells[-1].outputs[0]["data"]["text/plain"] == "True"
    assert "steps=600" in NOTEBOOK.read_text()


def test_letters_are_drawn_in_every_typeface_but_symbols(tmp_path):
    fonts = Path(matplotlib.get_data_path(), "fonts", "ttf")  # mathematical symbols and copies among them
    drawn = example("draw_letters.py", tmp_path / "one", "--fonts", fonts, "--largest", 12, "--seed", 3)
    assert drawn.returncode == 0, drawn.stderr
    faces = (tmp_path / "one" / "typefaces.txt").read_text().splitlines()
    assert {"DejaVu Sans Book", "DejaVu Serif Bold", "STIXGeneral Italic"} <= set(faces)
    assert not [face for face in faces if face.startswith(("cmex", "STIXSizeOneSym"))]
    images = load(tmp_path / "one")
    assert images.images.shape[1:] == (64, 64, 1)
    counts = np.bincount(images.labels)
    assert (len(counts), counts.max()) == (26, 12)
    assert counts.min() <= 4
    assert (images.images.max(axis=(1, 2, 3)) > 200).all()
    example("draw_letters.py", tmp_path / "two", "--fonts", fonts, "--largest", 12, "--seed", 3)
    assert np.array_equal(load(tmp_path / "two").images, images.images)


def test_letters_are_not_drawn_over_what_is_there(tmp_path):
    (tmp_path / "mine.txt").write_text("here first")
    refused = example("draw_letters.py", tmp_path)
    assert "exists already" in refused.stderr
    assert refused.returncode != 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    without = example("draw_letters.py", tmp_path / "new", "--fonts", tmp_path)
    assert "no typeface" in without.stderr
    assert without.returncode != 0


def emoji_package(path: Path) -> Path:
    """An archive laid out as npm's: two pictures with three forms, one swatch, one that the table lacks."""
    table = [
        {"category": "Flags", "image": "f.png", "has_img_google": True},
        {"category": "People & Body", "image": "p.png", "has_img_google": True, "skin_variations": {
            "1F3FB": {"image": "p-1.png", "has_img_google": True},
            "1F3FC": {"image": "p-2.png", "has_img_google": False},
        }},
        {"category": "Component", "image": "c.png", "has_img_google": True},
    ]  # fmt: skip
    picture = io.BytesIO()
    Image.new("RGBA", (64, 64), (200, 30, 30, 128)).save(picture, "PNG")
    names = ("f.png", "p.png", "p-1.png", "c.png", "other.png")
    files = {f"package/img/google/64/{name}": picture.getvalue() for name in names}
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {**files, "package/emoji.json": json.dumps(table).encode()}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def test_emoji_are_sorted_by_category(tmp_path):
    package = emoji_package(tmp_path / "emoji.tgz")
    sorted_out = example("emoji_pictures.py", package, tmp_path / "emoji")
    assert sorted_out.returncode == 0, sorted_out.stderr
    assert inspect(tmp_path / "emoji").classes == {"Flags": 1, "People & Body": 2}
    assert load(tmp_path / "emoji").channels == 3
