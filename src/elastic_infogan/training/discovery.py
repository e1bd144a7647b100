"""From contrastive features to classes, which give Q's head, the prior and Q's labels their start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from threadpoolctl import threadpool_limits
from torch import Tensor

from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.data.descriptors import coarse_pixels, concavities, oriented_gradients, upright
from elastic_infogan.training.counting import Count, count
from elastic_infogan.training.grouping import Looks, grouped
from elastic_infogan.training.joining import NEIGHBOURS, join, nearest, reciprocal_links, small_clusters
from elastic_infogan.training.posterior import HEAD_NORM, LinearPosterior, regressed
from elastic_infogan.training.presets import HANDWRITING, STROKES
from elastic_infogan.training.resizing import resize
from elastic_infogan.training.sought import sought
from elastic_infogan.training.state import State

__all__ = ["agreement", "assign", "balance", "discover", "looks_of", "set_q"]

CHUNK, CHUNK_VALUES = 1024, 2**26
"""Images in an inference batch at most, and numbers in them."""

LOOKED_AT = 20_000
"""Images that classes are found among."""

TOLD = 60_000
"""Other images that are told their class by those most like them; the rest ask Q."""

ROOM = 16
"""Side in pixels from which what strokes enclose is looked at; at 8, strokes are as wide as that."""

GROUPS, GROUPS_A_CLASS, CLUSTERS_A_GROUP = 40, 2, 5
"""Groups that images are drawn by while the encoder learns: at most, for each class that there may
be, and the small clusters that each is joined from."""


@torch.no_grad()
def set_q(model: ClassModel, posterior: LinearPosterior) -> None:
    """Make Q give the classes of `posterior`.

    All logits are scaled alike, which changes no class, so that features of unit length give logits that
    training can still move: a posterior too sure of itself is upset by the smallest step of the encoder.
    """
    lengths = posterior.weight.norm(dim=1)
    filled = lengths[lengths > 0]  # a class without images has no direction, nor any where one took all
    scale = HEAD_NORM / filled.mean() if len(filled) else 1.0
    head = model.q_head.classes
    head.weight.copy_(posterior.weight * scale)
    head.bias.copy_(posterior.bias * scale)


def balance(state: State) -> None:
    """From now on draw the groups that the features fall into so far by the square root of their size.

    NT-Xent spreads images evenly over the sphere, so that a class gets the room that its share buys: a common
    one is torn into parts, and a rare one squeezed against its neighbour. Groups are more than there are
    classes, so that rare classes have some of their own; but so have a few odd images, which is why groups
    are not drawn alike. Of several processes the first one finds them, and tells the others.
    """
    state.batches.draw_by_groups(state.processes.by_first(lambda: _groups(state)))


def _groups(state: State) -> Tensor:
    """The group of each image, int64 `(N,)`: that of the small cluster whose mean is nearest."""
    indices = _looked_at(state)
    features = torch.cat([_features(state, part) for part in indices.split(_chunk(state))])
    wanted = min(GROUPS, GROUPS_A_CLASS * sought(state.config.classes or 0).high, len(features))
    small = min(CLUSTERS_A_GROUP * wanted, len(features))
    clusters = small_clusters(features.cpu().numpy(), small, state.config.seed)
    linked = reciprocal_links(nearest(features, NEIGHBOURS), clusters, small)
    cluster = torch.full((len(state.batches),), -1)
    cluster[indices] = torch.from_numpy(clusters)
    means = features.new_zeros(small, features.shape[1])
    means.index_add_(0, cluster[indices].to(features.device), features)
    means = F.normalize(means, dim=1)
    for others in torch.where(cluster < 0)[0].split(_chunk(state)):
        cluster[others] = (_features(state, others) @ means.t()).argmax(dim=1).cpu()
    return torch.from_numpy(join(linked, n_classes=wanted).classes)[cluster]


def discover(state: State) -> Count | None:
    """Find the classes among the features of real images, and start Q's head, a learned prior and Q's labels
    from them.

    Of several processes the first one does, and tells the others.

    Returns:
        how many there are, where that was to be found out; the model then has as many codes.
    """
    number, posterior, labels = state.processes.by_first(lambda: _found(state))
    if number is not None:
        resize(state, number.found)
    set_q(state.model, posterior)
    if state.config.prior.learned:
        state.model.prior.assign(posterior.shares.to(state.model.device))
    untold = torch.where(labels < 0)[0]
    if len(untold):
        labels[untold] = assign(state, untold)
    state.labels = labels
    return number


def agreement(state: State) -> float:
    """Mean NMI of every two of the starts' classes among the features of real images: a score of the encoder.

    Of several processes the first one computes it, and tells the others.
    """
    return state.processes.by_first(lambda: _agreement(state))


def _agreement(state: State) -> float:
    looks = looks_of(state, _looked_at(state))
    n_classes, _ = _number(state, looks)
    found = grouped(looks, n_classes, state.config.seed)
    return found.agreement if found.kinds else 0.0  # on what is not kept in the end all may agree


def _found(state: State) -> tuple[Count | None, LinearPosterior, Tensor]:
    """How many classes there are, Q's start, and the class of each image, -1 where Q is to say."""
    seen = _looked_at(state)
    looks = looks_of(state, seen)
    n_classes, number = _number(state, looks)
    found = grouped(looks, n_classes, state.config.seed)
    with threadpool_limits(1):  # type: ignore[no-untyped-call]
        # Single precision whatever the model's: how double precision rounds depends on the
        # number of processes, and the fit would enlarge it.
        features = looks.features.cpu().numpy().astype(np.float32).astype(np.float64)
        posterior = regressed(features, found.classes, n_classes)
    labels = torch.full((len(state.batches),), -1)
    labels[seen] = torch.from_numpy(found.classes)
    others = torch.where(labels < 0)[0][:TOLD]
    for part in others.split(_chunk(state)) if len(others) else ():
        images = state.batches.gather(part)
        gradients = oriented_gradients(_standing(state, images))
        labels[part] = torch.from_numpy(found.tell(_answer(state, images)[1], gradients))
    learned = state.step // state.config.restarts  # steps of the encoder that goes on
    return number and replace(number, kinds=found.kinds, steps=learned), posterior, labels


