"""Much work over all cores: results in order, no more under way than keep the cores busy."""

from __future__ import annotations

import contextlib
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from PIL import Image

__all__ = ["cores", "in_order", "quiet_pillow"]

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    work: Callable[[T], R], items: Iterable[T], workers: int, begin: Callable[[], object] | None = None
) -> Iterator[R]:
    """`work` of each item, computed ahead by `workers` threads; memory does not grow with their number.

    Threads, since Pillow decodes outside Python's lock, and since neither a fork beside torch's own
    threads nor a fresh process that runs the user's script again is safe. Each calls `begin` first.

    >>> list(in_order(abs, [-1, 2, -3], workers=2))
    [1, 2, 3]
    """
    with ThreadPoolExecutor(workers, initializer=begin) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def quiet_pillow() -> Iterator[None]:
    """Without Pillow's warnings: what matters in them becomes a reason to set a file aside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", module="PIL")
        yield


def cores() -> int:
    """Cores that this process may use, by affinity and by its container's quota."""
    import joblib

    return max(1, int(joblib.cpu_count()))
