"""The CSV says what Q said, for any name; copies stay inside their folder."""

from __future__ import annotations

import csv
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from elastic_infogan.apps.assignments import copy_by_class, safe_path, write_assignments
from elastic_infogan.apps.names import ClassNames
from elastic_infogan.data.images import ImageSet


def image_set(count, names=None, origin="array"):
    return ImageSet(np.arange(count * 64, dtype=np.uint8).reshape(count, 8, 8, 1), origin, names)


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_rows_are_in_order_and_numbers_are_right_to_six_decimals(tmp_path):
    p = np.random.default_rng(0).dirichlet(np.full(11, 0.1), 700)
    p[0] = np.eye(11)[4]
    codes = write_assignments(tmp_path / "a.csv", image_set(700), np.split(p, [300, 310]), ClassNames(11))
    header, *rows = read(tmp_path / "a.csv")
    assert header == ["image", "class", "probability", *(f"p_{k}" for k in range(11))]
    assert [row[0] for row in rows] == [str(i) for i in range(700)]
    assert [int(row[1]) for row in rows] == p.argmax(1).tolist() == codes.tolist()
    numbers = np.array([row[2:] for row in rows], float)
    np.testing.assert_allclose(numbers[:, 0], p.max(1), atol=5.1e-7)
    np.testing.assert_allclose(numbers[:, 1:], p, atol=5.1e-7)


def test_names_with_commas_quotes_and_newlines_read_back(tmp_path):
    names = ["a,b.png", '7" disc.png', "two\nlines.png", "é/ß.png", "plain.png"]
    write_assignments(tmp_path / "a.csv", image_set(5, names), [np.full((5, 2), 0.5)], ClassNames(2))
    assert [row[0] for row in read(tmp_path / "a.csv")[1:]] == names


def test_a_name_that_is_not_unicode_keeps_its_bytes(tmp_path):
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    write_assignments(tmp_path / "a.csv", image_set(1, [name]), [np.ones((1, 1))], ClassNames(1))
    assert b"caf\xe9.png,0,1.000000" in (tmp_path / "a.csv").read_bytes()


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
    copy_by_class(images, np.array([1, 0]), 3, tmp_path / "out")
    assert (tmp_path / "out/class-01/a.gif").read_bytes() == b"a.gif"
    assert (tmp_path / "out/class-00/sub/a.gif").read_bytes() == b"sub/a.gif"


def test_copies_of_a_zip_stay_inside_and_never_overwrite_each_other(tmp_path):
    names = ["a.png", "../a.png", "/a.png", "../../../b/c.png"]
    with zipfile.ZipFile(tmp_path / "pics.zip", "w") as archive:
        for i, name in enumerate(names):
            archive.writestr(name, f"bytes {i}")
    images = image_set(4, names, str(tmp_path / "pics.zip"))
    copy_by_class(images, np.zeros(4, np.int64), 10, tmp_path / "deep/out")
    made = {str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*.png")}
    folder = "deep/out/class-00"
    assert made == {
        f"{folder}/a.png": "bytes 0",
        f"{folder}/a-2.png": "bytes 1",
        f"{folder}/a-3.png": "bytes 2",
        f"{folder}/b/c.png": "bytes 3",
    }


@pytest.mark.parametrize("count", [3, 12])
def test_an_array_becomes_png_files_named_by_index(tmp_path, count):
    images = image_set(count)
    copy_by_class(images, np.zeros(count, np.int64), 1, tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out/class-00").iterdir())
    assert names == [f"{i:0{len(str(count - 1))}d}.png" for i in range(count)]
    with Image.open(tmp_path / "out/class-00" / names[1]) as picture:
        assert (np.asarray(picture) == images.images[1, ..., 0]).all()
