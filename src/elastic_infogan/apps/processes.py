"""Work that is done in every process of a command."""

from __future__ import annotations

from collections.abc import Callable

from elastic_infogan.apps import terminal
from elastic_infogan.training.config import Config
from elastic_infogan.training.hardware import make_fabric
from elastic_infogan.training.meeting import GOES_ON, are_started, loss_told, meet
from elastic_infogan.training.processes import Processes

__all__ = ["in_all"]


def in_all(config: Config, work: Callable[[Processes], None], left: str = GOES_ON) -> None:
    """Do `work` in every process of `config`, of which the first one speaks for all.

    Where nobody has started them, this process does, and waits until they have ended.

    Arguments:
        left: what the work leaves when it is cut short, in words.

    Raises:
        ConfigError: other processes were started than `config` says, or they do not meet.
        TrainingError: one of them was killed.
        KeyboardInterrupt: they were interrupted.
        SystemExit: one of them failed, and has said why.
    """
    if not are_started(make_fabric(config)):
        from elastic_infogan.apps.launching import start  # seconds of imports that one process can do without

        start(config.devices, config.nodes, left)
        return
    processes = Processes(meet(config))
    if not processes.first:
        terminal.silence()
    with loss_told(left):
        work(processes)
