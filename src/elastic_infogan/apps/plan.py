"""The screen before training: what was chosen for these images, why, and which flag changes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from rich.table import Table

from elastic_infogan.apps import terminal
from elastic_infogan.data.images import ImageSet
from elastic_infogan.data.kinds import recognise
from elastic_infogan.data.sources import holds_pictures, known_classes
from elastic_infogan.training.config import Config, flatten, to_toml
from elastic_infogan.training.presets import unfilled
from elastic_infogan.training.recipes import named
from elastic_infogan.training.sought import sought

__all__ = ["settings_file", "show"]

NAME_ALONE = "# a name alone: what the recipe brings is written down below"

Row = tuple[str, str, str, str]
"""what is settled, to which value, why, and the flag for another"""


def settings_file(settled: Config) -> str:
    """Every setting as a file to change and to give back as `--config FILE`.

    Ranges that the views' preset brings are comments, so that another preset in its place brings its own.
    What another recipe would bring is not: all of it is written down.
    """
    said = set(to_toml(replace(settled, views=unfilled(settled.views))).splitlines())
    lines = to_toml(settled).splitlines()
    lines = [line if line in said else f"# {line}  # by the preset" for line in lines]
    return "\n".join(f"{line}  {NAME_ALONE}" if line.startswith("recipe = ") else line for line in lines)


def show(asked: Config, settled: Config, images: ImageSet) -> None:
    """Print a line for each choice on standard error.

    Arguments:
        asked: what the person and the recipe said.
        settled: the same with nothing left open, see `training.choices`.
    """
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for title in (f"{len(images):,} images", "chosen", "because", "change with"):
        table.add_column(title, no_wrap=title != "because", overflow="fold")
    for row in _rows(asked, settled, images):
        table.add_row(*row)
    terminal.show(table)


def _rows(asked: Config, settled: Config, images: ImageSet) -> Iterator[Row]:
    why = _whys(asked)
    grey = settled.channels == 1
    yield "size", f"{settled.size}×{settled.size} pixels", why("size", _of_size(settled.source)), "--size"
    colours = "every image is grey" if grey else "there are images with colours"
    yield "colours", "grey" if grey else "RGB", why("channels", colours), "--channels"
    yield "classes", *_classes(settled), "--classes"
    sort = "" if asked.views.preset != "auto" else recognise(images.images).reason
    yield "views", settled.views.preset, sort or why("views.preset", ""), "--views.preset"
    yield (
        "networks",
        _widths(settled),
        why("networks.generator_width", f"for {settled.size} pixels"),
        "--networks.…-width",
    )
    batch = why("batch", _of_batch(settled.batch, len(images)))
    yield "batch", f"{settled.batch} images", batch, "--batch"
    if encode := settled.schedule.encode_batch if settled.schedule.encode else None:
        reason = why("schedule.encode_batch", _of_batch(encode, len(images)))
        yield "… at first", f"{encode} images", reason, "--schedule.encode-batch"
    if settled.model == "elastic-infogan":
        yield "augmentation", *_augmentation(settled, why), "--adversary.augment"
    yield "budget", _budget(settled), _of_budget(asked, settled, len(images)), "--minutes, --steps"


def _classes(settled: Config) -> tuple[str, str]:
    wanted = sought(settled.classes or 0)
    if not wanted.known:
        return f"{wanted.low} to {wanted.high}", "to be found out"
    known = known_classes(settled.source) == settled.classes
    return str(settled.classes), f"known of {settled.source}" if known else "given"


def _augmentation(settled: Config, why: Callable[[str, str], str]) -> tuple[str, str]:
    few = bool(settled.adversary.augment)
    enough = why("adversary.augment", "so few may be learnt by heart" if few else "there are enough images")
    return "as D needs it" if few else "none", enough


def _whys(asked: Config) -> Callable[[str, str], str]:
    """A function from a setting and the reason for choosing it to the reason that holds."""
    values, recipe = flatten(asked), flatten(named(asked.recipe))

    def why(key: str, chosen: str) -> str:
        if values[key] is None:
            return chosen
        return f"recipe {asked.recipe}" if values[key] == recipe[key] else "given"

    return why


def _widths(config: Config) -> str:
    networks = config.networks
    encoder = f", Q {networks.encoder_width}" if networks.q == "encoder" else ""
    return f"G {networks.generator_width}, D {networks.discriminator_width}{encoder} channels"


def _of_size(source: str) -> str:
    if holds_pictures(source):
        return "of 28, 32, 64 and 128 nearest to the pictures' sides"
    return "the images' own"


def _of_batch(batch: int | None, n: int) -> str:
    return "all there are" if batch == n else "the usual number"


def _of_budget(asked: Config, settled: Config, n: int) -> str:
    if asked.minutes is not None or asked.steps is not None:
        return "given"
    return f"for {n:,} images of {settled.size} pixels"


def _budget(config: Config) -> str:
    if config.steps is not None:
        return f"{config.steps:,} steps"
    return f"{config.minutes:g} minutes"
