"""One optimisation step of each stage: encode, refine and play, the last in explicit phases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from elastic_infogan.core import objectives
from elastic_infogan.core.model import Latent
from elastic_infogan.core.objectives import learning
from elastic_infogan.data.views import to_range
from elastic_infogan.training.state import State

__all__ = ["encode", "play", "refine"]


def encode(state: State) -> None:
    """NT-Xent on real images trains Q's encoder, which no other loss shapes yet."""
    images = draw(state, state.config.schedule.encode_batch)
    with learning(state.model, state.table["contrast"]):
        terms = real_terms(state, images, labels=None)
        state.descend(terms)
    state.update("q")
    state.meter.add(terms, len(images))


def refine(state: State) -> None:
    """NT-Xent and self-labelling train Q on real images; the prior follows Q's posterior."""
    images = draw(state, state.config.schedule.encode_batch)
    labels = posterior(state, images)
    terms = teach_q(state, images, labels)
    state.update("q")
    follow(state, labels)
    state.meter.add(terms, len(images))


def play(state: State) -> None:
    """The adversarial game: D's phase, then that of G, Q and the prior, on one batch of images.

    G runs once: D's phase sees its images without their graph, G's phase with it.
    """
    config, model = state.config, state.model
    images = draw(state, config.batch)
    labels = posterior(state, images) if config.networks.q == "encoder" else None
    players = state.table["adversarial_g"] | state.table["information"]
    with learning(model, players), state.fabric.autocast():
        latent = model.draw(len(images), temperature(state), config.prior.samples)
        fake = model.generate(latent.noise, latent.code.value, latent.continuous)
    terms = discriminator_phase(state, images, labels, fake.detach(), latent)
    terms |= generator_phase(state, players, fake, latent)
    if state.step % config.schedule.q_interval == 0:
        terms |= teach_q(state, images, labels)
    state.update("generator", "q")
    if labels is not None:
        follow(state, labels)
    average(state)
    state.meter.add(terms, len(images))


def discriminator_phase(
    state: State, images: Tensor, labels: Tensor | None, fake: Tensor, latent: Latent
) -> dict[str, Tensor]:
    """D learns to tell real from generated; a conditional D is told Q's posterior of the real ones."""
    code = latent.code.value.detach()
    real_code = torch.zeros_like(code) if labels is None else labels
    with learning(state.model, state.table["adversarial_d"]):
        with state.fabric.autocast():
            real = channels_last(to_range(images))
            terms = objectives.discriminator_terms(state.model, real, real_code, fake, code)
        state.descend(terms)
    state.update("discriminator")
    return terms


def generator_phase(state: State, players: frozenset[str], fake: Tensor, latent: Latent) -> dict[str, Tensor]:
    """Gradients of G, Q and the prior from generated images; `players` are who learns."""
    with learning(state.model, players):
        with state.fabric.autocast():
            terms = objectives.generator_terms(state.model, latent, fake, state.config.information.target)
        state.descend(terms)
    return terms


def draw(state: State, batch: int) -> Tensor:
    """This process's part of a batch of `batch` images, uint8 `(n, C, H, W)`."""
    return state.batches.draw(batch // state.fabric.world_size)


def channels_last(images: Tensor) -> Tensor:
    """The memory order in which convolutions are fastest."""
    return images.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def posterior(state: State, images: Tensor) -> Tensor:
    """Q's own answer on untouched images uint8 `(n, C, H, W)`: class probabilities `(n, K)`."""
    with state.fabric.autocast():
        logits = state.model.recognise(channels_last(to_range(images))).logits
    return logits.float().softmax(dim=1)


def teach_q(state: State, images: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
    """Gradients of Q's terms on real images, added to those that Q has already."""
    config, table = state.config, state.table
    wanted = config.contrast.weight or (labels is not None and config.self_labelling.weight)
    if not wanted:
        return {}
    groups = table["contrast"] | (table["self_labelling"] if labels is not None else frozenset())
    with learning(state.model, groups):
        terms = real_terms(state, images, labels)
        state.descend(terms)
    return terms


def real_terms(state: State, images: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
    """`contrast`, and with the posterior as `labels` (n, K) `self_labelling`, on two views of `images`."""
    config, n = state.config, len(images)
    if config.contrast.pairs == "original-view":
        pair = torch.cat([to_range(images), state.views(images)])
    else:
        pair = state.views(torch.cat([images, images]))
    with own_statistics(state), state.fabric.autocast():
        output = state.model.recognise(channels_last(pair))
    terms = {}
    if config.contrast.weight:
        anchors, views = output.features[:n], output.features[n:]
        terms["contrast"] = objectives.contrast(
            anchors, views, config.contrast.temperature, config.contrast.negatives, None
        )
    if labels is not None and config.self_labelling.weight:
        terms["self_labelling"] = objectives.self_labelling(
            labels.repeat(2, 1), output.logits, config.self_labelling.confidence
        )
    return terms


@contextmanager
def own_statistics(state: State) -> Iterator[None]:
    """Within the block Q's encoder normalises by its batch and learns its running statistics.

    Elsewhere it uses the running ones, so that generated images never shift what Q expects of real ones.
    """
    encoder = state.model.encoder
    was_training = encoder.training
    encoder.train()
    yield
    encoder.train(was_training)


def temperature(state: State) -> float:
    """Gumbel-Softmax temperature now: geometric from its start to its end over the budget."""
    prior = state.config.prior
    return float(prior.temperature * (prior.temperature_end / prior.temperature) ** min(1.0, state.progress))


def follow(state: State, labels: Tensor) -> None:
    """Pull the prior towards the mean posterior `labels` (n, K) of the batch, over all processes."""
    prior = state.config.prior
    if prior.learned and prior.posterior_rate:
        mean = labels.mean(0)
        if state.fabric.world_size > 1:
            mean = state.mean_over_processes(mean)
        state.model.prior.follow(mean, prior.posterior_rate)


@torch.no_grad()
def average(state: State) -> None:
    """Move the averaged generator towards the present one, at first fast, since it starts untrained."""
    decay = min(state.config.adversary.ema, (1 + state.step) / (10 + state.step))
    ours, theirs = state.average.state_dict(), state.model.generator.state_dict()
    floating = [name for name, tensor in ours.items() if tensor.is_floating_point()]
    torch._foreach_lerp_([ours[n] for n in floating], [theirs[n] for n in floating], 1 - decay)
