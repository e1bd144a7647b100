"""What each process does in `test_processes`: it trains some runs, the new ones with a stop on the way."""

import atexit
import os
import shutil
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from elastic_infogan.data.sources import load
from elastic_infogan.training import loop
from elastic_infogan.training.interruption import Interruption
from elastic_infogan.training.meeting import meet
from elastic_infogan.training.run import Run
from elastic_infogan.training.state import setup


def calculate_in_double_precision():
    """The program names single precision in a few places; here the names mean double."""
    torch.set_default_dtype(torch.float64)
    torch.float32, torch.Tensor.float = torch.float64, torch.Tensor.double


class StopAt(Interruption):
    """Asks to stop once a number of steps is done."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    @property
    def asked(self):
        self.left -= 1
        return self.left <= 0


def stop(run, images, after, fabric):
    """Train `run` for `after` steps and leave its checkpoint, and a copy of the run beside it."""
    try:
        loop.fit(setup(run.config, images, fabric), run, lambda _: None, StopAt(after))
    except loop.Interrupted:
        if fabric.is_global_zero:
            shutil.copytree(run.path, run.path.with_name(f"half-{run.path.name}"))
        return
    raise AssertionError("it did not stop")


def expect_to_have_left():
    """The interpreter must not end with the group's threads at work: some of those ends are aborts."""
    if dist.is_initialized():
        print("the group of processes was not left", file=sys.stderr, flush=True)
        os._exit(1)


def main(half, folders):
    images = load("digits").images
    runs = [Run.open(folder) for folder in folders]
    fabric = meet(runs[0].config)
    for run in runs:
        if not run.checkpoint.exists():
            stop(run, images, half, fabric)
        loop.train(images, run, fabric=fabric)


if __name__ == "__main__":
    atexit.register(expect_to_have_left)  # the first one registered is the last one called
    torch.set_num_threads(1)
    if sys.argv[1] == "double":
        calculate_in_double_precision()
    main(int(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
