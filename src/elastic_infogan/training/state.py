"""The state of training: networks, optimisers, images and counters, and how they are set up."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Adam

from elastic_infogan.core import objectives
from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.core.jointvae import JointVAE, JointVAESpec
from elastic_infogan.core.model import ElasticInfoGAN, ModelSpec
from elastic_infogan.core.networks import stages
from elastic_infogan.core.normalisation import share_statistics
from elastic_infogan.core.share import Share
from elastic_infogan.data.batches import ImageBatches
from elastic_infogan.data.views import IdentityViews
from elastic_infogan.errors import ConfigError, DataError
from elastic_infogan.training.choices import choose
from elastic_infogan.training.config import Config, flatten
from elastic_infogan.training.consistency import consistent
from elastic_infogan.training.hardware import choose_device
from elastic_infogan.training.limits import within_limits
from elastic_infogan.training.meeting import fingerprint, meet
from elastic_infogan.training.presets import ranges
from elastic_infogan.training.processes import Processes
from elastic_infogan.training.sought import sought
from elastic_infogan.training.telemetry import Meter

__all__ = ["GameState", "State", "VariationalState", "build", "check", "make_optimisers", "setup"]


@dataclass
class State:
    """Everything that a step reads and changes, whichever model is trained.

    Arguments:
        table: loss term -> parameter groups that it updates, see `core.objectives`.
        average: the generator's exponential moving average, which is what a run saves.
        agreement: score of each encoder that was trained, where there are several, see `restarts`.
        best: weights of the best of these encoders so far.
        labels: the class of each image since the stage began, int64 `(N,)` on the CPU, or None: from grouping
            in `refine`, and Q's own in `play`.
        attempt: which of the encoders learns, from 0.
        seconds: training time so far; start-up and packing do not count.
        pauses: when finding groups or classes began between steps, and how long it took, in seconds.
        images: shape and checksum of the images, see `meeting.fingerprint`.
        played: steps that G has learned for.
        augmented: part of the images that D sees changed, see `adaptive_augmentation`.
        decay: what is left of learning rates at this point of the stage.
        processes: that share each batch.
    """

    config: Config
    fabric: Fabric
    processes: Processes
    model: ClassModel
    average: nn.Module
    optimisers: dict[str, Adam]
    batches: ImageBatches
    views: IdentityViews
    table: Mapping[str, frozenset[str]]
    labels: Tensor | None = None
    agreement: list[float] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    stage: str = ""
    attempt: int = 0
    decay: float = 1.0
    step: int = 0
    seconds: float = 0.0
    pauses: list[tuple[float, float]] = field(default_factory=list)
    images: list[int] = field(default_factory=list)
    played: int = 0
    augmented: float = 0.0
    meter: Meter = field(default_factory=Meter)

    @property
    def progress(self) -> float:
        """Fraction of the budget that is used.

        Of steps: those done. Of minutes: a pause (finding groups or classes) uses none, and its length is
        taken off what is left, so that all stages to come shrink by one factor.
        """
        if self.config.steps is not None:
            return self.step / self.config.steps
        budget, used, since = 60 * (self.config.minutes or 0.0), 0.0, 0.0
        for began, took in [*self.pauses, (self.seconds, 0.0)]:
            if budget <= since:
                return 1.0
            used += (1 - used) * (began - since) / (budget - since)
            since = began + took
        return used

    @property
    def number_is_known(self) -> bool:
        """Whether the model has as many codes as there are classes: given, or found out by now."""
        return not isinstance(self.config.classes, str) or self.stage != "encode"

    def inference_model(self) -> ClassModel:
        """A copy of the model in eval mode; its generator is the average where one is kept."""
        model = copy.deepcopy(self.model).eval().requires_grad_(False)
        if self.config.adversary.ema:
            model.generator.load_state_dict(self.average.state_dict())
        return model

    def descend(self, terms: Mapping[str, Tensor], groups: frozenset[str] | None = None) -> None:
        """Add the gradients of the weighted terms to the parameters that require them.

        Arguments:
            groups: whose parameters alone are reached, where others that require gradients are not meant; the
                graph is then kept for other terms.
        """
        weights = self.weights
        total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        if groups is None:
            self.fabric.backward(total)
            return
        reached = [p for name in sorted(groups) for p in self.model.group(name)]
        self.fabric.backward(total, inputs=reached, retain_graph=True)

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each loss term in the whole objective."""
        config = self.config
        return {
            "adversarial_d": 1.0,
            "adversarial_g": 1.0,
            "information": config.information.weight,
            "information_continuous": config.information.continuous_weight,
            "contrast": config.contrast.weight,
            "self_labelling": config.self_labelling.weight,
            "reconstruction": 1.0,
            "capacity_class": config.variational.weight / self._values,
            "capacity_continuous": config.variational.weight / self._values,
        }

    @property
    def _values(self) -> int:
        """Numbers in an image: a mean over them weighs as much less than their sum."""
        return self.model.spec.size**2 * self.model.spec.channels

    def update(self, *names: str) -> None:
        """One step of the named optimisers, on gradients averaged over all processes."""
        for name in names:
            optimiser = self.optimisers[name]
            parameters = [p for group in optimiser.param_groups for p in group["params"]]
            self.processes.average_([p.grad for p in parameters if p.grad is not None])
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def record(self, terms: Mapping[str, Tensor], images: int) -> None:
        """Count the terms of one step that used `images` real images of this process."""
        self.meter.add(terms, images * self.share.of)

    @property
    def share(self) -> Share:
        """Which part of every batch is this process's."""
        return self.processes.share


