"""Copies of pictures by class stay inside their folder and are what the source held."""

from __future__ import annotations

import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from elastic_infogan.apps.cli import run
from elastic_infogan.apps.copies import copy_by_class, safe_path
from elastic_infogan.apps.names import ClassNames
from elastic_infogan.data.images import ImageSet
from elastic_infogan.data.packed import pack
from elastic_infogan.data.sources import load
from elastic_infogan.errors import DataError


def image_set(count, names=None, origin="array"):
    return ImageSet(np.arange(count * 64, dtype=np.uint8).reshape(count, 8, 8, 1), origin, names)


@given(st.text(alphabet="ab./\\:\n ", max_size=20))
def test_no_name_leaves_the_folder_it_is_put_in(name):
    path = safe_path(name)
    assert not path.is_absolute()
    assert path.parts
    assert ".." not in path.parts


def test_copies_of_a_folder_are_the_original_files(tmp_path):
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    for name in ("a.gif", "sub/a.gif"):
        (source / name).write_bytes(name.encode())
    images = image_set(2, ["a.gif", "sub/a.gif"], str(source))
    copy_by_class(images, np.array([1, 0]), ClassNames(3, {1: "a/../cat"}), tmp_path / "out")
    assert (tmp_path / "out/class-01-a-cat/a.gif").read_bytes() == b"a.gif"
    assert (tmp_path / "out/class-00/sub/a.gif").read_bytes() == b"sub/a.gif"


def test_copies_of_a_zip_stay_inside_and_never_overwrite_each_other(tmp_path):
    names = ["a.png", "../a.png", "/a.png", "../../../b/c.png"]
    with zipfile.ZipFile(tmp_path / "pics.zip", "w") as archive:
        for i, name in enumerate(names):
            archive.writestr(name, f"bytes {i}")
    images = image_set(4, names, str(tmp_path / "pics.zip"))
    copy_by_class(images, np.zeros(4, np.int64), ClassNames(10), tmp_path / "deep/out")
    made = {str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*.png")}
    folder = "deep/out/class-00"
    assert made == {
        f"{folder}/a.png": "bytes 0",
        f"{folder}/a-2.png": "bytes 1",
        f"{folder}/a-3.png": "bytes 2",
        f"{folder}/b/c.png": "bytes 3",
    }


def test_of_two_pictures_of_one_name_in_a_zip_the_one_that_is_classified_is_copied(tmp_path):
    source = tmp_path / "pics.zip"
    with zipfile.ZipFile(source, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile's own about the name
        for i, level in enumerate((10, 200)):
            Image.new("L", (8, 8), level).save(tmp_path / f"{i}.png")
            archive.write(tmp_path / f"{i}.png", "./a.png")
    images = load(source)
    copy_by_class(images, np.zeros(1, np.int64), ClassNames(1), tmp_path / "out")
    assert Image.open(tmp_path / "out/class-00/a.png").getpixel((0, 0)) == images.images[0, 0, 0, 0] == 10


@pytest.mark.parametrize("count", [3, 12])
def test_an_array_becomes_png_files_named_by_index(tmp_path, count):
    images = image_set(count)
    copy_by_class(images, np.zeros(count, np.int64), ClassNames(1), tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out/class-00").iterdir())
    assert names == [f"{i:0{len(str(count - 1))}d}.png" for i in range(count)]
    with Image.open(tmp_path / "out/class-00" / names[1]) as picture:
        assert (np.asarray(picture) == images.images[1, ..., 0]).all()


def test_arrays_and_stores_are_copied_at_their_own_size_and_mode(trained, tmp_path):
    """The network of the run reads 8×8 grey pixels."""
    picture = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    np.save(tmp_path / "x.npy", picture[None])
    (tmp_path / "in").mkdir()
    Image.fromarray(picture).save(tmp_path / "in/a.png")
    pack(tmp_path / "in", tmp_path / "store", size=20)
    (tmp_path / "in").rename(tmp_path / "moved")
    for source in ("x.npy", "store"):
        out = tmp_path / f"by-{source}"
        more = ["--out", str(tmp_path / "a.csv"), "--copy-to", str(out)]
        assert run(["assign", str(trained), str(tmp_path / source), *more]) == 0
        (copy,) = out.rglob("*.png")
        with Image.open(copy) as copied:
            assert (np.asarray(copied) == picture).all()


def test_a_store_finds_its_pictures_from_another_folder(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    Image.new("L", (30, 30)).save(tmp_path / "in/a.gif")
    monkeypatch.chdir(tmp_path)
    pack("in", "store", size=16)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    copy_by_class(load("../store"), np.zeros(1, np.int64), ClassNames(1), tmp_path / "out")
    assert (tmp_path / "out/class-00/a.gif").read_bytes() == (tmp_path / "in/a.gif").read_bytes()


def test_a_picture_that_was_deleted_meanwhile_is_named(tmp_path):
    (tmp_path / "a.gif").write_bytes(b"pixels")
    images = image_set(2, ["a.gif", "b.gif"], str(tmp_path))
    with pytest.raises(DataError, match=r"b\.gif cannot be read any more: No such file or directory"):
        copy_by_class(images, np.zeros(2, np.int64), ClassNames(1), tmp_path / "out")


@pytest.mark.parametrize("damage", ["without the picture", "damaged"])
def test_a_zip_that_has_changed_behind_a_store_is_named(tmp_path, damage):
    source = tmp_path / "pics.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("a.png", "pixels")
    if damage == "damaged":
        source.write_bytes(source.read_bytes().replace(b"pixels", b"pixelz"))
    else:
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("b.png", "pixels")
    with pytest.raises(DataError, match=r"pics\.zip.*a\.png"):
        copy_by_class(image_set(1, ["a.png"], str(source)), np.zeros(1, np.int64), ClassNames(1), tmp_path)
