"""Small clusters join into classes, however unequal these are."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from elastic_infogan.training.discovery import tied_mixture
from elastic_infogan.training.joining import join, neighbour_links


def blobs(counts, seed=0, spread=0.25, features=16):
    """Unit features around as many random directions; a common class is two clumps that touch."""
    random = torch.Generator().manual_seed(seed)
    centres = torch.nn.functional.normalize(torch.randn(len(counts), features, generator=random), dim=1)
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    points = centres[labels] + spread * torch.randn(len(labels), features, generator=random)
    halves = labels == 0
    points[halves, 0] += torch.where(torch.rand(int(halves.sum()), generator=random) < 0.5, 0.5, -0.5)
    return torch.nn.functional.normalize(points, dim=1), labels.numpy()


def test_links_agree_with_an_independent_count():
    features, _ = blobs([40, 20, 10])
    clusters = np.random.default_rng(0).integers(0, 5, 70)
    nearest = NearestNeighbors(n_neighbors=4).fit(features.numpy()).kneighbors(return_distance=False)
    counted = np.zeros((5, 5))
    for i, row in enumerate(nearest):
        for j in row:
            counted[clusters[i], clusters[j]] += 1
    assert np.array_equal(neighbour_links(features, clusters, 5, 4).numpy(), counted + counted.T)


@pytest.mark.parametrize("n_classes", [1, 2, 3, 6])
def test_joining_leaves_exactly_k_classes(n_classes):
    links = torch.rand(6, 6, generator=torch.Generator().manual_seed(0))
    assert set(join(links + links.t(), n_classes)) == set(range(n_classes))


def test_clusters_without_links_are_joined_all_the_same():
    assert set(join(torch.zeros(4, 4), 2)) == {0, 1}


@pytest.mark.parametrize("seed", range(3))
def test_a_rare_class_survives_beside_a_common_one_of_two_clumps(seed):
    features, labels = blobs([1500, 400, 300, 40], seed)
    posterior = tied_mixture(features, 4, seed=0)
    classes = (features @ posterior.weight.t() + posterior.bias).argmax(1).numpy()
    for k in range(4):
        counts = np.bincount(classes[labels == k], minlength=4)
        assert counts.max() >= 0.9 * counts.sum()
    assert np.sort(posterior.shares.numpy()) == pytest.approx(
        np.sort(np.bincount(labels) / len(labels)), abs=0.01
    )
