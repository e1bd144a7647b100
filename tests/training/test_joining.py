"""Small clusters join into classes, however unequal these are."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from elastic_infogan.training.joining import affinity, join, links, nearest, voted


def test_links_agree_with_an_independent_count():
    features = torch.randn(70, 16, generator=torch.Generator().manual_seed(0))
    features = torch.nn.functional.normalize(features, dim=1)
    clusters = np.random.default_rng(0).integers(0, 5, 70)
    neighbours = NearestNeighbors(n_neighbors=4).fit(features.numpy()).kneighbors(return_distance=False)
    counted = np.zeros((5, 5))
    for i, row in enumerate(neighbours):
        for j in row:
            counted[clusters[i], clusters[j]] += 1
    assert np.array_equal(links(nearest(features, 4), clusters, 5), counted + counted.T)


@pytest.mark.parametrize("among", [None, 1_281, 1_407, 2_000])
def test_the_nearest_of_many_are_those_of_a_whole_table(among):
    """More than ten blocks of columns, with and without columns beyond the last whole block."""
    draw = torch.Generator().manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(1_500, 8, generator=draw), dim=1)
    others = (
        vectors if among is None else torch.nn.functional.normalize(torch.randn(among, 8, generator=draw))
    )
    table = NearestNeighbors(n_neighbors=10, algorithm="brute").fit(others.numpy())
    asked = None if among is None else vectors.numpy()
    assert np.array_equal(nearest(vectors, 10, None if among is None else others), table.kneighbors(asked)[1])


@pytest.mark.parametrize("n_classes", [1, 2, 3, 6])
def test_joining_leaves_exactly_k_classes(n_classes):
    linked = np.random.default_rng(0).random((6, 6))
    assert set(join(linked + linked.T, n_classes=n_classes).classes) == set(range(n_classes))


@pytest.mark.parametrize("seed", range(6))
def test_the_two_closest_of_all_groups_are_joined_each_time(seed):
    """Against the affinity of all pairs, computed anew for every joining; small counts, so that many tie."""
    linked = np.random.default_rng(seed).poisson(0.6, (2, 24, 24)).astype(float)
    linked += linked.transpose(0, 2, 1)
    joined = join(*linked, n_classes=3)
    groups = [[k] for k in range(24)]
    for pair, closeness in zip(joined.pairs, joined.closeness, strict=True):
        between = np.array([[[kind[np.ix_(a, b)].sum() for b in groups] for a in groups] for kind in linked])
        degrees = between.sum(2)
        close = np.mean([affinity(b, d[:, None], d) for b, d in zip(between, degrees, strict=True)], axis=0)
        np.fill_diagonal(close, -1.0)
        one, other = sorted(divmod(int(close.argmax()), len(close)))
        if close[one, other] > 0:
            assert (groups[one][0], groups[other][0]) == pair
            assert close[one, other] == pytest.approx(closeness)
        one, other = ([group[0] for group in groups].index(k) for k in pair)
        groups[one] += groups.pop(other)


def test_clusters_without_links_are_joined_all_the_same():
    assert set(join(np.zeros((4, 4)), n_classes=2).classes) == {0, 1}


def test_two_small_groups_join_their_own_rather_than_each_other():
    # 0 and 1: a common class and an odd corner of it; 2 and 3: a rare class, linked to the corner a little.
    linked = np.array([[900, 30, 0, 0], [30, 40, 8, 0], [0, 8, 40, 30], [0, 0, 30, 40]], float)
    assert join(linked, n_classes=2).classes.tolist() == [0, 0, 1, 1]


def test_what_features_hold_apart_is_joined_by_links_of_another_kind():
    """0 and 1: a variant that features see as a kind of its own; 2 and 3: kinds that are a little alike."""
    features = np.array([[90, 0, 1, 0], [0, 90, 1, 0], [1, 1, 90, 9], [0, 0, 9, 90]], float)
    pixels = np.array([[50, 30, 2, 2], [30, 50, 2, 2], [2, 2, 90, 2], [2, 2, 2, 90]], float)
    assert join(features, n_classes=3).classes.tolist() == [0, 1, 2, 2]
    assert join(features, pixels, n_classes=3).classes.tolist() == [0, 0, 1, 2]


def test_neighbours_of_both_kinds_vote_together():
    classes = np.array([0, 0, 1, 1, 1])
    by_features = torch.tensor([[1, 2], [0, 2], [3, 4], [2, 4], [2, 3]])
    by_pixels = torch.tensor([[2, 3], [0, 3], [3, 4], [2, 4], [2, 3]])
    assert voted(classes, by_features)[0] == 0
    assert voted(classes, by_features, by_pixels)[0] == 1


def test_fewer_groups_are_a_step_on_the_way_from_more():
    random = np.random.default_rng(0)
    near = random.poisson(0.5, (40, 40)) * np.abs(np.subtract.outer(np.arange(40), np.arange(40)) < 6)
    features, pixels = near + near.T, random.poisson(0.2, (40, 40))
    pixels = pixels + pixels.T
    joined = join(features, pixels, n_classes=3)
    assert len(joined.pairs) == len(joined.closeness) == 37
    for groups in (3, 4, 9, 40):
        assert joined.at(groups).tolist() == join(features, pixels, n_classes=groups).classes.tolist()
        assert len(set(joined.at(groups))) == groups


def test_the_affinity_is_that_of_the_groups_as_they_are():
    random = np.random.default_rng(1)
    links_of = random.poisson(2, (30, 30)).astype(float)
    links_of = links_of + links_of.T
    joined = join(links_of, n_classes=2)
    classes = joined.at(3)
    of = np.eye(3)[classes]
    between = of.T @ links_of @ of
    degree = between.sum(1)
    lesser, greater = np.minimum.outer(degree, degree), np.maximum.outer(degree, degree)
    close = between / (lesser**0.9 * greater**0.1)
    np.fill_diagonal(close, -1)
    assert joined.closeness[-1] == pytest.approx(close.max())


def test_kinds_that_nothing_links_are_not_all_thrown_together():
    apart = np.diag([100.0, 120, 80, 90, 10, 110, 95])
    assert join(apart, n_classes=6).classes.tolist() == [0, 1, 2, 3, 2, 4, 5]


def test_halves_of_a_large_group_join_before_a_small_one_where_surfaces_count():
    """160 of 4,000 links of either half lead to the other, three of a small group's 40 to another group."""
    between = np.zeros((4, 4))
    between[0, 0] = between[1, 1] = between[3, 3] = 3840
    between[2, 2] = 37
    between[0, 1] = between[1, 0] = 160
    between[2, 3] = between[3, 2] = 3
    together = [join(between, n_classes=3, surface=s).classes.tolist() for s in (1.0, 0.8)]
    assert together == [[0, 1, 2, 2], [0, 0, 1, 2]]
