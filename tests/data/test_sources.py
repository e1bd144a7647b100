"""Every kind of SOURCE becomes an image set, or one clear line says why not."""

from __future__ import annotations

import dataclasses
import errno
import gzip
import os
import shutil
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from elastic_infogan.data import listing, named
from elastic_infogan.data.sources import from_array, holds_pictures, known_classes, load
from elastic_infogan.errors import DataError
from shared import noise


def write_idx(path, array: np.ndarray, kind: int = 8) -> None:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    data = header + array.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def zipped(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def test_mnist_is_whole():
    mnist = load("mnist")
    assert (mnist.images.shape, mnist.images.dtype) == ((70_000, 28, 28, 1), np.uint8)
    assert mnist.labels[:3].tolist() == [5, 0, 4]
    assert mnist.labels[60_000:60_003].tolist() == [7, 2, 1]
    assert np.bincount(mnist.labels).tolist() == [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]
    assert mnist.class_names == tuple("0123456789")


def test_digits_are_spread_over_all_grey_levels():
    digits = load("digits")
    assert digits.images.shape == (1797, 8, 8, 1)
    assert (digits.images.min(), digits.images.max()) == (0, 255)
    assert load("digits", size=16, channels=3).images.shape == (1797, 16, 16, 3)


def test_fashion_mnist_is_found_where_debian_puts_it(tmp_path, monkeypatch):
    for part, number in (("train", 5), ("t10k", 2)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", noise(number, 28, 28))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", np.full(number, 9, np.uint8))
    known = named._PUBLISHED["fashion-mnist"]
    assert any(str(folder) == "/usr/share/datasets/fashion-mnist" for folder in known.folders)
    monkeypatch.setitem(named._PUBLISHED, "fashion-mnist", dataclasses.replace(known, folders=(tmp_path,)))
    fashion = load("fashion-mnist")
    assert len(fashion) == 7
    assert fashion.class_names[fashion.labels[0]] == "ankle boot"


def test_a_set_that_cannot_be_fetched_says_where_to_put_it(monkeypatch):
    nowhere = dataclasses.replace(named._PUBLISHED["mnist"], folders=(), url="http://127.0.0.1:9/")
    monkeypatch.setitem(named._PUBLISHED, "mnist", nowhere)
    with pytest.raises(DataError, match=r"mnist .* cannot be fetched .* into ./data/mnist"):
        load("mnist")


def test_known_classes():
    assert [known_classes(name) for name in ("mnist", "fashion-mnist", "digits", "photos")] == [
        10,
        10,
        10,
        None,
    ]


def test_a_name_wins_over_a_file_but_not_over_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    Image.new("L", (9, 9)).save(tmp_path / "digits" / "one.png")
    assert len(load("digits")) == 1797
    assert len(load("./digits")) == 1


@pytest.mark.parametrize("source", ["mnits", "no/such/folder"])
def test_an_unknown_source(source):
    with pytest.raises(
        DataError, match="did you mean mnist" if source == "mnits" else "none of mnist, fashion"
    ):
        load(source)


def test_a_folder_with_classes(classes):
    images = load(classes)
    assert images.images.shape == (5, 28, 28, 1)
    assert images.names[:] == ["bright/0.png", "bright/1.png", "dark/0.png", "dark/1.png", "dark/2.png"]
    assert images.class_names == ("bright", "dark")
    assert images.labels.tolist() == [0, 0, 1, 1, 1]
    assert images.images[:, 0, 0, 0].tolist() == [230, 231, 20, 21, 22]


def test_a_zip_is_as_its_folder(classes, tmp_path):
    packed, folder = load(zipped(classes, tmp_path / "set.zip")), load(classes)
    np.testing.assert_array_equal(packed.images, folder.images)
    assert packed.names[:] == folder.names[:]
    assert packed.labels.tolist() == folder.labels.tolist()


def test_an_encrypted_picture_in_a_zip_is_set_aside(classes, tmp_path):
    archive, name = zipped(classes, tmp_path / "set.zip"), b"bright/0.png"
    data = bytearray(archive.read_bytes())
    data[data.index(name) - 30 + 6] |= 1  # the flags in its own header, and in the directory at the end
    data[data.rindex(name) - 46 + 8] |= 1
    archive.write_bytes(data)
    images = load(archive)
    assert [(item.name, item.reason) for item in images.set_aside] == [("bright/0.png", "encrypted")]
    assert len(images) == 4


def test_a_mixed_folder_is_converted_or_listed(mixed, tmp_path):
    folder, names, reasons = mixed
    for source in (folder, zipped(folder, tmp_path / "mixed.zip")):
        images = load(source)
        assert images.names[:] == names
        assert images.images.shape == (len(names), 32, 32, 3)
        assert images.labels is None
        aside = {item.name: item.reason for item in images.set_aside}
        assert aside.keys() == reasons.keys()
        assert all(word in aside[name] for name, word in reasons.items())


def test_side_files_are_no_pictures(classes):
    for name in ("labels.csv", "README", ".DS_Store", "Thumbs.db", "notes.txt"):
        (classes / "dark" / name).write_text("x")
    assert load(classes).set_aside == ()


def test_grey_pictures_in_a_colour_mode_keep_one_channel(tmp_path):
    for i in range(3):
        Image.fromarray(noise(28, 28, seed=i)).convert("RGB").save(tmp_path / f"{i}.png")
    (tmp_path / "1b.png").write_bytes(b"")
    images = load(tmp_path)
    assert images.images.shape == (3, 28, 28, 1)
    np.testing.assert_array_equal(images.images[2, ..., 0], noise(28, 28, seed=2))


def test_links_that_lead_back_up_do_not_hang(classes):
    (classes / "dark" / "again").symlink_to(classes)
    (classes / "dark" / "lost.png").symlink_to(classes / "nowhere.png")
    os.mkfifo(classes / "dark" / "pipe.png")
    images = load(classes)
    assert len(images) == 5
    assert [item.name for item in images.set_aside] == ["dark/lost.png", "dark/pipe.png"]


def test_links_lead_out_of_the_source_and_nowhere_else(tmp_path, classes):
    shutil.move(classes, tmp_path / "set")
    (tmp_path / "private.png").write_bytes((tmp_path / "set/dark/0.png").read_bytes())
    (tmp_path / "more").mkdir()
    shutil.copy(tmp_path / "private.png", tmp_path / "more")
    for place, target in {
        "up": "..",
        "dark/l": "../bright",
        "bright/l": "../dark",
        "more": "../more",
    }.items():
        (tmp_path / "set" / place).symlink_to(target)
    assert load(tmp_path / "set").names[:] == [
        "bright/0.png", "bright/1.png", "dark/0.png", "dark/1.png", "dark/2.png", "more/private.png",
    ]  # fmt: skip


def test_what_this_program_wrote_into_the_source_is_no_part_of_it(classes):
    before = load(classes)
    for folder, files in {
        "runs/one": ("config.toml", "stats.jsonl", "samples/step-1.png"),
        "given": ("config.toml", "model.json", "samples.png"),
        "compared": ("benchmark.json", "trials/elastic/samples/step-1.png"),
    }.items():
        for name in files:
            (classes / folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(classes / "dark/0.png", classes / folder / name)
    after = load(classes)
    assert after.names[:] == before.names[:]
    assert after.set_aside == ()
    assert after.class_names == ("bright", "dark")


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_folders_may_be_called_like_side_files(classes, tmp_path, form):
    for name in ("license", "scan.pdf"):
        shutil.copytree(classes / "dark", classes / name)
    source = classes if form == "folder" else zipped(classes, tmp_path / "set.zip")
    assert load(source).class_names == ("bright", "dark", "license", "scan.pdf")


def test_names_in_a_zip_may_begin_with_the_folder_it_was_made_in(classes, tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in classes.rglob("*.png"):
            archive.write(file, f"./{file.relative_to(classes)}".replace("dark/", "dark//"))
        archive.writestr("../out.png", b"")
    images = load(tmp_path / "set.zip")
    assert images.names[:] == load(classes).names[:]
    assert [item.name for item in images.set_aside] == ["../out.png"]


def test_folders_named_by_numbers_are_in_the_order_of_the_numbers(classes):
    for i in (2, 10):
        shutil.copytree(classes / "dark", classes / str(i))
    assert load(classes).class_names == ("10", "2", "bright", "dark")  # not all are numbers
    shutil.rmtree(classes / "dark"), shutil.rmtree(classes / "bright")
    assert load(classes).class_names == ("2", "10")


def test_names_that_are_not_utf8(tmp_path):
    name = os.fsdecode(b"caf\xe9\n.png")
    Image.new("L", (8, 8)).save(tmp_path / name)
    assert load(tmp_path).names[0] == name


def test_an_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty holds no pictures"):
        load(tmp_path / "empty")


def test_a_folder_of_unusable_files(bad):
    with pytest.raises(
        DataError, match=r"no usable picture: 8 set aside, the first is cut.jpg \(truncated\)"
    ):
        load(bad[0])


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "table.xls").write_text("x")
    with pytest.raises(DataError, match="no folder"):
        load(tmp_path / "table.xls")


def test_damaged_and_odd_zips(tmp_path, classes, monkeypatch):
    monkeypatch.setattr(listing, "_MOST_BYTES", 5 * 2**20)
    (tmp_path / "bad.zip").write_bytes(b"PK\3\4 no more")
    with pytest.raises(DataError, match="not a whole zip"):
        load(tmp_path / "bad.zip")
    path = zipped(classes, tmp_path / "odd.zip")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.write(classes / "dark" / "0.png", "../out.png")
        archive.writestr("dark/bomb.png", bytes(6 * 2**20))
        archive.writestr("__MACOSX/dark/0.png", b"x")
    images = load(path)
    assert len(images) == 5
    reasons = {item.name: item.reason for item in images.set_aside}
    assert "unpacks to 6 MB, more than 5 MB" in reasons["dark/bomb.png"]
    assert "out of the archive" in reasons["../out.png"]


def test_a_damaged_entry_is_set_aside(tmp_path, classes):
    path = zipped(classes, tmp_path / "set.zip")
    data = bytearray(path.read_bytes())
    data[data.find(b"IDAT") + 8] ^= 0xFF
    path.write_bytes(bytes(data))
    images = load(path)
    assert len(images) == 4
    assert "damaged in the archive" in images.set_aside[0].reason


def test_a_damaged_entry_of_another_compression_is_set_aside(tmp_path, classes):
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_LZMA) as archive:
        for file in sorted(classes.rglob("*.png")):
            archive.write(file, file.relative_to(classes))
        first = archive.infolist()[0]
    data = bytearray((tmp_path / "set.zip").read_bytes())
    inside = first.header_offset + 30 + len(first.filename) + 12
    data[inside : inside + 31] = b"\xff" * 31
    (tmp_path / "set.zip").write_bytes(bytes(data))
    images = load(tmp_path / "set.zip")
    assert len(images) == 4
    assert "damaged in the archive" in images.set_aside[0].reason


def test_one_folder_around_all_pictures_is_no_class(tmp_path, classes):
    (tmp_path / "all" / "around").mkdir(parents=True)
    for place, file in enumerate(sorted(classes.rglob("*.png"))):
        shutil.copy(file, tmp_path / "all" / "around" / f"{place}.png")
    assert load(zipped(tmp_path / "all", tmp_path / "set.zip")).labels is None


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((6, 9, 9), 1),
        ((6, 9, 9, 1), 1),
        ((6, 9, 9, 3), 3),
        ((6, 3, 9, 9), 3),
        ((6, 1, 9, 9), 1),
        ((6, 9, 9, 4), 3),
    ],
)
def test_npy_of_every_shape(tmp_path, shape, expected):
    np.save(tmp_path / "a.npy", noise(*shape))
    assert load(tmp_path / "a.npy").images.shape == (6, 9, 9, expected)


