"""Saving and restoring all of a training state, bit for bit, as one safetensors file."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam

from elastic_infogan.errors import RunError, TrainingError
from elastic_infogan.training.resizing import resize
from elastic_infogan.training.run import Run
from elastic_infogan.training.state import State
from elastic_infogan.training.telemetry import ADVICE
from elastic_infogan.training.tensor_files import read_tensors, write_tensors

__all__ = ["refuse_nan", "restore", "save"]

_SCALARS = ("step", "seconds", "pauses", "stage", "attempt", "agreement", "played", "augmented", "images")
"""What is kept of a state besides its tensors."""


def refuse_nan(state: State) -> None:
    """Stop before weights that are no numbers are built on or saved.

    Raises:
        TrainingError: a weight or a running statistic is not finite.
    """
    if not all(bool(torch.isfinite(t).all()) for t in state.model.state_dict().values()):
        raise TrainingError(f"weights became NaN or infinite by step {state.step}: {ADVICE}")


def save(state: State, run: Run) -> None:
    """Replace the checkpoint of `run` by `state`; of several processes one writes.

    Raises:
        TrainingError: if a weight is not finite; the checkpoint that is there stays.
        RunError: if it cannot be written; likewise.
    """
    refuse_nan(state)
    if not state.processes.first:
        return
    tensors = {f"model/{n}": t for n, t in state.model.state_dict().items()}
    tensors |= {f"average/{n}": t for n, t in state.average.state_dict().items()}
    for name, optimiser in state.optimisers.items():
        tensors |= {f"optimiser/{name}/{key}": t for key, t in _moments(optimiser).items()}
    tensors |= {f"best/{n}": t for n, t in state.best.items()}
    if state.labels is not None:
        tensors["labels"] = state.labels
    if state.batches.groups is not None:
        tensors["groups"] = state.batches.groups.of
    tensors["random/cpu"] = torch.get_rng_state()
    if state.fabric.device.type == "cuda":
        tensors["random/cuda"] = torch.cuda.get_rng_state(state.fabric.device)
    elif state.fabric.device.type == "mps":
        tensors["random/mps"] = torch.mps.get_rng_state()
    moment = {name: getattr(state, name) for name in _SCALARS}
    write_tensors(run.checkpoint, tensors, moment)


def restore(state: State, run: Run) -> None:
    """Continue `state` from the checkpoint of `run`, which the first process reads for all.

    Any number of processes may go on from it, since all draw alike (see `core.share`).

    Raises:
        RunError: if the checkpoint is damaged, of another program or of other networks.
    """
    tensors, scalars = state.processes.by_first(lambda: read_tensors(run.checkpoint))
    try:
        if isinstance(state.config.classes, str):
            resize(state, len(tensors["model/prior.logits"]))
        state.model.load_state_dict(_under(tensors, "model/"))
        state.average.load_state_dict(_under(tensors, "average/"))
        for name, optimiser in state.optimisers.items():
            _set_moments(optimiser, _under(tensors, f"optimiser/{name}/"))
        if scalars["images"] != state.images:
            raise RunError(
                f"{state.config.source} holds other images than when {run.path} began: give it those again, "
                "or start afresh with --new"
            )
        for name in _SCALARS:
            setattr(state, name, scalars[name])
        state.best = {n: t.to(state.fabric.device) for n, t in _under(tensors, "best/").items()}
        state.labels = tensors.get("labels")
        state.batches.draw_by_groups(tensors.get("groups"))
        torch.set_rng_state(tensors["random/cpu"])
    except (RuntimeError, KeyError) as error:
        raise RunError(
            f"{run.checkpoint} does not fit the settings of this run: {str(error).splitlines()[0]}"
        ) from error
    if "random/cuda" in tensors and state.fabric.device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random/cuda"], state.fabric.device)
    elif "random/mps" in tensors and state.fabric.device.type == "mps":
        torch.mps.set_rng_state(tensors["random/mps"])


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _parameters(optimiser: Adam) -> list[Tensor]:
    return [p for group in optimiser.param_groups for p in group["params"]]


def _moments(optimiser: Adam) -> dict[str, Tensor]:
    moments: dict[str, Tensor] = {}
    for i, parameter in enumerate(_parameters(optimiser)):
        moments |= {f"{i}/{key}": t for key, t in optimiser.state.get(parameter, {}).items()}
    return moments


def _set_moments(optimiser: Adam, moments: dict[str, Tensor]) -> None:
    for i, parameter in enumerate(_parameters(optimiser)):
        of_parameter: dict[str, Any] = {}
        for key, value in _under(moments, f"{i}/").items():
            # The fused kernel walks parameter and moments in memory order, so that strides must agree.
            like = (
                torch.empty_like(parameter, requires_grad=False) if value.shape == parameter.shape else None
            )
            # Its step counter is a scalar, which lives beside the parameter.
            of_parameter[key] = (
                value.to(parameter.device) if key == "step" or like is None else like.copy_(value)
            )
        if of_parameter:
            optimiser.state[parameter] = of_parameter
