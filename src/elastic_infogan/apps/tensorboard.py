"""A run's statistics and sample grids for TensorBoard, under RUN/tensorboard."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from elastic_infogan.training.run import Run

__all__ = ["Board", "scalars"]


class Board:
    """Writes what `stats.jsonl` and `samples/` hold and TensorBoard does not have yet.

    A run that goes on may have gone back to its checkpoint, so that a new board starts from the beginning.

    Arguments:
        run: the run folder; an older `tensorboard/` in it is replaced.
    """

    def __init__(self, run: Run) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = run.path / "tensorboard"
        shutil.rmtree(folder, ignore_errors=True)
        self.run, self.lines = run, 0
        self.shown: set[Path] = set()
        self.writer = SummaryWriter(str(folder))

    def update(self) -> None:
        """Take over new lines and grids."""
        lines = self.run.stats()
        for line in lines[self.lines :]:
            for name, value in scalars(line).items():
                self.writer.add_scalar(name, value, line["step"])
        self.lines = len(lines)
        for path in sorted(set((self.run.path / "samples").glob("step-*.png")) - self.shown):
            self.shown.add(path)
            with (
                suppress(Image.DecompressionBombError),
                Image.open(path) as picture,
            ):  # no page shows that much
                step = int(path.stem.removeprefix("step-"))
                self.writer.add_image("samples", np.asarray(picture.convert("RGB")), step, dataformats="HWC")
        self.writer.flush()

    def close(self) -> None:
        """Take over what is new and close the files."""
        self.update()
        self.writer.close()


def scalars(line: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a line of `stats.jsonl` by their names in TensorBoard.

    >>> scalars({"step": 5, "images_per_second": 9.0, "losses": {"contrast": 1.5}, "prior": [0.5, 0.5]})
    {'images_per_second': 9.0, 'losses/contrast': 1.5, 'prior/0': 0.5, 'prior/1': 0.5}
    """
    losses = {f"losses/{name}": value for name, value in line["losses"].items()}
    prior = {f"prior/{k}": value for k, value in enumerate(line["prior"])}
    return {"images_per_second": line["images_per_second"], **losses, **prior}
