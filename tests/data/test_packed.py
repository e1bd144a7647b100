"""Packed stores: whole or not there, gone on with, never decoded twice."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tracemalloc
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from elastic_infogan.data import packed
from elastic_infogan.data.cache import packed_folder
from elastic_infogan.data.inspection import inspect
from elastic_infogan.data.listing import Listing, list_folder
from elastic_infogan.data.names import Names
from elastic_infogan.data.packed import pack
from elastic_infogan.data.partial import SET_ASIDE, Partial, Plan
from elastic_infogan.data.sources import load
from elastic_infogan.errors import DataError

MANY = 200


@pytest.fixture
def many(tmp_path):
    """200 grey pictures whose pixels tell their number, three files that are none."""
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(MANY):
        Image.new("L", (16, 16), i).save(folder / f"{i:03}.png")
    for i in (0, 77, 150):
        (folder / f"{i:03}.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def decoded(monkeypatch):
    """How many pictures have been decoded."""
    done = []

    def counting(*arguments):
        done.append(1)
        return decode(*arguments)

    decode = packed.decode
    monkeypatch.setattr(packed, "decode", counting)
    return done


def check(images) -> None:
    kept = [i for i in range(MANY) if i not in (0, 77, 150)]
    assert images.images[:, 3, 3, 0].tolist() == kept
    assert images.names[:] == [f"{i:03}.png" for i in kept]
    assert [item.name for item in images.set_aside] == ["000.png", "077.png", "150.png"]


def in_process(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_a_reason_cut_short_by_a_crash_is_dropped_and_the_next_is_whole(tmp_path):
    plan = Plan(key="k", count=3, size=4, channels=1, squeeze=False)
    (tmp_path / "partial").mkdir()
    with closing(Partial(tmp_path / "partial", plan)) as partial:
        partial.state[:] = SET_ASIDE
        (tmp_path / "partial" / "state").write_bytes(partial.state.tobytes())
    (tmp_path / "partial" / "reasons.jsonl").write_text('[0, "damaged"]\n[1, "dama')
    with closing(Partial(tmp_path / "partial", plan)) as partial:
        assert partial.reasons == {0: "damaged"}
        partial.give_reasons({2: "empty"})
    with closing(Partial(tmp_path / "partial", plan)) as partial:
        assert partial.reasons == {0: "damaged", 2: "empty"}


def test_a_store_is_a_source(many, tmp_path):
    check(pack(many, tmp_path / "store", size=16))
    images = load(tmp_path / "store")
    check(images)
    assert isinstance(images.images, np.memmap)
    assert images.images.shape == (197, 16, 16, 1)
    assert load(tmp_path / "store", size=8, channels=3).images.shape == (197, 8, 8, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many", "store"]


def test_labels_and_names_come_with_a_store(classes, tmp_path):
    first, again = pack(classes, tmp_path / "store"), load(tmp_path / "store")
    assert again.labels.tolist() == first.labels.tolist() == [0, 0, 1, 1, 1]
    assert again.class_names == ("bright", "dark")


@pytest.mark.parametrize("workers", [1, 3])
def test_order_does_not_depend_on_the_workers(many, tmp_path, workers):
    check(pack(many, tmp_path / "store", size=16, workers=workers))


def test_nothing_is_decoded_twice(many, decoded):
    check(load(many, size=16))
    assert len(decoded) == MANY
    check(load(many, size=16))
    assert len(decoded) == MANY


def test_what_was_chosen_is_found_again_when_it_is_asked_for(many, decoded):
    chosen = load(many)
    again = load(many, size=chosen.size[0], channels=chosen.channels)
    np.testing.assert_array_equal(again.images, chosen.images)
    assert len(decoded) == MANY
    check(load(many, size=16, channels=1))
    assert len(decoded) == 2 * MANY


def test_a_source_that_has_changed_is_packed_anew(many, decoded, tmp_path):
    load(many, size=16, store=tmp_path / "store")
    Image.new("L", (16, 16), 99).save(many / "zzz.png")
    images = load(many, size=16, store=tmp_path / "store")
    assert (len(images), images.images[-1, 0, 0, 0]) == (198, 99)
    assert len(load(many, size=8, store=tmp_path / "store")) == 198


def test_an_interrupted_run_is_gone_on_with(many, decoded, tmp_path):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(many, tmp_path / "store", size=16, workers=1, progress=stop)
    assert not (tmp_path / "store").exists()
    decoded.clear()
    seen = []
    check(pack(many, tmp_path / "store", size=16, progress=lambda done, total: seen.append((done, total))))
    assert len(decoded) == MANY - 64
    assert seen[0] == (128, MANY)
    assert seen[-1] == (MANY, MANY)


KILL = """
import os, signal, sys
from elastic_infogan.data.packed import pack
def kill(done, total):
    if done > 100:
        os.kill(os.getpid(), signal.SIGKILL)
