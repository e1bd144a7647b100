"""Verbs, flags and exit statuses, on real runs."""

from __future__ import annotations

import csv
import json
import os
import re
import resource
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from elastic_infogan.apps import scoring
from elastic_infogan.apps.cli import run
from elastic_infogan.data.imbalance import draw
from elastic_infogan.data.sources import load
from elastic_infogan.training.config import Config, from_toml, overlay
from elastic_infogan.training.presets import filled
from elastic_infogan.training.run import Run

COMMAND = [sys.executable, "-m", "elastic_infogan"]


# Help and wrong input


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["data", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments):
    program = (
        "import sys; from elastic_infogan.apps.cli import run; "
        f"status = run({arguments!r}); heavy = {{'torch', 'numpy', 'kornia', 'scipy', 'sklearn', 'PIL'}}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_verbs_that_do_not_train_leave_out_what_only_training_needs():
    """Two seconds at every start."""
    verbs = ("generation", "assignments", "scoring", "report", "diagnosis")
    program = "; ".join(["import sys", *(f"import elastic_infogan.apps.{verb}" for verb in verbs)])
    program += "; sys.exit('lightning_fabric' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_sigterm_while_the_interpreter_ends_changes_nothing():
    """Whoever ends all processes of a job may reach one that has just finished."""
    program = (
        "import atexit, os, signal, sys; atexit.register(os.kill, os.getpid(), signal.SIGTERM); "
        "sys.argv = ['elastic-infogan', '--version']; from elastic_infogan.apps.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_work_goes_on_when_nobody_reads_what_it_says(tmp_path):
    """As behind `2>&1 | head -0`: the pipe is closed before the first line."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [
        *COMMAND,
        "train",
        "digits",
        "--recipe",
        "infogan",
        "--steps",
        "2",
        "--out",
        str(tmp_path / "run"),
    ]
    done = subprocess.run(command, stdout=writer, stderr=writer, check=False)
    assert (tmp_path / "run" / "model.safetensors").exists()
    assert done.returncode == 0
    command = [*COMMAND, "data", "imbalance", "digits", "random:0", "--out", str(tmp_path / "x.npz")]
    assert subprocess.run(command, stdout=writer, check=False).returncode == 0
    assert (tmp_path / "x.npz").exists()
    os.close(writer)


def test_letters_that_the_terminal_has_not_end_nothing(tmp_path):
    """A pipe on Windows has those of one language."""
    folder = tmp_path / "рисунки"
    folder.mkdir()
    Image.new("L", (8, 8)).save(folder / "猫.png")
    command = [*COMMAND, "data", "inspect", str(folder)]
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert r"sizes: 8\xd78 1" in done.stdout


def test_every_setting_is_a_flag_with_help(capsys):
    assert run(["train", "--help"]) == 0
    text = capsys.readouterr().out
    for flag in ("--classes", "--prior.learning-rate", "--views.rotate", "--self-labelling.weight"):
        assert flag in text
    assert "degrees either way" in text


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["trian", "digits"], r'Unknown command "trian"\. Did you mean "train"\?'),
        (["data", "inspct"], r'Unknown command "inspct"\. Did you mean "inspect"\?'),
        (["train", "digits", "--prior.lerned"], r"--prior\.lerned.*--prior\.learned"),
        (["train", "digits", "--seed", "x"], r'--seed.*"x"'),
        (["train", "digits", "--device", "cud"], r"--device.*cuda"),
        (["train", "digits", "--steps", "1", "--minutes", "1"], "--minutes and --steps exclude each other"),
        (["train", "digits", "--resume", "--new"], "--resume and --new exclude each other"),
        (["train", "digits", "--resume"], "--resume: there is no run in --out, which is missing"),
        (["train", "digits", "--resume", "--out", "none"], "--resume: there is no run in none$"),
        (["train", "digits", "--source", "mnist"], "SOURCE digits and --source mnist differ: give one"),
        (["train", "digits", "--nodes", "2", "--device", "cpu"], "NODE_RANK .* missing in the environ"),
        (["train", "digits", "more"], "'more' is one argument too many"),
        (["train", "digits", "--recipe", "elastik"], "elastik.*elastic"),
        (["train"], "SOURCE is missing"),
        (["train", "nowhere", "--classes", "3"], "no file or folder .?nowhere"),
        (["train", "dogits", "--classes", "3"], "did you mean digits"),
        (["train", "digits", "--imbalance", "randm:0"], "randm.*random"),
        (["train", "digits", "--config", "missing.toml"], r"missing\.toml"),
        (["assign", "nowhere", "digits", "--out", "a.csv"], "nowhere"),
        (["generate", "nowhere"], "--out"),
        (["evaluate", "nowhere"], "nowhere"),
        (["data", "pack", "digits", "--out", "s"], "digits holds arrays, .*: nothing to pack"),
        (["data", "imbalance", "digits", "random:0", "--out", "x.csv"], r"x\.csv; .* \.npz is needed"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(arguments, line, fails, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert re.search(line, fails(*arguments))
    assert list(tmp_path.iterdir()) == []


def test_recipes_that_cannot_count_classes_need_k(fails, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((9, 8, 8), np.uint8))
    assert "--classes is missing" in fails("train", tmp_path / "x.npy", "--recipe", "paper")


# Where settings come from


def resolved(capsys, *arguments):
    assert run(["train", "digits", "--dry-run", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_a_dry_run_prints_everything_and_writes_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = resolved(capsys, "--steps", "7")
    assert re.search(r"^classes = 10$", text, re.MULTILINE)
    assert re.search(r"^steps = 7$", text, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_what_was_chosen_why_and_with_which_flag_to_change_it(capsys):
    assert run(["train", "digits", "--dry-run", "--batch", "32"]) == 0
    screen = capsys.readouterr().err
    for row in (r"size +8×8 pixels .*--size", r"views +digits .*--views.preset", r"batch +32 images +given"):
        assert re.search(row, screen)


def test_size_channels_and_precision_are_those_given(capsys):
    given = ["--size", "16", "--channels", "3", "--precision", "32-true"]
    assert run(["train", "digits", "--dry-run", *given]) == 0
    said = capsys.readouterr()
    assert {"size = 16", "channels = 3", 'precision = "32-true"'} <= set(said.out.splitlines())
    assert re.search(r"size +16×16 pixels +given +--size", said.err)
    assert re.search(r"colours +RGB +given +--channels", said.err)


def test_a_preset_brings_its_own_ranges_and_a_flag_wins_over_it(capsys):
    arguments = ("--recipe", "paper", "--views.preset", "faces", "--views.rotate", "3")
    text = resolved(capsys, *arguments)
    for line in (
        'preset = "faces"',
        "rotate = 3.0",
        "# zoom = 0.15  # by the preset",
        "# mirror = true  # by the preset",
    ):
        assert f"\n{line}\n" in text


def test_the_preset_may_be_changed_in_the_file_of_a_dry_run(capsys, tmp_path):
    file = tmp_path / "settings.toml"
    text = resolved(capsys, "--views.rotate", "3")
    file.write_text(text.replace('preset = "digits"', 'preset = "natural"'))
    changed = resolved(capsys, "--config", file)
    assert 'preset = "natural"\nrotate = 3.0\n' in changed
    assert "# crop = 0.7  # by the preset\n" in changed
    assert resolved(capsys, "--config", file, "--views.preset", "digits").count("rotate = 15.0") == 1


def test_a_flag_wins_over_the_file_and_the_file_over_the_recipe(capsys, tmp_path):
    file = tmp_path / "mine.toml"
    lines = [
        'recipe = "paper"',
        "seed = 5",
        "minutes = 3.0",
        "[views]",
        "rotate = 7.0",
        "[prior]",
        "learned = false",
    ]
    file.write_text("\n".join(lines))
    text = resolved(capsys, "--config", file, "--seed", "6", "--steps", "9", "--prior.learned")
    assert 'recipe = "paper"' in text
    assert "seed = 6" in text
    assert "steps = 9" in text
    assert "minutes" not in text
    assert "rotate = 7.0" in text
    assert "learned = true" in text
    assert "encode = 0.0" in text  # by the recipe: neither a flag nor the file says so


def test_an_unknown_key_in_the_file_is_named_with_the_nearest(fails, tmp_path):
    (tmp_path / "mine.toml").write_text("[prior]\nlerned = true\n")
    line = fails("train", "digits", "--config", tmp_path / "mine.toml")
    assert "prior.lerned" in line
    assert "prior.learned" in line


def test_a_run_can_be_repeated_from_its_own_config(trained, capsys):
    assert run(["train", "--config", str(trained / "config.toml"), "--dry-run"]) == 0
    told = overlay(Config(), from_toml(capsys.readouterr().out, "dry run"), "dry run")
    assert replace(told, views=filled(told.views)) == Run.open(trained).config


def test_a_file_with_another_kind_of_budget_takes_the_place_of_the_runs_own(trained, capsys, tmp_path):
    (tmp_path / "mine.toml").write_text("minutes = 2.0")
    text = resolved(capsys, "--config", tmp_path / "mine.toml", "--out", trained)
    assert "\nminutes = 2.0\n" in text
    assert "\nsteps =" not in text


# The verbs on a run


def test_a_run_is_the_same_however_its_source_is_spelt(tmp_path, monkeypatch, fails):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", load("digits").images[:40])
    brief = ["--classes", "3", "--recipe", "gumbel", "--batch", "16", "--out", "run", "--steps"]
    assert run(["train", "x.npy", *brief, "2"]) == 0
    assert run(["train", "./x.npy", *brief, "3"]) == 0
    assert Run.open("run").stats()[-1]["step"] == 3
    monkeypatch.chdir("run")
    line = fails("report", tmp_path / "run")
    assert "was trained on './x.npy', which is not there, seen from this folder: give SOURCE" in line
    assert run(["report", str(tmp_path / "run"), str(tmp_path / "x.npy")]) == 0


def test_labels_that_do_not_fit_are_told_before_training_and_not_asked_for_after_it(tmp_path, fails):
    np.save(tmp_path / "x.npy", load("digits").images[:40])
    labels, out = tmp_path / "labels.csv", tmp_path / "run"
    labels.write_text("image,label\n0,cat\n")
    brief = ["--classes", "3", "--recipe", "gumbel", "--batch", "16", "--steps", "2", "--labels", str(labels)]
    assert "no row for image 1" in fails("train", tmp_path / "x.npy", *brief, "--out", out)
    assert not out.exists()
    labels.write_text("image,label\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    assert run(["train", str(tmp_path / "x.npy"), *brief, "--out", str(out)]) == 0
    labels.unlink()
    assert run(["report", str(out)]) == 0
    assert "labels.csv cannot be read" in fails("evaluate", out)


def test_what_is_told_cannot_steer_the_terminal(tmp_path, fails, capsys):
    line = fails("doctor", tmp_path / "\x1b[2Jnone")
    assert "\x1b" not in line
    assert "\\x1b[2Jnone" in line
    Image.new("L", (30, 30)).save(tmp_path / "good.png")
    (tmp_path / "\x1b[2Jbad.png").touch()
    assert run(["data", "inspect", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert "\\x1b[2Jbad.png" in said.err


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA out of memory."),
        MemoryError("Unable to allocate 9 GiB"),
    ],
)
def test_a_lack_of_memory_is_one_line(tmp_path, fails, monkeypatch, error):
    def full(*_, **__):
        raise error

    monkeypatch.setattr("elastic_infogan.apps.datasets.inspect", full)
    assert "not enough memory for this: take fewer or smaller images" in fails("data", "inspect", tmp_path)


def test_training_leaves_a_whole_run_and_going_on_with_it_changes_nothing(digits_run):
    kept = ("config.toml", "stats.jsonl", "model.json", "model.safetensors", "shares.json", "diagnosis.json")
    before = [(digits_run / name).read_bytes() for name in kept]
    assert run(["train", "digits", "--out", str(digits_run)]) == 0
    assert [(digits_run / name).read_bytes() for name in kept] == before
    assert list((digits_run / "samples").glob("*.png"))
    assert (digits_run / "checkpoint" / "state.safetensors").exists()


def test_a_budget_too_small_for_the_game_is_said_to_be(tmp_path, capsys):
    out = ["--out", str(tmp_path / "run")]
    assert run(["train", "digits", "--steps", "1", *out]) == 0
    assert "The budget ended before G learned" in " ".join(capsys.readouterr().err.split())
    assert run(["train", "digits", "--steps", "30", *out]) == 0
    assert "The budget ended before G learned" not in " ".join(capsys.readouterr().err.split())


def test_a_run_that_is_there_is_resumed(digits_run):
    assert run(["train", "digits", "--resume", "--steps", "31", "--out", str(digits_run)]) == 0
    assert Run.open(digits_run).stats()[-1]["step"] == 31


def test_another_setting_for_a_run_that_is_there_is_refused(digits_run, fails):
    assert "was started with seed = 0, not 3" in fails("train", "digits", "--seed", "3", "--out", digits_run)


def test_new_moves_the_old_run_aside(digits_run):
    assert run(["train", "digits", "--steps", "2", "--new", "--out", str(digits_run)]) == 0
    kept = [path for path in digits_run.parent.iterdir() if path != digits_run]
    assert len(kept) == 1
    assert "steps = 30" in (kept[0] / "config.toml").read_text()
    assert "steps = 2" in (digits_run / "config.toml").read_text()


def test_assign_gives_every_image_a_row(trained, tmp_path):
    out = tmp_path / "a.csv"
    assert run(["assign", str(trained), "digits", "--out", str(out), "--copy-to", str(tmp_path / "by")]) == 0
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [str(i) for i in range(1797)]
    p = np.array([[row[f"p_{k}"] for k in range(10)] for row in rows], float)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    classes = [int(row["class"]) for row in rows]
    assert classes == p.argmax(1).tolist()
    folders = {path.name: len(list(path.iterdir())) for path in (tmp_path / "by").iterdir()}
    assert folders == {f"class-{k:02d}": classes.count(k) for k in set(classes)}


def test_assign_takes_pictures_of_another_size_and_mode(trained, tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (60, 40), "red").save(tmp_path / 'in/a "red", one.png')
    Image.new("L", (8, 8)).save(tmp_path / "in/b.png")
    (tmp_path / "in/c.png").write_bytes(b"")
    assert run(["assign", str(trained), str(tmp_path / "in"), "--out", str(tmp_path / "a.csv")]) == 0
    with (tmp_path / "a.csv").open(newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == ['a "red", one.png', "b.png"]


def test_a_full_disk_is_one_line_and_leaves_nothing_half(trained, tmp_path, fails):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        line = fails("assign", trained, "digits", "--out", tmp_path / "a.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    refused = f"{tmp_path / 'a.csv'} cannot be written: File too large"
    assert line == f"{refused}; free some space and run the same command again"
    assert list(tmp_path.iterdir()) == []


def test_generate_repeats_itself_for_a_seed_and_only_then(trained, tmp_path):
    def made(name, seed):
        wanted = ["--classes", "3,0", "--per-class", "4", "--seed", str(seed)]
        assert run(["generate", str(trained), *wanted, "--out", str(tmp_path / name)]) == 0
        with np.load(tmp_path / name) as file:
            return file["images"], file["codes"]

    images, codes = made("a.npz", 1)
    again, _ = made("b.npz", 1)
    other, _ = made("c.npz", 2)
    assert images.shape == (8, *again.shape[1:])
    assert codes.tolist() == [3] * 4 + [0] * 4
    assert (images == again).all()
    assert (images != other).any()


@pytest.mark.parametrize(
    ("verb", "file"), [("generate", "m.jpg"), ("generate", "m.npy"), ("assign", "m.txt")]
)
def test_a_kind_of_file_that_is_not_written_is_refused(trained, tmp_path, fails, verb, file):
    source = ["digits"] if verb == "assign" else []
    assert file in fails(verb, trained, *source, "--out", tmp_path / file)
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_nearly_named_is_suggested(trained, fails):
    for nearly in (f"{trained}s", str(trained)[:-2]):
        assert f"did you mean {trained}?" in fails("doctor", nearly)


def test_a_folder_of_runs_is_no_run(trained, fails, monkeypatch):
    monkeypatch.chdir(trained.parent)
    assert ". is not a run folder" in fails("doctor", ".")


def test_whoever_may_read_the_settings_may_read_the_model(trained):
    modes = {(trained / name).stat().st_mode for name in ("config.toml", "model.safetensors")}
    assert len(modes) == 1


def test_generate_writes_grids_and_folders(trained, tmp_path, fails):
    assert run(["generate", str(trained), "--per-class", "3", "--out", str(tmp_path / "g.png")]) == 0
    with Image.open(tmp_path / "g.png") as picture:
        width, height = picture.size
    assert (width, height) == (3 * (8 + 1) + 1, 10 * (8 + 1) + 1)
    assert run(["generate", str(trained), "--classes", "7", "--out", str(tmp_path / "g")]) == 0
    assert len(list((tmp_path / "g").glob("class7_*.png"))) == 10
    assert "no class 10" in fails("generate", trained, "--classes", "10", "--out", tmp_path / "h")
    assert "--per-class" in fails("generate", trained, "--per-class", "0", "--out", tmp_path / "h")


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (["--classes", "3,3"], "--classes is '3,3'; each class may stand there once"),
        (["--classes", "cat"], "--classes: 'cat' is no class; numbers such as 0,3 are needed"),
        (["--seed=-1"], "--seed is -1; "),
    ],
)
def test_what_cannot_be_generated_is_refused(trained, more, line, tmp_path, fails):
    assert line in fails("generate", trained, *more, "--out", tmp_path / "g.png")
    assert not list(tmp_path.iterdir())


def test_a_source_without_a_name_is_not_taken_for_the_runs_own(trained, fails):
    assert "there is no file or folder ''" in fails("doctor", trained, "")


def answers_and_labels(path):
    """Q's class of each image that a run was trained on, and its label."""
    trained, digits = Run.open(path), load("digits")
    drawn = digits.subset(draw(trained.config.imbalance, digits.labels))
    probabilities, _ = trained.load_model().posterior(torch.from_numpy(drawn.images))
    return probabilities.argmax(1).numpy(), drawn.labels


@pytest.mark.usefixtures("short_lesson")
def test_evaluate_writes_scores_shares_and_a_table(digits_run, capsys):
    assert run(["evaluate", str(digits_run), "--fidelity"]) == 0
    text = capsys.readouterr().out
    for title in ("class", "learned prior", "share assigned", "true share", "recall"):
        assert title in text
    for name in ("shares.json", "metrics.json"):
        assert str(digits_run / name) in text
    shares = json.loads((digits_run / "shares.json").read_text())
    assert {key: len(value) for key, value in shares.items()} == {"prior": 10, "assigned": 10}
    assert sum(shares["assigned"]) == pytest.approx(1)
    assert sum(shares["prior"]) == pytest.approx(1, abs=1e-5)
    metrics = json.loads((digits_run / "metrics.json").read_text())
    codes, labels = answers_and_labels(digits_run)
    assert metrics["nmi"] == pytest.approx(normalized_mutual_info_score(labels, codes))
    assert metrics["ari"] == pytest.approx(adjusted_rand_score(labels, codes))
    assert 0 < metrics["accuracy"] <= 1
    assert {"prior_rmse", "generated_nmi", "ent"} <= metrics.keys()
    assert metrics["images"] < 1797  # the imbalanced subset that it was trained on
    assert len(metrics["classes"]) == 10
    assert metrics["rarest"]["share"] == min(row["true_share"] for row in metrics["classes"])
    assert 0 <= metrics["rarest"]["coverage_reference_cnn1"] <= 1
    assert sum(metrics["held_out"].values()) == 1797 - metrics["images"]  # what training did not see


@pytest.mark.usefixtures("short_lesson")
def test_evaluate_tells_of_real_images_without_the_reference_classifier(digits_run, tmp_path, capsys):
    out = tmp_path / "m.json"
    assert run(["evaluate", str(digits_run), "--real-only", "--out", str(out)]) == 0
    real = json.loads(out.read_text())
    assert run(["evaluate", str(digits_run), "--out", str(out)]) == 0
    everything = json.loads(out.read_text())
    assert {key: everything[key] for key in real} == real
    assert everything.keys() - real.keys() >= {"generated_nmi", "ent", "reference", "rarest"}
    assert "accuracy" in capsys.readouterr().out


def test_real_images_are_told_of_before_the_reference_classifier_has_learned(
    digits_run, tmp_path, monkeypatch
):
    def stopped(*args, **others):
        raise KeyboardInterrupt

    monkeypatch.setattr("elastic_infogan.apps.scoring.reference_classifier", stopped)
    with pytest.raises(KeyboardInterrupt):
        scoring.evaluate(digits_run, None, None, tmp_path / "m.json", "cpu", fidelity=False, real_only=False)
    assert 0 < json.loads((tmp_path / "m.json").read_text())["accuracy"] <= 1


def write_labels(path, labels):
    """A CSV file with one row an image, by index."""
    path.write_text("image,label\n" + "".join(f"{i},{label}\n" for i, label in enumerate(labels)))
    return str(path)


def test_other_labels_judge_the_images_that_the_run_was_trained_on(digits_run, tmp_path):
    """Turned round, they say the same of the clustering, but would draw another subset."""
    turned = write_labels(tmp_path / "turned.csv", 9 - load("digits").labels)
    found = []
    for more in ([], ["--labels", turned]):
        out = tmp_path / "m.json"
        assert run(["evaluate", str(digits_run), "--real-only", "--out", str(out), *more]) == 0
        found.append(json.loads(out.read_text()))
    plain, other = found
    assert other["images"] == plain["images"]
    assert other["nmi"] == pytest.approx(plain["nmi"])
    shares = [[row["true_share"] for row in scores["classes"][:10]] for scores in found]
    assert shares[1] == shares[0][::-1]


@pytest.mark.usefixtures("short_lesson")
def test_labels_of_the_run_say_what_it_has_seen_of_the_source_that_is_named(digits_run, tmp_path):
    digits = load("digits")
    np.savez(tmp_path / "x.npz", images=digits.images, labels=9 - digits.labels)
    own = write_labels(tmp_path / "own.csv", digits.labels)
    config = (digits_run / "config.toml").read_text()
    named = f'source = "{tmp_path / "x.npz"}"\nlabels = "{own}"'
    (digits_run / "config.toml").write_text(config.replace('source = "digits"', named))
    out = tmp_path / "m.json"
    assert run(["evaluate", str(digits_run), str(tmp_path / "x.npz"), "--fidelity", "--out", str(out)]) == 0
    unseen = np.delete(digits.labels, draw("random:0", digits.labels))
    held_out = json.loads(out.read_text())["held_out"]
    assert held_out == {str(k): count for k, count in enumerate(np.bincount(unseen, minlength=10).tolist())}


def test_fidelity_of_real_images_alone_is_refused(trained, fails):
    assert "--real-only" in fails("evaluate", trained, "--fidelity", "--real-only")


def test_evaluate_without_labels_still_tells_shares(digits_run, tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.zeros((5, 8, 8), np.uint8))
    out = tmp_path / "m.json"
    assert run(["evaluate", str(digits_run), str(tmp_path / "x.npy"), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "share assigned" in text
    assert "true share" not in text
    metrics = json.loads(out.read_text())
    assert len(metrics["shares"]["assigned"]) == 10
    assert "accuracy" not in metrics


def test_fidelity_without_labels_is_refused(trained, tmp_path, fails):
    np.save(tmp_path / "x.npy", np.zeros((5, 8, 8), np.uint8))
    assert "no labels" in fails("evaluate", trained, tmp_path / "x.npy", "--fidelity")


# The data verbs


def test_inspect_counts_classes_and_names_what_cannot_be_used(tmp_path, capsys):
    for name in ("cat/a.png", "cat/b.png", "dog/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (30, 30)).save(tmp_path / name)
    (tmp_path / "dog/bad.png").write_bytes(b"\x89PNG")
    assert run(["data", "inspect", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "3 images" in said.out
    assert re.search(r"cat\s+2", said.out)
    assert "dog/bad.png" in said.err


def test_labels_from_a_file_are_counted_and_drawn_by(tmp_path, capsys):
    np.save(tmp_path / "x.npy", load("digits").images[:9])
    labels = ["--labels", write_labels(tmp_path / "labels.csv", [*["cat"] * 6, *["dog"] * 3])]
    assert run(["data", "inspect", str(tmp_path / "x.npy"), *labels]) == 0
    assert re.search(r"cat +6 .*\n *dog +3 ", capsys.readouterr().out)
    assert run(["data", "imbalance", str(tmp_path / "x.npy"), "4,1", *labels]) == 0
    assert re.search(r"cat +4 .*\n *dog +1 ", capsys.readouterr().out)


def test_a_packed_store_is_a_source(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for i in range(3):
        Image.new("L", (30, 30), i).save(tmp_path / f"in/{i}.png")
    assert run(["data", "pack", str(tmp_path / "in"), "--size", "16", "--out", str(tmp_path / "store")]) == 0
    capsys.readouterr()
    assert run(["data", "inspect", str(tmp_path / "store")]) == 0
    assert "sizes: 16×16 3\n" in capsys.readouterr().out


def test_an_imbalanced_subset_is_drawn_and_written(tmp_path, capsys, fails):
    counts = ",".join(str(10 * (k + 1)) for k in range(10))
    assert run(["data", "imbalance", "digits", counts, "--out", str(tmp_path / "x.npz")]) == 0
    assert re.search(r"9\s+100\s+0\.182", capsys.readouterr().out)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as file:
        names, found = np.unique(file["labels"], return_counts=True)
        assert file["images"].shape == (550, 8, 8, 1)
    assert dict(zip(names.tolist(), found.tolist(), strict=True)) == {k: 10 * (k + 1) for k in range(10)}
    np.save(tmp_path / "x.npy", np.zeros((5, 8, 8), np.uint8))
    assert "no labels" in fails("data", "imbalance", tmp_path / "x.npy", "random:0")


def test_a_number_of_classes_that_is_not_given_is_found_out_and_said(tmp_path, capsys):
    np.save(tmp_path / "x.npy", load("digits").images[:300])
    brief = ["--restarts", "2", "--steps", "12", "--batch", "16", "--schedule.encode-batch", "32"]
    command = ["train", str(tmp_path / "x.npy"), *brief, "--networks.features", "16"]
    assert run([*command, "--out", str(tmp_path / "run")]) == 0
    said, opened = capsys.readouterr(), Run.open(tmp_path / "run")
    assert re.search(r"classes +2 to 30 +.*found", said.err)
    assert opened.classes_found()["says"] in said.out
    assert "Of 2 encoders number" in said.out
    assert opened.load_model().n_classes == opened.classes_found()["found"]


def test_a_range_of_one_number_is_that_number(tmp_path):
    command = ["train", "digits", "--classes", "7-7", "--steps", "12", "--batch", "16"]
    assert run([*command, "--schedule.encode-batch", "16", "--out", str(tmp_path / "run")]) == 0
    assert Run.open(tmp_path / "run").config.classes == 7
    assert not (tmp_path / "run" / "classes.json").exists()  # nothing was to be found out
