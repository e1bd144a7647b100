"""ElasticInfoGAN as a scikit-learn estimator: clusters images, tells their features, makes new ones."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import Tags, TransformerTags, check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from elastic_infogan.apps import terminal
from elastic_infogan.apps.hub import folder_of
from elastic_infogan.apps.inference import codes_of, pictures_of, posteriors
from elastic_infogan.apps.inputs import read
from elastic_infogan.apps.output import empty_folder, written_whole
from elastic_infogan.apps.parameters import as_value_errors, config_from, parameters_from
from elastic_infogan.apps.pixels import as_pixels, range_of, square_shape, warn_of_other_range
from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.data.arrays import as_images, fit_images
from elastic_infogan.evaluation.answers import stream
from elastic_infogan.files import expanded
from elastic_infogan.training import loop
from elastic_infogan.training.hardware import choose_device
from elastic_infogan.training.run import ESTIMATOR, Run
from elastic_infogan.training.tensor_files import read_tensors, write_tensors

__all__ = ["ElasticInfoGAN"]

_KEPT = (
    "classes.json", "config.toml", "model.json", "model.safetensors", "names.json", "restarts.json",
    "samples/step-*.png", "shares.json", "stats.jsonl",
)  # fmt: skip
"""the files of a run folder that an estimator holds in memory, so that it can be saved, copied and pickled"""


class ElasticInfoGAN(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """Finds the kinds in unlabelled images of which some are common and others rare.

    Images are an array `(N, H, W)`, `(N, H, W, C)` or `(N, C, H, W)`, a table `(N, F)` whose rows are square
    images (grey, or RGB with channels last; rows of RGBA or of colour planes have to be given their shape
    first), or a source as on the command line: `"digits"`, a folder or zip of pictures, a `.npz`. What it
    trains is a PyTorch module, a `core.class_model.ClassModel`, here `model_`.

    Arguments:
        n_classes: K, how many kinds to look for; `"auto"`, or a range like `"5-30"`, where it is to be found
            out.
        recipe: named settings, see `training.recipes`.
        minutes, steps: the budget, one or the other; neither gives a minute for 4,000 images of 28 pixels,
            within bounds, and more for larger ones. Only with `steps` does a `random_state` repeat itself.
        size: side in pixels that images are brought to; None is the shorter side of arrays, which are cropped
            about the centre where the other is longer.
        pixel_range: `(black, white)` of arrays; None is (0, 255) for uint8, after `fit` on a source and in a
            run of the command line, and for other arrays what was seen in `fit`.
        settings: any other setting by its dotted name, for example `{"views.mirror": True}`.
        device: `auto`, `cpu`, `cuda` or `mps`.
        random_state: seed, `RandomState` or None, as everywhere in scikit-learn.
        verbose: show progress while fitting.

    Classes are numbered as they were learned: names and merges given in `explore` are for the command line.

    Attributes:
        labels_: class of each image of `fit`, int64 `(N,)`; an estimator loaded from a run that the command
            line trained has none.
        class_prior_: learned share of each class, `(K,)`.
        classes_found_: K, how sure it is and the evidence, where it was found out; otherwise None.
        n_features_in_: values in an image given to `fit`; input_shape_ is their `(H, W, C)`.
        pixel_range_: the values of black and white.
        history_: the lines of statistics of the training, each a dict.
        config_, model_: every setting as resolved, and the trained networks.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> model = ElasticInfoGAN(n_classes=10, recipe="infogan", steps=2, random_state=0)
        >>> labels = model.fit_predict(load_digits().data)  # two steps teach it nothing yet
        >>> labels.shape, model.class_prior_.shape, model.sample(5, class_=3).shape
        ((1797,), (10,), (5, 8, 8, 1))
    """

    def __init__(
        self,
        n_classes: int | str = 10,
        *,
        recipe: str = "elastic",
        minutes: float | None = None,
        steps: int | None = None,
        size: int | None = None,
        pixel_range: tuple[float, float] | None = None,
        settings: Mapping[str, Any] | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.n_classes = n_classes
        self.recipe = recipe
        self.minutes = minutes
        self.steps = steps
        self.size = size
        self.pixel_range = pixel_range
        self.settings = settings
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: object = None) -> ElasticInfoGAN:
        """Learn classes, their shares and a generator; `y` is ignored.

        Where it fails or is interrupted, nothing of it is kept, and what was fitted before stays.

        Raises:
            ValueError: images or settings that cannot be trained on.
            TrainingError: losses or weights became NaN.
        """
        with as_value_errors(), self._all_or_nothing():
            images = self._images(X, fitting=True)
            source = os.fspath(X) if isinstance(X, (str, os.PathLike)) else "array"
            config = config_from(vars(self), source, images)
            own = _own_torch_state(choose_device(config.device))
            with own, TemporaryDirectory(prefix="elastic-infogan-") as folder:
                run = Run.create(folder, config)
                self._train(images, run)
                self._take(run)
            self.labels_ = codes_of(self.model_, images)
        return self

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    def predict(self, X: Any) -> NDArray[np.int64]:
        """The most probable class of each image, int64 `(N,)`."""
        return self._codes(self._checked(X))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Q's class probabilities, `(N, K)`."""
        return np.concatenate(list(posteriors(self._fitted(), self._checked(X))))

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Q's penultimate features, `(N, F)`; of unit length in recipe `elastic`."""
        return torch.cat([f for _, f in stream(self._fitted(), self._checked(X))]).cpu().numpy()

    def sample(
        self,
        n_samples: int = 1,
        class_: int | NDArray[np.int64] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> NDArray[np.uint8]:
        """New images, uint8 `(n_samples, H, W, C)`.

        Arguments:
            class_: of all images, or of each `(n_samples,)`; None draws classes by their shares.
            random_state: None takes that of the estimator.

        Raises:
            ValueError: there is no such class, `class_` is neither an integer nor one for each image, or
                fewer than one image is asked for.
        """
        model = self._fitted()
        if n_samples < 1:
            raise ValueError(f"n_samples={n_samples}: 1 or more images can be made")
        random = check_random_state(self.random_state if random_state is None else random_state)
        if class_ is None:
            codes = random.choice(model.n_classes, n_samples, p=self.class_prior_ / self.class_prior_.sum())
        else:
            codes = _asked(class_, n_samples)
        if codes.min() < 0 or codes.max() >= model.n_classes:
            raise ValueError(f"class_={class_}: classes are numbered 0 to {model.n_classes - 1}")
        return pictures_of(model, np.array(codes, np.int64), int(random.randint(2**31)))

    def save(self, path: str | Path) -> None:
        """Write a run folder, which `load` reads, and every verb of the command line.

        Raises:
            ElasticInfoGANError: the folder is not empty, or cannot be written.
        """
        self._fitted()
        folder = empty_folder(expanded(path), "save")
        for name, content in self._files.items():
            with written_whole(folder / name) as file:
                file.write(content)
        labels = {"labels": torch.from_numpy(self.labels_)} if hasattr(self, "labels_") else {}
        if labels or self.pixel_range_ != (0.0, 255.0):
            state = {"pixel_range": self.pixel_range_, "input_shape": self.input_shape_}
            write_tensors(folder / ESTIMATOR, labels, state)

    @classmethod
    def load(
        cls, path: str | Path, device: str = "auto", pixel_range: tuple[float, float] | None = None
    ) -> ElasticInfoGAN:
        """The estimator of a run folder, written by `save` or by `elastic-infogan train`.

        Arguments:
            pixel_range: `(black, white)` of arrays to come; None is what `fit` saw, or (0, 255) in a run of
                the command line.

        Raises:
            RunError: there is no run, or no model in it yet.
            ConfigError: there is no such device.
            ValueError: black is not less than white.
        """
        run = Run.open(expanded(path))
        estimator = cls(**{**parameters_from(run.config), "device": device, "pixel_range": pixel_range})
        estimator._take(run)
        estimator._take_own(run)
        estimator.pixel_range_ = estimator._asked_range() or estimator.pixel_range_
        return estimator

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        *,
        revision: str | None = None,
        device: str = "auto",
        pixel_range: tuple[float, float] | None = None,
    ) -> ElasticInfoGAN:
        """The estimator of a model `OWNER/MODEL` on the Hugging Face hub, or of a folder that `push` wrote.

        Arguments:
            revision: a branch, tag or commit on the hub.
            pixel_range: see `load`.

        Raises:
            ElasticInfoGANError: there is none, it cannot be reached, or the extra hub is not installed.
        """
        return cls.load(folder_of(name, revision), device, pixel_range)

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled; networks go to the CPU, so that a machine without this device reads them too."""
        state = dict(super().__getstate__())  # type: ignore[no-untyped-call]
        if "model_" in state and state["model_"].device.type != "cpu":
            state["model_"] = copy.deepcopy(state["model_"]).cpu()
        return state

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()  # type: ignore[no-untyped-call]
        tags.input_tags.three_d_array = True
        # features are float32, as the network computes them
        tags.transformer_tags = TransformerTags(preserves_dtype=[])
        tags.non_deterministic = self.steps is None
        return tags

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.spec.features)

    def _fitted(self) -> ClassModel:
        check_is_fitted(self, "model_")
        return self.model_

    def _codes(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        return codes_of(self._fitted(), images)

    def _checked(self, X: Any) -> NDArray[np.uint8]:
        """Images to be judged, as the model reads them."""
        self._fitted()
        with as_value_errors():
            return self._images(X, fitting=False)

    def _images(self, X: Any, fitting: bool) -> NDArray[np.uint8]:
        """uint8 `(N, H, W, C)` in the model's size and mode; `fitting` learns what the input looks like."""
        size, channels = self.size, None
        if not fitting:
            size, channels = self.model_.spec.size, self.model_.spec.channels
        if isinstance(X, (str, os.PathLike)):
            images = read(os.fspath(X), size=size, channels=channels).images
            if fitting:
                self._remember(images, self._asked_range() or (0.0, 255.0))
            return images
        values = self._validated(X, fitting)
        black_white = self._asked_range() or (range_of(values) if fitting else self.pixel_range_)
        warn_of_other_range(values, *black_white, stacklevel=3 if fitting else 4)
        pixels = as_images(as_pixels(values, *black_white), "X")
        if fitting:
            self._remember(pixels, black_white)
        return fit_images(pixels, size, channels)

    def _asked_range(self) -> tuple[float, float] | None:
        """`pixel_range`, checked."""
        if self.pixel_range is None:
            return None
        black, white = self.pixel_range
        if not black < white:
            raise ValueError(f"pixel_range={self.pixel_range}: black has to be less than white")
        return float(black), float(white)

    def _validated(self, X: Any, fitting: bool) -> NDArray[Any]:
        """Finite numbers `(N, H, W)`, `(N, H, W, C)` or `(N, C, H, W)`."""
        least = 2 if fitting else 1
        if (X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim) > 2:
            values: NDArray[Any] = check_array(X, allow_nd=True, ensure_min_samples=least)
            return values
        return self._from_rows(validate_data(self, X, reset=fitting, ensure_min_samples=least), fitting)

    def _from_rows(self, rows: NDArray[Any], fitting: bool) -> NDArray[Any]:
        shape = square_shape(rows.shape[1]) if fitting else self.input_shape_
        return rows.reshape(len(rows), *shape)

    def _remember(self, images: NDArray[np.uint8], black_white: tuple[float, float]) -> None:
        self.pixel_range_, self.input_shape_ = black_white, images.shape[1:]
        self.n_features_in_ = math.prod(self.input_shape_)

    def _train(self, images: NDArray[np.uint8], run: Run) -> None:
        with terminal.training() if self.verbose else nullcontext(lambda _: None) as progress:
            try:
                loop.train(images, run, progress)
            except loop.Interrupted as stop:
                raise KeyboardInterrupt from stop

    def _take(self, run: Run) -> None:
        """What a finished run has learned."""
        self.config_ = run.config
        self.history_ = run.stats()
        self.classes_found_ = run.classes_found()
        self.model_ = run.load_model(choose_device(self.device))
        self.class_prior_ = self.model_.prior.probabilities().cpu().double().numpy()
        found = [path for pattern in _KEPT for path in sorted(run.path.glob(pattern))]
        self._files = {path.relative_to(run.path).as_posix(): path.read_bytes() for path in found}

    def _take_own(self, run: Run) -> None:
        """What only an estimator leaves in a run folder; a run of the command line read 0 … 255."""
        if not (run.path / ESTIMATOR).exists():
            spec = self.model_.spec
            state = {"pixel_range": (0.0, 255.0), "input_shape": (spec.size, spec.size, spec.channels)}
        else:
            tensors, state = read_tensors(run.path / ESTIMATOR)
            if "labels" in tensors:
                self.labels_ = tensors["labels"].numpy()
        (black, white), self.input_shape_ = state["pixel_range"], tuple(state["input_shape"])
        self.pixel_range_ = (black, white)
        self.n_features_in_ = math.prod(self.input_shape_)


def _asked(class_: Any, n_samples: int) -> NDArray[np.int64]:
    """`class_` of each of so many images, `(n_samples,)`.

    Raises:
        ValueError: it is neither an integer nor one for each image.
    """
    codes = np.asarray(class_)
    if not np.issubdtype(codes.dtype, np.integer) or codes.shape not in ((), (n_samples,)):
        raise ValueError(f"class_={class_!r}: an integer is needed, or one for each of {n_samples} images")
    return np.broadcast_to(codes.astype(np.int64), n_samples)


@contextmanager
def _own_torch_state(device: str) -> Iterator[None]:
    """Training seeds PyTorch and tries numbers of threads: the caller's come back afterwards."""
    threads = torch.get_num_threads()
    forked = [torch.cuda.current_device()] if device == "cuda" else []
    try:
        with torch.random.fork_rng(forked):
            yield
    finally:
        torch.set_num_threads(threads)
