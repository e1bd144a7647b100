"""One picture: any size, mode and orientation becomes uint8 pixels `(size, size, channels)`."""

from __future__ import annotations

import functools
import io
import os
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from elastic_infogan.data.damage import PASSING

__all__ = [
    "MOST_PIXELS",
    "Header",
    "UnusableError",
    "decode",
    "examine",
    "fit",
    "on_white",
    "read_header",
    "to_grey",
]

MOST_PIXELS = 100_000_000
"""pixels a picture may have: beyond, it is far likelier a mistake or a decompression bomb than a photo"""

_FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
"""what is decoded; formats that run programs (EPS), or that any bytes pass for (TGA), are left out"""
_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"})
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnusableError(Exception):
    """A file that cannot be used as a picture; the message is the reason."""


@dataclass(frozen=True)
class Header:
    """What a picture's first bytes say: width and height in pixels, and its mode."""

    width: int
    height: int
    mode: str

    @property
    def grey(self) -> bool:
        """Whether the mode has no colour; a picture in a colour mode may still be grey."""
        return self.mode in _GREY_MODES

    @property
    def shorter_side(self) -> int:
        """In pixels; no orientation changes it."""
        return min(self.width, self.height)


def decode(file: BinaryIO, size: int, channels: int) -> NDArray[np.uint8]:
    """The picture in an open file as uint8 `(size, size, channels)`.

    The EXIF orientation is honoured; palettes, CMYK and one-bit pictures are converted, 16-bit grey is
    scaled to 8 bits, transparency shows white. JPEG is decoded at the smallest of its reduced sizes that
    holds `size` pixels, which filters about as a box does. See `fit` for size and crop.

    Raises:
        UnusableError: empty, unreadable, truncated, animated, enormous or in a mode without a known range.
    """
    with _Reasons(), _open(file) as picture:
        extent: tuple[float, float] = picture.size
        if picture.format == "JPEG" and (
            reduced := picture.draft("L" if channels == 1 else None, (size, size))
        ):
            extent = reduced[1][2:]  # in reduced pixels, of which the last may be a fraction
        picture.load()
        turn = _TURNS.get(_orientation(picture))
        square = fit(_eight_bits(picture), size, extent)
        wanted = "L" if channels == 1 else "RGB"
        square = square if square.mode == wanted else square.convert(wanted)
        square = square if turn is None else square.transpose(turn)
        return np.asarray(square).reshape(size, size, channels)


def read_header(file: BinaryIO) -> Header:
    """Width, height and mode without decoding any pixels.

    Raises:
        UnusableError: what the header alone shows; a picture cut short later on passes.
    """
    with _Reasons(), _open(file) as picture:
        return Header(picture.width, picture.height, picture.mode)


def examine(file: BinaryIO) -> Header:
    """The header of a picture whose pixels have been decoded once, so that it is known to be whole.

    Raises:
        UnusableError: for every reason that `decode` has.
    """
    with _Reasons(), _open(file) as picture:
        header = Header(picture.width, picture.height, picture.mode)
        if picture.format == "JPEG":
            picture.draft(None, (1, 1))
        picture.load()
        _eight_bits(picture)
        return header


class _Reasons:
    """Turns whatever a decoder raises on damaged data into `UnusableError` with a reason in plain words."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and error.errno in PASSING:
            return
        if isinstance(error, Exception) and not isinstance(error, UnusableError):
            raise UnusableError(_reason(error)) from error  # decoders raise nearly anything on damaged bytes


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not a picture, or its header is damaged"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MOST_PIXELS // 1_000_000} megapixels"
    if isinstance(error, MemoryError):
        return "does not fit into memory"
    if isinstance(error, OSError) and error.errno:
        return f"cannot be read: {os.strerror(error.errno).lower()}"
    text = str(error)
    if isinstance(error, EOFError) or "truncated" in text.lower():
        return "truncated"
    return f"damaged: {text.splitlines()[0]}" if text else f"damaged ({type(error).__name__})"


def _open(file: BinaryIO) -> Image.Image:
    """The picture with its header read, if that speaks for no reason to set it aside."""
    try:
        picture = Image.open(file, formats=_formats())
    except UnidentifiedImageError:
        if file.seek(0, io.SEEK_END) == 0:
            raise UnusableError("empty file") from None
        raise
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise UnusableError(f"{width:,}×{height:,} pixels, more than {MOST_PIXELS // 1_000_000} megapixels")
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":  # a camera's JPEG with a preview behind it is one picture
        raise UnusableError(f"animated or of several pages: {frames} frames")
    return picture


@functools.cache
def _formats() -> tuple[str, ...]:
    """Of the formats wanted, those that this build of Pillow has."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _orientation(picture: Image.Image) -> int:
    if picture.format == "JPEG" and picture.info.keys().isdisjoint(("exif", "xmp")):
        return 1  # asking costs a fortieth of decoding a small picture
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # EXIF that cannot be parsed is no reason to lose the pixels
        return 1


def _eight_bits(picture: Image.Image) -> Image.Image:
    """The picture in mode L or RGB, opaque."""
    if picture.mode in ("L", "RGB") and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith("I"):
        return _from_sixteen_bits(picture)
    if picture.mode == "F":
        raise UnusableError("floating-point pixels, whose range is not known")
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        opaque = Image.new("RGBA", picture.size, "white")
        opaque.alpha_composite(_with_alpha(picture))
        return opaque.convert("L" if picture.mode in _GREY_MODES else "RGB")
    return picture.convert("L" if picture.mode in _GREY_MODES else "RGB")


def _with_alpha(picture: Image.Image) -> Image.Image:
    """RGBA, over the mode with plain alpha where the alpha is premultiplied."""
    plain = {"La": "LA", "RGBa": "RGBA"}.get(picture.mode)
    picture = picture.convert(plain) if plain else picture
    return picture.convert("RGBA")


def _from_sixteen_bits(picture: Image.Image) -> Image.Image:
    """Grey of 0..65,535, scaled to 0..255 and rounded."""
    values = np.asarray(picture).astype(np.int64)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65_535:
        raise UnusableError(f"32-bit pixels of {low:,} to {high:,}, beyond 16 bits")
    return Image.fromarray(((values * 255 + 32_767) // 65_535).astype(np.uint8))


def fit(picture: Image.Image, size: int, extent: tuple[float, float]) -> Image.Image:
    """Scale the shorter side to `size` (Lanczos, antialiased) and crop the longer one about its centre.

    Arguments:
        extent: width and height in pixels, not always whole where a picture was reduced before.
    """
    width, height = extent
    if (width, height) == (size, size):
        return picture
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    return picture.resize((size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def to_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma of RGB pixels `(..., 3)` as `(..., 1)` by ITU-R 601-2: 0.299 R + 0.587 G + 0.114 B.

    >>> to_grey(np.array([[255, 255, 255], [0, 255, 0]], np.uint8)).ravel().tolist()
    [255, 150]
    """
    weights = np.array([19595, 38470, 7471], np.uint32)  # in 1/65,536, as Pillow has them
    luma = ((pixels * weights).sum(axis=-1, keepdims=True) + 0x8000) >> 16
    return np.asarray(luma, np.uint8)


def on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGBA pixels `(..., 4)` over a white ground, as `(..., 3)`."""
    alpha = pixels[..., 3:].astype(np.uint32)
    return np.asarray((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255, np.uint8)