pack(sys.argv[1], sys.argv[2], size=16, progress=kill)
"""


def test_a_killed_run_is_gone_on_with(many, decoded, tmp_path):
    assert in_process(KILL, many, tmp_path / "store").returncode == -signal.SIGKILL
    assert not (tmp_path / "store").exists()
    check(pack(many, tmp_path / "store", size=16))
    assert len(decoded) <= MANY - 100


def test_a_crash_while_gaps_are_closed_starts_anew(many, decoded, tmp_path, monkeypatch):
    """Rows have moved by then, so that the states no longer tell where each picture is."""
    moved = []

    def crash_at_the_third(*where, move=packed.Partial._move):
        moved.append(move(*where))
        return moved[-1] if len(moved) < 3 else 1 / 0

    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr("elastic_infogan.data.partial._BUFFER", 10 * 16 * 16)
        patch.setattr(packed.Partial, "_move", crash_at_the_third)
        pack(many, tmp_path / "store", size=16)
    assert moved == [9, 10, 10]
    decoded.clear()
    check(pack(many, tmp_path / "store", size=16))
    assert len(decoded) == MANY


FULL = """
import os, resource, sys
from elastic_infogan.data.sources import load
from elastic_infogan.errors import DataError
if sys.argv[3] == "late":
    del os.posix_fallocate
    os.truncate = os.ftruncate = lambda *arguments: None
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    load(sys.argv[1], size=64, store=sys.argv[2])
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize("when", ["early", "late"])
def test_a_full_disk(many, tmp_path, when):
    """A limit on the size of files stands for the disk: the system refuses to write on."""
    before = sorted(many.iterdir())
    (tmp_path / "out").mkdir()
    done = in_process(FULL, many, tmp_path / "out" / "store", when)
    assert f"no room for 200 packed pictures in {tmp_path / 'out'}" in done.stdout, done.stderr
    assert done.stdout.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []
    assert sorted(many.iterdir()) == before


def test_two_at_once_do_the_work_once(many, tmp_path):
    code = (
        "import sys; from elastic_infogan.data.packed import pack; print(len(pack(*sys.argv[1:], size=16)))"
    )
    command = [sys.executable, "-c", code, str(many), str(tmp_path / "store")]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in "ab"
    ]
    results = [process.communicate() for process in both]
    assert [out for out, _ in results] == ["197\n"] * 2, results
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many", "store"]


def test_what_is_no_store_is_kept(many, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="mine exists and is no packed store"):
        pack(many, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_place_that_cannot_be_written_to(many, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be written to"):
        pack(many, tmp_path / "file" / "store")


def test_a_damaged_store(many, tmp_path):
    store = tmp_path / "store"
    pack(many, store, size=16)
    (store / "names.npy").write_bytes(b"")
    with pytest.raises(DataError, match="not a whole packed store"):
        load(store)
    index = json.loads((store / "index.json").read_text())
    (store / "index.json").write_text(json.dumps({**index, "version": 99}))
    with pytest.raises(DataError, match="version 99"):
        load(store)


def test_a_store_whose_pixels_are_others_than_its_index_says(many, tmp_path):
    pack(many, tmp_path / "store", size=16)
    np.save(tmp_path / "store" / "images.npy", np.zeros((3, 16, 16, 1), np.uint8))
    with pytest.raises(DataError, match=r"\(3, 16, 16, 1\) where its index says \(197, 16, 16, 1\)"):
        load(tmp_path / "store")


def test_a_store_in_the_source_is_not_listed(many):
    check(pack(many, many / "store", size=16))
    check(pack(many, many / "store", size=16))


def test_names_take_what_their_letters_take():
    tracemalloc.start()
    names = Names.of(f"folder/{i:06}.png" for i in range(100_000))
    assert tracemalloc.get_traced_memory()[0] < 100_000 * 30
    tracemalloc.stop()
    assert (names[0], names[-1], names[99_998:]) == (
        "folder/000000.png",
        "folder/099999.png",
        ["folder/099998.png", "folder/099999.png"],
    )
    with pytest.raises(IndexError):
        names[100_000]


def test_inspect_tells_what_is_there(mixed):
    folder, names, reasons = mixed
    found = inspect(folder)
    assert found.count == len(names) == sum(found.modes.values()) == sum(found.sizes.values())
    assert {item.name for item in found.set_aside} == reasons.keys()
    assert (found.size, found.channels, found.classes) == (32, 3, {})
    assert found.bytes == sum((folder / name).stat().st_size for name in [*names, *reasons])


def test_inspect_counts_classes(classes, tmp_path):
    assert inspect(classes).classes == {"bright": 2, "dark": 3}
    found = inspect("digits")
    assert (found.count, found.sizes, found.channels, found.classes["0"]) == (1797, {(8, 8): 1797}, 1, 178)
    rows = [f"{path.relative_to(classes)},x\n" for path in classes.rglob("*.png")]
    (tmp_path / "labels.csv").write_text("image,label\n" + "".join(rows))
    assert inspect(classes, labels=tmp_path / "labels.csv").classes == {"x": 5}


def test_an_error_of_the_moment_sets_no_picture_aside_and_loses_no_work(many, tmp_path, monkeypatch):
    opened = Listing.open

    def open_some(self, index):
        if index == MANY - 1:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return opened(self, index)

    with monkeypatch.context() as patch, pytest.raises(DataError, match="give the same command again"):
        patch.setattr(Listing, "open", open_some)
        pack(many, tmp_path / "store", size=16, channels=1)
    images = pack(many, tmp_path / "store", size=16, channels=1)
    assert len(images) == MANY - len(images.set_aside)
    assert not any("too many open files" in item.reason for item in images.set_aside)


def test_a_file_that_may_be_read_since_makes_another_store(many):
    before = list_folder(many).key
    picture = next(many.rglob("*.png"))
    picture.chmod(0o600)
    first = list_folder(many).key
    picture.chmod(0o644)
    assert before != first != list_folder(many).key


@pytest.mark.parametrize("lost", ["images.npy", "index.json"])
def test_a_damaged_store_in_the_cache_is_packed_anew(many, lost):
    images = load(many)
    (store,) = packed_folder().iterdir()
    before = np.array(images.images)
    del images
    (store / lost).unlink()
    assert (load(many).images == before).all()


def test_a_sound_store_that_cannot_be_read_now_is_kept(many, monkeypatch):
    load(many)
    (store,) = packed_folder().iterdir()

    def fails(path, *_, **__):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    with monkeypatch.context() as patch, pytest.raises((DataError, OSError)):
        patch.setattr("elastic_infogan.data.store.np.load", fails)
        load(many)
    assert (store / "images.npy").exists()
