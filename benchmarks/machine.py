"""What every benchmark shares: its command line, the machine it ran on, and how it reports."""

from __future__ import annotations

import json
import os
import platform
import statistics
from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["arguments", "describe", "report", "spread", "use_threads"]


def arguments(description: str, *, threads: bool = True) -> ArgumentParser:
    """A parser with the flags that all benchmarks have, or all in which torch computes."""
    parser = ArgumentParser(description=description, formatter_class=ArgumentDefaultsHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures and the machine as JSON")
    if threads:
        parser.add_argument("--threads", type=int, help="threads of torch; all cores when left out")
    return parser


def use_threads(threads: int | None) -> None:
    """Let torch use so many threads in this process; None leaves its own choice."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)


def describe() -> dict[str, Any]:
    """CPU, cores, system and versions: what a figure depends on besides the code."""
    import torch

    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def spread(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """Median, smallest and largest of repeated measurements."""
    figures = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, digits) for name, value in figures.items()}


def report(name: str, machine: Mapping[str, Any], figures: Mapping[str, Any], out: Path | None) -> None:
    """Say on what machine the figures were measured and, with `out`, write both as JSON."""
    print(
        "{cpu}, {cores} cores, {capability}, {threads} threads, torch {torch}, "
        "load {load_before} at the start".format(**machine)
    )
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        content = {"benchmark": name, "machine": dict(machine), "figures": dict(figures)}
        out.write_text(json.dumps(content, indent=2) + "\n")
