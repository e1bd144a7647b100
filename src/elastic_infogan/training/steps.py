"""One optimisation step of each stage: encode, refine and play, the last in explicit phases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastic_infogan.core import objectives
from elastic_infogan.core.model import Latent
from elastic_infogan.core.objectives import learning
from elastic_infogan.core.pixel_range import to_range
from elastic_infogan.training.adaptive_augmentation import adapt, as_seen
from elastic_infogan.training.state import GameState, State

__all__ = ["Batch", "encode", "play", "refine", "settle"]


@dataclass(frozen=True)
class Batch:
    """Real images uint8 `(n, C, H, W)` and the classes held for them `(n,)`, where the stage has any."""

    images: Tensor
    labels: Tensor | None

    def __len__(self) -> int:
        return len(self.images)


def encode(state: State) -> None:
    """NT-Xent on real images trains Q's encoder, which no other loss shapes yet."""
    batch = draw(state, state.config.schedule.encode_batch)
    terms = teach_q(state, batch)
    state.update("q")
    state.record(terms, len(batch))


def refine(state: State) -> None:
    """NT-Xent and self-labelling train Q on real images; the prior follows the labels."""
    batch = draw(state, state.config.schedule.encode_batch)
    terms = teach_q(state, batch)
    state.update("q")
    follow(state, batch)
    state.record(terms, len(batch))


def play(state: GameState) -> None:
    """The adversarial game: D's phase, then that of G, Q and the prior, on one batch of images.

    G runs once: D's phase sees its images without their graph, G's phase with it.
    """
    config, model = state.config, state.model
    batch = draw(state, config.batch)
    players = state.table["adversarial_g"] | state.table["information"]
    with learning(model, players), state.fabric.autocast():
        whole = model.draw(len(batch) * state.share.of, temperature(state), config.prior.samples)
        latent = whole.part(state.share)
        fake = model.generate(latent.noise, latent.code.value, latent.continuous)
    terms = discriminator_phase(state, batch, fake.detach(), latent)
    adapt(state, terms["adversarial_d"])
    terms |= generator_phase(state, players, fake, latent)
    if state.step % config.schedule.q_interval == 0:
        terms |= teach_q(state, batch)
    state.update("generator", "q")
    if "trunk" in state.table["contrast"]:  # at once, so that no gradient outlives the step
        state.update("discriminator")
    follow(state, batch)
    average(state)
    state.record(terms, len(batch))


def discriminator_phase(state: GameState, batch: Batch, fake: Tensor, latent: Latent) -> dict[str, Tensor]:
    """D learns to tell real from generated; a conditional D is told Q's labels of the real ones."""
    code = latent.code.value.detach()
    real_code = torch.zeros_like(code)
    if batch.labels is not None:
        real_code.scatter_(1, batch.labels[:, None], 1.0)
    with learning(state.model, state.table["adversarial_d"]):
        with state.fabric.autocast():
            real, fake = (as_seen(state, images) for images in (to_range(batch.images), fake))
            terms = objectives.discriminator_terms(state.model, real, real_code, fake, code)
        state.descend(terms)
    state.update("discriminator")
    return terms


def generator_phase(
    state: GameState, players: frozenset[str], fake: Tensor, latent: Latent
) -> dict[str, Tensor]:
    """Gradients of G, Q and the prior from generated images; `players` are who learns."""
    with learning(state.model, players):
        with state.fabric.autocast():
            seen, target = as_seen(state, fake), state.config.information.target
            terms = objectives.generator_terms(state.model, latent, fake, seen, target)
        together = dict(terms)
        if "trunk" in players:  # which Q's terms train, and not this one, though it goes back through it
            own = {"adversarial_g": together.pop("adversarial_g")}
            state.descend(own, state.table["adversarial_g"])
        state.descend(together)
    return terms


def draw(state: State, batch: int | None) -> Batch:
    """This process's part of a random batch of `batch` images, which a resolved configuration states."""
    indices = state.share.take(state.batches.draw(batch or 0))
    labels = None if state.labels is None else state.labels[indices].to(state.fabric.device)
    return Batch(state.batches.gather(indices), labels)


