"""What follows from Q's answers, by cases counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from elastic_infogan.evaluation.answers import Answers, ask
from elastic_infogan.training.recipes import ELASTIC
from elastic_infogan.training.state import build

PROBABILITIES = np.array(
    [[0.96, 0.03, 0.01], [0.5, 0.44, 0.06], [0.01, 0.99, 0.0], [0.97, 0.02, 0.01]], np.float32
)
FEATURES = np.array([[1, 0], [0.6, 0.8], [0, 1], [0.8, 0.6]], np.float32)


@pytest.fixture
def answers():
    return Answers(PROBABILITIES, FEATURES)


def test_counts_shares_and_members(answers):
    assert answers.codes.tolist() == [0, 0, 1, 0]
    assert answers.counts.tolist() == [3, 1, 0]
    assert answers.shares.tolist() == [0.75, 0.25, 0]
    assert answers.members(0).tolist() == [0, 1, 3]
    assert answers.members(2).size == 0


def test_an_interval_counts_who_is_certain_and_who_is_possible(answers):
    low, high = answers.interval
    assert low.tolist() == [0.5, 0.25, 0]  # images 0 and 3 are certainly of class 0
    assert high.tolist() == [0.75, 0.5, 0.25]  # image 1 may be of class 1 or 2 as well


def test_an_interval_holds_the_share_even_with_many_classes():
    even = Answers(np.full((5, 40), 1 / 40, np.float32), np.ones((5, 1), np.float32))
    low, high = even.interval
    assert (low <= even.shares).all()
    assert (high >= even.shares).all()


def test_confusion_is_the_mean_posterior_of_each_class(answers):
    expected = PROBABILITIES[[0, 1, 3]].mean(axis=0)
    np.testing.assert_allclose(answers.confusion[0], expected, rtol=1e-6)
    np.testing.assert_allclose(answers.confusion[1], PROBABILITIES[2], rtol=1e-6)
    assert answers.confusion[2].tolist() == [0, 0, 0]


def test_the_typical_are_near_the_middle_and_the_uncertain_improbable(answers):
    # the mean of class 0 points along (2.4, 1.4): image 3 is nearest, then 1, then 0
    assert answers.typical(0, 2).tolist() == [3, 1]
    assert answers.uncertain(0, 2).tolist() == [1, 0]
    assert answers.typical(2, 5).size == 0


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_answers_are_those_of_the_model_in_their_order_on_any_number_of_threads(threads):
    torch.manual_seed(0)
    small = replace(ELASTIC.networks, generator_width=4, discriminator_width=4, encoder_width=4)
    model = build(replace(ELASTIC, classes=3, networks=small), 8, 1)
    images = np.random.default_rng(0).integers(0, 256, (2503, 8, 8, 1), dtype=np.uint8)
    found = ask(model, images)
    probabilities, features = model.eval().posterior(torch.from_numpy(images[500:]))
    np.testing.assert_allclose(found.probabilities[500:], probabilities, atol=1e-6)
    np.testing.assert_allclose(found.features[500:], features, atol=1e-6)
    assert len(found) == 2503
    assert torch.get_num_threads() == threads
