"""The stages of training, and where in the budget each begins and ends."""

from __future__ import annotations

from elastic_infogan.training.config import Config

__all__ = ["GENERATIVE", "attempt_at", "bounds", "stage_at"]

GENERATIVE = ("play", "reconstruct")
"""Stages in which G learns, so that its images are worth a look."""


def stage_at(config: Config, progress: float) -> str:
    """The stage at a fraction of the budget."""
    if config.model == "jointvae":
        return "reconstruct"
    encode, refine = _lengths(config)
    if progress < config.restarts * encode:
        return "encode"
    return "refine" if progress < config.restarts * encode + refine else "play"


def attempt_at(config: Config, progress: float) -> int:
    """Which of the `restarts` encoders is the one that learns at a fraction of the budget, from 0."""
    encode, _ = _lengths(config)
    return min(int(progress / encode), config.restarts - 1) if encode else 0


def bounds(config: Config, stage: str, attempt: int = 0) -> tuple[float, float]:
    """Where a stage begins and ends, as fractions of the budget.

    Arguments:
        attempt: which of the encoders, for the stage `encode`.
    """
    encode, refine = _lengths(config)
    first, second = config.restarts * encode, config.restarts * encode + refine
    if stage == "encode":
        return attempt * encode, (attempt + 1) * encode
    return (first, second) if stage == "refine" else (second, 1.0)


def _lengths(config: Config) -> tuple[float, float]:
    """Fractions of the budget that each encoder alone, and then `refine`, get.

    With several encoders everything is shortened alike, as if the budget were smaller.
    """
    schedule = config.schedule
    part = 1 / (1 + (config.restarts - 1) * schedule.encode)
    return schedule.encode * part, schedule.refine * part
