"""The four forms of an imbalance: what they take, from what there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_infogan.data.imbalance import counts, draw, largest_class, parse, published_law_rows
from elastic_infogan.errors import DataError

MNIST = [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]
available = st.lists(st.integers(10, 10_000), min_size=1, max_size=20)
seeds = st.integers(0, 2**32)


def test_mnist_gets_the_reference_protocols_largest_class():
    assert largest_class(MNIST) == 6300
    assert counts("random:7", MNIST).max() == 6300


def test_rows_are_those_of_their_seeds():
    rows = published_law_rows(5, n_rows=3)
    np.testing.assert_array_equal(rows[2], counts("random:7", MNIST))


def test_the_law_in_the_mean():
    """u ~ U(0.1, 1), ten classes: E[u / max u] over the nine smaller ones is about 0.56."""
    rows = published_law_rows(0, n_rows=2000) / 6300
    assert abs(rows[rows < 1].mean() - 0.56) < 0.01
    assert rows.min() >= 0.1 - 1e-4


@given(available, seeds)
def test_random_counts_fit_what_there_is(there, seed):
    wanted = counts(f"random:{seed}", there)
    assert wanted.max() == largest_class(there)
    assert (wanted >= 0.1 * wanted.max() - 1).all()
    assert (wanted <= np.array(there)).all()


@given(available, st.integers(1, 10), seeds)
def test_long_tails_have_their_ratio(there, ratio, seed):
    wanted = np.sort(counts(f"longtail:{ratio}:{seed}", there))[::-1]
    assert wanted[0] == largest_class(there)
    if len(there) > 1:
        steps = np.maximum(1, wanted[0] * ratio ** (-np.arange(len(there)) / (len(there) - 1)))
        assert (np.abs(wanted - steps) <= 0.5 + 1e-6).all()


@pytest.mark.parametrize("spec", ["random:0", "longtail:100:0"])
def test_no_class_is_left_without_an_image(spec):
    assert counts(spec, [3, 40, 900, 900]).min() == 1


@given(st.integers(1, 10**7))
def test_the_largest_class_has_two_significant_digits(smallest):
    rounded = largest_class([smallest, smallest + 5])
    assert rounded <= smallest
    assert smallest - rounded <= smallest / 10
    assert len(str(rounded).rstrip("0")) <= 2


@given(st.lists(st.integers(0, 30), min_size=2, max_size=6), st.integers(0, 5))
def test_what_is_drawn_has_the_counts(wanted, shuffle):
    labels = np.random.default_rng(shuffle).permutation(np.repeat(np.arange(len(wanted)), 30))
    if sum(wanted) == 0:
        return
    spec = ",".join(map(str, wanted))
    indices = draw(spec, labels)
    assert np.bincount(labels[indices], minlength=len(wanted)).tolist() == wanted
    assert (np.diff(indices) > 0).all()
    np.testing.assert_array_equal(indices, draw(spec, labels))


def test_another_seed_draws_others():
    labels = np.repeat(np.arange(3), 1000)
    assert draw("random:0", labels).tolist() != draw("random:1", labels).tolist()
    assert parse("longtail:10:4").seed == 4


@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.uint16])
def test_a_row_of_a_file(tmp_path, dtype):
    np.save(tmp_path / "rows.npy", np.array([[1, 2], [3, 4]], dtype))
    assert counts(f"{tmp_path}/rows.npy:1", [5, 5]).tolist() == [3, 4]
    assert parse(f"{tmp_path}/rows.npy:1").seed == 1


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "random",
        "random:x",
        "random:-1",
        "longtail:10",
        "longtail:0.5:1",
        "longtail:nan:1",
        "1,2,x",
        "1,,2",
        "1.5,2",
        "rows.npy",
        "rows.npy:x",
        "rows.npy:-1",
        "uniform:3",
        "longtail:inf:0",
    ],
)
def test_other_forms_are_refused_by_naming_the_four(spec):
    with pytest.raises(DataError, match=r"none of random:SEED, longtail:RATIO:SEED, .*FILE.npy:ROW"):
        counts(spec, [5, 5])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("9,1", "9 images of class 0, of 5"),
        ("1,2,3", "has 3 counts, the data 2 classes"),
        ("0,0", "takes no image at all"),
    ],
)
def test_counts_that_do_not_fit(spec, message):
    with pytest.raises(DataError, match=message):
        counts(spec, [5, 5])


def test_files_that_do_not_fit(tmp_path):
    path = tmp_path / "rows.npy"
    cases = [
        (np.ones((2, 2), np.int64), 5, "rows 0 to 1, there is no row 5"),
        (np.ones((2, 3), np.int64), 0, "3 columns, the data 2 classes"),
        (np.full((2, 2), 0.5), 0, "are no counts"),
        (np.full((2, 2), np.nan), 0, "are no counts"),
        (-np.ones((2, 2), np.int64), 0, "are no counts"),
        (np.full((2, 2), "a"), 0, "are no counts"),
        (np.ones(4, np.int64), 0, "one row an imbalance"),
        (np.array([[{}, {}]], object), 0, "cannot be read"),
    ]
    for table, row, message in cases:
        np.save(path, table)
        with pytest.raises(DataError, match=message):
            counts(f"{path}:{row}", [5, 5])
    with pytest.raises(DataError, match="there is no file"):
        counts(f"{tmp_path}/other.npy:0", [5, 5])