def test_channels_first_is_transposed():
    pixels = noise(2, 3, 8, 8)
    np.testing.assert_array_equal(from_array(pixels).images, pixels.transpose(0, 2, 3, 1))


def test_npz_with_labels(tmp_path):
    np.savez(tmp_path / "a.npz", images=noise(4, 8, 8), labels=np.array([10, 9, 9, 7]))
    images = load(tmp_path / "a.npz")
    assert images.class_names == ("7", "9", "10")
    assert images.labels.tolist() == [2, 1, 1, 0]


def test_a_large_npy_is_mapped_not_read(tmp_path):
    np.save(tmp_path / "a.npy", noise(10, 8, 8))
    assert isinstance(load(tmp_path / "a.npy").images.base, np.memmap)


BAD_ARRAYS = {
    "unit floats": (np.full((2, 4, 4), 0.5), r"float64 in 0.5..0.5.*\(images \* 255\)"),
    "signed floats": (np.linspace(-1, 1, 32).reshape(2, 4, 4), r"\(images \+ 1\) \* 127.5"),
    "wide floats": (np.full((2, 4, 4), 300.0), "scaled to 0..255"),
    "nan": (np.stack([np.zeros((4, 4)), np.full((4, 4), np.nan)]), r"NaN \(first in image 1\)"),
    "infinity": (np.full((2, 4, 4), np.inf), r"infinity \(first in image 0\)"),
    "int64": (np.zeros((2, 4, 4), np.int64), "int64, uint8 is needed"),
    "bool": (np.zeros((2, 4, 4), bool), r"bool.*\* 255"),
    "strings": (np.full((2, 4, 4), "x"), "uint8 is needed"),
    "one image": (np.zeros((4, 4), np.uint8), r"shape \(4, 4\)"),
    "five dimensions": (np.zeros((2, 4, 4, 3, 1), np.uint8), "is needed"),
    "two channels": (np.zeros((2, 4, 4, 2), np.uint8), r"1 \(grey\), 3 \(RGB\) or 4"),
    "ambiguous": (np.zeros((2, 3, 8, 3), np.uint8), "may be"),
    "empty": (np.zeros((0, 4, 4), np.uint8), "holds no images"),
    "no pixels": (np.zeros((2, 0, 4), np.uint8), "holds no images"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_arrays_that_are_refused(tmp_path, case):
    array, message = BAD_ARRAYS[case]
    np.savez(tmp_path / "a.npz", images=array)
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path / "a.npz")
    assert "\n" not in str(caught.value)
    assert "a.npz" in str(caught.value)


def test_pickled_objects_are_never_loaded(tmp_path):
    objects = np.array([{"a": 1}, None], object)
    np.save(tmp_path / "a.npy", objects)
    np.savez(tmp_path / "a.npz", images=objects)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match="never loaded"):
            load(tmp_path / name)


