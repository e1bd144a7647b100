"""A packed store while it is being filled: beside its final place, resumable, renamed when whole."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elastic_infogan.files import write_json

if sys.platform != "win32":
    import fcntl

__all__ = ["COLOURED", "GREY", "LOCK", "PIXELS", "SET_ASIDE", "TODO", "Partial", "Plan", "locked", "reserve"]

TODO, GREY, COLOURED, SET_ASIDE = 0, 1, 2, 3
"""states of a picture"""

PIXELS = "images.npy"
"""the file of a store with the pixels"""
LOCK = "lock"
"""a file that whoever fills the folder holds: among machines, file systems lock files and not folders"""
_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}
"""what a file system answers that has no locks: two packers at once would both do the work there"""

_HEADER = 128
"""bytes before the pixels in a `.npy` file of up to 10^30 images"""
_BUFFER = 16 * 2**20


@dataclass(frozen=True)
class Plan:
    """What is packed and how; a partial store is resumed under the same plan alone."""

    key: str
    count: int
    size: int
    channels: int
    squeeze: bool
    """keep one channel if no picture turns out to be coloured"""

    @property
    def row(self) -> int:
        """Bytes of one image."""
        return self.size * self.size * self.channels

    @property
    def bytes(self) -> int:
        """Of all images together."""
        return _HEADER + self.count * self.row


class Partial:
    """The folder of a store that is not whole yet; `state` (N,) tells what became of each picture.

    Pixels are written, never mapped: on a full disk a write fails with an error that can be told, a
    mapped page kills the process.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self.plan = plan
        if not self._resumable():
            self._start()
        self._pixels = (folder / PIXELS).open("r+b", buffering=0)
        self._states = (folder / "state").open("r+b", buffering=0)
        self.state = np.fromfile(folder / "state", np.uint8)
        self.reasons = self._read_reasons()

    def _resumable(self) -> bool:
        try:
            known = json.loads((self.folder / "plan.json").read_text(encoding="utf-8"))
            length = (self.folder / "state").stat().st_size
        except (OSError, ValueError):
            return False
        return bool(
            known == asdict(self.plan)
            and length == self.plan.count
            and not (self.folder / "compacting").exists()
        )

    def _start(self) -> None:
        for path in self.folder.iterdir():
            if path.name != LOCK:
                path.unlink()
        shape = (self.plan.count, self.plan.size, self.plan.size, self.plan.channels)
        with (self.folder / PIXELS).open("wb") as file:
            file.write(_npy_header(shape))
            file.flush()
            reserve(file.fileno(), self.plan.bytes)
        (self.folder / "state").write_bytes(bytes(self.plan.count))
        write_json(self.folder / "plan.json", asdict(self.plan))

    def _read_reasons(self) -> dict[int, str]:
        path = self.folder / "reasons.jsonl"
        written = path.read_bytes() if path.exists() else b""
        end = written.rfind(b"\n") + 1
        if end < len(written):  # cut short by a crash; the next reason begins a line of its own
            os.truncate(path, end)
        whole = map(json.loads, written[:end].splitlines())
        return {int(index): str(reason) for index, reason in whole if self.state[index] == SET_ASIDE}

    def write(self, first: int, pixels: NDArray[np.uint8], states: NDArray[np.uint8]) -> None:
        """Keep pictures `first`, `first` + 1, …: pixels `(n, H, W, C)`, of any value where set aside, and
        states `(n,)`."""
        offset = _HEADER + first * self.plan.row
        _write_at(self._pixels, pixels.data.cast("B"), offset)
        _start_flushing(self._pixels, offset, pixels.nbytes)
        _write_at(self._states, states.tobytes(), first)  # last, so that what counts as done is done
        self.state[first : first + len(states)] = states

    def give_reasons(self, reasons: Mapping[int, str]) -> None:
        """Keep the reasons why files are not used; before their states are written."""
        with (self.folder / "reasons.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps([index, reason]) + "\n" for index, reason in reasons.items())
        self.reasons.update(reasons)

    def compact(self) -> None:
        """Close the gaps of what was set aside, and keep one channel if all turned out to be grey."""
        kept = np.flatnonzero(self.state != SET_ASIDE)
        grey = self.plan.squeeze and not (self.state == COLOURED).any()
        channels = 1 if grey else self.plan.channels
        if (len(kept), channels) == (self.plan.count, self.plan.channels):
            return
        (self.folder / "compacting").touch()  # rows move within the file: a crash here means to start anew
        per, start = max(1, _BUFFER // self.plan.row), 0
        for first in range(0, self.plan.count, per):
            start += self._move(first, min(first + per, self.plan.count), start, channels)
        row = self.plan.size * self.plan.size * channels
        self._pixels.truncate(_HEADER + len(kept) * row)
        _write_at(self._pixels, _npy_header((len(kept), self.plan.size, self.plan.size, channels)), 0)

    def _move(self, first: int, last: int, start: int, channels: int) -> int:
        """Write the rows kept of `first` … `last` − 1 from row `start` on; their number."""
        self._pixels.seek(_HEADER + first * self.plan.row)
        data = np.frombuffer(_read(self._pixels, (last - first) * self.plan.row), np.uint8)
        block = data.reshape(last - first, -1, self.plan.channels)
        block = block[self.state[first:last] != SET_ASIDE, :, :channels]
        _write_at(self._pixels, block.tobytes(), _HEADER + start * self.plan.size**2 * channels)
        return len(block)

    def publish(self, store: Path) -> None:
        """Make the folder the store, in the place of an earlier one if there is any."""
        self.close()
        for name in ("state", "reasons.jsonl", "compacting", "plan.json"):
            (self.folder / name).unlink(missing_ok=True)
        for path in self.folder.iterdir():  # a store that has its name outlives even a loss of power
            with path.open("r+b") as file:
                os.fsync(file.fileno())
        earlier = store.with_name(f".{store.name}.earlier-{os.getpid()}")
        if store.exists():
            store.rename(earlier)
        self.folder.rename(store)
        (store / LOCK).unlink(missing_ok=True)
        shutil.rmtree(earlier, ignore_errors=True)

    def discard(self) -> None:
        """Remove everything written so far."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Close the files; what is done stays done. More than once does no harm."""
        self._pixels.close()
        self._states.close()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder and hold it alone: of several processes that pack the same source, one does."""
    if sys.platform == "win32":  # has no such locks: two packers at once would both do the work
        folder.mkdir(parents=True, exist_ok=True)
        yield
        return
    while (descriptor := _lock(folder)) is None:
        pass
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(folder: Path) -> int | None:
    """Wait for a folder; None where whoever held it has renamed or removed it meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            os.close(descriptor)
            raise
        return descriptor
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat((folder / LOCK).stat(), os.fstat(descriptor)):
            return descriptor
    os.close(descriptor)
    return None


def _npy_header(shape: tuple[int, ...]) -> bytes:
    """The header of a `.npy` file of uint8, of one length whatever the shape."""
    header = io.BytesIO()
    description = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, description)
    if len(header.getvalue()) != _HEADER:
        raise AssertionError(f"numpy writes a header of {len(header.getvalue())} bytes for {shape}")
    return header.getvalue()


def reserve(descriptor: int, length: int) -> None:
    """Take the room on the disk now, so that a lack of it shows before anything is decoded."""
    try:
        os.posix_fallocate(descriptor, 0, length)
    except AttributeError:  # not on this system
        os.ftruncate(descriptor, length)
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL):
            raise
        os.ftruncate(descriptor, length)  # not on this file system


def _read(file: io.FileIO, length: int) -> bytes:
    data = bytearray()
    while len(data) < length and (more := file.read(length - len(data))):
        data += more
    return bytes(data)


def _start_flushing(file: io.FileIO, offset: int, length: int) -> None:
    """Let the system write to the disk while the next pictures are decoded, so that nobody waits at the end.

    Pages that wait to be written, as these do, start on their way; they stay in memory.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), offset, length, os.POSIX_FADV_DONTNEED)


def _write_at(file: io.FileIO, data: bytes | memoryview, offset: int) -> None:
    file.seek(offset)
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
