"""Several processes of one command: started on this machine, watched, and ended together."""

from __future__ import annotations

import logging
import os
import signal
import sys
from datetime import timedelta

from torch.distributed import DistError
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.utils.distributed import get_free_port
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from elastic_infogan.errors import ConfigError, TrainingError
from elastic_infogan.training.interruption import STARTED_BY
from elastic_infogan.training.meeting import LOST, OTHER_ENDED

__all__ = ["PATIENCE", "start"]

PATIENCE = timedelta(minutes=10)
"""How long the machines of a run wait for one another at the start."""

STOPPING = 600
"""Seconds that processes have to save the run once they are interrupted: finding classes takes minutes."""

_INTERRUPTED = 130


def start(devices: int, nodes: int, rank: int, left: str, patience: timedelta = PATIENCE) -> None:
    """Run this command once more in each of `devices` processes here, and wait until all have ended.

    The processes are watched by torchrun's agent, in this process: whichever ends badly, none is left. Of
    several machines each runs this same command, with NODE_RANK (0, 1, …), MASTER_ADDR and MASTER_PORT in its
    environment; processes that torchrun or SLURM has started do not come here.

    Arguments:
        rank: the number of this machine.
        left: what the work leaves when it is cut short, in words.

    Raises:
        ConfigError: this is Windows, those variables are missing, or the other machines do not answer.
        TrainingError: a process was killed.
        KeyboardInterrupt: the processes were interrupted, with the run saved.
        SystemExit: one of them failed, and has said why.
    """
    if sys.platform == "win32":
        raise ConfigError(f"--devices {devices} --nodes {nodes}: several processes need Linux or macOS")
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(STOPPING))
    config = LaunchConfig(
        min_nodes=nodes, max_nodes=nodes, nproc_per_node=devices, run_id="elastic-infogan", max_restarts=0,
        rdzv_backend="static", rdzv_endpoint=_endpoint(nodes), monitor_interval=0.1,
        rdzv_configs={"rank": rank, "timeout": int(patience.total_seconds())},
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),
    )  # fmt: skip
    logging.disable(logging.CRITICAL)  # what happened is said in one line below
    os.environ[STARTED_BY] = str(os.getpid())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # until there is something to end, the agent hears no signal
    try:
        elastic_launch(config, sys.executable)("-m", "elastic_infogan", *sys.argv[1:])
    except SignalException as error:
        raise KeyboardInterrupt from error
    except DistError as error:
        raise ConfigError(
            f"--nodes {nodes}: the machines did not all meet at {config.rdzv_endpoint} within {patience}"
        ) from error
    except ChildFailedError as error:
        _say_why(error, left)


def _endpoint(nodes: int) -> str:
    """Where the processes meet."""
    if nodes == 1:
        # The loopback device alone: whatever the machine's name resolves to does not matter.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo" if sys.platform == "linux" else "lo0")
        return f"127.0.0.1:{get_free_port()}"
    needed = ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
    if missing := [name for name in needed if name not in os.environ]:
        raise ConfigError(
            f"--nodes {nodes}: {' and '.join(missing)} missing in the environment; set NODE_RANK (0, 1, …), "
            "MASTER_ADDR and MASTER_PORT on each machine, or use torchrun or srun"
        )
    return f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"


def _say_why(error: ChildFailedError, left: str) -> None:
    """Raise what the end of the processes means."""
    ended = {rank: failure.exitcode for rank, failure in error.failures.items()}
    killed = [rank for rank, status in ended.items() if status < 0]
    if killed:
        name = signal.Signals(-ended[killed[0]]).name
        raise TrainingError(f"process {killed[0]} was ended by {name}; {left}") from error
    if _INTERRUPTED in ended.values():
        raise KeyboardInterrupt from error
    if set(ended.values()) == {OTHER_ENDED}:
        raise TrainingError(f"{LOST}; {left}") from error
    raise SystemExit(max(status for status in ended.values() if status != OTHER_ENDED)) from error
