"""Which real images generated ones are compared with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from elastic_infogan.errors import DataError
from elastic_infogan.evaluation.held_out import hold_out


def test_images_of_training_only_fill_up(digits):
    zeros = np.flatnonzero(digits.labels == 0)
    trained_on = np.concatenate([zeros[5:], np.flatnonzero(digits.labels == 1)[:3]])
    held = hold_out(digits, trained_on, per_class=20)
    assert np.bincount(held.images.labels).tolist() == [20] * 10
    assert held.unseen == {"0": 5} | {str(c): 20 for c in range(1, 10)}
    chosen = {int(name) for name in held.images.names}
    assert set(zeros[:5].tolist()) <= chosen
    assert not chosen & set(trained_on[-3:].tolist())


def test_the_same_images_every_time_and_no_more_than_there_are(digits):
    once, again = (hold_out(digits, np.arange(9), per_class=1000) for _ in range(2))
    assert once.images.names[:] == again.images.names[:]
    assert np.bincount(once.images.labels).tolist() == np.bincount(digits.labels).tolist()
    assert sum(once.unseen.values()) == len(digits) - 9


def test_labels_are_needed(digits):
    with pytest.raises(DataError, match="no labels"):
        hold_out(replace(digits, labels=None), np.arange(3))
