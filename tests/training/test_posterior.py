"""The posterior that tells classes by features."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from elastic_infogan.training.discovery import set_q
from elastic_infogan.training.posterior import HEAD_NORM, regressed
from elastic_infogan.training.recipes import ELASTIC
from elastic_infogan.training.state import build

WIDTHS = {"generator_width": 4, "discriminator_width": 4, "encoder_width": 4}


@pytest.mark.parametrize("n_classes", [2, 3])
def test_codes_that_no_image_fills_are_improbable(n_classes):
    labels = np.repeat([0, 1], [60, 40])
    features = torch.nn.functional.normalize(torch.eye(16)[labels] + 0.2 * torch.randn(100, 16), dim=1)
    posterior = regressed(features.double().numpy(), labels, n_classes)
    probabilities = (features @ posterior.weight.t() + posterior.bias).softmax(1)
    assert (probabilities.argmax(1).numpy() == labels).mean() > 0.9
    assert posterior.shares.tolist() == pytest.approx([0.6, 0.4, 0.0][:n_classes])
    if n_classes == 3:
        assert probabilities[:, 2].sum() < 1


def test_one_class_alone_takes_everything():
    posterior = regressed(np.eye(4), np.zeros(4, np.int64), 3)
    assert (torch.eye(4) @ posterior.weight.t() + posterior.bias).argmax(1).tolist() == [0, 0, 0, 0]


def test_a_head_set_from_one_class_alone_is_finite_and_gives_that_class(small):
    """As where one image in hundreds differs and its neighbours outvote it."""
    model = build(small(networks=replace(ELASTIC.networks, **WIDTHS)), 8, 1)
    features = torch.nn.functional.normalize(torch.randn(20, model.spec.features), dim=1)
    set_q(model, regressed(features.double().numpy(), np.full(20, 4), 10))
    assert (model.q_head(features).logits.argmax(1) == 4).all()
    assert all(p.isfinite().all() for p in model.parameters())


def test_classes_without_images_make_q_no_surer_of_the_others(small):
    labels = np.repeat([3, 17], [60, 40])
    model = build(small(classes=30, networks=replace(ELASTIC.networks, **WIDTHS)), 8, 1)
    width = model.spec.features
    features = torch.nn.functional.normalize(torch.eye(width)[labels] + 0.05 * torch.randn(100, width), dim=1)
    set_q(model, regressed(features.double().numpy(), labels, 30))
    lengths = model.q_head.classes.weight.detach().norm(dim=1)
    assert lengths[[3, 17]].mean() == pytest.approx(HEAD_NORM, rel=1e-4)
    assert lengths.sum() == pytest.approx(2 * HEAD_NORM, rel=1e-4)


def test_a_variant_nearer_to_another_class_stays_with_its_own():
    """A class of two clumps on either side of another, whose mean lies where the other is."""
    random = np.random.default_rng(0)
    across = np.concatenate(
        [random.normal(-1, 0.1, 400), random.normal(0.9, 0.1, 60), random.normal(0, 0.1, 300)]
    )
    classes = np.repeat([0, 0, 1], [400, 60, 300])
    features = np.stack([across, np.where(classes == 1, 0.3, -0.3), random.normal(0, 0.1, 760)], 1)
    fitted = regressed(features, classes, 2)
    found = (features @ fitted.weight.numpy().T + fitted.bias.numpy()).argmax(1)
    assert (found == classes).mean() > 0.99