def teach_q(state: State, batch: Batch) -> dict[str, Tensor]:
    """Gradients of Q's terms on real images, added to those that Q has already."""
    config, table = state.config, state.table
    labels = batch.labels if config.self_labelling.weight else None
    if not config.contrast.weight and labels is None:
        return {}
    groups = table["contrast"] | (frozenset() if labels is None else table["self_labelling"])
    with learning(state.model, groups):
        terms = real_terms(state, batch.images, labels)
        state.descend(terms)
    return terms


def real_terms(state: State, images: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
    """`contrast`, and with `labels` (n,) `self_labelling`, on two views of `images`."""
    contrast, n = state.config.contrast, len(images)
    if contrast.pairs == "original-view":
        pair = torch.cat([to_range(images), views_of(state, images, 1)])
    else:
        pair = views_of(state, images, 2)
    with own_statistics(state), state.fabric.autocast():
        output = state.model.recognise(pair)
    terms = {}
    if contrast.weight:
        anchors, views = output.features[:n], output.features[n:]
        others = state.processes.from_others(output.features.float()) if contrast.negatives else None
        terms["contrast"] = objectives.contrast(
            anchors, views, contrast.temperature, contrast.negatives, others
        )
    if labels is not None:
        terms["self_labelling"] = objectives.self_labelling(labels.repeat(2), output.logits)
    return terms


def views_of(state: State, images: Tensor, copies: int) -> Tensor:
    """`copies` random views of each of this process's images uint8 `(n, C, H, W)`, one copy after another."""
    drawn = state.views.draw(copies * len(images) * state.share.of, images)
    return state.views(images.repeat(copies, 1, 1, 1), state.share.take_each(drawn, copies))


@contextmanager
def own_statistics(state: State) -> Iterator[None]:
    """Within the block Q normalises views by their batch; an encoder of its own keeps nothing of it.

    Its running statistics are those of untouched images, see `settle`: tracked over views, they moved
    rare classes into their neighbours when untouched images were read. A Q on D's trunk normalises by
    batch throughout, as published.
    """
    if state.config.networks.q == "trunk":
        yield
        return
    layers = batch_norms(state)
    state.model.encoder.train()
    for layer in layers:
        layer.momentum = 0.0
    yield
    state.model.encoder.eval()


@torch.no_grad()
def settle(state: State, batches: int = 32, batch: int = 256) -> None:
    """Give Q's encoder the running statistics of untouched real images, averaged over some batches.

    They are drawn as the stage that ends drew them: on leaving encode rare groups more often than they occur.
    """
    if not batch_norms(state):
        return
    for layer in batch_norms(state):
        layer.reset_running_stats()
        layer.momentum = None  # a cumulative average
    state.model.encoder.train()
    for _ in range(batches):
        state.model.recognise(to_range(draw(state, batch).images))
    state.model.encoder.eval()


def batch_norms(state: State) -> list[nn.BatchNorm1d | nn.BatchNorm2d]:
    """The batch normalisations of Q's encoder."""
    return [m for m in state.model.encoder.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]


def temperature(state: State) -> float:
    """Gumbel-Softmax temperature now: geometric from its start to its end over the budget."""
    prior = state.config.prior
    return float(prior.temperature * (prior.temperature_end / prior.temperature) ** min(1.0, state.progress))


def follow(state: State, batch: Batch) -> None:
    """Pull the prior towards the shares of Q's labels in the batch, over all processes.

    The pull fades as learning rates do, or the prior would end as scattered as the shares of a few batches.
    """
    prior = state.config.prior
    if not prior.learned:
        return
    if prior.posterior_rate and batch.labels is not None:
        # bincount would wait for the device
        shares = F.one_hot(batch.labels, state.model.n_classes).float().mean(dim=0)
        state.model.prior.follow(state.processes.mean(shares), prior.posterior_rate * state.decay)
    elif prior.floor:  # of which the gradient knows nothing
        state.model.prior.assign(state.model.prior.probabilities())


@torch.no_grad()
def average(state: State) -> None:
    """Move the averaged generator towards the present one, at first fast, since it starts untrained."""
    if not state.config.adversary.ema:
        return
    decay = min(state.config.adversary.ema, (1 + state.played) / (10 + state.played))
    state.played += 1
    theirs = state.model.generator.state_dict()
    pairs = [(t, theirs[name]) for name, t in state.average.state_dict().items() if t.is_floating_point()]
    ours, present = zip(*pairs, strict=True)
    torch._foreach_lerp_(ours, present, 1 - decay)