def test_numpy_files_that_are_cut_or_something_else(tmp_path):
    np.save(tmp_path / "a.npy", noise(4, 8, 8))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:200])
    (tmp_path / "b.npy").write_bytes(b"")
    (tmp_path / "c.npz").write_bytes(b"PK\3\4")
    (tmp_path / "d.npz").write_text("text")
    np.savez(tmp_path / "e.npz", x_train=noise(4, 8, 8))
    np.savez_compressed(tmp_path / "f.npz", images=noise(4, 8, 8))
    content = (tmp_path / "f.npz").read_bytes()
    (tmp_path / "f.npz").write_bytes(content[:60] + bytes([content[60] ^ 255]) + content[61:])
    for name in "a.npy", "b.npy", "c.npz", "d.npz", "f.npz":
        with pytest.raises(DataError, match=r"not a whole numpy file|never loaded"):
            load(tmp_path / name)
    with pytest.raises(DataError, match="holds x_train; an array named images is needed"):
        load(tmp_path / "e.npz")


@pytest.mark.parametrize("labels", [np.zeros(3, int), np.zeros((4, 2), int), np.zeros(4)])
def test_labels_that_do_not_fit(labels):
    with pytest.raises(DataError, match="labels"):
        from_array(noise(4, 8, 8), labels)


