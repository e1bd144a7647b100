"""A run as two ONNX graphs, which need neither PyTorch nor this package: classify and generate."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from elastic_infogan import __version__
from elastic_infogan.apps import terminal
from elastic_infogan.apps.extras import need
from elastic_infogan.apps.names import ClassNames
from elastic_infogan.apps.output import empty_folder, write_json, written_whole
from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.errors import ElasticInfoGANError
from elastic_infogan.training.run import ESTIMATOR, Run
from elastic_infogan.training.tensor_files import read_tensors

__all__ = ["TOLERANCE", "Classify", "Generate", "compare", "export", "to_onnx"]

TOLERANCE = 1e-4
"""largest difference between PyTorch and onnxruntime, in probabilities, features and images in [-1, 1]"""

Named = dict[str, Tensor]


class Classify(nn.Module):
    """Q from uint8 images `(N, H, W, C)` to class probabilities `(N, K)` and features `(N, F)`."""

    outputs = ("probabilities", "features")

    def __init__(self, model: ClassModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        output = self.model.recognise(images.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1.0)
        return output.logits.softmax(dim=1), output.features

    def inputs(self, n: int) -> Named:
        """Random images to trace and compare with."""
        spec = self.model.spec
        shape = (n, spec.size, spec.size, spec.channels)
        return {"images": torch.randint(0, 256, shape, dtype=torch.uint8)}


class Generate(nn.Module):
    """G from noise `(N, Z)`, code `(N, K)` and any continuous codes `(N, M)` to images `(N, H, W, C)`."""

    outputs = ("images",)

    def __init__(self, model: ClassModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, noise: Tensor, code: Tensor, continuous: Tensor | None = None) -> tuple[Tensor]:
        """Images float32 in [-1, 1]."""
        if continuous is None:
            continuous = noise[:, :0]
        return (self.model.generate(noise, code, continuous).permute(0, 2, 3, 1),)

    def inputs(self, n: int) -> Named:
        """Random latents to trace and compare with."""
        spec = self.model.spec
        code = torch.eye(spec.n_classes)[torch.arange(n) % spec.n_classes]
        inputs = {"noise": torch.randn(n, spec.noise), "code": code}
        if spec.continuous:
            inputs["continuous"] = torch.rand(n, spec.continuous) * 2 - 1
        return inputs


def export(path: Path, out: Path) -> None:
    """Write `classify.onnx`, `generate.onnx`, `model.json` and `README.md`, once both graphs were compared.

    Raises:
        ElasticInfoGANError: a package is missing, a graph computes something else than PyTorch, or the
            folder is not empty.
    """
    need("export", "export", "onnx", "onnxscript", "onnxruntime")
    run = Run.open(path)
    model = run.load_model()
    facts = describe(run, model)
    graphs: dict[str, Classify | Generate] = {
        "classify.onnx": Classify(model),
        "generate.onnx": Generate(model),
    }
    folder = empty_folder(out, "--out")
    contents = {name: to_onnx(graph, facts) for name, graph in graphs.items()}
    differences = {name: compare(name, graphs[name], content) for name, content in contents.items()}
    for name, content in contents.items():
        with written_whole(folder / name) as file:
            file.write(content)
        terminal.say(f"{folder / name}  (differs from PyTorch by {differences[name]:.1e} at most)")
    write_json(folder / "model.json", facts)
    with written_whole(folder / "README.md") as file:
        file.write(about(facts).encode())
    terminal.say(f"{folder / 'model.json'}\n{folder / 'README.md'}")


def describe(run: Run, model: ClassModel) -> dict[str, Any]:
    """What whoever uses the graphs has to know."""
    spec, names = model.spec, ClassNames.of(run, model.spec.n_classes)
    return {
        "format": "elastic-infogan onnx 1",
        "version": __version__,
        "recipe": run.config.recipe,
        "trained_on": Path(run.config.source).name,
        "classes": spec.n_classes,
        "prior": model.prior.probabilities().tolist(),
        "names": [names.title(k) for k in range(spec.n_classes)],
        "merged": [list(group) for group in names.merged],
        "size": spec.size,
        "channels": spec.channels,
        "noise": spec.noise,
        "continuous": spec.continuous,
        "features": spec.features,
        "classify_input_range": [0, 255],
        "fitted_to_values": _range_of(run),
        "generate_output_range": [-1, 1],
    }


def _range_of(run: Run) -> list[float] | None:
    """Black and white of the arrays that an estimator was fitted to; None where no estimator was."""
    if not (run.path / ESTIMATOR).exists():
        return None
    black_white: list[float] = read_tensors(run.path / ESTIMATOR)[1]["pixel_range"]
    return black_white


def to_onnx(graph: Classify | Generate, facts: Mapping[str, Any]) -> bytes:
    """An ONNX file of the graph for any number of images; its metadata are `facts`, each value as JSON."""
    from onnx.helper import set_model_props

    inputs = graph.inputs(2)
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings(), _errors_only("torch.onnx"):
        warnings.simplefilter("ignore")  # of the exporter, about its own workings
        program = torch.onnx.export(
            graph.eval(),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=graph.outputs,
            dynamic_shapes=tuple({0: batch} for _ in inputs),
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise ElasticInfoGANError("torch.onnx gave no graph; another version of torch may")
    proto = program.model_proto
    proto.doc_string = (graph.__doc__ or "").strip()
    set_model_props(proto, {key: v if isinstance(v, str) else json.dumps(v) for key, v in facts.items()})
    return bytes(proto.SerializeToString())  # type: ignore[no-untyped-call]


def compare(name: str, graph: Classify | Generate, content: bytes) -> float:
    """The largest difference between PyTorch and onnxruntime on one image and on five.

    Raises:
        ElasticInfoGANError: it is more than `TOLERANCE`.
    """
    from onnxruntime import InferenceSession  # type: ignore[attr-defined]

    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    worst = 0.0
    for n in (1, 5):
        inputs = graph.inputs(n)
        with torch.no_grad():
            ours: Sequence[Tensor] = graph(*inputs.values())
        theirs = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        pairs = zip(ours, theirs, strict=True)
        differences = [abs(a.numpy() - np.asarray(b)).max() for a, b in pairs]
        worst = float(np.max([worst, *differences]))  # NaN wins, which Python's own max may pass over
    if not worst <= TOLERANCE:
        raise ElasticInfoGANError(
            f"{name} differs from PyTorch by {worst:.1e}, more than {TOLERANCE:.0e}: it was not written; "
            "another version of onnxruntime or torch may agree"
        )
    return worst


def about(facts: Mapping[str, Any]) -> str:
    """The README of the folder."""
    classes = facts["classes"]
    images = f"float32 (N, {facts['size']}, {facts['size']}, {facts['channels']})"
    continuous = f", continuous float32 (N, {facts['continuous']}) in [-1, 1]" if facts["continuous"] else ""
    rows = enumerate(zip(facts["names"], facts["prior"], strict=True))
    shares = "\n".join(f"| {k} | {name} | {share:.3f} |" for k, (name, share) in rows)
    fitted = ""
    if facts["fitted_to_values"] not in (None, [0, 255]):
        black, white = facts["fitted_to_values"]
        fitted = f": 0 for the {black:g} of the arrays that it was fitted to, 255 for their {white:g}"
    merged = "".join(f"\nClasses {' + '.join(map(str, group))} count as one." for group in facts["merged"])
    return f"""# Elastic-InfoGAN as ONNX

Trained on {facts["trained_on"]} without labels, recipe {facts["recipe"]}, elastic-infogan {facts["version"]}.
The same facts are in `model.json` and in the metadata of both graphs. N is free.

`classify.onnx`

- in: images {images.replace("float32", "uint8")}, 0 to 255{fitted}
- out: probabilities float32 (N, {classes}), features float32 (N, {facts["features"]})

`generate.onnx`

- in: noise float32 (N, {facts["noise"]}) ~ N(0, 1), code float32 (N, {classes}) one-hot{continuous}
- out: images {images} in [-1, 1]

```python
import numpy as np, onnxruntime

classify = onnxruntime.InferenceSession("classify.onnx")
probabilities, features = classify.run(None, {{"images": images}})
```

| class | name | share |
|---|---|---|
{shares}
{merged}"""


@contextmanager
def _errors_only(name: str) -> Iterator[None]:
    """Within the block a logger says errors only."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
