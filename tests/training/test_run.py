"""The run folder: foreign files, changed settings, crashes and full disks."""

import json
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from elastic_infogan.errors import ConfigError, RunError
from elastic_infogan.training.choices import with_budget
from elastic_infogan.training.run import Run
from elastic_infogan.training.tensor_files import read_tensors, replacing, write_tensors
from shared import Bomb


def test_tensors_and_state_survive(tmp_path):
    tensors = {"a": torch.arange(6.0).view(2, 3).t(), "b": torch.zeros(0, dtype=torch.uint8)}
    write_tensors(tmp_path / "x.safetensors", tensors, {"step": 3})
    back, state = read_tensors(tmp_path / "x.safetensors")
    assert state == {"step": 3}
    assert all(torch.equal(back[name], tensors[name]) for name in tensors)


@pytest.mark.skipif(sys.platform != "linux", reason="reads what the process has mapped from /proc")
def test_what_is_read_does_not_hold_the_file(tmp_path):
    """Windows lets nobody replace a file that is mapped, and checkpoints replace each other."""
    write_tensors(tmp_path / "x.safetensors", {"a": torch.zeros(10_000)}, {})
    tensors, _ = read_tensors(tmp_path / "x.safetensors")
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()
    assert len(tensors["a"]) == 10_000


def test_a_pickle_in_place_of_safetensors_is_refused_and_not_opened(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(RunError, match=r"model\.safetensors is not a safetensors file"):
        read_tensors(file)


def test_tensors_of_another_program_are_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(RunError, match="written by a program other than this one"):
        read_tensors(tmp_path / "x.safetensors")


def test_tensors_of_another_version_are_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors", {"format": "elastic-infogan 1"})
    with pytest.raises(RunError, match="written by another version of this one"):
        read_tensors(tmp_path / "x.safetensors")


def test_a_truncated_file_is_refused(tmp_path):
    file = tmp_path / "x.safetensors"
    write_tensors(file, {"a": torch.zeros(1000)}, {})
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(RunError, match="damaged"):
        read_tensors(file)


def test_a_crash_while_writing_leaves_the_old_file(tmp_path):
    file = tmp_path / "x.json"
    file.write_text("old")
    with pytest.raises(KeyError), replacing(file) as beside:
        beside.write_text("half")
        raise KeyError
    assert file.read_text() == "old"


def test_a_folder_of_another_program_is_neither_used_nor_read(tmp_path, small):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="is not a run folder"):
        Run.create(tmp_path, small())
    with pytest.raises(RunError, match="is not a run folder"):
        Run.open(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_run_is_resumed_only_with_its_own_settings(tmp_path, small):
    Run.create(tmp_path / "run", small())
    assert Run.create(tmp_path / "run", small(steps=99)).config.steps == 99
    with pytest.raises(ConfigError, match=r"started with seed = 0, not 5.*--new"):
        Run.create(tmp_path / "run", small(seed=5))


def test_a_configuration_with_an_unknown_key_is_refused(tmp_path, small):
    run = Run.create(tmp_path / "run", small())
    text = (run.path / "config.toml").read_text().replace("\nseed", "\nsede")
    (run.path / "config.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"'sede'.*'seed'"):
        Run.open(run.path)


def test_a_model_that_does_not_fit_its_description_is_refused(copied, small):
    run = copied(small("paper", steps=2))
    described = json.loads((run.path / "model.json").read_text())
    (run.path / "model.json").write_text(json.dumps(described | {"n_classes": 7}))
    with pytest.raises(RunError, match=r"model\.json does not describe"):
        run.load_model()


def test_a_model_of_an_unknown_kind_is_refused_and_one_that_names_none_is_the_gan(copied, small):
    run = copied(small("paper", steps=2))
    described = json.loads((run.path / "model.json").read_text())
    assert described["model"] == "elastic-infogan"
    (run.path / "model.json").write_text(json.dumps(described | {"model": "stylegan"}))
    with pytest.raises(RunError, match="its model is 'stylegan'; elastic-infogan and jointvae are known"):
        run.load_model()
    del described["model"]
    (run.path / "model.json").write_text(json.dumps(described))
    assert run.load_model().kind == "elastic-infogan"


def test_a_run_without_a_model_says_so(tmp_path, small):
    with pytest.raises(RunError, match="is missing: train first"):
        Run.create(tmp_path / "run", small()).load_model()


def test_statistics_after_a_step_are_forgotten_and_torn_lines_dropped(tmp_path, small):
    run = Run.create(tmp_path / "run", small())
    for step in (1, 2, 3):
        run.log({"step": step})
    with (run.path / "stats.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    assert [line["step"] for line in run.stats()] == [1, 2, 3]
    run.forget_after(2)
    assert [line["step"] for line in run.stats()] == [1, 2]
    assert (run.path / "stats.jsonl").read_text() == '{"step": 1}\n{"step": 2}\n'


def test_the_default_budget_grows_with_the_set_up_to_ten_minutes(small):
    free = replace(small(), steps=None)
    assert [with_budget(free, n).minutes for n in (1797, 20_000, 70_000)] == [0.5, 5.0, 10.0]
    large = replace(free, size=64)
    assert [with_budget(large, n).minutes for n in (100, 10_000, 70_000)] == [10.0, 13.06, 20.0]
    assert with_budget(small(), 70_000).minutes is None


def test_a_model_whose_training_cannot_go_on_is_not_trained_over(trained, small):
    run = trained(small(steps=2))
    run.checkpoint.unlink()
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match="holds a model but no checkpoint"):
        Run.create(run.path, replace(run.config, steps=4))
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_what_was_found_of_a_model_goes_when_it_is_trained_on(tmp_path, small):
    run = Run.create(tmp_path / "run", small())
    for name in ("shares.json", "metrics.json", "diagnosis.json", "names.json"):
        run.write_json(name, {})
    run.forget_end()
    assert sorted(path.name for path in run.path.glob("*.json")) == ["names.json"]
