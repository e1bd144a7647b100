"""One picture of any mode, size and orientation, or a reason why not."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from PIL import Image

from elastic_infogan.data.parallel import quiet_pillow
from elastic_infogan.data.pictures import UnusableError, decode, examine, on_white, read_header, to_grey
from shared import noise


def _decode(picture: Image.Image, size: int, channels: int, kind: str = "PNG", **options) -> np.ndarray:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return decode(file, size, channels)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_becomes_uint8_of_the_size_asked(good, channels):
    folder, names = good
    for name in names:
        with (folder / name).open("rb") as file:
            pixels = decode(file, 24, channels)
        assert (pixels.shape, pixels.dtype) == ((24, 24, channels), np.uint8), name
        assert pixels.std() > 5, name


def test_a_picture_of_the_right_size_keeps_its_pixels():
    pixels = noise(28, 28, 3)
    np.testing.assert_array_equal(_decode(Image.fromarray(pixels), 28, 3), pixels)


def test_sixteen_bits_are_scaled_not_cut():
    pixels = np.array([[0, 257, 32_896, 65_535]] * 4, np.uint16)
    assert _decode(Image.fromarray(pixels), 4, 1)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_more_than_sixteen_bits_have_no_known_range():
    with pytest.raises(UnusableError, match="70,000 to 70,000, beyond 16 bits"):
        _decode(Image.fromarray(np.full((4, 4), 70_000, np.int32)), 4, 1, "TIFF")


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_shows_white(mode):
    clear = Image.new(mode, (8, 8))
    assert (_decode(clear, 8, 3) == 255).all()


def test_a_transparent_palette_shows_white():
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    assert (_decode(picture, 8, 3, transparency=0) == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_honoured(orientation):
    """Against Pillow's own transposition of the whole picture."""
    from PIL import ImageOps

    pixels = np.zeros((16, 16), np.uint8)
    pixels[:4, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(file)))
    np.testing.assert_array_equal(decode(file, 16, 1)[..., 0], expected)


def test_the_longer_side_is_cropped_about_the_centre():
    pixels = np.zeros((10, 30), np.uint8)
    pixels[:, 10:20] = 200
    assert (_decode(Image.fromarray(pixels), 10, 1) == 200).all()


def test_a_large_jpeg_is_as_with_full_decoding():
    smooth = Image.fromarray(noise(5, 7, 3)).resize((1400, 1000), Image.Resampling.BICUBIC)
    drafted = _decode(smooth, 32, 3, "JPEG", quality=95).astype(int)
    whole = _decode(smooth, 32, 3).astype(int)
    assert np.abs(drafted - whole).mean() < 3


def test_bad_files_have_a_reason(bad):
    folder, reasons = bad
    for name, word in reasons.items():
        for read in (lambda file: decode(file, 8, 1), examine):
            with (folder / name).open("rb") as file, pytest.raises(UnusableError, match=word):
                read(file)


@pytest.mark.parametrize("seed", range(60))
def test_damaged_bytes_never_escape_as_another_error(seed):
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    kind = ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP")[seed % 6]
    Image.fromarray(noise(20, 20, 3)).save(file, kind)
    data = bytearray(file.getvalue())
    for position in rng.integers(0, len(data), 12):
        data[position] = rng.integers(0, 256)
    with quiet_pillow(), contextlib.suppress(UnusableError):
        assert decode(io.BytesIO(bytes(data)), 8, 3).shape == (8, 8, 3)


def test_more_than_a_hundred_megapixels_are_not_decoded():
    file = io.BytesIO()
    Image.new("1", (12_000, 9_000)).save(file, "PNG")
    with quiet_pillow(), pytest.raises(UnusableError, match="12,000×9,000 pixels, more than 100 megapixels"):
        decode(file, 28, 1)


def test_header_reads_size_and_mode():
    file = io.BytesIO()
    Image.new("L", (30, 20)).save(file, "PNG")
    header = read_header(file)
    assert (header.width, header.height, header.mode, header.grey) == (30, 20, "L", True)


def test_grey_is_pillows_luma():
    pixels = noise(50, 50, 3)
    np.testing.assert_array_equal(to_grey(pixels)[..., 0], np.asarray(Image.fromarray(pixels).convert("L")))


def test_white_ground():
    pixels = np.array([[10, 20, 30, 255], [10, 20, 30, 0]], np.uint8)
    assert on_white(pixels).tolist() == [[10, 20, 30], [255, 255, 255]]
