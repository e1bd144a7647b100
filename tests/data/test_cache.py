"""The cache of packed stores stays within its limit, and never loses what is in use."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from elastic_infogan.data.cache import VARIABLE, packed_folder
from elastic_infogan.data.sources import load
from elastic_infogan.errors import DataError

GB = 40 * 16 * 16 / 1e9  # of the pixels of one source below


@pytest.fixture
def sources(tmp_path):
    """Three folders of forty pictures."""
    for name in "abc":
        (tmp_path / name).mkdir()
        for i in range(40):
            Image.new("L", (16, 16), i).save(tmp_path / name / f"{i:03}.png")
    return [tmp_path / name for name in "abc"]


def cached() -> set[str]:
    return {path.name[0] for path in packed_folder().iterdir()}


def use(source, seconds_ago=0):
    """Pack a source and forget it again; it counts as used some time ago."""
    load(source, size=16)
    gc.collect()
    for store in packed_folder().glob(f"{source.name}-*"):
        used = store.stat().st_mtime - seconds_ago
        os.utime(store, (used, used))


def test_the_store_used_longest_ago_goes_first(sources, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(2.9 * GB))
    a, b, c = sources
    use(a, 300), use(b, 200)
    use(a, 100)  # used again, so that b is now the older one
    use(c)
    assert cached() == {"a", "c"}


def test_what_is_in_use_stays(sources, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(1.9 * GB))
    a, b, c = sources
    kept = load(a, size=16)
    use(b), use(c)
    assert cached() == {"a", "c"}  # c was in use as well when the others were looked at
    assert kept.images[:, 0, 0, 0].tolist() == list(range(40))
    del kept
    use(b)
    assert cached() == {"b"}


HOLD = """
import sys
from elastic_infogan.data.sources import load
images = load(sys.argv[1], size=16)
print("open", flush=True)
sys.stdin.read()
print(int(images.images.astype(int).sum()))
"""


def test_what_another_process_uses_stays(sources, monkeypatch):
    a, b, c = sources
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(a)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "open\n"
        monkeypatch.setenv(VARIABLE, "0")
        use(b), use(c)
        assert cached() == {"a", "c"}
        assert other.communicate()[0] == f"{sum(range(40)) * 256}\n"
    use(b)
    assert cached() == {"b"}  # nobody uses the others any more


def test_a_store_with_a_place_of_its_own_is_no_part_of_the_cache(sources, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "0")
    load(sources[0], size=16, store=tmp_path / "mine")
    use(sources[1])
    assert len(load(tmp_path / "mine")) == 40


@pytest.mark.parametrize("limit", ["much", "-1", "nan", "inf"])
def test_a_limit_that_is_none(sources, monkeypatch, limit):
    monkeypatch.setenv(VARIABLE, limit)
    with pytest.raises(DataError, match=f"{VARIABLE} is '{limit}'; a number of GB is needed"):
        load(sources[0])


def test_large_sets_are_scaled_into_a_file(tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (600, 12, 12), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    small = load(tmp_path / "images.npy", size=8, channels=3).images
    monkeypatch.setattr("elastic_infogan.data.arrays._IN_MEMORY", 1000)
    large = load(tmp_path / "images.npy", size=8, channels=3).images
    assert isinstance(large, np.memmap)
    assert not isinstance(small, np.memmap)
    assert np.array_equal(large, small)
