"""Draws the letters A–Z in every typeface that is installed, some letters far more often than others.

    xargs sudo apt-get install -y --no-install-recommends < examples/letters_packages.txt
    python examples/draw_letters.py letters --seed 0
    elastic-infogan train letters --classes 26

The result is a folder a letter with grey 64×64 pictures, white on black, and `typefaces.txt`. How many there
are of each letter follows the reference protocol's law (n = largest · u / max u, u ~ U(0.1, 1)) by the seed;
what is drawn depends on the typefaces found as well. The packages listed, of Debian 12, give 252 typefaces.

Passed over are typefaces without A–Z, symbol fonts that say so, those whose letters resemble other letters
more than their own (symbols that do not say so, illegible ornament), those that draw what another one drew
before, and the package fonts-aenigma (463 typefaces of ornament, half of them without a letter to be seen).
Every further picture of a letter takes the next face in a random order, so that all come before one comes
again, at another size and place.
"""

from __future__ import annotations

import argparse
import logging
import string
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTCollection, TTFont, TTLibError
from numpy.typing import NDArray
from PIL import Image, ImageFont

from elastic_infogan.data.imbalance import random_counts

LETTERS = string.ascii_uppercase
SIZE = 64
"""side of a picture in pixels"""
HEIGHTS = 28, 46
"""smallest and largest height of a letter in pixels, unless it is too wide for that"""
MARGIN = 4
"""pixels around a letter at least"""
GRID = 24
"""side in pixels of the drawings by which typefaces are compared"""
SAME = 0.985
"""mean cosine of all 26 drawings from which two typefaces count as the same"""
LEGIBLE = 12
"""letters of a typeface that have to resemble that letter of the other typefaces most"""
ORNAMENT = "aenigma"
"""folder that is passed over"""


@dataclass(frozen=True)
class Face:
    """One style of a typeface: family and style, the file, and its number in a collection."""

    family: str
    style: str
    path: Path
    number: int = 0

    @property
    def stem(self) -> str:
        """What file names begin with."""
        return "".join(c if c.isascii() and c.isalnum() else "-" for c in f"{self.family}-{self.style}")

    def at(self, pixels: float) -> ImageFont.FreeTypeFont:
        """The face at a size in pixels, ready to draw."""
        return ImageFont.truetype(self.path, pixels, self.number, layout_engine=ImageFont.Layout.BASIC)


def faces_in(folders: Sequence[Path]) -> list[Face]:
    """Outline faces that map all of A–Z, by family and style, each name once."""
    found = (path for folder in folders for path in folder.rglob("*.[ot]t[fc]") if ORNAMENT not in path.parts)
    named: dict[tuple[str, str], Face] = {}
    for path in sorted(found):
        for face in () if path.is_symlink() else latin_faces(path):
            named.setdefault((face.family, face.style), face)
    return [named[key] for key in sorted(named)]


def latin_faces(path: Path) -> Iterator[Face]:
    """The faces in a file that have letters; none where it cannot be read."""
    try:
        fonts = TTCollection(path, lazy=True).fonts if path.suffix == ".ttc" else [TTFont(path, lazy=True)]
        for number, font in enumerate(fonts):
            codes = font.getBestCmap() or {}  # None for symbol fonts
            names = font["name"]
            if all(ord(letter) in codes for letter in LETTERS + LETTERS.lower()):
                yield Face(
                    names.getBestFamilyName() or path.stem, names.getBestSubFamilyName() or "", path, number
                )
    except (TTLibError, OSError, KeyError, AssertionError) as error:
        print(f"passed over {path}: {error}", file=sys.stderr)


def ink(font: ImageFont.FreeTypeFont, letter: str) -> Image.Image | None:
    """A letter without anything around it, mode L; None where nothing is drawn."""
    mask = font.getmask(letter, mode="L")
    drawn = Image.frombytes("L", mask.size, bytes(mask)) if all(mask.size) else None
    box = drawn.getbbox() if drawn else None
    return drawn.crop(box) if drawn and box else None


def specimen(face: Face) -> NDArray[np.float32] | None:
    """All letters of a face scaled into one square each, unit length, `(26, GRID²)`; None if one is blank."""
    try:
        font = face.at(2 * GRID)
        letters = [ink(font, letter) for letter in LETTERS]
    except OSError as error:
        print(f"passed over {face.path}: {error}", file=sys.stderr)
        return None
    squares = [letter.resize((GRID, GRID), Image.Resampling.BOX) for letter in letters if letter]
    if len(squares) < len(LETTERS):
        return None
    pixels = np.stack([np.asarray(square, np.float32).ravel() for square in squares])
    return pixels / np.linalg.norm(pixels, axis=1, keepdims=True)


