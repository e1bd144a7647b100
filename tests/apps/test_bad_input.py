"""Wrong input as a person meets it: one line that names culprit and remedy, status 2, nothing lost."""

from __future__ import annotations

import csv
import io
import json
import pickle
import re
import shutil
import struct
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save

from elastic_infogan.apps.cli import run
from elastic_infogan.data.sources import load
from elastic_infogan.training.config import Config
from elastic_infogan.training.run import Run
from elastic_infogan.training.tensor_files import read_tensors
from shared import Bomb, huge_png, noise

ENCODE_40 = ["--schedule.encode-batch", "40"]
SMALL = ["--steps", "4", "--batch", "8", "--schedule.encode-batch", "8", "--networks.features", "16"]


def train(source, out, *more):
    return ["train", str(source), "--classes", "3", *SMALL, "--out", str(out), *more]


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    """A finished run on forty grey images of noise; read only."""
    folder = tmp_path_factory.mktemp("small")
    np.save(folder / "x.npy", noise(40, 8, 8))
    assert run(train(folder / "x.npy", folder / "run")) == 0
    return folder / "run"


# Folders of pictures


def test_an_empty_folder(tmp_path, fails):
    (tmp_path / "in").mkdir()
    assert fails(*train(tmp_path / "in", tmp_path / "run")) == f"{tmp_path / 'in'} holds no pictures"
    assert not (tmp_path / "run").exists()


def encoded(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def test_pictures_of_every_kind_in_one_folder_are_used_or_named(tmp_path, capsys):
    rgb, grey = Image.fromarray(noise(20, 31, 3)), Image.fromarray(noise(17, 12))
    used = {
        "alpha.png": encoded(rgb.convert("RGBA"), "PNG"),
        "cmyk.jpg": encoded(rgb.convert("CMYK"), "JPEG"),
        "grey.png": encoded(grey, "PNG"),
        "palette.png": encoded(rgb.convert("P"), "PNG"),
        "rgb.png": encoded(rgb, "PNG"),
        "sixteen.png": encoded(Image.fromarray(noise(9, 9).astype(np.uint16) * 257), "PNG"),
        **{f"z{i}.png": encoded(rgb.rotate(9 * i), "PNG") for i in range(10)},
    }
    aside = {
        "animated.gif": (encoded(grey, "GIF", save_all=True, append_images=[grey.rotate(9)]), "2 frames"),
        "cut.jpg": (encoded(rgb, "JPEG")[:-300], "truncated"),
        "empty.png": (b"", "empty file"),
        "enormous.png": (huge_png(), "megapixels"),
        "text.png": (b"this is not a picture", "not a picture"),
    }
    (tmp_path / "in").mkdir()
    for name, data in {**used, **{name: data for name, (data, _) in aside.items()}}.items():
        (tmp_path / "in" / name).write_bytes(data)
    assert run(train(tmp_path / "in", tmp_path / "run")) == 0
    said = capsys.readouterr().err
    assert "5 of the files in" in said
    for name, (_, reason) in aside.items():
        assert re.search(f"{re.escape(name)}: .*{reason}", said), said
    out = tmp_path / "a.csv"
    assert run(["assign", str(tmp_path / "run"), str(tmp_path / "in"), "--out", str(out)]) == 0
    with out.open(newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == sorted(used)


# Arrays


@pytest.mark.parametrize(
    ("array", "line"),
    [
        (noise(40, 8, 8) / 255, r"float64 in 0\.\.1, uint8 is needed; convert with \(images \* 255\)"),
        (noise(40, 8, 8).astype(int), "int64, uint8 is needed"),
        (noise(8, 8), r"shape \(8, 8\); \(N, H, W\) or \(N, H, W, C\) is needed"),
        (noise(5, 8, 8, 2), r"with 1 \(grey\), 3 \(RGB\) or 4 \(RGBA\) channels is needed"),
    ],
)
def test_an_npz_of_the_wrong_type_or_shape(array, line, tmp_path, fails, small_run):
    np.savez(tmp_path / "x.npz", images=array)
    for command in (
        train(tmp_path / "x.npz", tmp_path / "run"),
        ["assign", small_run, tmp_path / "x.npz", "--out", tmp_path / "a.csv"],
        ["data", "inspect", tmp_path / "x.npz"],
    ):
        said = fails(*command)
        assert str(tmp_path / "x.npz") in said
        assert re.search(line, said)
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_a_truncated_idx_file(tmp_path, fails):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 9, 8, 8) + bytes(99))
    said = fails(*train(tmp_path / "train-images-idx3-ubyte", tmp_path / "run"))
    assert said.endswith("is cut short: its header says 576 bytes of data, it holds 99")
    assert not (tmp_path / "run").exists()


