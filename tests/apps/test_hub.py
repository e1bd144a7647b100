"""Models given away and read back without a network: folders, the hub's cache, and what to say else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import HfApi, ModelCard, RepoUrl, constants

from elastic_infogan import ElasticInfoGAN
from elastic_infogan.apps import extras
from elastic_infogan.apps.cli import run
from elastic_infogan.apps.tables import percent
from elastic_infogan.data.sources import load
from elastic_infogan.errors import ElasticInfoGANError
from elastic_infogan.training.run import Run


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    """No test asks the hub, or reads what the person who runs it fetched."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pushed(digits_run, tmp_path):
    """A run with names and scores, whose configuration names places of this machine, as a folder."""
    config = (digits_run / "config.toml").read_text()
    places = 'source = "/home/someone/secret/my *digits*"\nlabels = "/home/someone/labels.csv"'
    (digits_run / "config.toml").write_text(config.replace('source = "digits"', places))
    (digits_run / "metrics.json").write_text(json.dumps({"source": "/home/someone/secret", "accuracy": 0.75}))
    (digits_run / "classes.json").write_text(json.dumps({"found": 10, "says": "between 9 and 11"}))
    (digits_run / "names.json").write_text(json.dumps({"names": {"2": "twos | <b>"}, "merged": [[2, 5]]}))
    assert run(["push", str(digits_run), str(tmp_path / "given")]) == 0
    return tmp_path / "given"


def test_a_pushed_folder_is_read_back_as_it_was(pushed, digits_run):
    images = load("digits").images[:50]
    before, after = ElasticInfoGAN.load(digits_run), ElasticInfoGAN.from_pretrained(pushed)
    np.testing.assert_array_equal(after.predict_proba(images), before.predict_proba(images))
    np.testing.assert_array_equal(after.sample(3, 1, random_state=0), before.sample(3, 1, random_state=0))
    assert after.classes_found_ == before.classes_found_ == {"found": 10, "says": "between 9 and 11"}


def test_it_is_a_run_folder_for_the_other_verbs(pushed, tmp_path):
    assert run(["assign", str(pushed), "digits", "--out", str(tmp_path / "a.csv")]) == 0
    assert "twos | <b>" in (tmp_path / "a.csv").read_text()


def test_the_card_says_shares_scores_and_how_to_make_it_again(pushed, digits_run):
    card = ModelCard.load(pushed / "README.md")
    assert card.data.library_name == "elastic-infogan"
    shares = json.loads((digits_run / "shares.json").read_text())
    for name in ("prior", "assigned"):
        assert f" {percent(shares[name][2] + shares[name][5])} |" in card.text
    assert r"| 2 + 5 | twos \| \<b\> |" in card.text
    assert "| Accuracy | 0.750 |" in card.text
    assert "train 'my *digits*' --classes 10 --steps 30" in card.text
    assert 'from_pretrained("./given")' in card.text
    assert (pushed / card.text.partition("](")[2].partition(")")[0]).is_file()  # the picture


def test_no_place_of_this_machine_and_no_checkpoint_is_given_away(pushed, tmp_path):
    files = [path for path in pushed.rglob("*") if path.is_file()]
    assert not any("checkpoint" in path.parts for path in files)
    for path in files:
        for place in (b"/home/someone", str(tmp_path).encode()):
            assert place not in path.read_bytes(), path


def test_the_card_of_what_was_fitted_to_an_array_gives_no_command(tmp_path):
    images = load("digits").images[:60]
    fitted = ElasticInfoGAN(3, recipe="infogan", steps=2).fit(images)
    fitted.save(tmp_path / "run")
    np.save(tmp_path / "images.npy", images)
    assert run(["push", str(tmp_path / "run"), str(tmp_path / "given")]) == 0
    text = (tmp_path / "given/README.md").read_text()
    assert "found without labels in **an array of images**" in text
    assert "elastic-infogan train" not in text
    assert run(["report", str(tmp_path / "run"), str(tmp_path / "images.npy")]) == 0
    page = (tmp_path / "run/report.html").read_text()
    assert "An estimator was fitted to an array" in page
    assert "elastic-infogan train" not in page
    assert "fixed prior" in text
    assert "knows how common" not in text


