"""Small clusters join into classes, however unequal these are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from elastic_infogan.training.discovery import set_q
from elastic_infogan.training.grouping import Looks, grouped, regressed
from elastic_infogan.training.joining import agreement, join, links, nearest, voted
from elastic_infogan.training.recipes import ELASTIC
from elastic_infogan.training.state import build

WIDTHS = {"generator_width": 4, "discriminator_width": 4, "encoder_width": 4}


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
    neighbours = NearestNeighbors(n_neighbors=4).fit(features.numpy()).kneighbors(return_distance=False)
    counted = np.zeros((5, 5))
    for i, row in enumerate(neighbours):
        for j in row:
            counted[clusters[i], clusters[j]] += 1
    assert np.array_equal(links(nearest(features, 4), clusters, 5), counted + counted.T)


@pytest.mark.parametrize("n_classes", [1, 2, 3, 6])
def test_joining_leaves_exactly_k_classes(n_classes):
    linked = np.random.default_rng(0).random((6, 6))
    assert set(join(linked + linked.T, n_classes=n_classes).classes) == set(range(n_classes))


def test_clusters_without_links_are_joined_all_the_same():
    assert set(join(np.zeros((4, 4)), n_classes=2).classes) == {0, 1}


def test_two_small_groups_join_their_own_rather_than_each_other():
    # 0 and 1: a common class and an odd corner of it; 2 and 3: a rare class, linked to the corner a little.
    linked = np.array([[900, 30, 0, 0], [30, 40, 8, 0], [0, 8, 40, 30], [0, 0, 30, 40]], float)
    assert join(linked, n_classes=2).classes.tolist() == [0, 0, 1, 1]


def test_halves_of_a_very_common_class_join_before_a_rare_class_does():
    # 0 and 1: halves of a class; 2: sixty times as rare as either, of whose links a larger part lead to 0.
    linked = np.array([[58_500, 1_500, 40], [1_500, 58_500, 0], [40, 0, 960]], float)
    assert linked[2, 0] / linked[2].sum() > linked[1, 0] / linked[1].sum()
    assert join(linked, n_classes=2).classes.tolist() == [0, 0, 1]


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


def test_the_odd_one_out_of_several_clusterings_agrees_least():
    same, renamed, odd = np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]), np.array([0, 1, 0, 1])
    assert agreement([odd, same, renamed]).sum(1).argmin() == 0


@pytest.mark.parametrize("seed", range(3))
def test_a_rare_class_survives_beside_a_common_one_of_two_clumps(seed):
    features, labels = blobs([1500, 400, 300, 40], seed, spread=0.2)
    noise = torch.randn(len(features), 4)  # which has no say
    found = grouped(Looks(features, noise, noise), 4, seed=0)
    assert not found.by_gradients
    posterior = regressed(features.double().numpy(), found.classes, 4)
    classes = (features @ posterior.weight.t() + posterior.bias).argmax(1).numpy()
    for k in range(4):
        counts = np.bincount(classes[labels == k], minlength=4)
        assert counts.max() >= 0.9 * counts.sum()
    assert np.sort(posterior.shares.numpy()) == pytest.approx(
        np.sort(np.bincount(labels) / len(labels)), abs=0.01
    )


def test_images_that_were_not_looked_at_are_told_by_those_like_them():
    features, labels = blobs([600, 300, 60], spread=0.15)
    looked, others = np.arange(0, 960, 2), np.arange(1, 960, 2)
    found = grouped(Looks(*[features[looked]] * 3), 3, seed=0)
    assert found.by_gradients
    told = found.tell(Looks(*[features[others]] * 3))
    for k in range(3):
        assert set(told[labels[others] == k]) == set(found.classes[labels[looked] == k])
        assert len(set(told[labels[others] == k])) == 1


@pytest.mark.parametrize("n_classes", [2, 3])
def test_codes_that_no_image_fills_are_improbable(n_classes):
    features, labels = blobs([60, 40], 0)
    posterior = regressed(features.double().numpy(), labels, n_classes)
    probabilities = (features @ posterior.weight.t() + posterior.bias).softmax(1)
    assert (probabilities.argmax(1).numpy() == labels).mean() > 0.9
    assert posterior.shares.tolist() == pytest.approx([0.6, 0.4, 0.0][:n_classes])
    assert probabilities[:, 2:].sum() < 1


def test_one_class_alone_takes_everything():
    posterior = regressed(np.eye(4), np.zeros(4, np.int64), 3)
    assert (torch.eye(4) @ posterior.weight.t() + posterior.bias).argmax(1).tolist() == [0, 0, 0, 0]


def test_a_head_set_from_one_class_alone_is_finite_and_gives_that_class(small):
    """As where one image in hundreds differs and its neighbours outvote it."""
    model = build(small(networks=replace(ELASTIC.networks, **WIDTHS)), 8, 1)
    features = torch.nn.functional.normalize(torch.randn(20, model.spec.features), dim=1)
    set_q(model, regressed(features.double().numpy(), np.full(20, 4), 10))
    assert (model.q_head(features).logits.argmax(1) == 4).all()
    assert all(p.isfinite().all() for p in model.parameters())


def test_a_variant_nearer_to_another_class_stays_with_its_own():
    """A class of two clumps on either side of another, whose mean lies where the other is."""
    random = np.random.default_rng(0)
    across = np.concatenate(
        [random.normal(-1, 0.1, 400), random.normal(0.9, 0.1, 60), random.normal(0, 0.1, 300)]
    )
    classes = np.repeat([0, 0, 1], [400, 60, 300])
    features = np.stack([across, np.where(classes == 1, 0.3, -0.3), random.normal(0, 0.1, 760)], 1)
    fitted = regressed(features, classes, 2)
    found = (features @ fitted.weight.numpy().T + fitted.bias.numpy()).argmax(1)
    assert (found == classes).mean() > 0.99
