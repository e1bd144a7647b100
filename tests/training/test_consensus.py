"""What several clusterings agree on."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from elastic_infogan.training.consensus import agreement, consensus


def test_the_odd_one_out_of_several_clusterings_agrees_least():
    same, renamed, odd = np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]), np.array([0, 1, 0, 1])
    assert agreement([odd, same, renamed]).sum(1).argmin() == 0


def test_a_class_that_each_gives_away_for_another_odd_group_is_kept():
    """Three of five join the last two classes, each for want of a code that a piece has instead."""
    classes = np.repeat(np.arange(4), 100)
    lost = []
    for piece in range(3):
        partition = np.minimum(classes, 2)
        partition[100 * piece : 100 * piece + 20] = 3
        lost.append(partition)
    found = consensus([*lost, classes, classes], 4)
    assert adjusted_rand_score(classes, found) == 1


@pytest.mark.parametrize("seed", range(3))
def test_scattered_mistakes_of_each_are_outvoted(seed):
    random = np.random.default_rng(seed)
    classes = random.integers(0, 5, 2000)
    wrong = [np.where(random.random(2000) < 0.1, random.integers(0, 5, 2000), classes) for _ in range(9)]
    renamed = [random.permutation(5)[partition] for partition in wrong]
    assert adjusted_rand_score(classes, consensus(renamed, 5)) > 0.98


def test_one_clustering_agrees_with_itself():
    classes = np.array([2, 0, 0, 1, 1, 1])
    assert adjusted_rand_score(classes, consensus([classes], 3)) == 1
    assert len(np.unique(consensus([classes], 5))) == 3  # no more than it tells apart
