"""Graphs that answer as PyTorch does, say what they are, and are used without torch."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from elastic_infogan import ElasticInfoGAN
from elastic_infogan.apps.cli import run
from elastic_infogan.apps.export import Classify, about, compare, describe, to_onnx
from elastic_infogan.apps.names import ClassNames
from elastic_infogan.data.pictures import decode
from elastic_infogan.data.sources import load
from elastic_infogan.errors import ElasticInfoGANError
from elastic_infogan.training.run import Run

EXAMPLE = Path(__file__).parents[2] / "examples" / "use_onnx.py"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A run with continuous codes and its folder of graphs."""
    path = tmp_path_factory.mktemp("export")
    small = ["--recipe", "gumbel", "--latent.continuous", "2", "--networks.generator-width", "8"]
    assert run(["train", "digits", *small, "--steps", "3", "--out", str(path / "run")]) == 0
    assert run(["export", str(path / "run"), "--out", str(path / "onnx")]) == 0
    return path


def test_the_graphs_answer_as_the_run_does(exported):
    model = Run.open(exported / "run").load_model()
    images = load("digits").images[:20]
    session = onnxruntime.InferenceSession(exported / "onnx" / "classify.onnx")
    probabilities, features = session.run(["probabilities", "features"], {"images": images})
    ours, ours_features = model.posterior(torch.from_numpy(images))
    np.testing.assert_allclose(probabilities, ours.numpy(), atol=1e-4)
    np.testing.assert_allclose(features, ours_features.numpy(), atol=1e-4)
    session = onnxruntime.InferenceSession(exported / "onnx" / "generate.onnx")
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((7, n)).astype(np.float32) for n in (62, 10, 2)]
    (made,) = session.run(None, dict(zip(("noise", "code", "continuous"), inputs, strict=True)))
    with torch.no_grad():
        ours = model.generate(*map(torch.from_numpy, inputs)).permute(0, 2, 3, 1)
    np.testing.assert_allclose(made, ours.numpy(), atol=1e-4)


@pytest.mark.parametrize("kind", ["transparent", "palette", "16 bits"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_example_reads_pictures_as_training_does(tmp_path, kind, channels):
    levels = np.random.default_rng(0).integers(0, 256, (12, 12, 4), np.uint8)
    picture = {
        "transparent": lambda: Image.fromarray(levels),
        "palette": lambda: Image.fromarray(levels[..., 0]).convert("P"),
        "16 bits": lambda: Image.fromarray(levels[..., 0].astype(np.uint16) * 250),
    }[kind]()
    picture.save(tmp_path / "x.png", **({"transparency": 3} if kind == "palette" else {}))
    spec = importlib.util.spec_from_file_location("use_onnx", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    read = example.read(tmp_path / "x.png", {"size": 12, "channels": channels})
    with (tmp_path / "x.png").open("rb") as file:
        np.testing.assert_allclose(read.astype(int), decode(file, 12, channels).astype(int), atol=1)


def test_names_and_merges_go_with_the_graphs(exported, tmp_path):
    run_there = Run.open(exported / "run")
    model = run_there.load_model()
    ClassNames(10).named(3, "cat").merge([5, 6]).save(run_there)
    facts = describe(run_there, model)
    (exported / "run" / "names.json").unlink()
    assert facts["names"][3] == "cat"
    assert facts["merged"] == [[5, 6]]
    assert "| 3 | cat |" in about(facts)
    assert "Classes 5 + 6 count as one." in about(facts)


def test_graphs_and_json_say_what_they_are(exported):
    facts = json.loads((exported / "onnx" / "model.json").read_text())
    assert (facts["classes"], facts["size"], facts["recipe"]) == (10, 8, "gumbel")
    assert sum(facts["prior"]) == pytest.approx(1, abs=1e-5)
    for name in ("classify.onnx", "generate.onnx"):
        graph = onnx.load(exported / "onnx" / name)
        onnx.checker.check_model(graph)
        stored = {item.key: item.value for item in graph.metadata_props}
        assert json.loads(stored["prior"]) == facts["prior"]
        assert stored["recipe"] == "gumbel"
    assert "(N, 8, 8, 1)" in (exported / "onnx" / "README.md").read_text()


def test_the_example_uses_them_without_torch(exported, tmp_path):
    Image.new("RGB", (30, 20), "red").save(tmp_path / "red.png")
    blocked = "import runpy, sys; sys.modules['torch'] = sys.modules['elastic_infogan'] = None; "
    runs = "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-c", blocked + runs, str(EXAMPLE), str(exported / "onnx")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "8 new images of each of 10 classes" in done.stdout
    with Image.open(tmp_path / "generated.png") as picture:
        assert picture.size == (64, 80)
    done = subprocess.run([*command, "red.png"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("red.png: Class ")


def test_a_graph_of_other_weights_is_refused(exported):
    model = Run.open(exported / "run").load_model()
    content = to_onnx(Classify(model), {})
    model.q_head.classes.bias[0] += 0.1
    with pytest.raises(ElasticInfoGANError, match="differs from PyTorch by"):
        compare("classify.onnx", Classify(model), content)


@pytest.mark.parametrize("which", [0, 1])
def test_a_graph_that_answers_nan_is_refused(exported, which):
    """Whichever output it is in: Python's max passes over NaN behind a number."""
    model = Run.open(exported / "run").load_model()
    content = to_onnx(Classify(model), {})
    graph = Classify(model)
    answer = graph.forward

    def broken(images):
        outputs = list(answer(images))
        outputs[which] = outputs[which] * torch.nan
        return tuple(outputs)

    graph.forward = broken
    with pytest.raises(ElasticInfoGANError, match="differs from PyTorch by nan"):
        compare("classify.onnx", graph, content)


def test_a_run_of_the_default_recipe_takes_any_number_of_images(trained):
    graph = Classify(Run.open(trained).load_model())
    assert compare("classify.onnx", graph, to_onnx(graph, {})) < 1e-4


def test_what_is_missing_is_said_in_one_line(trained, tmp_path, fails, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    line = fails("export", trained, "--out", tmp_path / "x")
    assert line == 'export needs onnxscript: pip install "elastic-infogan[export]"'
    monkeypatch.undo()
    (tmp_path / "kept").write_text("mine")
    assert "not empty" in fails("export", trained, "--out", tmp_path)


def test_the_range_that_an_estimator_was_fitted_to_is_told(tmp_path):
    fitted = ElasticInfoGAN(3, recipe="infogan", steps=2).fit(load_digits().images[:60])
    fitted.save(tmp_path / "run")
    assert run(["export", str(tmp_path / "run"), "--out", str(tmp_path / "onnx")]) == 0
    assert json.loads((tmp_path / "onnx/model.json").read_text())["fitted_to_values"] == [0, 16]
    assert "255 for their 16" in (tmp_path / "onnx/README.md").read_text()
