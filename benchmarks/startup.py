"""How long `elastic-infogan --help` takes to answer, from a shell's point of view.

python benchmarks/startup.py [--out startup.json]
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from machine import arguments, describe, report, spread

__all__ = ["main"]


def command() -> list[str]:
    """The installed command, or the package run as a module where it is not installed."""
    script = Path(sys.executable).with_name("elastic-infogan")
    return [str(script)] if script.exists() else [sys.executable, "-m", "elastic_infogan"]


def seconds(arguments: list[str]) -> float:
    """Wall time of a process."""
    began = time.perf_counter()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Measure, print and, where asked, write."""
    parser = arguments("Wall time of `elastic-infogan --help`.", threads=False)
    parser.add_argument("--rounds", type=int, default=10, help="repetitions")
    options = parser.parse_args()
    machine = describe()
    answer, bare = [*command(), "--help"], [sys.executable, "-c", "pass"]
    seconds(answer)  # writes byte code where there is none yet
    figures = {
        "help_s": spread([seconds(answer) for _ in range(options.rounds)]),
        "bare_python_s": spread([seconds(bare) for _ in range(options.rounds)]),
    }
    for name, words in (("help_s", "elastic-infogan --help"), ("bare_python_s", "python alone")):
        times = figures[name]
        print(f"{words:24} {times['median']:.3f} s ({times['min']:.3f}–{times['max']:.3f})")
    report("startup", machine, figures, options.out)


if __name__ == "__main__":
    main()
