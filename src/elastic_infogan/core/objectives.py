"""Each phase's named loss terms, and the table of which parameters each term updates.

`V_InfoGAN(D, G, Q, p) + lambda_2 L_ntxent(Q)` (Elastic-InfoGAN, equation 6) is played in phases. A phase
computes its terms with exactly the groups of `update_table` requiring gradients, so that no gradient is
computed that no optimiser uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from elastic_infogan.core import functional
from elastic_infogan.core.class_model import ClassModel
from elastic_infogan.core.jointvae import JointVAE
from elastic_infogan.core.model import ElasticInfoGAN, Latent
from elastic_infogan.core.prior import SampleKind, draw_codes
from elastic_infogan.core.share import ALONE, Share

__all__ = [
    "VARIATIONAL_TABLE",
    "contrast",
    "discriminator_terms",
    "generator_terms",
    "learning",
    "self_labelling",
    "update_table",
    "variational_terms",
]

VARIATIONAL_TABLE: Mapping[str, frozenset[str]] = {
    "reconstruction": frozenset({"generator", "encoder", "q_head"}),
    "capacity_class": frozenset({"encoder", "q_head"}),
    "capacity_continuous": frozenset({"encoder", "q_head"}),
}
"""Loss term of JointVAE -> parameter groups that it updates; its prior is fixed."""


def update_table(
    q: str, *, q_trains_trunk: bool, learned_prior: bool, information_trains_q: bool
) -> Mapping[str, frozenset[str]]:
    """Loss term -> parameter groups that it updates.

    The published formula lets Q's terms train everything that Q reads. The published code trains the
    trunk for D alone, which is what `q = "trunk"` means unless `q_trains_trunk` is set.
    """
    what_q_reads = {"trunk"} if q == "trunk" and q_trains_trunk else set()
    q_groups = frozenset({"encoder", "q_head"} | what_q_reads)
    informed = q_groups if information_trains_q else frozenset()
    prior = frozenset({"prior"} if learned_prior else set())
    return {
        "adversarial_d": frozenset({"trunk", "discriminator"}),
        "adversarial_g": frozenset({"generator"}) | prior,
        "information": frozenset({"generator"}) | informed | prior,
        "information_continuous": frozenset({"generator"}) | q_groups | prior,
        "contrast": q_groups - {"q_head"},
        "self_labelling": q_groups,
    }


@contextmanager
def learning(model: ClassModel, groups: frozenset[str]) -> Iterator[None]:
    """Within the block the parameters of `groups` require gradients, and no others; so until the next one."""
    for name in model.groups:
        for parameter in model.group(name):
            parameter.requires_grad_(name in groups)
    yield


def discriminator_terms(
    model: ElasticInfoGAN, real: Tensor, real_code: Tensor, fake: Tensor, code: Tensor
) -> dict[str, Tensor]:
    """`adversarial_d` for images `(N, C, H, W)`; codes `(N, K)` reach a conditional D only.

    Real and fake are as many, and batch normalisation sees each population by itself.
    """
    logits = model.discriminator(torch.cat([real, fake]), torch.cat([real_code, code]), populations=2)
    on_real, on_fake = logits.chunk(2)
    return {"adversarial_d": functional.non_saturating_discriminator_loss(on_real, on_fake)}


def generator_terms(
    model: ElasticInfoGAN, latent: Latent, fake: Tensor, seen: Tensor, target: str
) -> dict[str, Tensor]:
    """`adversarial_g`, `information` and, with continuous codes, `information_continuous`.

    Arguments:
        latent: what the images were generated from.
        fake: generated images with their graph, `(N, C, H, W)`.
        seen: the same as D, and a Q on its trunk, sees them.
        target: `argmax` makes Q recover the index of the code, so that p learns through G alone (the
            published code); `sample` makes it recover the relaxed code, so that p learns here too, and then
            H(c) belongs to the bound: without it p would end at the class that is recognised best.
    """
    if target not in ("argmax", "sample"):
        raise ValueError(f"target is {target!r}; argmax or sample is needed")
    hidden = model.discriminator.trunk(seen)
    q = model.q_of(hidden if model.spec.q == "trunk" else fake)
    code = latent.code.relaxed if target == "sample" else F.one_hot(latent.code.index, model.n_classes)
    terms = {
        "adversarial_g": functional.non_saturating_generator_loss(
            model.discriminator.judge(hidden, latent.code.value)
        ),
        "information": functional.categorical_mutual_information_loss(q.logits, code),
    }
    if target == "sample" and code.requires_grad:  # hard codes pull p nowhere, and their entropy must not
        terms["information"] = terms["information"] - model.prior.entropy()
    if model.spec.continuous:
        terms["information_continuous"] = functional.gaussian_mutual_information_loss(
            q.mean, q.log_variance, latent.continuous
        )
    return terms


def contrast(
    anchors: Tensor, views: Tensor, temperature: float, negatives: bool, candidates: Tensor | None
) -> Tensor:
    """NT-Xent, or with `negatives` off the attraction of positive pairs alone; features `(N, F)` each."""
    if negatives:
        return functional.nt_xent(anchors, views, temperature, candidates)
    return functional.positive_pair_loss(anchors, views)


def self_labelling(labels: Tensor, logits: Tensor) -> Tensor:
    """Cross-entropy of Q on views against the classes of the untouched images: those found, later its own.

    Caron et al., DeepCluster (ECCV 2018), and SCAN's self-labelling (Van Gansbeke et al., ECCV 2020); the
    labels stay fixed within a stage, since labels that follow Q at once let rare classes drift away.

    Arguments:
        labels: class of each image, int64 `(N,)`.
        logits: of a view of each, `(N, K)`.
    """
    return F.cross_entropy(logits.float(), labels)


def variational_terms(
    model: JointVAE,
    images: Tensor,
    temperature: float,
    kind: SampleKind,
    capacity_class: Tensor,
    capacity_continuous: float,
    share: Share = ALONE,
    mean_over_all: Callable[[Tensor], Tensor] = lambda mean: mean,
) -> dict[str, Tensor]:
    """`reconstruction`, `capacity_class` and, with continuous codes, `capacity_continuous`.

    Dupont, JointVAE (NeurIPS 2018): a grey value is the mean of a Bernoulli variable, one latent is drawn for
    each image, and each divergence from the prior is held at its capacity.

    Arguments:
        images: `(N, C, H, W)` in [-1, 1].
        temperature, kind: of the relaxed class code.
        capacity_class, capacity_continuous: in nats.
        share: of several processes, whose images these are.
        mean_over_all: the mean of a scalar over all processes, with a way back for gradients; a divergence
            is held at its capacity as a mean over the whole batch.

    Returns: the cross-entropy as a mean over pixels, and the two distances in nats.
    """
    q = model.recognise(images)
    mean, log_variance = q.mean.float(), q.log_variance.float()
    log_posterior = F.log_softmax(q.logits.float(), dim=1)
    n, codes = mean.shape
    normal = share.draw(n, lambda rows: torch.randn(rows, codes, dtype=mean.dtype, device=mean.device))
    gumbel = share.draw(n, lambda rows: functional.sample_gumbel((rows, model.n_classes), log_posterior))
    gaussian = mean + normal * (0.5 * log_variance).exp()
    code = draw_codes(log_posterior, gumbel, temperature, kind)
    logits = model.decode(code.value, gaussian).float()
    kl = mean_over_all(functional.categorical_kl(q.logits, model.prior.log_probabilities()))
    terms = {
        "reconstruction": F.binary_cross_entropy_with_logits(logits, (images + 1) / 2),
        "capacity_class": functional.capacity_loss(kl, capacity_class),
    }
    if model.spec.continuous:
        kl = mean_over_all(functional.gaussian_kl(mean, log_variance))
        terms["capacity_continuous"] = functional.capacity_loss(kl, capacity_continuous)
    return terms
