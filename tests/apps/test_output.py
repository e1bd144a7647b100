"""A file is whole or absent, whatever happens while it is written."""

from __future__ import annotations

import errno
import json
import os
import time

import pytest

from elastic_infogan.apps.output import write_json, written_whole
from elastic_infogan.errors import ElasticInfoGANError
from elastic_infogan.files import STALE, is_leftover, sweep


def test_a_failure_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(ZeroDivisionError), written_whole(tmp_path / "a.csv") as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.csv", "old")]


def test_of_two_who_write_one_file_the_last_to_end_wins_and_both_are_whole(tmp_path):
    with written_whole(tmp_path / "a.csv") as one:
        one.write(b"one")
        with written_whole(tmp_path / "a.csv") as other:
            other.write(b"other")
        assert (tmp_path / "a.csv").read_bytes() == b"other"
    assert (tmp_path / "a.csv").read_bytes() == b"one"
    assert len(list(tmp_path.iterdir())) == 1


def test_what_killed_processes_left_is_swept_once_nobody_can_be_at_work(tmp_path):
    for name, age in ((".a.csv.1-0.part", 2 * STALE), (".a.csv.2-0.part", 0), ("a.part", 2 * STALE)):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.csv.2-0.part", "a.part"]


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


def test_a_pipe_is_written_to_and_a_link_leads_to_what_is_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with written_whole(tmp_path / "pipe") as file:
        file.write(b"told")
    assert os.read(reader, 10) == b"told"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()

    (tmp_path / "link").symlink_to("a.csv")
    with written_whole(tmp_path / "link") as file:
        file.write(b"told")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a.csv").read_bytes() == b"told"
