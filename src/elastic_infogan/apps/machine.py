"""This machine: cores and memory that a process may use, and how a result names it."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from elastic_infogan.data.parallel import cores

__all__ = ["cores", "describe", "free_memory"]

_GROUP = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Bytes that can be had without swapping, no more than a container's limit leaves."""
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        limit, used = (int((_GROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        said = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
        return min(free, limit - used + int(said["inactive_file"]))  # files in the cache give way
    except (OSError, ValueError, KeyError):  # no container, or one without a limit
        return free


def describe() -> dict[str, Any]:
    """What a figure depends on besides code and settings."""
    import torch

    return {
        "cpu": _cpu(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
