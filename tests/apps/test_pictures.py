"""Grids, PNG files and arrays hold the pixels they were given."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from elastic_infogan.apps.pictures import data_uri, picture, png, sprite, write_folder, write_grid, write_npz
from elastic_infogan.errors import ElasticInfoGANError


@pytest.fixture(params=[1, 3])
def images(request):
    return np.random.default_rng(0).integers(0, 255, (6, 5, 7, request.param), np.uint8)


def test_a_grid_file_has_a_row_for_each_class(images, tmp_path):
    write_grid(tmp_path / "grid.png", images, np.array([4, 4, 1, 1, 0, 0]))
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.size == (2 * 8 + 1, 3 * 6 + 1)


def test_a_folder_names_class_and_number_and_keeps_pixels(images, tmp_path):
    write_folder(tmp_path / "out", images, np.array([3, 3, 0, 0, 0, 12]))
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"class{n}.png" for n in ("0_0001", "0_0002", "0_0003", "12_0001", "3_0001", "3_0002")]
    with Image.open(tmp_path / "out/class3_0002.png") as picture:
        assert (np.asarray(picture).reshape(images[1].shape) == images[1]).all()


def test_a_folder_that_holds_something_is_left_alone(images, tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(ElasticInfoGANError, match=r"--out: .* is not empty"):
        write_folder(tmp_path, images, np.zeros(6, np.int64))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_array_file_loads_without_pickle(images, tmp_path):
    codes = np.arange(6)
    write_npz(tmp_path / "new/made.npz", images, codes)
    with np.load(tmp_path / "new/made.npz", allow_pickle=False) as file:
        assert (file["images"] == images).all()
        assert (file["codes"] == codes).all()
        assert (file["images"].dtype, file["codes"].dtype) == (np.uint8, np.int64)


def test_a_sprite_holds_every_image_at_its_place(images):
    whole = sprite(images[:5], 3)
    assert whole.shape == (10, 21, images.shape[3])
    assert (whole[5:, 7:14] == images[4]).all()
    assert (whole[5:, 14:] == 255).all()  # a cell that no image fills


def test_a_data_address_decodes_to_the_image(images):
    start, _, coded = data_uri(images[0]).partition(",")
    assert start == "data:image/png;base64"
    read = np.asarray(Image.open(BytesIO(base64.b64decode(coded))))
    assert (read.reshape(images[0].shape) == images[0]).all()


def test_webp_makes_noisy_photographs_small():
    smooth = np.linspace(0, 200, 64 * 64).reshape(64, 64, 1)
    noise = np.random.default_rng(0).normal(0, 8, (64, 64, 3))
    photograph = np.clip(smooth + noise, 0, 255).astype(np.uint8)
    assert len(picture(photograph, "WEBP")) < len(png(photograph)) / 4