def test_arrays_of_other_sizes_and_channels_are_brought_to_the_runs(tmp_path, small_run):
    np.save(tmp_path / "x.npy", noise(6, 19, 11, 3))
    out = tmp_path / "a.csv"
    assert run(["assign", str(small_run), str(tmp_path / "x.npy"), "--out", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 7


# Too few images, or too alike


@pytest.mark.parametrize(
    ("more", "line", "mended"),
    [
        (["--batch", "64"], "use --batch 40 or less", ["--batch", "40"]),
        (["--schedule.encode-batch", "64"], "use --schedule.encode-batch 40 or less", ENCODE_40),
        (
            ["--batch", "64", "--schedule.encode-batch", "64"],
            "use --batch 40 and --schedule.encode-batch 40 or less",
            ["--batch", "40", *ENCODE_40],
        ),
        (["--classes", "50"], "--classes 50: there are only 40 images", ["--classes", "5"]),
    ],
)
def test_fewer_images_than_the_batch_or_classes(more, line, mended, tmp_path, fails):
    """The run folder must not remember the wrong setting: the mended command works in the same place."""
    np.save(tmp_path / "x.npy", noise(40, 8, 8))

    def command(changes):
        arguments = train(tmp_path / "x.npy", tmp_path / "run")
        for flag, value in zip(changes[::2], changes[1::2], strict=True):
            arguments[arguments.index(flag) + 1] = value
        return arguments

    assert line in fails(*command(more))
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]
    assert run(command(mended)) == 0


def test_a_wrong_setting_does_not_move_the_run_that_is_there_aside(digits_run, fails):
    before = sorted(digits_run.parent.iterdir())
    assert "--batch" in fails("train", "digits", "--out", digits_run, "--new", "--batch", "5000")
    assert sorted(digits_run.parent.iterdir()) == before


def test_copies_of_one_image_hold_no_kinds(tmp_path, fails):
    np.save(tmp_path / "x.npy", np.full((40, 8, 8), 7, np.uint8))
    assert "all 40 images of" in fails(*train(tmp_path / "x.npy", tmp_path / "run"))


@pytest.mark.parametrize("recipe", ["elastic", "paper"])
def test_one_class_only(recipe, tmp_path, fails):
    """Training splits it without harm; scores by labels would mean nothing, and evaluate says so."""
    digits = load("digits")
    zeros = digits.images[digits.labels == 0]
    np.savez(tmp_path / "x.npz", images=zeros, labels=np.zeros(len(zeros), int))
    more = ["--schedule.encode", "0", "--schedule.refine", "0"] if recipe == "paper" else []
    assert run(train(tmp_path / "x.npz", tmp_path / "run", "--recipe", recipe, *more)) == 0
    shares = json.loads((tmp_path / "run" / "shares.json").read_text())
    assert sum(shares["assigned"]) == pytest.approx(1)
    assert "labels of fewer than two classes" in fails("evaluate", tmp_path / "run")
    assert json.loads((tmp_path / "run" / "shares.json").read_text()) == shares


# Losses


@pytest.mark.parametrize("network", ["encode", "refine", "q", "generator", "discriminator"])
def test_losses_that_explode_keep_the_last_good_checkpoint(network, tmp_path, capsys):
    """With a step so large that the weights overflow, wherever in the training that shows."""
    out = tmp_path / "run"
    np.save(tmp_path / "few.npy", load("digits").images[:200])
    few = ["train", str(tmp_path / "few.npy"), "--classes", "10"]
    arguments = [*few, "--steps", "24", "--interval", "1e-6", "--networks.features", "16", "--batch", "64"]
    rate = [f"--optimiser.{network}-learning-rate", "1e30"]
    assert run([*arguments, *rate, "--out", str(out)]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("elastic-infogan: ")
    assert "the last good checkpoint is kept; start afresh with --new" in line
    if network != "encode":  # which fails before there is any
        tensors, state = read_tensors(out / "checkpoint" / "state.safetensors")
        assert all(tensor.isfinite().all() for tensor in tensors.values())
        assert 0 < state["step"] < 24
    narrow = ["--networks.generator-width", "8", "--networks.discriminator-width", "8"]
    again = [*few, "--recipe", "infogan", *narrow, "--steps", "1", "--batch", "16", "--new"]
    assert run([*again, "--out", str(out)]) == 0


# Run folders


def on_a_run(path, tmp_path):
    """Every verb that reads a run."""
    yield ["assign", path, "digits", "--out", tmp_path / "a.csv"]
    yield ["generate", path, "--out", tmp_path / "g.png"]
    yield ["evaluate", path]


def test_a_folder_of_another_program_is_left_alone(tmp_path, fails):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    for command in on_a_run(folder, tmp_path):
        assert f"{folder} is not a run folder of elastic-infogan" in fails(*command)
    for more in ([], ["--new"]):
        assert "choose another with --out" in fails("train", "digits", "--steps", "3", "--out", folder, *more)
    assert [(p.name, p.read_text()) for p in folder.iterdir()] == [("thesis.txt", "years of work")]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_config_of_another_program(tmp_path, fails):
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "config.toml").write_text('[tool]\nname = "x"\n')
    for command in [*on_a_run(folder, tmp_path), ["train", "digits", "--steps", "3", "--out", folder]]:
        said = fails(*command)
        assert str(folder / "config.toml") in said
        assert "there is no setting 'tool.name'" in said
    assert (folder / "config.toml").read_text() == '[tool]\nname = "x"\n'


@pytest.mark.parametrize("data", [b"seed = 1\n\xff\xfe", b"seed = = 1\n"])
def test_a_config_that_is_no_toml(data, digits_run, tmp_path, fails):
    (digits_run / "config.toml").write_bytes(data)
    for command in [*on_a_run(digits_run, tmp_path), ["train", "digits", "--out", digits_run]]:
        assert str(digits_run / "config.toml") in fails(*command)


def test_a_config_with_an_unknown_key_names_the_nearest(digits_run, tmp_path, fails):
    file = digits_run / "config.toml"
    file.write_text(file.read_text().replace("temperature =", "temprature =", 1))
    for command in [*on_a_run(digits_run, tmp_path), ["train", "digits", "--out", digits_run]]:
        said = fails(*command)
        assert f"{file}: there is no setting 'prior.temprature'; did you mean 'prior.temperature'?" in said


@pytest.mark.parametrize("damage", ["pickle", "cut", "empty", "absent", "foreign"])
def test_a_model_that_is_none(damage, digits_run, tmp_path, fails):
    file = digits_run / "model.safetensors"
    data = {
        "pickle": pickle.dumps(Bomb()),
        "cut": file.read_bytes()[:5000],
        "empty": b"",
        "foreign": save({"weight": np.zeros(3, np.float32)}),
    }
    file.unlink()
    if damage != "absent":
        file.write_bytes(data[damage])
    for command in on_a_run(digits_run, tmp_path):
        assert str(file) in fails(*command)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"size": "8"}', "\x00"])
