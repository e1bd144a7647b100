"""Classes among features, however unequal."""

import numpy as np
import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score

from elastic_infogan.training.grouping import Looks, compared, grouped
from elastic_infogan.training.posterior import regressed


def blobs(counts, seed=0, spread=0.25, features=16):
    """Unit features around as many random directions; a common class is two clumps that touch."""
    random = torch.Generator().manual_seed(seed)
    centres = torch.nn.functional.normalize(torch.randn(len(counts), features, generator=random), dim=1)
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    points = centres[labels] + spread * torch.randn(len(labels), features, generator=random)
    halves = labels == 0
    points[halves, 0] += torch.where(torch.rand(int(halves.sum()), generator=random) < 0.5, 0.5, -0.5)
    return torch.nn.functional.normalize(points, dim=1), labels.numpy()


def unlike(number):
    """Gradients or pixels that tell nothing."""
    return torch.randn(number, 4, generator=torch.Generator().manual_seed(99))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("kinds", "each"), [(5, 5), (10, 6), (10, 8), (5, 8)])
def test_a_few_images_of_each_kind_are_enough(kinds, each, seed):
    features, labels = blobs(kinds * [each], seed, spread=0.05, features=64)
    noise = unlike(len(features))
    classes = grouped(Looks(features, noise, (noise,)), kinds, seed=0).classes
    assert normalized_mutual_info_score(labels, classes) > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_a_rare_class_survives_beside_a_common_one_of_two_clumps(seed):
    features, labels = blobs([1500, 400, 300, 40], seed, spread=0.2)
    noise = unlike(len(features))  # which has no say
    found = grouped(Looks(features, noise, (noise,)), 4, seed=0)
    assert not found.strokes_say
    posterior = regressed(features.double().numpy(), found.classes, 4)
    classes = (features @ posterior.weight.t() + posterior.bias).argmax(1).numpy()
    for k in range(4):
        counts = np.bincount(classes[labels == k], minlength=4)
        assert counts.max() >= 0.9 * counts.sum()
    assert np.sort(posterior.shares.numpy()) == pytest.approx(
        np.sort(np.bincount(labels) / len(labels)), abs=0.01
    )


@pytest.mark.parametrize("seed", range(3))
def test_odd_images_whose_neighbours_outvote_them_cost_no_class(seed):
    """Nobody's neighbours, a pair joins nothing; votes give it away, and K classes are left all the same."""
    features, labels = blobs([600, 300, 60], seed, spread=0.15)
    odd = torch.nn.functional.normalize(-features.mean(0, keepdim=True), dim=1) + 0.01 * torch.eye(16)[:2]
    noise = unlike(len(features) + 2)
    found = grouped(Looks(torch.cat([features, odd]), noise, (noise,)), 3, seed=0)
    for k in range(3):
        counts = np.bincount(found.classes[:-2][labels == k], minlength=3)
        assert counts.max() >= 0.9 * counts.sum()
    assert len({int(np.bincount(found.classes[:-2][labels == k]).argmax()) for k in range(3)}) == 3


def test_images_that_were_not_looked_at_are_told_by_those_like_them():
    features, labels = blobs([600, 300, 60], spread=0.15)
    looked, others = np.arange(0, 960, 2), np.arange(1, 960, 2)
    found = grouped(Looks(features[looked], features[looked], (features[looked],)), 3, seed=0)
    assert found.strokes_say
    told = found.tell(features[others], features[others])
    for k in range(3):
        assert set(told[labels[others] == k]) == set(found.classes[labels[looked] == k])
        assert len(set(told[labels[others] == k])) == 1


def test_what_strokes_enclose_tells_a_rare_kind_from_a_common_one_like_it():
    """Where 40 images lie in the midst of 1,500 by all else, those most like them are their own kind's."""
    features, labels = blobs([1500, 400, 40], spread=0.2)
    random = torch.Generator().manual_seed(1)
    rare = labels == 2
    features[rare] = features[torch.randint(0, 1500, (40,), generator=random)]
    features += 0.02 * torch.randn(features.shape, generator=random)
    enclosed = torch.nn.functional.one_hot(torch.from_numpy(labels), 3).float()[:, None].expand(-1, 5, -1)
    enclosed = enclosed + 0.05 * torch.rand(enclosed.shape, generator=random)

    def own(concavities):
        by = compared(Looks(features, features, (features,), concavities), 3, seed=0)
        return [float((labels[kind[rare]] == 2).mean()) for kind in (by.neighbours, *by.pixels)]

    assert max(own(None)) < 0.3
    assert min(own(enclosed)) > 0.9


def test_a_continuum_with_islands_of_copies_is_divided_by_likeness():
    """Joining would give each island a class, and all the rest, which has no gaps, one."""
    random = torch.Generator().manual_seed(0)
    rest = torch.randn(1000, 8, generator=random)
    islands = torch.randn(4, 8, generator=random).repeat_interleave(20, 0)
    features = torch.cat([rest, islands + 0.001 * torch.randn(80, 8, generator=random)])
    features = torch.nn.functional.normalize(features, dim=1)
    noise = torch.randn(len(features), 6, generator=random)
    found = grouped(Looks(features, noise, (noise,)), 5, seed=0)
    assert not found.kinds
    assert np.bincount(found.classes).max() < 400


def test_separate_kinds_are_not_divided_however_common_one_is():
    features, labels = blobs([3000, 100, 30], spread=0.15)
    noise = unlike(len(features))
    found = grouped(Looks(features, noise, (noise,)), 3, seed=0)
    assert found.kinds
    assert normalized_mutual_info_score(labels, found.classes) > 0.95