def test_arrays_are_brought_to_size():
    wide = np.zeros((2, 10, 30), np.uint8)
    wide[:, :, 10:20] = 200
    assert (from_array(wide).images == 200).all()
    assert from_array(wide, size=5).images.shape == (2, 5, 5, 1)
    colour = noise(2, 8, 8, 3)
    assert from_array(colour, channels=1).images.shape == (2, 8, 8, 1)
    assert from_array(np.repeat(colour[..., :1], 3, 3)).channels == 1


def test_no_room_for_what_is_too_much_for_memory(monkeypatch):
    def full(descriptor, length):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("elastic_infogan.data.arrays._IN_MEMORY", 1000)
    monkeypatch.setattr("elastic_infogan.data.arrays.reserve", full)
    with pytest.raises(DataError, match=r"no room for 9 images, .* \(no space left on device\): free some"):
        from_array(noise(9, 20, 20), size=16)


@pytest.mark.parametrize(("option", "value"), [("size", 7), ("size", 5000), ("channels", 2)])
def test_options_out_of_range(option, value):
    with pytest.raises(DataError, match=f"{option} is {value}"):
        load("digits", **{option: value})


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_and_folders(tmp_path, suffix):
    for part, number in (("test", 2), ("train", 3)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte{suffix}", noise(number, 7, 7, seed=number))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte{suffix}", np.full(number, number, np.uint8))
    images = load(tmp_path)
    np.testing.assert_array_equal(images.images[:3, ..., 0], noise(3, 7, 7, seed=3))
    assert [images.class_names[k] for k in images.labels] == ["3", "3", "3", "2", "2"]
    assert len(load(tmp_path / f"test-images-idx3-ubyte{suffix}")) == 2
    assert not holds_pictures(tmp_path)


def test_idx_files_that_are_refused(tmp_path):
    path = tmp_path / "x-idx3-ubyte"
    whole = struct.pack(">BBBB3I", 0, 0, 8, 3, 2, 4, 4) + bytes(32)
    cases = [
        (whole[:-5], "cut short: its header says 32 bytes of data, it holds 27"),
        (whole + b"x", "goes on after its end"),
        (whole[:9], "within its header"),
        (b"", "starts with nothing"),
        (b"\1\2\3\4" + whole[4:], "not an IDX file: it starts with 01 02 03 04"),
        (b"\0\0\x0d" + whole[3:], "holds float32"),
        (gzip.compress(whole)[:-12], "cut short or damaged"),
    ]
    for data, message in cases:
        path.write_bytes(data)
        with pytest.raises(DataError, match=message):
            load(path)