def test_a_description_that_does_not_fit_the_model(text, digits_run, tmp_path, fails):
    (digits_run / "model.json").write_text(text)
    for command in on_a_run(digits_run, tmp_path):
        assert str(digits_run / "model.json") in fails(*command)


@pytest.mark.parametrize("damage", ["pickle", "cut", "foreign"])
def test_a_checkpoint_that_is_none_is_not_overwritten(damage, tmp_path, fails, small_run):
    path = shutil.copytree(small_run, tmp_path / "run")
    file = path / "checkpoint" / "state.safetensors"
    foreign = save({"weight": np.zeros(3, np.float32)})
    file.write_bytes(
        {"pickle": pickle.dumps(Bomb()), "cut": file.read_bytes()[:5000], "foreign": foreign}[damage]
    )
    before = file.read_bytes()
    source = Run.open(path).config.source
    assert str(file) in fails("train", source, "--out", path)
    assert file.read_bytes() == before


def test_a_crash_before_the_configuration_is_whole_does_not_block_the_folder(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".config.toml.part").write_text("seed =")
    assert run(["train", "digits", "--steps", "2", "--out", str(tmp_path / "run")]) == 0


def test_a_place_where_nothing_can_be_made(tmp_path, fails, trained):
    (tmp_path / "file").write_text("mine")
    place = tmp_path / "file" / "below"
    assert str(place) in fails("train", "digits", "--steps", "2", "--out", place)
    assert str(place) in fails("assign", trained, "digits", "--out", place)
    assert str(place) in fails("generate", trained, "--out", place)
    assert f"{tmp_path} is a folder" in fails("assign", trained, "digits", "--out", tmp_path)
    assert str(place) in fails("generate", trained, "--out", place.with_suffix(".png"))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("verb", ["evaluate", "doctor", "report", "generate"])
def test_a_device_that_nobody_has(verb, trained, tmp_path, fails):
    more = ["--out", tmp_path / "x.png"] if verb == "generate" else []
    line = fails(verb, trained, "--device", "cuda:0", *more)
    assert "--device cuda:0: cuda, mps, cpu or auto is needed" in line


