"""The reference classifier: it learns, it is cached, and a spoilt cache does no harm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from elastic_infogan.data.images import ImageSet
from elastic_infogan.errors import DataError
from elastic_infogan.evaluation import reference as module
from elastic_infogan.evaluation.reference import reference_classifier
from elastic_infogan.evaluation.reference_network import ReferenceNetwork, train_reference


@pytest.fixture
def few(monkeypatch):
    """Training cut to a few steps, where what is learnt does not matter."""
    monkeypatch.setattr("elastic_infogan.evaluation.reference_network.STEPS_AT_LEAST", 4)
    monkeypatch.setattr("elastic_infogan.evaluation.reference_network.STEPS_AT_MOST", 4)


@pytest.fixture
def no_training(monkeypatch):
    def refuse(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(module, "train_reference", refuse)


def coloured(size, n=40):
    """Red and blue noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    images = rng.integers(0, 60, (n, *size, 3)).astype(np.uint8)
    images[labels == 0, ..., 0] += 150
    images[labels == 1, ..., 2] += 150
    return ImageSet(images, "colours", labels=labels, class_names=("red", "blue"))


def weights(reference):
    return reference.network.state_dict()


def test_it_learns_digits(trained, digits):
    assert trained.reference.held_out_accuracy > 0.97
    assert (trained.reference.predict(digits.images) == digits.labels).mean() > 0.98
    assert trained.reported[-1] == 1
    assert trained.reported == sorted(trained.reported)


def test_answers_have_the_promised_types(trained, digits):
    for images in (digits.images[:7], torch.from_numpy(digits.images[:7])):
        classes, features = trained.reference.predict(images), trained.reference.features(images)
        assert (classes.dtype, classes.shape) == (np.int64, (7,))
        assert (features.dtype, tuple(features.shape)) == (torch.float32, (7, 128))
        assert not features.requires_grad


def test_an_answer_does_not_depend_on_its_batch(trained, digits):
    whole = trained.reference.features(digits.images[:1100])
    torch.testing.assert_close(trained.reference.features(digits.images[1050:1100]), whole[1050:])


def test_second_call_reads_the_cache(trained, digits, no_training):
    again = reference_classifier(digits, trained.cache)
    assert again.held_out_accuracy == trained.reference.held_out_accuracy
    assert again.class_names == digits.class_names
    torch.testing.assert_close(weights(again), weights(trained.reference), rtol=0, atol=0)
    assert len(list(trained.cache.iterdir())) == 1  # nothing half-written is left beside it


@pytest.mark.parametrize("damage", ["empty", "truncated", "foreign", "other network"])
def test_spoilt_cache_is_trained_again(few, digits, tmp_path, damage):
    sound = reference_classifier(digits, tmp_path)
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    if damage == "other network":
        other = ReferenceNetwork((8, 8), 3, 4)
        module._store(other, 0.5, path)
    else:
        path.write_bytes({"empty": b"", "truncated": whole[:-9], "foreign": b"\x80\x04pickle"}[damage])
    again = reference_classifier(digits, tmp_path)
    torch.testing.assert_close(weights(again), weights(sound), rtol=0, atol=0)
    assert path.read_bytes() == whole


def test_other_labels_pixels_or_seed_are_another_classifier(few, digits, tmp_path):
    other_pixels = digits.images.copy()
    other_pixels[-1, 0, 0] += 1
    reference_classifier(digits, tmp_path)
    reference_classifier(replace(digits, labels=digits.labels[::-1].copy()), tmp_path)
    reference_classifier(replace(digits, images=other_pixels), tmp_path)
    reference_classifier(digits, tmp_path, seed=1)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_cache_that_cannot_be_written_costs_a_warning(few, digits, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(UserWarning, match="could not be cached"):
        reference = reference_classifier(digits, tmp_path / "file")
    assert reference.n_classes == 10


def test_training_leaves_the_global_generator_alone(few, digits, tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    reference_classifier(digits, tmp_path)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("size", [(8, 8), (28, 20), (128, 128), (9, 65)])
def test_every_size_and_colour(few, tmp_path, size):
    images = coloured(size)
    reference = reference_classifier(images, tmp_path)
    assert reference.class_names == ("red", "blue")
    assert reference.features(images.images).shape == (40, 128)


def test_a_set_too_small_to_hold_out_from(few, tmp_path):
    images = coloured((8, 8), n=6)
    for _ in range(2):  # trained, then from the cache
        assert np.isnan(reference_classifier(images, tmp_path).held_out_accuracy)


def test_held_out_images_are_not_trained_on(few, digits):
    seen = []
    spy = replace(digits, images=Spy(digits.images, seen))
    train_reference(spy, digits.labels, 10, torch.device("cpu"), 0, lambda share: None)
    statistics, *batches, held_out = seen
    assert len(held_out) == sum(n // 10 for n in np.bincount(digits.labels))
    assert not set(held_out) & set(np.concatenate([statistics, *batches]))
    assert len(set(held_out)) == len(held_out)


class Spy:
    """Images that note which of them are read."""

    def __init__(self, images, seen):
        self.images, self.seen, self.shape = images, seen, images.shape

    def __getitem__(self, indices):
        self.seen.append(indices)
        return self.images[indices]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "digits has no labels"),
        (np.zeros(1797, np.int64), "fewer than two classes"),
        (np.full(1797, -1), "label of image 0 is below zero"),
    ],
)
def test_unusable_labels(digits, tmp_path, labels, message):
    with pytest.raises(DataError, match=message):
        reference_classifier(replace(digits, labels=labels), tmp_path)


@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 8, 8, 3), np.uint8), np.zeros((2, 9, 8, 1), np.uint8), np.zeros((2, 8, 8, 1), np.float32)],
)
def test_other_images_than_it_was_trained_on(trained, images):
    with pytest.raises(DataError, match="reads uint8 images"):
        trained.reference.predict(images)


def test_classes_without_a_name_are_called_by_their_index(few, digits, tmp_path):
    reference = reference_classifier(replace(digits, class_names=("none", "one")), tmp_path)
    assert reference.class_names == ("none", "one", *"23456789")
