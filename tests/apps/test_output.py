"""A file is whole or absent, whatever happens while it is written."""

from __future__ import annotations

import errno
import json

import pytest

from elastic_infogan.apps.output import write_json, written_whole
from elastic_infogan.errors import ElasticInfoGANError
from elastic_infogan.files import is_leftover


def test_a_failure_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(ZeroDivisionError), written_whole(tmp_path / "a.csv") as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.csv", "old")]


def test_a_full_disk_is_one_line_that_names_the_file(tmp_path):
    line = r"a\.csv cannot be written: No space left on device"
    with pytest.raises(ElasticInfoGANError, match=line), written_whole(tmp_path / "a.csv"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_nothing_can_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    line = r"file/a\.csv cannot be written"
    with pytest.raises(ElasticInfoGANError, match=line), written_whole(tmp_path / "file/a.csv"):
        pass


def test_json_reads_back_and_refuses_nan(tmp_path):
    write_json(tmp_path / "a.json", {"é": [1.5, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"é": [1.5, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"é": [1.5, None]}


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "x" * 251 + ".csv"])
def test_the_longest_names_that_there_are_can_be_written(tmp_path, name):
    with written_whole(tmp_path / name) as file:
        assert all(is_leftover(path) for path in tmp_path.iterdir())
        file.write(b"whole")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"whole")]


def test_the_advice_names_no_flag_that_may_be_another(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ElasticInfoGANError) as caught, written_whole(tmp_path / "file/a.csv"):
        pass
    assert "choose another place" in str(caught.value)
    assert "--" not in str(caught.value)
