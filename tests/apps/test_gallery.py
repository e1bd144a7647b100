"""The gallery of a real run."""

from __future__ import annotations

import numpy as np
import pytest

from elastic_infogan.apps.gallery import open_gallery
from elastic_infogan.data.sources import load
from elastic_infogan.errors import RunError


@pytest.fixture(scope="module")
def gallery(trained):
    return open_gallery(trained)


def test_it_shows_the_images_that_the_run_was_trained_on(gallery):
    assert len(gallery.answers) == len(gallery.images) < len(load("digits"))  # an imbalanced part of them
    assert gallery.prior.sum() == pytest.approx(1)


def test_pictures_of_a_class_are_its_members(gallery):
    code = int(gallery.answers.counts.argmax())
    for index, shown in zip(gallery.answers.typical(code, 3), gallery.typical(code, 3), strict=True):
        assert gallery.answers.codes[index] == code
        assert (shown == gallery.images.images[index]).all()
    assert len(gallery.typical(code, 10**6)) == gallery.answers.counts[code]


def test_generated_images_repeat_with_their_seed_and_differ_with_class_and_seed(gallery):
    first = gallery.generated(0, 4, seed=1)
    assert first.shape == (4, 8, 8, 1)
    assert (first == gallery.generated(0, 4, seed=1)).all()
    assert (first != gallery.generated(0, 4, seed=2)).any()
    other = gallery.generated(1, 4, seed=1)
    assert (first != other).any()
    assert (gallery.generated((0, 1), 4, seed=1)[::2] == first[::2]).all()  # by turns
    assert (gallery.generated((0, 1), 4, seed=1)[1::2] == other[1::2]).all()


def test_another_source_can_be_shown(gallery, trained, tmp_path):
    np.save(tmp_path / "x.npy", gallery.images.images[:7])
    other = open_gallery(trained, str(tmp_path / "x.npy"))
    np.testing.assert_allclose(other.answers.probabilities, gallery.answers.probabilities[:7], atol=1e-5)


def test_a_run_without_a_model_is_named(digits_run):
    (digits_run / "model.safetensors").unlink()
    with pytest.raises(RunError, match=r"model\.safetensors is missing"):
        open_gallery(digits_run)
