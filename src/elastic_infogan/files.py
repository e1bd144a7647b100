"""Files: each whole or absent at any moment, since written beside its place and renamed; the cache."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from itertools import count
from pathlib import Path
from time import time
from typing import Any

from elastic_infogan.errors import ElasticInfoGANError

__all__ = [
    "FULL",
    "as_json",
    "cache_folder",
    "expanded",
    "is_leftover",
    "no_run",
    "replacing",
    "sweep",
    "why_not_read",
    "why_not_written",
    "write_json",
    "writing",
]

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""errors that say that there is no more room"""
STALE = 3600.0
"""seconds after which nobody writes any more to what is not whole"""
_LONGEST = 255
"""bytes of a file's name that file systems take"""
_numbers = count()
"""of what this process writes beside its place, so that two who write one file never share another"""


def cache_folder() -> Path:
    """Where this program keeps what it can make or fetch again, for the person who runs it."""
    from platformdirs import user_cache_path

    return user_cache_path("elastic-infogan", appauthor=False)


def expanded(path: str | Path) -> Path:
    """A path with `~` as the home that it stands for; as it is where it stands for nobody's.

    >>> expanded("~nobody-of-that-name/pictures").name
    'pictures'
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` at the end, unless the block fails.

    What was at `path` before stays until then. What a link points to is replaced, not the link, and a device
    or pipe is written to. An `OSError` passes through: each floor turns it into an exception of its own by
    `writing`.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    if path.is_symlink():
        path = path.parent / path.readlink()
        path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(_beside(path.name))
    try:
        yield beside
        beside.replace(path)
    finally:
        # On a full disk or a read-only one there may be nothing to take away.
        if beside.exists():
            beside.unlink()


def _beside(name: str) -> str:
    """What a file is called until it is whole, by this writer; a long name is cut, so as not to be too long.

    >>> _beside("config.toml").startswith(".config.toml."), len(_beside(255 * "x"))
    (True, 255)
    """
    end = f".{os.getpid()}-{next(_numbers)}.part"
    kept = name.encode("utf-8", "surrogateescape")[: _LONGEST - 1 - len(end)].decode("utf-8", "ignore")
    return f".{kept}{end}"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as a JSON file, see `replacing`."""
    with replacing(path) as beside:
        beside.write_text(as_json(content), encoding="utf-8")


def no_run(path: Path) -> str | None:
    """One line that says that a folder is no run, and which one beside it may be meant; None for a run."""
    if (path / "config.toml").is_file():
        return None
    beside = [other.parent.name for other in sorted(path.parent.glob("*/config.toml"))]
    begins = [name for name in beside if path.name and name.startswith(path.name)]  # '.' has no name
    near = begins[-1:] or get_close_matches(path.name, beside, n=1)
    hint = f"; did you mean {path.with_name(near[0])}?" if near else ""
    return f"{path} is not a run folder of elastic-infogan: it has no config.toml{hint}"


def is_leftover(path: Path) -> bool:
    """Whether a file is what a killed process was writing with `replacing`.

    >>> is_leftover(Path("run/.config.toml.1-0.part")), is_leftover(Path("run/config.toml"))
    (True, False)
    """
    return path.name.startswith(".") and path.suffix == ".part"


def sweep(folder: Path) -> None:
    """Remove what killed processes were writing into a folder; within an hour somebody may be at work."""
    for path in filter(is_leftover, folder.iterdir() if folder.is_dir() else ()):
        with suppress(OSError):
            if time() - path.stat().st_mtime > STALE:
                path.unlink()


def why_not_written(path: Path, error: OSError) -> str:
    """One line that says what could not be written, why, and what to do.

    >>> why_not_written(Path("a.csv"), OSError(errno.ENOSPC, "No space left on device"))
    'a.csv cannot be written: No space left on device; free some space and run the same command again'
    """
    advice = (
        "free some space and run the same command again" if error.errno in FULL else "choose another place"
    )
    return f"{path} cannot be written: {error.strerror or error}; {advice}"


def why_not_read(path: Path, error: OSError | UnicodeDecodeError) -> str:
    """One line that says which text file could not be read, and why.

    >>> why_not_read(Path("a.csv"), OSError(errno.ENOENT, "No such file or directory"))
    'a.csv cannot be read: No such file or directory'
    """
    reason = (error.strerror or error) if isinstance(error, OSError) else "not UTF-8 text"
    return f"{path} cannot be read: {reason}"


@contextmanager
def writing(path: Path, kind: type[ElasticInfoGANError]) -> Iterator[None]:
    """Within the block what the system refuses becomes an error of a `kind` that names `path`."""
    try:
        yield
    except OSError as error:
        raise kind(why_not_written(path, error)) from error


def as_json(content: Mapping[str, Any]) -> str:
    """A mapping as the text of a JSON file; NaN is refused, since JSON has none.

    All letters but ASCII are escaped, so that file names that are no valid Unicode come back as they were.
    """
    return json.dumps(content, indent=2, allow_nan=False) + "\n"
