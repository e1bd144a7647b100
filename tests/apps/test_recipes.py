"""Every recipe through the command line, and how an oracle comes by its shares."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest
from PIL import Image

from elastic_infogan.apps.cli import run
from elastic_infogan.apps.report_training import command
from elastic_infogan.data.imbalance import draw
from elastic_infogan.data.sources import load
from elastic_infogan.training.recipes import RECIPES
from elastic_infogan.training.run import Run
from elastic_infogan.training.tensor_files import read_tensors

FEW = ["--steps", "6", "--batch", "16", "--schedule.encode-batch", "16"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_known_by_its_name(recipe, capsys):
    assert run(["train", "digits", "--recipe", recipe, "--dry-run"]) == 0
    assert f'recipe = "{recipe}"' in capsys.readouterr().out


@pytest.mark.parametrize("recipe", ["elastic", "paper", "infogan-oracle", "jointvae"])
def test_a_recipe_is_trained_and_used(recipe, tmp_path):
    """Both kinds of Q, both kinds of model, and one that needs labels."""
    out, imbalance = tmp_path / "run", ["--imbalance", "random:0"]
    assert run(["train", "digits", "--recipe", recipe, *FEW, *imbalance, "--out", str(out)]) == 0
    assert run(["train", "digits", "--out", str(out)]) == 0  # goes on, and finds that all is done
    assert run(["assign", str(out), "digits", "--out", str(tmp_path / "a.csv")]) == 0
    with (tmp_path / "a.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 1797
    assert run(["generate", str(out), "--per-class", "2", "--out", str(tmp_path / "g.png")]) == 0
    with Image.open(tmp_path / "g.png") as grid:
        assert grid.size == (2 * 9 + 1, 10 * 9 + 1)


@pytest.mark.usefixtures("short_lesson")
def test_the_model_that_is_no_gan_is_scored_by_the_same_protocol(tmp_path):
    out, digits = tmp_path / "run", load("digits")
    np.savez(tmp_path / "few.npz", images=digits.images[:200], labels=digits.labels[:200])
    few = str(tmp_path / "few.npz")
    assert run(["train", few, "--classes", "10", "--recipe", "jointvae", *FEW, "--out", str(out)]) == 0
    assert run(["evaluate", str(out)]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["recipe"] == "jointvae"
    assert {"accuracy", "nmi", "prior_rmse", "generated_nmi", "ent"} <= metrics.keys()


def oracle(source, out, *more):
    return ["train", str(source), "--recipe", "infogan-oracle", *FEW, "--out", str(out), *map(str, more)]


def test_an_oracle_is_told_the_shares_of_the_subset_that_was_drawn(tmp_path):
    assert run(oracle("digits", tmp_path / "run", "--imbalance", "random:1")) == 0
    labels = load("digits").labels
    counts = np.bincount(labels[draw("random:1", labels)], minlength=10)
    trained = Run.open(tmp_path / "run")
    assert trained.config.prior.shares == pytest.approx(counts / counts.sum())
    assert trained.load_model().prior.probabilities().tolist() == pytest.approx(counts / counts.sum())
    told = ",".join(map(str, trained.config.prior.shares))
    assert f"--prior.shares {told} " in command(trained.config, "again")


def write(folder, name, labels):
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    np.savez(folder / name, images=images, labels=labels)
    return folder / name


def test_of_the_labels_an_oracle_sees_their_shares_and_no_more(tmp_path):
    labels = np.repeat([0, 1, 2], [25, 10, 5])
    weights = []
    for name, given in (("a.npz", labels), ("b.npz", np.random.default_rng(1).permutation(labels))):
        out = tmp_path / name.removesuffix(".npz")
        assert run(oracle(write(tmp_path, name, given), out, "--classes", "3")) == 0
        weights.append(read_tensors(out / "model.safetensors")[0])
    once, again = weights
    assert all((once[name] == again[name]).all() for name in once)


def test_an_oracle_without_labels_says_what_to_give(tmp_path, fails):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8))
    command = oracle(tmp_path / "x.npy", tmp_path / "run", "--classes", "3")
    line = fails(*command)
    assert "--recipe infogan-oracle wants the true shares" in line
    assert "--prior.shares 0.1,0.2,…" in line
    assert not (tmp_path / "run").exists()
    rows = "".join(f"{i},{'cat' if i < 30 else 'dog' if i < 36 else 'elk'}\n" for i in range(40))
    (tmp_path / "labels.csv").write_text("image,label\n" + rows)
    assert run([*command, "--labels", str(tmp_path / "labels.csv")]) == 0
    assert Run.open(tmp_path / "run").config.prior.shares == pytest.approx((0.75, 0.15, 0.1))


def test_shares_may_be_given_and_are_checked(tmp_path, fails, capsys):
    source = write(tmp_path, "x.npz", np.repeat([0, 1, 2], [25, 10, 5]))
    command = oracle(source, tmp_path / "run", "--classes", "3", "--prior.shares")
    assert "each class needs one" in fails(*command, "0.5,0.5")
    assert "1.5 together" in fails(*command, "0.5,0.5,0.5")
    assert "--prior.shares" in fails(*command, "0.5,a,0.5")
    assert not (tmp_path / "run").exists()
    assert run([*command, "0.2,0.3,0.5"]) == 0
    assert "--prior.shares, used as given, are not those of the labels" in capsys.readouterr().err
    assert Run.open(tmp_path / "run").config.prior.shares == (0.2, 0.3, 0.5)


def test_more_classes_than_the_labels_have_leave_no_shares_for_the_others(fails, tmp_path):
    line = fails(*oracle("digits", tmp_path / "run", "--classes", "12"))
    assert re.search("there are 10 of them, and --classes is 12", line)


def test_a_part_of_the_game_is_refused_for_jointvae(fails, tmp_path):
    line = fails(
        "train", "digits", "--recipe", "jointvae", "--contrast.weight", "1", "--out", tmp_path / "run"
    )
    assert "--contrast.weight: jointvae has no such part" in line