@dataclass
class GameState(State):
    """What the stages of Elastic-InfoGAN read and change: a model with G, D and Q."""

    model: ElasticInfoGAN


@dataclass
class VariationalState(State):
    """What JointVAE's step reads and changes."""

    model: JointVAE


def check(config: Config, images: NDArray[np.uint8]) -> None:
    """Refuse settings and images that do not fit each other or this machine.

    Raises:
        ConfigError: for a setting that cannot be trained with.
        DataError: for fewer images than a batch or than classes, or copies of one image only.
    """
    _check_images(config, images)
    within_limits(config)
    choose_device(config.device)
    consistent(config)
    try:
        stages(images.shape[1])
    except ValueError as error:
        raise ConfigError(f"--size: {error}") from error
    _check_number(config, len(images))
    if all((image == images[0]).all() for image in images):
        raise DataError(
            f"all {len(images)} images of {config.source} are the same: there are no kinds to find"
        )


def _check_images(config: Config, images: NDArray[np.uint8]) -> None:
    square = images.ndim == 4 and images.shape[1] == images.shape[2]
    if images.dtype != np.uint8 or not square or images.shape[3] not in (1, 3):
        raise DataError(
            f"images are {images.dtype} {images.shape}, and uint8 (N, S, S, 1 or 3) is needed: "
            "data.sources.from_array makes that of other arrays"
        )
    if len(images) < 2:
        raise DataError(f"{config.source} holds {len(images)} image: there are no kinds to find")


def _check_number(config: Config, n: int) -> None:
    if config.classes is None:
        raise ConfigError("--classes is missing: say how many classes to look for")
    if config.classes != "auto" and sought(config.classes).high > n:
        raise ConfigError(f"--classes {config.classes}: there are only {n} images in {config.source}")
    batches = {"--batch": config.batch}
    if config.schedule.encode:
        batches["--schedule.encode-batch"] = config.schedule.encode_batch
    if too_large := [f"{flag} {n}" for flag, batch in batches.items() if (batch or 0) > n]:
        remedy = " and ".join(too_large)
        raise DataError(f"{config.source} has {n} images, fewer than a batch: use {remedy} or less")


