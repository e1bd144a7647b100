"""Clustering numbers against scikit-learn, brute force and closed forms."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score, rand_score, recall_score

from elastic_infogan.evaluation import clustering as c


@st.composite
def groupings(draw, most=6):
    """Codes, labels, K and C of up to forty images."""
    n_codes, n_classes = draw(st.integers(1, most)), draw(st.integers(1, most))
    pairs = st.tuples(st.integers(0, n_codes - 1), st.integers(0, n_classes - 1))
    codes, labels = np.array(draw(st.lists(pairs, min_size=1, max_size=40)), np.int64).T
    return codes, labels, n_codes, n_classes


@given(groupings())
def test_count_matrix_counts_every_image_in_its_cell(grouping):
    codes, labels, n_codes, n_classes = grouping
    expected = [[int(((codes == k) & (labels == y)).sum()) for y in range(n_classes)] for k in range(n_codes)]
    assert c.count_matrix(*grouping).tolist() == expected


@pytest.mark.parametrize(
    ("codes", "labels", "message"),
    [
        ([0, 3], [0, 0], "codes run from 0 to 3"),
        ([0, -1], [0, 0], "codes run from -1"),
        ([0, 0], [0, 2], "labels run from 0 to 2"),
        ([0], [0, 0], "one value for each image"),
    ],
)
def test_count_matrix_refuses_what_does_not_fit(codes, labels, message):
    with pytest.raises(ValueError, match=message):
        c.count_matrix(np.array(codes), np.array(labels), 3, 2)


@given(groupings())
def test_nmi_is_mutual_information_over_the_mean_entropy(grouping):
    codes, labels, _, _ = grouping
    mean_entropy = (entropy(np.bincount(codes)) + entropy(np.bincount(labels))) / 2
    expected = mutual_info_score(labels, codes) / mean_entropy if mean_entropy > 0 else 1.0
    assert c.nmi(codes, labels) == pytest.approx(expected, abs=1e-9)


def test_ari_is_one_for_equal_groupings_and_zero_on_average_for_random_ones():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 500)
    assert c.ari((labels + 1) % 4, labels) == pytest.approx(1)
    random = [rng.integers(0, 4, 500) for _ in range(50)]
    assert np.mean([c.ari(codes, labels) for codes in random]) == pytest.approx(0, abs=0.003)
    assert np.mean([rand_score(labels, codes) for codes in random]) > 0.5  # what the adjustment is for


@given(groupings(most=5))
def test_match_agrees_with_every_permutation_tried(grouping):
    codes, labels, n_codes, n_classes = grouping
    counts = c.count_matrix(*grouping)
    if n_codes > n_classes:
        counts = counts.T
    best = max(
        counts[np.arange(len(counts)), list(chosen)].sum()
        for chosen in permutations(range(counts.shape[1]), len(counts))
    )
    matching = c.match(*grouping)
    assert c.accuracy(codes, labels, matching) == pytest.approx(best / len(codes))


@given(groupings())
def test_match_pairs_one_to_one_and_leaves_only_the_surplus_unmatched(grouping):
    _, _, n_codes, n_classes = grouping
    matched = (matching := c.match(*grouping))[matching != c.UNMATCHED]
    assert len(matching) == n_codes
    assert len(set(matched)) == len(matched) == min(n_codes, n_classes)


@given(groupings(), st.randoms(use_true_random=False))
def test_renaming_codes_changes_nothing(grouping, random):
    codes, labels, n_codes, n_classes = grouping
    names = np.array(random.sample(range(n_codes), n_codes))
    renamed = names[codes]
    matching, again = c.match(*grouping), c.match(renamed, labels, n_codes, n_classes)
    assert c.accuracy(renamed, labels, again) == pytest.approx(c.accuracy(codes, labels, matching))
    assert c.nmi(renamed, labels) == pytest.approx(c.nmi(codes, labels))
    assert c.ari(renamed, labels) == pytest.approx(c.ari(codes, labels))
    same_pairs = np.empty_like(matching)
    same_pairs[names] = matching
    prior, shares = np.arange(1, n_codes + 1) / sum(range(n_codes + 1)), c.shares(labels, n_classes)
    moved = np.empty_like(prior)
    moved[names] = prior
    for error in (c.prior_rmse, c.prior_jsd):
        assert error(moved, shares, same_pairs) == pytest.approx(error(prior, shares, matching))


@given(groupings())
def test_recall_agrees_with_scikit_learn_and_averages_to_accuracy(grouping):
    codes, labels, _, n_classes = grouping
    matching = c.match(*grouping)
    recalls, present = c.recall(codes, labels, matching, n_classes), np.unique(labels)
    expected = recall_score(labels, matching[codes], labels=present, average=None, zero_division=0)
    np.testing.assert_allclose(recalls[present], expected)
    assert np.isnan(recalls).sum() == n_classes - len(present)
    weighted = np.nansum(recalls * c.shares(labels, n_classes))
    assert weighted == pytest.approx(c.accuracy(codes, labels, matching))


def test_spare_code_is_compared_with_no_share_and_lost_class_with_no_prior():
    spare = np.array([0.5, 0.2, 0.3]), np.array([0.6, 0.4]), np.array([0, c.UNMATCHED, 1])
    assert c.prior_rmse(*spare) == pytest.approx(np.sqrt((0.1**2 + 0.1**2 + 0.2**2) / 3))
    lost = np.array([0.7, 0.3]), np.array([0.2, 0.5, 0.3]), np.array([1, 2])
    assert c.prior_rmse(*lost) == pytest.approx(np.sqrt((0.2**2 + 0.2**2) / 3))


@pytest.mark.parametrize(("n_codes", "n_classes"), [(4, 4), (6, 4), (4, 6)])
def test_prior_jsd_agrees_with_scipy_and_is_bounded(n_codes, n_classes):
    rng = np.random.default_rng(1)
    for _ in range(20):
        prior, shares = rng.dirichlet(np.ones(n_codes)), rng.dirichlet(np.ones(n_classes))
        matching = np.full(n_codes, c.UNMATCHED)
        pairs = min(n_codes, n_classes)
        matching[rng.permutation(n_codes)[:pairs]] = rng.permutation(n_classes)[:pairs]
        expected = jensenshannon(*c.align(prior, shares, matching)) ** 2
        found = c.prior_jsd(prior, shares, matching)
        assert found == pytest.approx(expected)
        assert 0 <= found <= np.log(2)


def test_prior_errors_of_the_true_prior_and_of_disjoint_ones():
    shares, matching = np.array([0.1, 0.6, 0.3]), np.array([2, 0, 1])
    assert c.prior_rmse(shares[matching], shares, matching) == 0
    assert c.prior_jsd(shares[matching], shares, matching) == 0
    disjoint = np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0, 1])
    assert c.prior_jsd(*disjoint) == pytest.approx(np.log(2))


def test_shares_of_nothing_are_zero():
    assert c.shares(np.zeros(0, np.int64), 3).tolist() == [0, 0, 0]
