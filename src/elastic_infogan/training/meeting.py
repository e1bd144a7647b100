"""How the processes of a run meet, fail together, and learn that one of them is gone."""

from __future__ import annotations

import atexit
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch.distributed as dist
from lightning_fabric import Fabric
from numpy.typing import NDArray

from elastic_infogan.errors import ConfigError, DataError, ElasticInfoGANError, TrainingError
from elastic_infogan.training.config import Config
from elastic_infogan.training.hardware import make_fabric
from elastic_infogan.training.interruption import STARTED_BY
from elastic_infogan.training.processes import Processes

__all__ = [
    "GOES_ON",
    "LOST",
    "OTHER_ENDED",
    "are_started",
    "fingerprint",
    "leave",
    "loss_told",
    "meet",
    "same_for_all",
    "together",
]

GOES_ON = "the last checkpoint is kept, and the same command goes on from there"
"""What a training whose processes ended leaves."""

LOST = "another process of this command has ended, so that this one cannot go on"

OTHER_ENDED = 3
"""Exit status of a process that ends since another has; whoever started both says what happened."""

SAMPLED = 64
"""Images by which processes, and a run that goes on, tell whether they are the same."""

T = TypeVar("T")


def are_started(fabric: Fabric) -> bool:
    """Whether all processes of `fabric` run already: by torchrun, SLURM, MPI, or since there is only one."""
    environment = getattr(fabric.strategy, "cluster_environment", None)
    return environment is None or bool(environment.creates_processes_externally)


def meet(config: Config) -> Fabric:
    """Fabric of all processes of `config`, once they have met. A group of gloo is left when Python ends.

    Raises:
        ConfigError: there are fewer or more processes than `config` says, or nobody has started them.
        TrainingError: another one ended meanwhile.
    """
    flags = f"--devices {config.devices} --nodes {config.nodes}"
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if dist.is_torchelastic_launched() and started != config.devices * config.nodes:
        raise ConfigError(f"{flags}: torchrun has started {started} processes; give the numbers it was given")
    fabric = make_fabric(config)
    if not are_started(fabric):
        raise ConfigError(f"{flags}: nobody has started so many processes; use elastic-infogan or torchrun")
    with loss_told():
        try:
            fabric.launch()
        except ValueError as error:
            raise ConfigError(f"{flags}: {' '.join(str(error).split())}") from error
    atexit.unregister(leave)  # else there would be one more for each training of a session
    atexit.register(leave)
    return fabric


def leave(kinds: tuple[str, ...] = ("gloo",)) -> None:
    """Leave the group if it is of one of these kinds; else there is nothing to do.

    Its threads then end before the interpreter, which else aborts now and then. A group of NCCL can only be
    left by all: where others wait in an exchange, leaving it may never end.
    """
    if dist.is_available() and dist.is_initialized() and dist.get_backend() in kinds:
        dist.destroy_process_group()


def together(processes: Processes, work: Callable[[], T], *, in_turn: bool = False) -> T:
    """`work()` in every process; if it fails in one, it fails alike in all.

    Arguments:
        in_turn: the first process of each machine goes ahead, so that the others find what it has packed.

    Raises:
        ElasticInfoGANError: of the first process in which it failed, whose number is told.
    """
    done, failure = [], None
    waits = in_turn and processes.fabric.local_rank > 0
    if in_turn and waits:
        processes.fabric.barrier()
    try:
        done.append(work())
    except ElasticInfoGANError as error:
        failure = error
    if in_turn and not waits:
        processes.fabric.barrier()
    for rank, failed in enumerate(processes.of_all(failure)):
        if failed is not None:
            raise failed if rank == 0 else type(failed)(f"process {rank}: {failed}")
    return done[0]


def same_for_all(processes: Processes, config: Config, images: NDArray[np.uint8]) -> Config:
    """The configuration of the first process, once all turn out to have the same images.

    Raises:
        DataError: they have not: images are shared by their numbers.
    """
    seen = processes.of_all((fingerprint(images), config))
    others = [rank for rank, (theirs, _) in enumerate(seen) if theirs != seen[0][0]]
    if others:
        raise DataError(f"{config.source} holds other images for process {others[0]} than for process 0")
    return seen[0][1]


def fingerprint(images: NDArray[np.uint8]) -> list[int]:
    """Shape of the images and a checksum of some of them: other images will hardly have the same."""
    some = images[np.linspace(0, len(images) - 1, SAMPLED).astype(np.int64)]
    return [*images.shape, zlib.crc32(np.ascontiguousarray(some).tobytes())]


@contextmanager
def loss_told(left: str = GOES_ON) -> Iterator[None]:
    """Within the block a failed exchange between processes becomes one line.

    Arguments:
        left: what the work leaves when it is cut short, in words.

    Raises:
        TrainingError: another process has ended.
        SystemExit: likewise, where whoever started the processes tells of it.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error).lower():
            raise
        if STARTED_BY in os.environ:
            raise SystemExit(OTHER_ENDED) from error
        raise TrainingError(f"{LOST}; {left}") from error
