"""Uses what `elastic-infogan export RUN --out DIR` wrote, with numpy, pillow and onnxruntime alone.

python use_onnx.py DIR                     new images of every class, as generated.png
python use_onnx.py DIR picture.jpg ...     the class of each picture
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def read(path, facts):
    """A picture as the graph wants it: square, in the size and mode of the training images."""
    with Image.open(path) as picture:
        upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I;16"):  # 16 bits of grey
        upright = Image.fromarray((np.asarray(upright) / 257).round().astype(np.uint8))
    if upright.has_transparency_data:  # shows white, as in training
        clear = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    upright = upright.convert("RGB" if facts["channels"] == 3 else "L")
    square = ImageOps.fit(upright, (facts["size"], facts["size"]), Image.Resampling.LANCZOS)
    return np.asarray(square).reshape(facts["size"], facts["size"], facts["channels"])


def classify(folder, facts, paths):
    """Prints the most probable class of each picture."""
    session = onnxruntime.InferenceSession(folder / "classify.onnx")
    images = np.stack([read(path, facts) for path in paths])
    probabilities, _features = session.run(None, {"images": images})
    for group in facts["merged"]:  # classes that whoever trained it takes for one
        probabilities[:, group[0]] = probabilities[:, group].sum(1)
        probabilities[:, group[1:]] = 0
    for path, p in zip(paths, probabilities, strict=True):
        print(f"{path}: {facts['names'][p.argmax()]} with probability {p.max():.3f}")


def generate(folder, facts, per_class=8, seed=0):
    """Draws `per_class` new images of every class, one row a class."""
    session = onnxruntime.InferenceSession(folder / "generate.onnx")
    random = np.random.default_rng(seed)
    classes = np.repeat(np.arange(facts["classes"]), per_class)
    n = len(classes)
    inputs = {
        "noise": random.standard_normal((n, facts["noise"]), np.float32),
        "code": np.eye(facts["classes"], dtype=np.float32)[classes],
    }
    if facts["continuous"]:
        inputs["continuous"] = random.uniform(-1, 1, (n, facts["continuous"])).astype(np.float32)
    (images,) = session.run(None, inputs)  # (N, H, W, C) in [-1, 1]
    pixels = ((images + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    size, channels = facts["size"], facts["channels"]
    rows = pixels.reshape(facts["classes"], per_class, size, size, channels).transpose(0, 2, 1, 3, 4)
    sheet = rows.reshape(facts["classes"] * size, per_class * size, channels)
    Image.fromarray(sheet.squeeze()).save("generated.png")
    print(f"generated.png: {per_class} new images of each of {facts['classes']} classes")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    facts = json.loads((folder / "model.json").read_text())
    if sys.argv[2:]:
        classify(folder, facts, sys.argv[2:])
    else:
        generate(folder, facts)
