"""SIGINT, SIGTERM and the loss of the parent as a request to stop after the step, so that nothing is lost.

And SIGCONT, by which a process learns that it was suspended: by Ctrl-Z, or by a scheduler.
"""

from __future__ import annotations

import os
import signal
import threading
from time import monotonic
from types import FrameType

__all__ = ["STARTED_BY", "Interruption"]

STARTED_BY = "ELASTIC_INFOGAN_STARTED_BY"
"""Environment variable: the process that started this one as one of several, and watches it."""

ONE_REQUEST = 1.0
"""seconds within which several signals are one request: what stops a service tells parent and child both"""


class Interruption:
    """Within the block a signal sets `asked`; another one later interrupts at once, as Python usually would.

    SIGCONT, where there is one, sets `was_suspended`.

    A process that was started by another of this program (see `apps.launching`) also stops once that one has
    ended.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self._told: float | None = None
        self._suspended = False
        self._parent = int(os.environ.get(STARTED_BY, "0"))

    @property
    def asked(self) -> bool:
        """Whether to stop."""
        return self._told is not None or (self._parent > 0 and os.getppid() != self._parent)

    def was_suspended(self) -> bool:
        """Whether the process stood still since this was last asked; for how long nobody tells."""
        suspended, self._suspended = self._suspended, False
        return suspended

    def __enter__(self) -> Interruption:
        # Only the main thread may set handlers; elsewhere the caller's own handling applies.
        self._previous = {}
        if threading.current_thread() is threading.main_thread():
            self._previous = {s: signal.signal(s, self._ask) for s in self.SIGNALS}
            if hasattr(signal, "SIGCONT"):
                self._previous[signal.SIGCONT] = signal.signal(signal.SIGCONT, self._continue)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _continue(self, number: int, frame: FrameType | None) -> None:
        self._suspended = True

    def _ask(self, number: int, frame: FrameType | None) -> None:
        now = monotonic()
        if self._told is None:
            self._told = now
        elif now - self._told > ONE_REQUEST:
            raise KeyboardInterrupt
