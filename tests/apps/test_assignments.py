"""The CSV says what Q said, for any name, whatever the number of processes."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from elastic_infogan.apps.assignments import write_assignments
from elastic_infogan.apps.names import ClassNames
from elastic_infogan.data.images import ImageSet
from elastic_infogan.data.sources import load


def image_set(count, names=None, origin="array"):
    return ImageSet(np.arange(count * 64, dtype=np.uint8).reshape(count, 8, 8, 1), origin, names)


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_rows_are_in_order_and_numbers_are_right_to_six_decimals(tmp_path):
    p = np.random.default_rng(0).dirichlet(np.full(11, 0.1), 700)
    p[0] = np.eye(11)[4]
    codes = write_assignments(tmp_path / "a.csv", image_set(700), np.split(p, [300, 310]), ClassNames(11))
    header, *rows = read(tmp_path / "a.csv")
    assert header == ["image", "class", "probability", *(f"p_{k}" for k in range(11))]
    assert [row[0] for row in rows] == [str(i) for i in range(700)]
    assert [int(row[1]) for row in rows] == p.argmax(1).tolist() == codes.tolist()
    numbers = np.array([row[2:] for row in rows], float)
    np.testing.assert_allclose(numbers[:, 0], p.max(1), atol=5.1e-7)
    np.testing.assert_allclose(numbers[:, 1:], p, atol=5.1e-7)


def test_names_with_commas_quotes_and_newlines_read_back(tmp_path):
    names = ["a,b.png", '7" disc.png', "two\nlines.png", "é/ß.png", "plain.png"]
    write_assignments(tmp_path / "a.csv", image_set(5, names), [np.full((5, 2), 0.5)], ClassNames(2))
    assert [row[0] for row in read(tmp_path / "a.csv")[1:]] == names


def test_a_name_that_is_not_unicode_keeps_its_bytes(tmp_path):
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    write_assignments(tmp_path / "a.csv", image_set(1, [name]), [np.ones((1, 1))], ClassNames(1))
    assert b"caf\xe9.png,0,1.000000" in (tmp_path / "a.csv").read_bytes()


# Several processes


def command(run, source, out, *more):
    paths = [str(path) for path in (run, source, "--out", out)]
    return [sys.executable, "-m", "elastic_infogan", "assign", *paths, "--device", "cpu", *more]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such name for it")
def test_standard_output_gets_the_table_and_nothing_else(trained, tmp_path):
    done = subprocess.run(
        command(trained, "digits", "/dev/stdout"), capture_output=True, check=True, text=True
    )
    rows = list(csv.reader(done.stdout.splitlines()))
    assert len(rows) == 1 + 1797
    assert rows[-1][0] == "1796"
    assert "1,797 images" in done.stderr


@pytest.mark.slow
def test_two_processes_write_what_one_writes(trained, tmp_path):
    """Byte for byte: 1,797 images in four batches, of which the last is not whole, and 200 in one."""
    few = tmp_path / "few.npy"
    np.save(few, load("digits").images[:200])
    for source in ("digits", few):
        alone, both = tmp_path / "alone.csv", tmp_path / "both.csv"
        subprocess.run(command(trained, source, alone), check=True)
        together = command(trained, source, both, "--devices", "2")
        done = subprocess.run(together, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert alone.read_bytes() == both.read_bytes()
        assert done.stdout.count(f"images in {both}") == 1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes in /proc")
def test_a_killed_process_ends_the_other_and_nothing_is_written(trained, tmp_path):
    many, out = tmp_path / "many.npy", tmp_path / "a.csv"
    np.save(many, np.resize(load("digits").images, (300_000, 8, 8, 1)))
    with subprocess.Popen(
        command(trained, many, out, "--devices", "2"), stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 200
        while not list(tmp_path.glob("*a.csv*")):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        message = process.communicate(timeout=100)[1]
    assert process.returncode == 2, message
    assert "was ended by SIGKILL; nothing was written" in message.splitlines()[-1]
    assert not out.exists()


def test_torchrun_with_other_numbers_is_refused(trained, tmp_path, fails, monkeypatch):
    """Each of its processes would write the same file."""
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "TORCHELASTIC_RUN_ID": "x"}.items():
        monkeypatch.setenv(name, value)
    line = fails("assign", trained, "digits", "--out", tmp_path / "a.csv")
    assert line.startswith("--devices 1 --nodes 1: torchrun has started 2 processes")
