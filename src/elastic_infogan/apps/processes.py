"""Work that is done in every process of a command."""

from __future__ import annotations

import os
from collections.abc import Callable

from elastic_infogan.apps import terminal
from elastic_infogan.errors import ConfigError
from elastic_infogan.training.config import Config
from elastic_infogan.training.hardware import make_fabric
from elastic_infogan.training.meeting import GOES_ON, are_started, leave, loss_told, meet
from elastic_infogan.training.processes import Processes

__all__ = ["in_all"]


def in_all(config: Config, work: Callable[[Processes], None], left: str = GOES_ON) -> None:
    """Do `work` in every process of `config`, of which the first one speaks for all.

    Where nobody has started them, this process does, and waits until they have ended.

    Arguments:
        left: what the work leaves when it is cut short, in words.

    Raises:
        ConfigError: other processes were started than `config` says, or they do not meet, or NODE_RANK is no
            number.
        TrainingError: one of them was killed.
        KeyboardInterrupt: they were interrupted.
        SystemExit: one of them failed, and has said why.
    """
    rank = _rank(config)  # first, since Fabric would not say whose number it cannot read
    if not are_started(make_fabric(config)):
        from elastic_infogan.apps.launching import start  # seconds of imports that one process can do without

        start(config.devices, config.nodes, rank, left)
        return
    processes = Processes(meet(config))
    if not processes.first:
        terminal.silence()
    with loss_told(left):
        work(processes)
    leave(("gloo", "nccl", "mpi"))


def _rank(config: Config) -> int:
    """The number of this machine among several; one process has no use for it."""
    given = os.environ.get("NODE_RANK", "0")
    if config.devices * config.nodes == 1:
        return 0
    if not given.isdecimal():
        raise ConfigError(
            f"NODE_RANK is {given!r} in the environment: set it to this machine's number, 0, 1, …, "
            "or unset it where there is one machine"
        )
    return int(given)