def build(config: Config, size: int, channels: int) -> ClassModel:
    """The untrained model for images of `size` pixels and `channels` channels.

    Where the number of classes is to be found out it has as many codes as there may be, see `resizing`.

    Raises:
        ConfigError: a number that the networks need is still open; `choose` settles it for given images.
    """
    n = config.networks
    needed = ("classes", "networks.generator_width", "networks.discriminator_width", "networks.encoder_width")
    given: dict[str, Any] = {name: flatten(config)[name] for name in needed}
    if still_open := [name for name, value in given.items() if value is None]:
        raise ConfigError(
            f"{' and '.join(still_open)} must be set before a model can be built: "
            "set them, or let training.choices.choose fit them to the images"
        )
    common: dict[str, Any] = {
        "size": size, "channels": channels, "n_classes": sought(given["classes"]).high,
        "noise": config.latent.noise, "continuous": config.latent.continuous, "features": n.features,
        "encoder_width": n.encoder_width,
        "generator_width": n.generator_width, "generator_hidden": n.generator_hidden,
    }  # fmt: skip
    model: ClassModel
    if config.model == "jointvae":
        model = JointVAE(JointVAESpec(**common))
    else:
        model = ElasticInfoGAN(ModelSpec(
            **common, q=n.q, conditional=config.adversary.conditional, prior_floor=config.prior.floor,
            discriminator_width=given["networks.discriminator_width"],
            discriminator_hidden=n.discriminator_hidden,
        ))  # fmt: skip
    if config.prior.shares is not None:
        model.prior.assign(torch.tensor(config.prior.shares))
    if config.devices * config.nodes > 1:
        share_statistics(model)
    return model


def setup(config: Config, images: NDArray[np.uint8], fabric: Fabric | None = None) -> State:
    """Networks, optimisers and images on their device, for images uint8 `(N, H, W, C)`.

    What `config` leaves open is chosen from the images.

    Arguments:
        fabric: of processes that have met already; None: they meet here.

    Raises:
        ConfigError, DataError: see `check`.
    """
    _check_images(config, images)
    config = choose(config, images)
    check(config, images)
    fabric = fabric or meet(config)
    # The same weights and the same draws in every process, see `Share`.
    torch.manual_seed(config.seed)
    model = build(config, images.shape[1], images.shape[3]).to(fabric.device)
    torch.manual_seed(config.seed)
    if config.networks.q == "encoder":
        model.encoder.eval()
    kind: type[State] = VariationalState if config.model == "jointvae" else GameState
    return kind(
        config=config,
        fabric=fabric,
        processes=Processes(fabric),
        model=model,
        average=copy.deepcopy(model.generator).requires_grad_(False),
        optimisers=make_optimisers(config, model),
        batches=ImageBatches(images, fabric.device),
        views=IdentityViews(**ranges(config.views)),
        table=update_table(config),
        images=fingerprint(images),
    )


def update_table(config: Config) -> Mapping[str, frozenset[str]]:
    """Loss term -> parameter groups that it updates, for the model of `config`."""
    if config.model == "jointvae":
        return objectives.VARIATIONAL_TABLE
    return objectives.update_table(
        config.networks.q,
        q_trains_trunk=config.networks.q_trains_trunk,
        learned_prior=config.prior.learned,
        information_trains_q=config.information.trains_q,
    )


def make_optimisers(config: Config, model: ClassModel) -> dict[str, Adam]:
    """Adam for D and its trunk, where there is one, for G and the prior, and for Q.

    The published code has one optimiser for G, Q's head and the prior; Adam treats every parameter by
    itself, so that two with the same settings do the same.
    """
    rates = config.optimiser

    def group(
        names: tuple[str, ...], play: float, refine: float = 0.0, encode: float = 0.0
    ) -> dict[str, Any]:
        parameters = [p for name in names for p in model.group(name)]
        stages = {"play": play, "reconstruct": play, "encode": encode, "refine": refine}
        return {"params": parameters, "lr": play, **stages}

    def adam(*groups: dict[str, Any], beta1: float) -> Adam:
        return Adam(groups, betas=(beta1, rates.beta2), fused=rates.fused)

    g = group(("generator",), rates.generator_learning_rate)
    p = group(("prior",), config.prior.learning_rate)
    before_play = rates.refine_learning_rate, rates.encode_learning_rate
    q = group(("encoder", "q_head"), rates.q_learning_rate, *before_play)
    optimisers = {"generator": adam(g, p, beta1=rates.beta1), "q": adam(q, beta1=rates.q_beta1)}
    if "discriminator" in model.groups:
        d = group(("trunk", "discriminator"), rates.discriminator_learning_rate)
        optimisers["discriminator"] = adam(d, beta1=rates.beta1)
    return optimisers
