"""Where and how exactly to compute: devices and precision chosen from what the machine has."""

from __future__ import annotations

import ctypes
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import torch

from elastic_infogan.core.precision import multiplies_bf16
from elastic_infogan.errors import ConfigError
from elastic_infogan.training.config import Config, Precision

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = [
    "PATIENCE",
    "choose_device",
    "choose_precision",
    "keep_freed_memory",
    "make_fabric",
    "returning_freed_memory",
]

PATIENCE = timedelta(days=7)
"""How long processes wait for each other: one may pack pictures or find classes alone for hours. That one of
them has ended its connection tells."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt, from malloc.h."""


def choose_device(wanted: str) -> str:
    """`cpu`, `cuda` or `mps`; `auto` takes the first accelerator that is there.

    Raises:
        ConfigError: if the device asked for is not there, or is none of these.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, there in present.items() if there)
    if wanted not in present:
        raise ConfigError(f"--device {wanted}: {', '.join(present)} or auto is needed")
    if not present[wanted]:
        raise ConfigError(f"--device {wanted}: this machine has none; use --device auto")
    return wanted


def choose_precision(wanted: Precision, device: str) -> Literal["32-true", "bf16-mixed"]:
    """`bf16-mixed` where the device multiplies bf16 in hardware, else `32-true`."""
    if wanted != "auto":
        return wanted
    return "bf16-mixed" if multiplies_bf16(device) else "32-true"


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks for the next step instead of returning them to the system.

    A step frees and asks again for the same megabytes; giving them back costs a page fault for every four
    kilobytes of the next step. Does nothing where the C library is another one.
    """
    # Older versions refuse more than 32 MB here, and with only the other set they keep nothing at all.
    if _glibc("mallopt", M_MMAP_THRESHOLD, 2**30) or _glibc("mallopt", M_MMAP_THRESHOLD, 2**25):
        _glibc("mallopt", M_TRIM_THRESHOLD, 2**31 - 1)


@contextmanager
def returning_freed_memory() -> Iterator[None]:
    """Within the block large tables go back to the system once they are freed, for work that is done once.

    Kept, tables of many sizes would tear the heap: what is left free between them is too small for the next.
    """
    _glibc("mallopt", M_MMAP_THRESHOLD, 2**23)  # smaller ones would cost more page faults than they free
    _glibc("malloc_trim", 0)
    try:
        yield
    finally:
        keep_freed_memory()


def _glibc(function: str, *arguments: int) -> int:
    """What a function of the GNU C library answers; 0, which says that nothing was done, in any other."""
    known = getattr(ctypes.CDLL(None), function, None) if sys.platform == "linux" else None
    return 0 if known is None else int(known(*arguments))


def make_fabric(config: Config) -> Fabric:
    """Fabric for the devices, nodes and precision of `config`; not yet launched.

    Raises:
        ConfigError: there is no such device, there are not so many, or a cluster's variables contradict it.
    """
    # Two seconds, which verbs that do not train can do without.
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    keep_freed_memory()
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it greets on standard error
    device = choose_device(config.device)
    precision = choose_precision(config.precision, device)
    try:
        return Fabric(
            accelerator=device,
            strategy=DDPStrategy(timeout=PATIENCE) if config.devices * config.nodes > 1 else "auto",
            devices=config.devices,
            num_nodes=config.nodes,
            precision=precision,
        )
    except (ValueError, RuntimeError, MisconfigurationException) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"--devices {config.devices} --nodes {config.nodes}: {reason}") from error
