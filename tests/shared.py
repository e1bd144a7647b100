"""What test files make or compare with alike; `conftest.py` makes it importable."""

import struct
import time
import zlib

import numpy as np
import pytest

from elastic_infogan.training.tensor_files import read_tensors


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def huge_png():
    """A header of 40,000 × 40,000 pixels with next to nothing behind it."""
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b""))]
    body = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


class Bomb:
    """Shouts when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("something was unpickled",))


def weights(path):
    """What the run in a folder learned, by name."""
    return read_tensors(path / "model.safetensors")[0]


def same(ours, theirs):
    """Whether two sets of weights are equal to the last bit."""
    return ours.keys() == theirs.keys() and all(ours[name].equal(theirs[name]) for name in ours)


def wait_for(file, process):
    """Until a process has written a file."""
    deadline = time.monotonic() + 240
    while not file.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