def _looked_at(state: State) -> Tensor:
    """Indices of the images that classes are found among, in random order."""
    everyone = np.random.default_rng(state.config.seed).permutation(len(state.batches))
    return torch.from_numpy(everyone[:LOOKED_AT])


def looks_of(state: State, indices: Tensor) -> Looks:
    """What the images at `indices` are compared by; drawings of strokes are set upright for that."""
    found = [_look(state, part) for part in indices.split(_chunk(state))]
    features, gradients, enclosing, *pixels = (torch.cat(kind) for kind in zip(*found, strict=True))
    return Looks(features, gradients, tuple(pixels), enclosing if enclosing.shape[1] else None)


def _look(state: State, indices: Tensor) -> list[Tensor]:
    """Features, gradients, concavities (none but of handwriting) and each kind of pixels of images."""
    images = state.batches.gather(indices)
    standing = _standing(state, images)
    handwritten = state.config.views.preset in HANDWRITING and images.shape[-1] >= ROOM
    enclosing = concavities(standing) if handwritten else images.new_empty(len(images), 0)
    copies = [images] if standing is images else [images, standing]
    pixels = map(coarse_pixels, copies)
    return [_answer(state, images)[1], oriented_gradients(standing), enclosing, *pixels]


def _standing(state: State, images: Tensor) -> Tensor:
    """Drawings of strokes set upright, other images as they are."""
    return upright(images) if state.config.views.preset in STROKES else images


def _number(state: State, looks: Looks) -> tuple[int, Count | None]:
    """How many classes there are, and the estimate where that was to be found out."""
    wanted = sought(state.config.classes or 0)
    if wanted.known:
        return state.model.n_classes, None
    number = count(looks, wanted, state.config.seed)
    return number.found, number


def assign(state: State, indices: Tensor | None = None) -> Tensor:
    """The class that Q gives each image, int64 `(N,)` on the CPU; each process asks about its share.

    Arguments:
        indices: of the images that are asked about; None: of all.
    """
    mine = state.share.take(torch.arange(len(state.batches)) if indices is None else indices)
    # One table for all: small results kept between large blocks that come and go would tear the heap.
    own, chunk = torch.empty_like(mine), _chunk(state)
    for part, classes in zip(mine.split(chunk), own.split(chunk), strict=True):
        classes.copy_(_answer(state, state.batches.gather(part))[0].argmax(dim=1))
    return torch.cat(state.processes.of_all(own))


def _chunk(state: State) -> int:
    """Images in an inference batch: `CHUNK`, or fewer large ones."""
    spec = state.model.spec
    return max(1, min(CHUNK, CHUNK_VALUES // (spec.size**2 * spec.channels)))


def _features(state: State, indices: Tensor) -> Tensor:
    """Q's features of the images at `indices`."""
    return _answer(state, state.batches.gather(indices))[1]


@torch.no_grad()
def _answer(state: State, images: Tensor) -> tuple[Tensor, Tensor]:
    """Class probabilities and features of uint8 images `(n, C, H, W)`, by Q as it stands."""
    was_training = state.model.training
    answer = state.model.eval().posterior(images.permute(0, 2, 3, 1))
    state.model.train(was_training)
    if state.config.networks.q == "encoder":
        state.model.encoder.eval()
    return answer