def test_one_recipe_under_the_name_of_another(trained, tmp_path, fails):
    file = trained / "config.toml"
    line = fails("train", "--config", file, "--recipe", "infogan", "--out", tmp_path / "run")
    assert line == f"--recipe infogan, but {file} has the settings of recipe elastic: leave one of them out"
    assert not (tmp_path / "run").exists()


def test_less_of_a_budget_that_is_used_up(trained, fails):
    before = (trained / "config.toml").read_text()
    line = fails("train", "digits", "--imbalance", "random:0", "--steps", "20", "--out", trained)
    assert "has been trained for 30 steps: give it more --steps" in line
    assert (trained / "config.toml").read_text() == before


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_run_folder_that_is_not_utf8(tmp_path, fails):
    line = fails("train", "digits", "--steps", "2", "--out", str(tmp_path) + "/w\udcff")
    assert line.endswith("a run folder needs a path that is UTF-8; choose another with --out")
    assert not list(tmp_path.iterdir())


def test_more_gpus_than_there_are(tmp_path, fails, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("lightning_fabric.accelerators.cuda.num_cuda_devices", lambda: 2)
    asked = ["--device", "cuda", "--devices", "4", "--precision", "32-true"]
    line = fails("train", "digits", *asked, "--out", tmp_path / "run")
    assert line.startswith("--devices 4 --nodes 1: ")
    assert "[0, 1]" in line


def test_a_home_that_is_nobodys(fails):
    assert "~nobody-of-that-name/pictures" in fails("data", "inspect", "~nobody-of-that-name/pictures")


def test_a_number_of_this_machine_that_is_none(tmp_path, fails, monkeypatch):
    monkeypatch.setenv("NODE_RANK", "first")
    line = fails("train", "digits", "--devices", "2", "--device", "cpu", "--out", tmp_path / "run")
    assert line.startswith("NODE_RANK is 'first' in the environment: set it")


# What would be lost or mixed up


def test_a_subset_does_not_replace_its_source(tmp_path, fails):
    images = load("digits").images[:20]
    np.savez(tmp_path / "x.npz", images=images, labels=np.arange(20) % 2)
    assert "--out is SOURCE" in fails(
        "data", "imbalance", tmp_path / "x.npz", "5,2", "--out", tmp_path / "./x.npz"
    )
    assert len(load(str(tmp_path / "x.npz"))) == 20


def test_copies_do_not_go_into_their_source(small_run, tmp_path, fails):
    (tmp_path / "in").mkdir()
    Image.fromarray(noise(8, 8)).save(tmp_path / "in/a.png")
    line = fails(
        "assign", small_run, tmp_path / "in", "--out", tmp_path / "a.csv", "--copy-to", tmp_path / "in/sorted"
    )
    assert "lies inside SOURCE" in line
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["a.png"]


def test_a_benchmark_writes_into_no_folder_of_others(tmp_path, fails):
    (tmp_path / "results.jsonl").write_text("mine")
    line = fails("benchmark", "digits", "--imbalances", "random:0", "--steps", "1", "--out", tmp_path)
    assert line == f"--out: {tmp_path} holds results.jsonl and is no benchmark; choose a new folder"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("results.jsonl", "mine")]


def test_new_moves_no_folder_of_another_program_aside(tmp_path, fails):
    (tmp_path / "site").mkdir()
    (tmp_path / "site/config.toml").write_text("theirs = true")
    (tmp_path / "site/index.html").write_text("theirs")
    assert "config.toml and index.html, but no run" in fails(
        "train", "digits", "--new", "--out", tmp_path / "site"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_run_on_all_images_goes_on_with_no_part_of_them(digits_run, fails):
    before = (digits_run / "config.toml").read_text()
    if "imbalance =" in before:
        (digits_run / "config.toml").write_text(re.sub("imbalance = .*\n", "", before))
    before = (digits_run / "config.toml").read_text()
    line = fails("train", "digits", "--imbalance", "random:3", "--out", digits_run)
    assert "was started with imbalance = None, not 'random:3'" in line
    assert (digits_run / "config.toml").read_text() == before


def test_runs_that_point_nowhere_are_named(tmp_path, monkeypatch, fails):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").symlink_to(tmp_path / "not-mounted")
    assert fails("train", "digits", "--steps", "1").startswith("runs cannot be written")


def test_names_that_are_no_unicode_are_kept_in_the_settings(tmp_path):
    config = Run.create(tmp_path / "run", replace(Config(), source="caf\udce9", classes=3, steps=1)).config
    assert Run.open(tmp_path / "run").config == config
