"""Files of tensors: safetensors of this program, whole or not there, and nothing unpickled."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from elastic_infogan import files
from elastic_infogan.errors import RunError

__all__ = ["FORMAT", "read_tensors", "replacing", "write_tensors"]

PROGRAM = "elastic-infogan "
FORMAT = PROGRAM + "2"
"""Written into every tensor file, so that a file of another program or version is told apart."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write; it takes the place of `path` at the end, whole or not at all.

    Raises:
        RunError: if the disk is full or the folder cannot be written; what was there before stays.
    """
    with files.writing(path, RunError), files.replacing(path) as beside:
        yield beside
        with beside.open("r+b") as written:  # Windows wants write access for it
            os.fsync(written.fileno())  # a run outlives even a loss of power


def write_tensors(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and a JSON-able `state` as one safetensors file, whole or not at all."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as beside:
        try:
            beside.touch()
            mode = beside.stat().st_mode
            save_file(whole, beside, {"format": FORMAT, "state": json.dumps(state)})
            beside.chmod(mode)  # the library lets nobody but the owner read
        except SafetensorError as error:
            # The library hides the number of the system's error in its message.
            number = re.search(r"os error (\d+)", str(error))
            code = int(number[1]) if number else errno.EIO
            raise _refusal(code) from error


def _refusal(code: int) -> OSError:
    """What the system refused, by its number; Windows counts otherwise than `errno`."""
    if sys.platform == "win32":
        return OSError(0, "", None, code)
    return OSError(code, os.strerror(code))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and state of a file that `write_tensors` made; nothing is unpickled.

    Raises:
        RunError: if it is missing, damaged, or of another program.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            # Copies: a file that is mapped cannot be replaced on Windows.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing: train first, or name the run folder") from error
    except PermissionError as error:
        raise RunError(files.why_not_read(path, error)) from error
    except (SafetensorError, OSError) as error:
        raise RunError(
            f"{path} is not a safetensors file (damaged, or a pickle of another program)"
        ) from error
    found = metadata.get("format", "")
    if found != FORMAT:
        by = "another version of" if found.startswith(PROGRAM) else "a program other than"
        raise RunError(f"{path} was written by {by} this one (expected format '{FORMAT}'): train anew")
    return tensors, json.loads(metadata["state"])