def test_a_folder_called_like_a_known_set_stays_a_folder(digits_run, tmp_path):
    config = (digits_run / "config.toml").read_text()
    (digits_run / "config.toml").write_text(config.replace('"digits"', '"/home/someone/mnist"', 1))
    assert run(["push", str(digits_run), str(tmp_path / "given")]) == 0
    assert Run.open(tmp_path / "given").config.source == "./mnist"
    assert "train ./mnist " in (tmp_path / "given" / "README.md").read_text()


def test_what_was_fetched_before_needs_no_network(pushed, tmp_path):
    home = tmp_path / "cache" / "models--someone--digits"
    commit = "0" * 40
    shutil.copytree(pushed, home / "snapshots" / commit)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    assert ElasticInfoGAN.from_pretrained("someone/digits").n_classes == 10


def test_the_hub_gets_what_a_folder_gets(pushed, digits_run, monkeypatch):
    """Only the two calls that need the hub are replaced: there is none to push to."""
    asked, given = {}, {}

    def create_repo(self, repo_id, **settings):
        asked.update(settings, repo_id=repo_id)
        return RepoUrl(f"https://huggingface.co/{repo_id}")

    def upload_folder(self, *, folder_path, **settings):
        given.update(
            {p.relative_to(folder_path): p.read_bytes() for p in folder_path.rglob("*") if p.is_file()}
        )
        return f"https://huggingface.co/{settings['repo_id']}"

    monkeypatch.setattr(HfApi, "create_repo", create_repo)
    monkeypatch.setattr(HfApi, "upload_folder", upload_folder)
    assert run(["push", str(digits_run), "someone/digits", "--private"]) == 0
    assert (asked["repo_id"], asked["private"]) == ("someone/digits", True)
    folder = {p.relative_to(pushed): p.read_bytes() for p in pushed.rglob("*") if p.is_file()}
    card, other = (files.pop(Path("README.md")).decode() for files in (given, folder))
    assert given == folder
    assert 'from_pretrained("someone/digits")' in card
    said, also = (text.partition("## Classes")[2].partition("```sh")[0] for text in (card, other))
    assert said
    assert said == also


def test_a_hub_out_of_reach_is_said_in_one_line(fails, trained):
    assert "cannot be reached for someone/digits" in fails("push", trained, "someone/digits")
    with pytest.raises(ElasticInfoGANError, match="cannot be reached for someone/other"):
        ElasticInfoGAN.from_pretrained("someone/other")


def test_names_and_folders_that_cannot_be_are_refused(fails, trained, tmp_path):
    assert "OWNER/MODEL" in fails("push", trained, "a b/c")
    (tmp_path / "file").touch()
    assert "is not empty" in fails("push", trained, tmp_path)
    assert "is not a run folder" in fails("push", tmp_path / "nothing", "./here")
    with pytest.raises(ElasticInfoGANError, match="is not a run folder"):
        ElasticInfoGAN.from_pretrained("./nowhere")


def test_without_the_extra_it_says_what_to_install(fails, trained, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    assert 'pip install "elastic-infogan[hub]"' in fails("push", trained, "./here")
    with pytest.raises(ElasticInfoGANError, match=r"elastic-infogan\[hub\]"):
        ElasticInfoGAN.from_pretrained("someone/digits")


def test_a_folder_is_not_private_and_no_picture_of_the_owners_goes_with_it(digits_run, tmp_path, fails):
    (digits_run / "samples" / "zoo.png").write_bytes(b"mine")
    assert "--private is of the hub" in fails("push", digits_run, tmp_path / "given", "--private")
    assert run(["push", str(digits_run), str(tmp_path / "given")]) == 0
    pictures = [path.name for path in (tmp_path / "given").rglob("*.png")]
    assert len(pictures) == 1
    assert pictures[0].startswith("step-")