def test_idx_labels_that_do_not_pair_up(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", noise(3, 7, 7))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(2, np.uint8))
    with pytest.raises(DataError, match="2 labels for 3 images"):
        load(tmp_path)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(3, np.uint8))
    write_idx(tmp_path / "test-images-idx3-ubyte", noise(2, 7, 7))
    with pytest.raises(DataError, match="no labels beside it"):
        load(tmp_path)
    write_idx(tmp_path / "test-images-idx3-ubyte", noise(2, 9, 9))
    with pytest.raises(DataError, match="do not go together"):
        load(tmp_path)


def test_labels_alone_are_no_images(tmp_path):
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(2, np.uint8))
    with pytest.raises(DataError, match="no IDX file with images"):
        load(tmp_path)


def test_labels_from_a_csv_file(classes, tmp_path):
    rows = {"dark/0.png": "b", "dark/1.png": "a", "dark/2.png": "b", "bright/0.png": "a", "bright/1.png": "a"}
    path = tmp_path / "labels.csv"
    path.write_text("image,label\n" + "".join(f"{image},{label}\n" for image, label in rows.items()))
    images = load(classes, labels=path)
    assert [images.class_names[k] for k in images.labels] == [rows[name] for name in images.names]


def test_labels_by_index_sort_as_numbers(tmp_path):
    path = tmp_path / "labels.csv"
    np.save(tmp_path / "a.npy", noise(3, 8, 8))
    path.write_text("image,label\n2,10\n0,9\n1,9\n")
    images = load(tmp_path / "a.npy", labels=path)
    assert images.class_names == ("9", "10")
    assert images.labels.tolist() == [0, 0, 1]


def test_a_row_for_what_was_set_aside_is_passed_over(classes, tmp_path):
    (classes / "dark" / "0.png").write_bytes(b"")
    path = tmp_path / "labels.csv"
    path.write_text(
        "image,label\n" + "".join(f"{p.relative_to(classes)},x\n" for p in classes.rglob("*.png"))
    )
    assert load(classes, labels=path).labels.tolist() == [0] * 4


def test_a_row_for_a_number_that_was_set_aside_is_no_index(tmp_path):
    (tmp_path / "set").mkdir()
    for i in range(1, 4):
        Image.new("L", (8, 8), i).save(tmp_path / "set" / str(i), "png")
    (tmp_path / "set" / "2").write_bytes(b"")
    (tmp_path / "labels.csv").write_text("image,label\n1,a\n2,b\n3,c\n")
    images = load(tmp_path / "set", labels=tmp_path / "labels.csv")
    assert [images.class_names[k] for k in images.labels] == ["a", "c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,label\n0,a\n1,b\n", "no row for image 2"),
        (f"image,label\n{9999 * '9'},a\n", "line 2: the source has no image '999"),
        ("image,label\n0,a\n1,b\n7,a\n", r"line 4: the source has no image '7'"),
        ("image,label\n0,a\n1,b\n0,a\n", r"line 4: '0' already has a label"),
        ("image,label\n0,a\n1,\n2,a\n", "line 3: a row needs both"),
        ("file,class\n0,a\n", "has the header 'file,class'; image,label is needed"),
        ("", "has the header ''"),
        pytest.param(f"image,label\n0,{200_000 * 'a'}\n", "is no CSV file", id="a field without end"),
    ],
)
def test_csv_files_that_are_refused(tmp_path, text, message):
    np.save(tmp_path / "a.npy", noise(3, 8, 8))
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "a.npy", labels=tmp_path / "labels.csv")


def test_a_csv_file_that_is_not_there(tmp_path):
    np.save(tmp_path / "a.npy", noise(3, 8, 8))
    with pytest.raises(DataError, match=r"labels.csv cannot be read"):
        load(tmp_path / "a.npy", labels=tmp_path / "labels.csv")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"plain text that is no array", "is not an IDX file"),
        (b"\0\0\x08\x03" + b"\xff" * 12 + b"few", "is cut short"),
        (b"\0\0\x08\x03\0\0", "is cut short within its header"),
    ],
)
def test_a_gzipped_file_that_is_no_sound_array_is_named(tmp_path, content, line):
    with gzip.open(tmp_path / "train-images-idx3-ubyte.gz", "wb") as file:
        file.write(content)
    with pytest.raises(DataError, match=line):
        load(str(tmp_path / "train-images-idx3-ubyte.gz"))
