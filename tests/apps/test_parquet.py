"""A Parquet file says what the CSV says, whatever the names, and is written in pieces."""

from __future__ import annotations

import csv
import sys

import numpy as np
import pytest
from pyarrow.parquet import ParquetFile, read_table

from elastic_infogan.apps import parquet
from elastic_infogan.apps.assignments import write_assignments
from elastic_infogan.apps.cli import run
from elastic_infogan.apps.names import ClassNames
from elastic_infogan.apps.parquet import write_parquet
from elastic_infogan.data.images import ImageSet


def image_set(names):
    return ImageSet(np.zeros((len(names), 8, 8, 1), np.uint8), "array", names)


def test_the_columns_are_those_of_the_csv(trained, tmp_path):
    for name in ("a.csv", "a.parquet"):
        assert run(["assign", str(trained), "digits", "--out", str(tmp_path / name)]) == 0
    table = read_table(tmp_path / "a.parquet")
    header, *rows = (tmp_path / "a.csv").read_text().splitlines()
    assert table.column_names == header.split(",")
    cells = np.array([row.split(",") for row in rows])
    assert table["image"].to_pylist() == cells[:, 0].tolist()
    assert table["class"].to_pylist() == cells[:, 1].astype(int).tolist()
    numbers = np.stack([table[name].to_numpy() for name in table.column_names[2:]], axis=1)
    np.testing.assert_allclose(numbers, cells[:, 2:].astype(float), atol=1e-6)


def test_merged_and_named_classes_are_those_of_the_csv(tmp_path):
    classes = ClassNames(3).named(0, "cat").merge([1, 2])
    p = np.array([[0.4, 0.3, 0.3], [0.8, 0.1, 0.1]])
    write_parquet(tmp_path / "a.parquet", image_set(["a", "b"]), [p], classes)
    write_assignments(tmp_path / "a.csv", image_set(["a", "b"]), [p], classes)
    table = read_table(tmp_path / "a.parquet")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert table.column_names == list(rows[0])
    assert [str(k) for k in table["class"].to_pylist()] == [row["class"] for row in rows] == ["1", "0"]
    assert table["name"].to_pylist() == [row["name"] for row in rows] == ["", "cat"]
    np.testing.assert_allclose(table["probability"], [0.6, 0.8], atol=1e-6)


def test_row_groups_follow_one_another_and_bound_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROWS", 40)
    p = np.random.default_rng(0).dirichlet(np.ones(3), 100)
    names = [f"{i}.png" for i in range(100)]
    codes = write_parquet(tmp_path / "a.parquet", image_set(names), np.split(p, [30, 60, 90]), ClassNames(3))
    assert codes.tolist() == p.argmax(1).tolist()
    file = ParquetFile(tmp_path / "a.parquet")
    assert max(file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)) <= 40
    assert file.read()["image"].to_pylist() == names


def test_a_name_that_is_not_unicode_shows_its_bytes(tmp_path):
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    write_parquet(tmp_path / "a.parquet", image_set([name]), [np.ones((1, 1))], ClassNames(1))
    assert read_table(tmp_path / "a.parquet")["image"].to_pylist() == ["caf\\xe9.png"]


def test_a_failure_leaves_no_file(tmp_path):
    def broken():
        yield np.full((1, 2), 0.5)
        raise KeyError

    with pytest.raises(KeyError):
        write_parquet(tmp_path / "a.parquet", image_set(["a", "b"]), broken(), ClassNames(2))
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_one_line_says_so(trained, tmp_path, fails, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    line = fails("assign", trained, "digits", "--out", tmp_path / "a.parquet")
    assert line == f'{tmp_path / "a.parquet"} needs pyarrow: pip install "elastic-infogan[parquet]"'
