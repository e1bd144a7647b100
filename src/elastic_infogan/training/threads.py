"""How many threads a step should use on a CPU that others may be using too: found out while training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

__all__ = ["ThreadTuner", "candidates"]

STEPS_A_TRIAL = 4
"""Steps timed with each candidate; the fastest counts, since the others may have been disturbed."""

SECONDS_BETWEEN = 10.0
"""Least time between two trials."""

SHARE_OF_TRIALS = 0.03
"""Largest fraction of the time that trials may take."""


def candidates(threads: int) -> list[int]:
    """All threads, half of them, and one, without repetition.

    Example:
        >>> candidates(8), candidates(2), candidates(1)
        ([8, 4, 1], [2, 1], [1])
    """
    return sorted({threads, max(1, threads // 2), 1}, reverse=True)


class ThreadTuner:
    """Times a few steps with each number of threads now and then, and keeps to the fastest.

    Threads that wait for one another lose everything once another program takes a core from one of them:
    on two cores with one busy, two threads trained at a seventh of the speed of one. Sums are added in
    another order with another number of threads, so that a run whose weights have to repeat must not be
    tuned.

    Arguments:
        choices: numbers of threads to try.
        use: makes a number of threads take effect.
    """

    def __init__(self, choices: Sequence[int], use: Callable[[int], None] = torch.set_num_threads) -> None:
        self.choices, self.use = list(choices), use
        self._begin_trial()

    def record(self, seconds: float) -> None:
        """Take note of how long the last step took, and decide about the next one."""
        if len(self.choices) == 1:
            return
        if self.trying is None:
            self.rest -= seconds
            if self.rest <= 0:
                self._begin_trial()
            return
        self.spent += seconds
        self.fastest[self.trying] = min(self.fastest[self.trying], seconds)
        self.left -= 1
        if self.left == 0:
            self._next_choice()

    def _begin_trial(self) -> None:
        self.fastest = dict.fromkeys(self.choices, math.inf)
        self.spent = 0.0
        self._try(self.choices[0])

    def _try(self, choice: int) -> None:
        self.trying: int | None = choice
        self.left = STEPS_A_TRIAL
        self.use(choice)

    def _next_choice(self) -> None:
        untried = [choice for choice in self.choices if math.isinf(self.fastest[choice])]
        if untried:
            self._try(untried[0])
            return
        self.trying = None
        self.rest = max(SECONDS_BETWEEN, self.spent / SHARE_OF_TRIALS)
        self.use(min(self.choices, key=self.fastest.__getitem__))
