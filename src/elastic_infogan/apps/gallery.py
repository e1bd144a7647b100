"""A run beside the images that it knows: what the report and the explorer show, as arrays and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.apps import terminal
from elastic_infogan.apps.inference import pictures_of
from elastic_infogan.apps.inputs import read_for, read_of_run
from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.data.images import ImageSet
from elastic_infogan.evaluation.answers import Answers, ask
from elastic_infogan.training.hardware import choose_device
from elastic_infogan.training.run import Run

__all__ = ["Gallery", "open_gallery"]


@dataclass(frozen=True)
class Gallery:
    """A trained model, its images and Q's answers for them.

    Arguments:
        run: the folder that the model came from.
        model: in eval mode.
        images: those that were asked about.
        answers: Q's, in the order of the images: shares, intervals, confusion, typical and uncertain ones.
        trained: the state of the run's model, see `Run.model_state`, from before it was read.
    """

    run: Run
    model: ClassModel
    images: ImageSet
    answers: Answers
    trained: tuple[int, int] | None

    @property
    def prior(self) -> NDArray[np.float64]:
        """The learned class probabilities, `(K,)`."""
        prior: NDArray[np.float64] = self.model.prior.probabilities().detach().cpu().double().numpy()
        return prior

    def at(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The images at `indices` (M,): uint8 `(M, H, W, C)`, copied out of any store."""
        return np.array(self.images.images[indices])

    def typical(self, code: int, n: int) -> NDArray[np.uint8]:
        """The at most `n` most typical images of a class, `(M, H, W, C)`."""
        return self.at(self.answers.typical(code, n))

    def generated(self, codes: int | Sequence[int], n: int, seed: int = 0) -> NDArray[np.uint8]:
        """`n` new images of a class, or of several in turn, `(n, H, W, C)`.

        Classes share their noise, so that columns compare.
        """
        return pictures_of(self.model, np.resize(np.array(codes, np.int64), n), seed)


def open_gallery(path: Path, source: str | None = None, device: str = "auto") -> Gallery:
    """The gallery of a run on `source`, or on what it was trained on.

    Raises:
        RunError: there is no run, or no model in it yet.
        DataError: the source cannot be read.
    """
    run = Run.open(path)
    trained = run.model_state()
    model = run.load_model(choose_device(device))
    images = read_of_run(run, model, judged=False).images if source is None else read_for(model, source)
    with terminal.counted("looking at images") as told:
        answers = ask(model, images.images, told)
    return Gallery(run, model, images, answers, trained)