def legible(specimens: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of the faces `(F, 26, P)` have letters that resemble those of the others, `(F,)`."""
    total, found = specimens.sum(0), np.zeros(len(specimens), bool)
    for f, own in enumerate(specimens):
        others = total - own
        others /= np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1e-9)
        found[f] = ((own @ others.T).argmax(1) == np.arange(len(LETTERS))).sum() >= LEGIBLE
    return found


def first_of_their_kind(specimens: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of the faces `(F, 26, P)` look like none before them, `(F,)`."""
    flat = specimens.reshape(len(specimens), specimens[0].size if len(specimens) else 0)
    alike = flat @ flat.T / len(LETTERS)
    kept = np.zeros(len(flat), bool)
    for f in range(len(flat)):
        kept[f] = not (alike[f, :f][kept[:f]] > SAME).any()
    return kept


def choose(faces: Sequence[Face]) -> list[Face]:
    """Legible faces, none twice; says how many were passed over and why."""
    drawn = [(face, letters) for face in faces if (letters := specimen(face)) is not None]
    if not drawn:
        sys.exit("no typeface with the letters A–Z was found: install fonts, or name folders with --fonts")
    faces, specimens = [face for face, _ in drawn], np.stack([letters for _, letters in drawn])
    readable = legible(specimens)
    faces, specimens = [face for face, good in zip(faces, readable, strict=True) if good], specimens[readable]
    new = first_of_their_kind(specimens)
    kept = [face for face, first in zip(faces, new, strict=True) if first]
    print(
        f"{len(kept):,} faces of {len({face.family for face in kept}):,} typefaces; passed over: "
        f"{int((~readable).sum()):,} without legible letters, {int((~new).sum()):,} that look like another"
    )
    return kept


def draw(face: Face, letter: str, random: np.random.Generator) -> Image.Image:
    """A letter at a random size and place, white on black, `SIZE` × `SIZE`."""
    room, wanted = SIZE - 2 * MARGIN, random.uniform(*HEIGHTS)
    large = ink(face.at(SIZE), letter)
    width, height = large.size if large else (1, 1)
    drawn = ink(face.at(SIZE * min(wanted / height, room / width, room / height)), letter)
    picture = Image.new("L", (SIZE, SIZE))
    if drawn:
        left, top = (
            int(random.integers(MARGIN, max(MARGIN, SIZE - MARGIN - side) + 1)) for side in drawn.size
        )
        middle = [(SIZE - side) // 2 for side in drawn.size]
        # half of the way to the middle: letters wander, but not into the corners
        picture.paste(drawn, ((left + middle[0]) // 2, (top + middle[1]) // 2))
    return picture


def draw_all(faces: Sequence[Face], out: Path, seed: int, largest: int) -> int:
    """Draw the whole set into `out`; the number of pictures."""
    random = np.random.default_rng(seed)
    counts = random_counts(random, largest, len(LETTERS)).tolist()
    for letter, count in zip(LETTERS, counts, strict=True):
        (out / letter).mkdir(parents=True)
        rounds = -(-count // len(faces))
        order = np.concatenate([random.permutation(len(faces)) for _ in range(rounds)])[:count]
        for n, face in enumerate(faces[f] for f in order):
            draw(face, letter, random).save(out / letter / f"{face.stem}-{n // len(faces)}.png")
    (out / "typefaces.txt").write_text("".join(f"{face.family} {face.style}\n" for face in faces))
    print(", ".join(f"{letter} {count}" for letter, count in zip(LETTERS, counts, strict=True)))
    return sum(counts)


def main() -> None:
    """Find typefaces, draw, and say what there is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--seed", type=int, default=0, help="decides on shares, typefaces, sizes and places")
    parser.add_argument("--largest", type=int, default=1000, help="pictures of the most common letter")
    parser.add_argument(
        "--fonts", type=Path, nargs="+", default=[Path("/usr/share/fonts")], help="where to look"
    )
    options = parser.parse_args()
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # what it mends in a font's tables
    if options.out.exists():
        sys.exit(f"{options.out} exists already: name a new folder")
    number = draw_all(choose(faces_in(options.fonts)), options.out, options.seed, options.largest)
    print(f"{number:,} pictures in {options.out}")


if __name__ == "__main__":
    main()
