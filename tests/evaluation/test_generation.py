"""Generation numbers against closed forms, SciPy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import sqrtm
from scipy.stats import entropy
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.pairwise import euclidean_distances, polynomial_kernel

from elastic_infogan.evaluation import generation as g
from elastic_infogan.evaluation.clustering import count_matrix

counts_matrices = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.integers(0, 20))
)


@pytest.mark.parametrize("k", [2, 10])
def test_one_class_a_code_is_perfect(k):
    perfect = 1000 * np.eye(k, dtype=np.int64)[np.roll(np.arange(k), 1)]
    assert g.generated_nmi(perfect) == pytest.approx(1)
    assert g.ent(perfect) == pytest.approx(0)
    assert g.classes_shown(perfect).sum() == k


def test_every_code_alike_is_the_worst():
    alike = np.full((10, 10), 100)
    assert g.generated_nmi(alike) == pytest.approx(0, abs=1e-9)
    assert g.ent(alike) == pytest.approx(np.log(10))
    assert not g.classes_shown(alike).any()


def test_empty_column_counts_ln_k_and_empty_row_ln_c():
    one_class = np.zeros((4, 3), np.int64)
    one_class[:, 1] = 100  # rows 0; columns ln 4 each: two of them by the rule, one by its spread
    assert g.ent(one_class) == pytest.approx(3 * np.log(4) / 7)
    assert g.ent(one_class.T) == pytest.approx(3 * np.log(4) / 7)
    assert g.generated_nmi(one_class) == pytest.approx(0, abs=1e-9)


@given(counts_matrices)
def test_ent_is_the_mean_of_scipy_entropies(counts):
    assume((counts.sum(0) > 0).all() and (counts.sum(1) > 0).all())
    expected = [*(entropy(row) for row in counts), *(entropy(column) for column in counts.T)]
    assert g.ent(counts) == pytest.approx(np.mean(expected))


@given(counts_matrices, st.randoms(use_true_random=False))
def test_order_of_codes_and_of_classes_does_not_matter(counts, random):
    assume(counts.sum() > 0)
    rows, columns = (random.sample(range(n), n) for n in counts.shape)
    mixed = counts[rows][:, columns]
    for number in (g.generated_nmi, g.ent):
        assert number(mixed) == pytest.approx(number(counts))
    assert g.classes_shown(mixed).tolist() == g.classes_shown(counts)[columns].tolist()


def test_generated_nmi_is_that_of_the_images_counted():
    rng = np.random.default_rng(0)
    codes, classes = rng.integers(0, 4, 300), rng.integers(0, 3, 300)
    counts = count_matrix(codes, classes, 4, 3)
    assert g.generated_nmi(counts) == pytest.approx(normalized_mutual_info_score(codes, classes))


def test_half_of_a_code_is_enough_and_an_empty_code_shows_nothing():
    assert g.classes_shown(np.array([[5, 5, 0], [4, 4, 3], [0, 0, 0]])).tolist() == [True, True, False]


@pytest.fixture(params=[(300, 200, 7), (700, 1100, 3), (2, 3, 4)], ids=str)
def features(request):
    n, m, width = request.param
    rng = np.random.default_rng(n)
    return rng.normal(size=(n, width)), rng.normal(0.3, 1.2, size=(m, width))


def as_tensors(real, fake):
    return torch.from_numpy(real).float(), torch.from_numpy(fake).float()


def test_manifold_scores_agree_with_their_definitions(features):
    real, fake = (x.astype(np.float32).astype(np.float64) for x in features)
    k_real, k_fake = (min(5, len(x) - 1) for x in (real, fake))
    real_radius = np.sort(euclidean_distances(real), axis=1)[:, k_real]
    fake_radius = np.sort(euclidean_distances(fake), axis=1)[:, k_fake]
    across = euclidean_distances(real, fake)
    in_real = across <= real_radius[:, None]
    expected = {
        "precision": in_real.any(0).mean(),
        "recall": (across <= fake_radius).any(1).mean(),
        "density": in_real.sum() / (k_real * len(fake)),
        "coverage": in_real.any(1).mean(),
    }
    assert g.manifold_scores(*as_tensors(real, fake)) == pytest.approx(expected)


def test_manifold_scores_of_the_same_and_of_far_sets():
    real = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
    same, far = g.manifold_scores(real, real), g.manifold_scores(real, real + 100)
    assert same["precision"] == same["recall"] == same["coverage"] == 1
    assert same["density"] > 1  # every point is in its own ball and in about k others
    assert set(far.values()) == {0}


def test_one_repeated_image_is_faithful_but_not_diverse():
    real = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
    scores = g.manifold_scores(real, real[:1].repeat(400, 1) + 1e-4)
    assert scores["precision"] == 1
    assert max(scores["recall"], scores["coverage"]) < 0.1


def test_manifold_scores_need_neighbours():
    with pytest.raises(ValueError, match="two points"):
        g.manifold_scores(torch.zeros(1, 3), torch.zeros(9, 3))


def test_fid_agrees_with_a_matrix_square_root(features):
    real, fake = (x.astype(np.float32).astype(np.float64) for x in features)
    if len(real) < real.shape[1]:
        pytest.skip("SciPy's root of a singular product is not reliable")
    root = sqrtm(np.cov(real.T) @ np.cov(fake.T)).real
    expected = ((real.mean(0) - fake.mean(0)) ** 2).sum() + np.trace(
        np.cov(real.T) + np.cov(fake.T) - 2 * root
    )
    assert g.fid(*as_tensors(real, fake)) == pytest.approx(expected)


def test_fid_of_a_shift_is_its_square_and_of_a_scale_what_the_spread_gained():
    real = torch.randn(500, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shift = torch.tensor([3.0, 0, 4, 0], dtype=torch.float64)
    assert g.fid(real, real) == pytest.approx(0, abs=1e-9)
    assert g.fid(real, real + shift) == pytest.approx(25)
    centred = real - real.mean(0)
    assert g.fid(centred, 3 * centred) == pytest.approx(4 * float(real.var(0).sum()))


def test_kid_agrees_with_scikit_learns_kernel(features):
    real, fake = (x.astype(np.float32).astype(np.float64) for x in features)

    def mean_of_pairs(x):
        kernel = polynomial_kernel(x, degree=3, coef0=1)
        return (kernel.sum() - np.trace(kernel)) / (len(x) * (len(x) - 1))

    across = polynomial_kernel(real, fake, degree=3, coef0=1).mean()
    expected = mean_of_pairs(real) + mean_of_pairs(fake) - 2 * across
    assert g.kid(*as_tensors(real, fake)) == pytest.approx(expected)


def test_kid_of_one_law_is_about_zero():
    real, fake = torch.randn(2, 1000, 4, generator=torch.Generator().manual_seed(0))
    assert g.kid(real, fake) == pytest.approx(0, abs=0.02)
    assert g.kid(real, fake + 1) > 0.5
